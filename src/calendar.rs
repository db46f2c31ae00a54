//! What day it was: milliseconds since 1970 as a date, in UTC.

/// The latest time that JavaScript knows.
pub const LATEST: f64 = 8.64e15;

/// `2026-11-28`
#[must_use]
pub fn day(millis: f64) -> String {
    let (days, _) = split(millis);
    // Howard Hinnant's `civil_from_days`: years that begin in March, in eras of 400.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2026-11-28T19:09:54.000Z`
#[must_use]
pub fn time(millis: f64) -> String {
    let (_, of_day) = split(millis);
    let (seconds, rest) = (of_day / 1000, of_day % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}.{rest:03}Z", day(millis))
}

/// Days since 1970, and milliseconds of the last one. What is no time is the beginning.
fn split(millis: f64) -> (u64, u64) {
    let millis = if millis.is_finite() {
        millis.clamp(0.0, LATEST) as u64
    } else {
        0
    };
    (millis / 86_400_000, millis % 86_400_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_their_names() {
        for (millis, name) in [
            (0.0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999.0, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000.0, "2000-02-29T00:00:00.000Z"),
            (1_795_892_994_000.0, "2026-11-28T19:09:54.000Z"),
            (f64::NAN, "1970-01-01T00:00:00.000Z"),
            (-1.0, "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(time(millis), name);
        }
    }
}
