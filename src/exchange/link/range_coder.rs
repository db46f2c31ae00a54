//! An adaptive binary range coder: each yes or no takes as little room as it was to be expected.
//!
//! [`Writer`] and [`Reader`] share the carryless interval of Mahoney's lpaq (<https://mattmahoney.net/dc/text.html>), and
//! [`Odds`] that learn from what has passed. What is read can't be more than is asked for, whatever the bytes say.

/// How likely a yes is, by what was seen.
#[derive(Clone, Copy, Debug)]
pub struct Odds {
    /// In parts of 65,536.
    yes: u16,
    /// How often it was asked, up to [`SETTLED`].
    seen: u16,
}

/// From here on the odds follow at a steady pace.
const SETTLED: u16 = 250;
/// Nothing is taken for more certain than this.
const LEAST: u16 = 32;

impl Default for Odds {
    fn default() -> Self {
        Self { yes: 1 << 15, seen: 0 }
    }
}

impl Odds {
    /// Where the interval is cut. Neither part of it is ever empty.
    fn cut(self, low: u32, high: u32) -> u32 {
        low + ((u64::from(high - low) * u64::from(self.yes)) >> 16) as u32
    }

    /// The mean of all that was seen, nearly.
    fn learn(&mut self, bit: bool) {
        let share = |rest: u16| (2 * u32::from(rest) / (2 * u32::from(self.seen) + 3)) as u16;
        if bit {
            self.yes += share(u16::MAX - self.yes);
        } else {
            self.yes -= share(self.yes);
        }
        self.yes = self.yes.clamp(LEAST, u16::MAX - LEAST);
        self.seen = (self.seen + 1).min(SETTLED);
    }
}

/// Writes or reads: a format that is described for one is described for both.
pub trait Coder {
    /// A yes or no: the writer writes and returns what it is given, the reader returns what was written.
    fn code(&mut self, odds: &mut Odds, bit: bool) -> bool;
}

/// What both know.
#[derive(Clone, Copy, Debug)]
struct Interval {
    low: u32,
    high: u32,
}

impl Interval {
    const WHOLE: Self = Self { low: 0, high: u32::MAX };

    fn take(&mut self, cut: u32, bit: bool) {
        if bit {
            self.high = cut;
        } else {
            self.low = cut + 1;
        }
    }

    /// The first byte of all numbers in it, once they agree on one; then on to the next.
    fn agreed(&mut self) -> Option<u8> {
        let byte = (self.high >> 24) as u8;
        ((self.low ^ self.high) >> 24 == 0).then(|| {
            self.low <<= 8;
            self.high = self.high << 8 | 0xff;
            byte
        })
    }
}

/// Writes.
#[derive(Debug)]
pub struct Writer {
    interval: Interval,
    bytes: Vec<u8>,
}

impl Writer {
    /// Nothing is written yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            interval: Interval::WHOLE,
            bytes: Vec::new(),
        }
    }

    /// All that was written.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        // Any number in the interval will do. A reader finds zeros after the end, so that one byte says it.
        self.bytes.push((self.interval.high >> 24) as u8);
        self.bytes
    }
}

impl Coder for Writer {
    fn code(&mut self, odds: &mut Odds, bit: bool) -> bool {
        let Interval { low, high } = self.interval;
        self.interval.take(odds.cut(low, high), bit);
        odds.learn(bit);
        while let Some(byte) = self.interval.agreed() {
            self.bytes.push(byte);
        }
        bit
    }
}

/// Reads.
#[derive(Debug)]
pub struct Reader<'a> {
    interval: Interval,
    /// The number that was written, as far as the interval knows it.
    at: u32,
    left: std::slice::Iter<'a, u8>,
}

impl<'a> Reader<'a> {
    /// Reads what a [`Writer`] wrote.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let mut reader = Self {
            interval: Interval::WHOLE,
            at: 0,
            left: bytes.iter(),
        };
        for _ in 0..4 {
            reader.shift();
        }
        reader
    }

    fn shift(&mut self) {
        self.at = self.at << 8 | u32::from(self.left.next().copied().unwrap_or_default());
    }
}

impl Coder for Reader<'_> {
    fn code(&mut self, odds: &mut Odds, _bit: bool) -> bool {
        let Interval { low, high } = self.interval;
        let cut = odds.cut(low, high);
        let bit = self.at <= cut;
        self.interval.take(cut, bit);
        odds.learn(bit);
        while self.interval.agreed().is_some() {
            self.shift();
        }
        bit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A yes in so many, the same on every machine.
    fn bits(count: usize, one_in: u64) -> Vec<bool> {
        let mut state = 1u64;
        let next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33).is_multiple_of(one_in)
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn what_is_written_is_read_and_takes_the_room_of_its_surprise() {
        // The entropies of 10,000 bits: 0, 1250, 422 and 14 bytes.
        for (one_in, most) in [(1, 12), (2, 1265), (16, 435), (1000, 40)] {
            let bits = bits(10_000, one_in);
            let (mut writer, mut odds) = (Writer::new(), Odds::default());
            for bit in &bits {
                writer.code(&mut odds, *bit);
            }
            let bytes = writer.finish();
            assert!(bytes.len() <= most, "{} bytes for a yes in {one_in}", bytes.len());
            let (mut reader, mut odds) = (Reader::new(&bytes), Odds::default());
            assert!(bits.iter().all(|bit| reader.code(&mut odds, false) == *bit), "{one_in}");
        }
    }

    #[test]
    fn what_was_never_written_is_read_as_something() {
        let (mut reader, mut odds) = (Reader::new(&[7]), Odds::default());
        for _ in 0..10_000 {
            reader.code(&mut odds, false);
        }
    }
}
