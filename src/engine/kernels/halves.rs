//! Two numbers in a word, which is what values of earlier tokens are kept in.

use std::borrow::Cow;

use half::bf16;

/// Words of a vector.
pub(super) const LANES: usize = 4;

/// Two numbers of 8 bits of precision in half the memory, which is what a long context costs. The lower half is one in bf16, the
/// upper half of an f32. The other one is the whole word, rounded with the lower half in view: nothing has to be cleared to read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Halves(pub(super) u32);

impl Halves {
    /// How many hold a row of `d` numbers.
    pub(super) fn count(d: usize) -> usize {
        d.div_ceil(2).next_multiple_of(LANES)
    }

    /// A row with as many numbers as its words hold.
    pub(super) fn wide(row: &[f32]) -> Cow<'_, [f32]> {
        let width = 2 * Self::count(row.len());
        if row.len() == width {
            return Cow::Borrowed(row);
        }
        let mut wide = row.to_vec();
        wide.resize(width, 0.0);
        Cow::Owned(wide)
    }

    /// The words of a row that is as wide as they are.
    pub(super) fn words(row: &[f32]) -> impl Iterator<Item = Self> {
        let (lower, upper) = row.split_at(row.len() / 2);
        lower.iter().zip(upper).map(|(lower, upper)| Self::of(*lower, *upper))
    }

    fn of(lower: f32, upper: f32) -> Self {
        let (lower, bits) = (u32::from(bf16::from_f32(lower).to_bits()), upper.to_bits());
        // Of the words with this lower half, the one next to the number. What is not finite becomes no number.
        let (sign, magnitude) = (bits & 1 << 31, bits & !(1 << 31));
        let beyond = if upper.is_finite() {
            magnitude + 0x8000
        } else {
            0x7fc1_0000
        };
        Self(sign | beyond.saturating_sub(lower) & 0xffff_0000 | lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_hold_eight_bits_of_each_number() {
        for d in [1, 2, 5, 8] {
            let row: Vec<f32> = (0..d).map(|i| (i as f32 * 0.37 + 0.5).sin() * 2.0).collect();
            let words: Vec<Halves> = Halves::words(&Halves::wide(&row)).collect();
            let lower = words.iter().map(|word| f32::from_bits(word.0 << 16));
            let back = lower.chain(words.iter().map(|word| f32::from_bits(word.0)));
            assert!(
                row.iter()
                    .zip(back)
                    .all(|(value, back)| (value - back).abs() <= value.abs() / 256.0)
            );
        }
        assert!(f32::from_bits(Halves::of(f32::NAN, 0.0).0 << 16).is_nan());
        for lower in [0.0, 1.0, -1.0, f32::NAN] {
            assert!(f32::from_bits(Halves::of(lower, f32::NAN).0).is_nan(), "{lower}");
            let (nothing, most) = (Halves::of(lower, 0.0).0, Halves::of(lower, -1e38).0);
            assert!(
                f32::from_bits(nothing) < 1e-37 && (f32::from_bits(most) / -1e38 - 1.0).abs() < 0.004,
                "{lower}"
            );
        }
    }
}
