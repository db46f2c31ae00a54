//! A link: what was taught, in the part of an address that no browser sends to a server.
//!
//! `#taste=1.post.0123456789abcdef.…`: the form's version, the type of text, the id of the model that was taught, and then, in
//! base64url, a checksum of all the rest (CRC-32), the adapter's shape, how many lessons led to it, and as much of it as fits
//! ([`squeeze`]). An address that is longer than [`MOST_CHARACTERS`] is not worth sending.
//!
//! A link comes from a stranger like any file. Its size is known before anything is unpacked, and what is unpacked is as large as the
//! adapter's shape says, whatever the bytes are.

mod range_coder;
mod squeeze;
mod svd;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::peft::{MOST_ALPHA, MOST_RANK};
use super::{Error, Taste, TasteInfo};
use crate::content::ContentType;
use crate::engine::{Adapter, Model};
use crate::settings::{Lora, Targets};

/// The most characters of a link, not counting the page's own address.
pub const MOST_CHARACTERS: usize = 32_000;

/// What comes before the parts.
const KEY: &str = "taste=";
/// The form that is described above.
const VERSION: &str = "1";

/// Makes the fragment of a link, without its `#`.
///
/// # Errors
/// If a computation fails. Whether what fits is enough is for the caller to find out.
pub fn write(adapter: &Adapter, model: &Model, content: ContentType, lessons: u32) -> Result<String, Error> {
    let about = about(content, model.id());
    let shape = shape(adapter.lora(), lessons);
    let room = (MOST_CHARACTERS - KEY.len() - about.len()) / 4 * 3 - CHECKSUM - shape.len();
    let body = [shape.as_slice(), &squeeze::pack(adapter, model.config(), room)?].concat();
    let bytes = [checksum(&about, &body).as_slice(), &body].concat();
    Ok(format!("{KEY}{about}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// Reads the fragment of a link, with or without its `#`, for the model that is open and the type of text that is chosen.
///
/// # Errors
/// At the first thing that is not as it must be. Nothing of it is used then.
pub fn read(fragment: &str, model: &Model, content: ContentType) -> Result<Taste, Error> {
    if fragment.len() > 1 + MOST_CHARACTERS {
        return Err(Error::Link("it is longer than any that Fledge makes"));
    }
    let fragment = fragment.strip_prefix('#').unwrap_or(fragment);
    let parts = fragment.strip_prefix(KEY).ok_or(DAMAGED)?;
    let (version, _) = parts.split_once('.').ok_or(DAMAGED)?;
    if version != VERSION {
        return Err(Error::Link("it was made by another version of Fledge"));
    }
    let (_, bytes) = parts.rsplit_once('.').ok_or(DAMAGED)?;
    let about = parts.strip_suffix(bytes).ok_or(DAMAGED)?;
    let bytes = URL_SAFE_NO_PAD.decode(bytes).map_err(|_error| DAMAGED)?;
    let (sum, body) = bytes.split_at_checked(CHECKSUM).ok_or(DAMAGED)?;
    if sum != checksum(about, body) {
        return Err(DAMAGED);
    }
    let [_, tag, id, ""] = about.split('.').collect::<Vec<_>>()[..] else {
        return Err(DAMAGED);
    };
    if id != model.id() {
        return Err(Error::Base("the model that comes with the page".into()));
    }
    let written = ContentType::ALL
        .into_iter()
        .find(|content| content.tag() == tag)
        .ok_or(DAMAGED)?;
    if written != content {
        return Err(Error::Content(written));
    }
    let (lora, lessons, packed) = read_shape(body)?;
    let adapter = squeeze::unpack(packed, lora, model.config())?;
    let info = TasteInfo {
        base: model.card().name.clone(),
        base_id: id.to_owned(),
        content: Some(content),
        lora: Some(lora),
        lessons,
        ..TasteInfo::default()
    };
    Ok(Taste {
        info,
        adapter: Some(adapter),
        records: Vec::new(),
    })
}

/// Something was lost or changed on the way.
const DAMAGED: Error = Error::Link("it is damaged or cut off; ask for it once more");

/// Bytes of the checksum.
const CHECKSUM: usize = 4;

/// What stands in plain letters: version, type and model, each with a dot after it.
fn about(content: ContentType, id: &str) -> String {
    format!("{VERSION}.{}.{id}.", content.tag())
}

fn checksum(about: &str, body: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(about.as_bytes());
    hasher.update(body);
    hasher.finalize().to_le_bytes()
}

/// Bytes of the shape: rank, targets, lessons, alpha.
const SHAPE: usize = 8;

fn shape(lora: &Lora, lessons: u32) -> [u8; SHAPE] {
    let Targets {
        attention_in,
        attention_out,
        mlp_in,
        mlp_out,
    } = lora.targets;
    let targets = [attention_in, attention_out, mlp_in, mlp_out];
    let targets = targets.into_iter().rev().fold(0, |bits, is| 2 * bits + u8::from(is));
    let [low, high] = u16::try_from(lessons).unwrap_or(u16::MAX).to_le_bytes();
    let [a, b, c, d] = (lora.alpha as f32).to_le_bytes();
    [lora.rank as u8, targets, low, high, a, b, c, d]
}

/// The adapter's shape, how many lessons led to it, and the bytes after that.
fn read_shape(body: &[u8]) -> Result<(Lora, u32, &[u8]), Error> {
    let (&[rank, targets, low, high, a, b, c, d], packed) = body.split_first_chunk::<SHAPE>().ok_or(DAMAGED)?;
    let [attention_in, attention_out, mlp_in, mlp_out] = [1, 2, 4, 8].map(|bit| targets & bit != 0);
    let lora = Lora {
        rank: rank.into(),
        alpha: f32::from_le_bytes([a, b, c, d]).into(),
        targets: Targets {
            attention_in,
            attention_out,
            mlp_in,
            mlp_out,
        },
    };
    if rank == 0 || u64::from(rank) > MOST_RANK {
        return Err(Error::Rank(rank.into()));
    }
    if !(lora.alpha.is_finite() && lora.alpha > 0.0 && lora.alpha <= MOST_ALPHA) {
        return Err(Error::Alpha);
    }
    if !(1..16).contains(&targets) {
        return Err(DAMAGED);
    }
    Ok((lora, u16::from_le_bytes([low, high]).into(), packed))
}
