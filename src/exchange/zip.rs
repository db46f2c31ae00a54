//! A zip file as a set of named bytes (PKWARE's APPNOTE, sections 4.3 and 4.4).
//!
//! [`write`] stores: the weights that make up most of a taste file hardly shrink, and equal contents become equal bytes (names
//! in order, one date for all, no extra fields). [`read`] takes that, and what people and systems make of it when they pack it
//! anew: deflated entries, folders, the files that macOS adds. Everything else is refused, because nobody needs it to send an
//! adapter, and because each is a known way to lie: encryption, zip64, several disks, two files of one name, names that lead
//! out of the folder, sizes that do not agree, more bytes than [`MOST_BYTES`].
//!
//! The crate `zip` reads all of these on purpose (of two files of one name it keeps the last, say), so its answer would have
//! to be checked by a second reading of the same headers; what is left of the format without them is this page.

use std::collections::BTreeMap;

use miniz_oxide::inflate::decompress_to_vec_with_limit;

use super::{Error, short};

/// Files by their names.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The most bytes that all files of one zip have together.
pub const MOST_BYTES: usize = 512_000_000;
/// The most files in one zip.
const MOST_FILES: usize = 256;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// Lengths of the three kinds of header, names not counted.
const LOCAL_LEN: usize = 30;
const CENTRAL_LEN: usize = 46;
const END_LEN: usize = 22;
/// 2.0: what every reader knows.
const VERSION: u16 = 20;
/// Names are UTF-8.
const UTF8: u16 = 1 << 11;
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// 1980-01-01, the first day of zip: a file of the same contents is the same file on any day.
const DATE: u16 = 1 << 5 | 1;

/// Packs files, stored.
///
/// # Errors
/// If they are larger than zip without its 64-bit extension can hold.
pub fn write(files: &Files) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(
        files
            .iter()
            .map(|(name, bytes)| 200 + 2 * name.len() + bytes.len())
            .sum(),
    );
    let mut central = Vec::new();
    for (name, bytes) in files {
        let too_large = || Error::TooLarge(MOST_BYTES / 1_000_000);
        let size = u32::try_from(bytes.len()).map_err(|_error| too_large())?;
        let offset = u32::try_from(out.len()).map_err(|_error| too_large())?;
        let name_len = u16::try_from(name.len()).map_err(|_error| Error::Name(short(name)))?;
        // What both headers say: version, flags, method, time, date, CRC, sizes, lengths of the name and of nothing more.
        let mut common = Vec::new();
        for half in [VERSION, UTF8, STORED, 0, DATE] {
            common.extend(half.to_le_bytes());
        }
        for word in [crc32fast::hash(bytes), size, size] {
            common.extend(word.to_le_bytes());
        }
        common.extend(name_len.to_le_bytes());
        common.extend([0; 2]);
        out.extend(LOCAL.to_le_bytes());
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(bytes);
        central.extend(CENTRAL.to_le_bytes());
        central.extend(VERSION.to_le_bytes());
        central.extend(&common);
        // No comment, the first disk, no attributes.
        central.extend([0; 10]);
        central.extend(offset.to_le_bytes());
        central.extend(name.as_bytes());
    }
    let count = u16::try_from(files.len()).map_err(|_error| Error::Zip("it has too many files"))?;
    let (start, size) = (out.len() as u32, central.len() as u32);
    out.extend(central);
    out.extend(END.to_le_bytes());
    out.extend([0; 4]);
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0; 2]);
    Ok(out)
}

/// Unpacks files. If any of it is not as it must be, nothing of it is.
///
/// # Errors
/// If it is no zip, or one of the many that nobody needs.
pub fn read(zip: &[u8]) -> Result<Files, Error> {
    let end = find_end(zip).ok_or(Error::Zip("it is no zip file, or its end is missing"))?;
    let count = usize::from(half(zip, end + 10)?);
    let (size, start) = (word(zip, end + 12)? as usize, word(zip, end + 16)? as usize);
    if half(zip, end + 4)? != 0 || half(zip, end + 6)? != 0 || usize::from(half(zip, end + 8)?) != count {
        return Err(Error::Zip("it is cut into several parts"));
    }
    if count > MOST_FILES {
        return Err(Error::Zip("it has too many files"));
    }
    if start.checked_add(size).is_none_or(|to| to > end) {
        return Err(Error::Zip("its table of contents is missing"));
    }
    let (mut files, mut at, mut room) = (Files::new(), start, MOST_BYTES);
    for _ in 0..count {
        let entry = Entry::read(zip, at)?;
        at += entry.header_len;
        if at > start + size {
            return Err(Error::Zip("its table of contents is damaged"));
        }
        if is_ignored(&entry.name) {
            continue;
        }
        check_name(&entry.name)?;
        room = room
            .checked_sub(entry.size)
            .ok_or(Error::TooLarge(MOST_BYTES / 1_000_000))?;
        let bytes = entry.unpack(zip, start)?;
        if files.insert(entry.name.clone(), bytes).is_some() {
            return Err(Error::Duplicate(short(&entry.name)));
        }
    }
    Ok(files)
}

/// One line of the table of contents.
struct Entry {
    name: String,
    method: u16,
    crc: u32,
    packed: usize,
    size: usize,
    /// Where its local header is.
    offset: usize,
    header_len: usize,
}

impl Entry {
    fn read(zip: &[u8], at: usize) -> Result<Self, Error> {
        if word(zip, at)? != CENTRAL {
            return Err(Error::Zip("its table of contents is damaged"));
        }
        if half(zip, at + 8)? & ENCRYPTED != 0 {
            return Err(Error::Zip("it is encrypted"));
        }
        let (packed, size, offset) = (word(zip, at + 20)?, word(zip, at + 24)?, word(zip, at + 42)?);
        if [packed, size, offset].contains(&u32::MAX) {
            return Err(Error::Zip("it is of the 64-bit kind"));
        }
        let [name, extra, comment] = [28, 30, 32].map(|field| half(zip, at + field).map(usize::from));
        let (name, extra, comment) = (name?, extra?, comment?);
        Ok(Self {
            name: text(zip, at + CENTRAL_LEN, name)?,
            method: half(zip, at + 10)?,
            crc: word(zip, at + 16)?,
            packed: packed as usize,
            size: size as usize,
            offset: offset as usize,
            header_len: CENTRAL_LEN + name + extra + comment,
        })
    }

    /// Its bytes, which must lie before the table of contents and be what that says of them.
    fn unpack(&self, zip: &[u8], table: usize) -> Result<Vec<u8>, Error> {
        let damaged = Error::Zip("one of its files is damaged");
        let at = self.offset;
        if at >= table || word(zip, at)? != LOCAL {
            return Err(damaged);
        }
        let (name, extra) = (usize::from(half(zip, at + 26)?), usize::from(half(zip, at + 28)?));
        if text(zip, at + LOCAL_LEN, name)? != self.name || half(zip, at + 8)? != self.method {
            return Err(Error::Zip("it says two things of one file"));
        }
        let from = at + LOCAL_LEN + name + extra;
        let data = zip[..table].get(from..from + self.packed).ok_or(damaged)?;
        let bytes = match self.method {
            STORED => data.to_vec(),
            DEFLATED => decompress_to_vec_with_limit(data, self.size)
                .map_err(|_error| Error::Zip("one of its files is damaged, or larger than it says"))?,
            _ => return Err(Error::Zip("it is packed in a way that Fledge does not know")),
        };
        if bytes.len() != self.size || crc32fast::hash(&bytes) != self.crc {
            return Err(Error::Zip("one of its files is damaged"));
        }
        Ok(bytes)
    }
}

/// Where the last header is: at the end, before a comment that nobody writes.
fn find_end(zip: &[u8]) -> Option<usize> {
    let last = zip.len().checked_sub(END_LEN)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    (first..=last).rev().find(|at| {
        let comment = half(zip, at + 20).map(usize::from);
        word(zip, *at).ok() == Some(END) && comment.ok() == Some(last - at)
    })
}

/// Folders, and what macOS puts beside every file.
fn is_ignored(name: &str) -> bool {
    name.ends_with('/') || name.starts_with("__MACOSX/") || name.ends_with(".DS_Store")
}

/// A name leads to a file in this folder or one below, on every system.
fn check_name(name: &str) -> Result<(), Error> {
    let is_plain = !name.is_empty()
        && name.len() <= 255
        && !name.contains(['\\', ':'])
        && !name.chars().any(char::is_control)
        && name.split('/').all(|part| !["", ".", ".."].contains(&part));
    if is_plain {
        Ok(())
    } else {
        Err(Error::Name(short(name)))
    }
}

fn text(zip: &[u8], at: usize, len: usize) -> Result<String, Error> {
    let bytes = zip.get(at..at + len).ok_or(Error::Zip("it ends too early"))?;
    let text = std::str::from_utf8(bytes).map_err(|_error| Error::Zip("one of its names can't be read"))?;
    Ok(text.to_owned())
}

fn half(zip: &[u8], at: usize) -> Result<u16, Error> {
    let bytes = zip.get(at..).and_then(|rest| rest.first_chunk());
    bytes
        .map(|bytes| u16::from_le_bytes(*bytes))
        .ok_or(Error::Zip("it ends too early"))
}

fn word(zip: &[u8], at: usize) -> Result<u32, Error> {
    let bytes = zip.get(at..).and_then(|rest| rest.first_chunk());
    bytes
        .map(|bytes| u32::from_le_bytes(*bytes))
        .ok_or(Error::Zip("it ends too early"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        let large: Vec<u8> = (0..70_000u32).map(|i| (i % 251) as u8).collect();
        Files::from([
            ("b/ä.txt".into(), large),
            ("a".into(), b"hello".to_vec()),
            ("c".into(), Vec::new()),
        ])
    }

    #[test]
    fn what_is_packed_comes_back_and_packs_to_the_same_bytes() {
        let zip = write(&files()).expect("a zip");
        assert_eq!(read(&zip).expect("files"), files());
        assert_eq!(write(&read(&zip).expect("files")).expect("a zip"), zip);
    }

    #[test]
    fn no_cut_and_no_changed_byte_does_harm() {
        let small = Files::from([("a".into(), b"hello".to_vec()), ("b".into(), b"world".to_vec())]);
        let zip = write(&small).expect("a zip");
        for len in 0..zip.len() {
            assert!(read(&zip[..len]).is_err(), "{len} bytes");
        }
        for at in 0..zip.len() {
            for change in [1, 0x80, 0xff] {
                let mut changed = zip.clone();
                changed[at] ^= change;
                // Dates and versions may be anything; contents and names may not.
                if let Ok(read) = read(&changed) {
                    assert!(
                        read.values().eq(small.values()) || read.len() < small.len(),
                        "byte {at}"
                    );
                }
            }
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["../a", "/a", "a/../b", "a\\b", "c:a", "a//b", "./a", "a\nb", ""] {
            let zip = write(&Files::from([(name.to_owned(), b"x".to_vec())])).expect("a zip");
            assert!(matches!(read(&zip), Err(Error::Name(_))), "{name}");
        }
    }
}
