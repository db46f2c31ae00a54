//! How long a text is and may be: by words, by characters, or by X's weighted count (configuration v3 of twitter-text).
//!
//! The weighted count: //! Characters are counted as NFC composes them. Latin, Cyrillic, Arabic and most other alphabetic scripts weigh 1 a code point, Chinese,
//! Japanese, Korean and symbols 2; an emoji weighs 2 however many code points it is made of; a link weighs 23 however
//! long it is, and a bare domain is a link.
//!
//! ```
//! use fledge::length::weighted_length;
//!
//! assert_eq!(weighted_length("H🐱☺👨‍👩‍👧‍👦"), 7);
//! assert_eq!(weighted_length("🙋🏽👨‍🎤"), 4);
//! assert_eq!(weighted_length("Hi http://test.co"), 26);
//! ```

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// A measure and the most that a text may have by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// X's weighted count.
    Weighted(usize),
    /// Words: what white space separates.
    Words(usize),
    /// What a reader sees as characters (extended grapheme clusters).
    Characters(usize),
}

impl Limit {
    /// The most.
    #[must_use]
    pub const fn most(self) -> usize {
        match self {
            Self::Weighted(most) | Self::Words(most) | Self::Characters(most) => most,
        }
    }

    /// What is counted; nothing for X's count, which has no name.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Weighted(_) => "",
            Self::Words(_) => "words",
            Self::Characters(_) => "characters",
        }
    }

    /// How much a text has.
    #[must_use]
    pub fn measure(self, text: &str) -> usize {
        match self {
            Self::Weighted(_) => weighted_length(text),
            Self::Words(_) => text.split_whitespace().count(),
            Self::Characters(_) => text.graphemes(true).count(),
        }
    }

    /// The part of a text that is within the limit, and the rest.
    #[must_use]
    pub fn split(self, text: &str) -> (&str, &str) {
        let fitting = match self {
            Self::Weighted(most) => fitting(pieces(text), most),
            Self::Words(most) => fitting(words(text), most),
            Self::Characters(most) => fitting(text.graphemes(true).map(|cluster| (1, cluster.len())), most),
        };
        text.split_at(fitting)
    }
}

/// What every link weighs, since X shortens them all to the same length.
const LINK: usize = 23;

/// What every emoji weighs.
const EMOJI: usize = 2;

/// The code points that weigh 1; all others weigh 2.
const LIGHT: [Range<u32>; 4] = [0x0000..0x1100, 0x2000..0x200e, 0x2010..0x2020, 0x2032..0x2038];

/// Generic top-level domains that make a bare domain a link. X knows all of them, we the ones in use.
const GENERIC: &str = " com org net edu gov mil int info biz name pro app dev blog shop store online site website tech \
    cloud space live news media agency digital design studio world today life company business solutions services \
    consulting marketing finance capital fund ventures academy school university email link page social group team \
    work works jobs careers events community network systems software tools xyz club top vip travel health energy \
    global international center expert guru tips guide review reviews video photo photos art music film games game \
    fun money bank eco earth green house homes land city museum coop aero mobi asia tel cat jobs post ";

/// Country-code top-level domains.
const COUNTRY: &str = " ac ad ae af ag ai al am ao ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw \
    by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm \
    fo fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm \
    jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr \
    ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro \
    rs ru rw sa sb sc sd se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv \
    tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw ";

/// The weight of a text. X publishes what weighs at most 280.
#[must_use]
pub fn weighted_length(text: &str) -> usize {
    pieces(text).map(|(weight, _)| weight).sum()
}

/// The bytes of the first pieces, each with its weight and its bytes, that weigh no more than `most` together.
fn fitting(pieces: impl Iterator<Item = (usize, usize)>, most: usize) -> usize {
    let mut weight = 0;
    pieces
        .take_while(|(piece, _)| {
            weight += piece;
            weight <= most
        })
        .map(|(_, bytes)| bytes)
        .sum()
}

/// The links, emoji and characters of a text, each with its weight and its length in bytes.
fn pieces(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let mut rest = text;
    let mut before = None;
    std::iter::from_fn(move || {
        let cluster = rest.graphemes(true).next()?;
        let (weight, bytes) = match link(rest, before) {
            Some(bytes) => (LINK, bytes),
            None => (cluster_weight(cluster), cluster.len()),
        };
        let (piece, after) = rest.split_at(bytes);
        before = piece.chars().next_back();
        rest = after;
        Some((weight, bytes))
    })
}

/// The words of a text, each with the white space before it: what ends a text weighs nothing.
fn words(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
        let end = rest[start..]
            .find(char::is_whitespace)
            .map_or(rest.len(), |end| start + end);
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then_some((usize::from(start < end), end))
    })
}

/// The weight of what a reader sees as one character.
fn cluster_weight(cluster: &str) -> usize {
    if is_emoji_sequence(cluster) {
        return EMOJI;
    }
    let weight = |c: char| {
        if LIGHT.iter().any(|range| range.contains(&u32::from(c))) {
            1
        } else {
            2
        }
    };
    cluster.nfc().map(weight).sum()
}

/// Whether several code points form one emoji. (A single one weighs 2 anyway.)
fn is_emoji_sequence(cluster: &str) -> bool {
    const PRESENTATION: char = '\u{fe0f}';
    const KEYCAP: char = '\u{20e3}';
    let mut rest = cluster.chars();
    let Some(first) = rest.next() else { return false };
    match rest.next() {
        None => false,
        Some(PRESENTATION | KEYCAP) => true,
        Some(_) => matches!(u32::from(first), 0x1f000..=0x1faff | 0x2190..=0x2bff),
    }
}

/// The bytes of the link that begins here, if one does.
fn link(text: &str, before: Option<char>) -> Option<usize> {
    let first = text.chars().next()?;
    if !first.is_alphanumeric() || before.is_some_and(|c| c.is_alphanumeric() || "@＠$#＃_".contains(c)) {
        return None;
    }
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| {
            text.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        })
        .map_or(0, str::len);
    if scheme == 0 && before.is_some_and(|c| "-./".contains(c)) {
        return None;
    }
    let mut end = scheme + domain(&text[scheme..])?;
    end += port(&text[end..]);
    if text[end..].starts_with(['/', '?']) {
        end += path(&text[end..]);
    }
    Some(end)
}

/// The bytes of the domain that begins here: labels and dots up to the last one that is a top-level domain.
fn domain(text: &str) -> Option<usize> {
    let run = text
        .find(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_' || c == '.'))
        .unwrap_or(text.len());
    let mut found = None;
    let mut at = 0;
    for (index, label) in text[..run].split('.').enumerate() {
        if label.is_empty() || label.starts_with(['-', '_']) || label.ends_with(['-', '_']) {
            break;
        }
        at += label.len();
        if index > 0 && is_top_level(label) {
            found = Some(at);
        }
        at += 1;
    }
    found
}

fn is_top_level(label: &str) -> bool {
    let lower = format!(" {} ", label.to_ascii_lowercase());
    let punycode = label.len() > 4 && lower.starts_with(" xn--");
    punycode || COUNTRY.contains(&lower) || GENERIC.contains(&lower)
}

fn port(text: &str) -> usize {
    let Some(rest) = text.strip_prefix(':') else { return 0 };
    match rest.bytes().take_while(u8::is_ascii_digit).count() {
        0 => 0,
        digits => 1 + digits,
    }
}

/// The bytes of a path and query, without the punctuation of the sentence around it.
fn path(text: &str) -> usize {
    let run = text
        .find(|c: char| c.is_whitespace() || "<>\"“”«»".contains(c))
        .unwrap_or(text.len());
    let path = text[..run].trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '’', '…', '*']);
    // A bracket that the path did not open belongs to the sentence, too.
    let open = path.matches('(').count();
    let closed = path.matches(')').count();
    match path.strip_suffix(')') {
        Some(inner) if closed > open => inner.len(),
        _ => path.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn expect(text: &str, weight: usize) {
        assert_eq!(weighted_length(text), weight, "{text:?}");
    }

    #[test]
    fn letters_weigh_one_and_ideographs_two() {
        expect("", 0);
        expect("Start small.", 12);
        expect("Привет", 6);
        expect("故障", 4);
        expect("“quoted” — and…", 16); // the ellipsis alone weighs 2
        expect("a\nb", 3);
    }

    #[test]
    fn composed_and_decomposed_weigh_the_same() {
        expect("caf\u{e9}", 4);
        expect("cafe\u{301}", 4);
    }

    #[test]
    fn an_emoji_weighs_two_however_it_is_made() {
        expect("H🐱☺👨‍👩‍👧‍👦", 7);
        expect("🙋🏽👨‍🎤", 4);
        expect("❤️", 2);
        expect("1️⃣", 2);
        expect("🇩🇪🇫🇷", 4);
        expect("🏴󠁧󠁢󠁥󠁮󠁧󠁿", 2);
        expect("©", 1);
    }

    #[test]
    fn a_link_weighs_23() {
        expect("Hi http://test.co", 26);
        expect("https://example.com/a/very/long/path/that/goes/on?and=on&on=1#end", 23);
        expect("See https://example.com/a.", 4 + 23 + 1);
        expect("(https://example.com/a_(b))", 1 + 23 + 1);
        expect("(https://example.com/a)", 1 + 23 + 1);
        expect("https://localhost:8080/a", 24); // no top-level domain, no link
    }

    #[test]
    fn a_bare_domain_is_a_link() {
        expect("Read example.com, then rest.", 5 + 23 + 12);
        expect("www.example.co.uk/path", 23);
        expect("example.com:8080", 23);
        expect("Example.COM", 23);
    }

    #[test]
    fn what_only_looks_like_a_domain_is_text() {
        expect("Done.Next step", 14);
        expect("file.tar.gz", 11);
        expect("v1.2.3", 6);
        expect("e.g.", 4);
        expect("@example.com", 12);
        expect("me@example.com", 14);
        expect("…", 2);
    }

    #[test]
    fn a_text_is_cut_where_it_overflows() {
        let limit = Limit::Weighted(280);
        assert_eq!(limit.split("short"), ("short", ""));
        let text = "故".repeat(139) + "a🐱b";
        let (fits, over) = limit.split(&text);
        assert_eq!(weighted_length(fits), 279);
        assert_eq!(over, "🐱b");
        assert_eq!(Limit::Characters(3).split("añ👨‍👩‍👧z"), ("añ👨‍👩‍👧", "z"));
        assert_eq!(
            Limit::Words(2).split(" Dear\nMira, thanks "),
            (" Dear\nMira,", " thanks ")
        );
        assert_eq!(
            Limit::Words(3).split(" Dear\nMira, thanks \n"),
            (" Dear\nMira, thanks \n", "")
        );
    }

    #[test]
    fn what_fits_is_within_the_limit_and_no_more_would_fit() {
        let text = "One two, three 故 👨‍👩‍👧 e.g. http://test.co/a ends here";
        for limit in (0..60).flat_map(|most| [Limit::Weighted(most), Limit::Words(most), Limit::Characters(most)]) {
            let (fits, over) = limit.split(text);
            assert_eq!([fits, over].concat(), text);
            assert!(limit.measure(fits) <= limit.most());
            assert_eq!(over.is_empty(), limit.measure(text) <= limit.most());
        }
    }

    #[test]
    fn a_long_text_is_counted_whole() {
        expect(&"word ".repeat(56), 280);
    }
}
