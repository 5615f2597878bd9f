//! Durations and byte sizes as people write them: `"100ms"`, `"7d"`, `"64MiB"`.
//!
//! The modules here are for `#[serde(with = "…")]`: [`duration`], [`durations`], [`optional_duration`], [`bytes`],
//! [`optional_bytes`] and [`timestamp`].
//! A text that cannot be read is answered with an [`Unreadable`], which carries an example of a good one.

use std::fmt;
use std::time::{Duration, SystemTime};

mod serde_forms;

pub use serde_forms::{bytes, duration, durations, optional_bytes, optional_duration, timestamp};

/// What a duration looks like.
const DURATION_HELP: &str = "write a number with a unit, for example `100ms`, `10s`, `1m` or `7d`";
/// What a byte size looks like.
const BYTES_HELP: &str =
    "write a number of bytes, or one with a unit, for example `512KiB` or `64MiB`";
/// What a point in time looks like.
const TIME_HELP: &str = "write it as in RFC 3339, for example `2026-01-01T00:00:00Z`";

/// The units of a byte size, largest first.
const BYTE_UNITS: [(&str, u64); 8] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
];

/// A value that cannot be read, and how to write it.
///
/// `{}` prints both on one line; `{:#}` prints them on two, which is what the configuration takes apart into the
/// message and the help of a problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct Unreadable {
    /// What is wrong with the value, as the rest of a sentence that begins with it: `is not a duration`.
    pub problem: String,
    /// How to write it, with an example.
    pub help: String,
}

impl Unreadable {
    /// Says what is wrong (the rest of a sentence that begins with the value) and how to write it.
    pub fn new(problem: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            help: help.into(),
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if f.alternate() { "\n" } else { "; " };
        write!(f, "{}{separator}{}", self.problem, self.help)
    }
}

/// Reads a duration: numbers with units, `1m 30s` for more than one.
///
/// Units are those of `humantime`: `ns`, `us`, `ms`, `s`, `m` (minutes), `h`, `d`, `w` and longer.
///
/// # Errors
/// [`Unreadable`] with an example, for a text without a unit too.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(mq_core::units::parse_duration("1m")?, Duration::from_secs(60));
/// # Ok::<(), mq_core::units::Unreadable>(())
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, Unreadable> {
    humantime::parse_duration(text.trim())
        .map_err(|_| Unreadable::new("is not a duration", DURATION_HELP))
}

/// Reads a byte size: `64MiB`, `64 mib`, `1MB` (a million), or a plain number of bytes.
///
/// # Errors
/// [`Unreadable`] with an example, for fractions and for sizes over 2⁶⁴ bytes too.
///
/// ```
/// assert_eq!(mq_core::units::parse_bytes("64MiB")?, 64 * 1024 * 1024);
/// assert_eq!(mq_core::units::parse_bytes("512")?, 512);
/// # Ok::<(), mq_core::units::Unreadable>(())
/// ```
pub fn parse_bytes(text: &str) -> Result<u64, Unreadable> {
    let unreadable = || Unreadable::new("is not a size in bytes", BYTES_HELP);
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '_')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.replace('_', "").parse().map_err(|_| unreadable())?;
    let factor = byte_unit(unit.trim()).ok_or_else(unreadable)?;
    number.checked_mul(factor).ok_or_else(unreadable)
}

fn byte_unit(unit: &str) -> Option<u64> {
    if unit.is_empty() || unit.eq_ignore_ascii_case("b") {
        return Some(1);
    }
    let known = BYTE_UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit));
    known.map(|(_, factor)| *factor)
}

/// Reads a point in time as RFC 3339 writes it, with `Z` or an offset such as `+02:00`.
///
/// # Errors
/// [`Unreadable`] with an example.
pub fn parse_time(text: &str) -> Result<SystemTime, Unreadable> {
    let unreadable = || Unreadable::new("is not a point in time", TIME_HELP);
    let (local, east, offset) = split_offset(text.trim()).ok_or_else(unreadable)?;
    let time = humantime::parse_rfc3339(&format!("{local}Z")).map_err(|_| unreadable())?;
    let utc = if east {
        time.checked_sub(offset)
    } else {
        time.checked_add(offset)
    };
    utc.ok_or_else(unreadable)
}

/// Takes `2026-01-01T00:00:00+02:00` apart: the local time, whether it is east of Greenwich, and by how much.
fn split_offset(text: &str) -> Option<(&str, bool, Duration)> {
    if let Some(local) = text.strip_suffix(['Z', 'z']) {
        return Some((local, true, Duration::ZERO));
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let east = match offset.as_bytes().first()? {
        b'+' => true,
        b'-' => false,
        _ => return None,
    };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let valid = hours < 24 && minutes < 60;
    valid.then(|| {
        (
            local,
            east,
            Duration::from_secs(hours * 3600 + minutes * 60),
        )
    })
}

/// A duration in its short form: `1m`, `100ms`, `1h30m`. `{:#}` puts a space before each unit: `100 ms`, `1 h 30 m`.
///
/// What is printed can be read again by [`parse_duration`].
///
/// ```
/// use mq_core::units::Short;
/// use std::time::Duration;
/// assert_eq!(Short(Duration::from_secs(90)).to_string(), "1m30s");
/// assert_eq!(format!("{:#}", Short(Duration::from_millis(100))), "100 ms");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Short(pub Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (space, between) = if f.alternate() { (" ", " ") } else { ("", "") };
        let mut first = true;
        for (count, unit) in duration_parts(self.0) {
            if count > 0 {
                let before = if first { "" } else { between };
                write!(f, "{before}{count}{space}{unit}")?;
                first = false;
            }
        }
        if first {
            write!(f, "0{space}s")
        } else {
            Ok(())
        }
    }
}

fn duration_parts(duration: Duration) -> [(u64, &'static str); 7] {
    let (seconds, nanos) = (duration.as_secs(), u64::from(duration.subsec_nanos()));
    [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (nanos / 1_000_000, "ms"),
        (nanos / 1000 % 1000, "us"),
        (nanos % 1000, "ns"),
    ]
}

/// A byte size in the largest unit that divides it: `64 MiB`, `1000 B`.
///
/// What is printed can be read again by [`parse_bytes`].
///
/// ```
/// assert_eq!(mq_core::units::Bytes(64 << 20).to_string(), "64 MiB");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = BYTE_UNITS.iter().take(4);
        let exact = binary
            .copied()
            .find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor));
        let (unit, factor) = exact.unwrap_or(("B", 1));
        write!(f, "{} {unit}", self.0 / factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let check = |text: &str, millis: u64| {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        };
        check("100ms", 100);
        check("10s", 10_000);
        check(" 1m ", 60_000);
        check("1m 30s", 90_000);
        check("7d", 604_800_000);
        check("0s", 0);
    }

    #[test]
    fn an_unreadable_duration_is_answered_with_an_example() {
        for text in ["", "10", "10 parsecs", "-1s", "soon"] {
            let error = parse_duration(text).expect_err(text);
            assert_eq!(error.problem, "is not a duration");
            assert!(error.help.contains("`100ms`"));
        }
    }

    #[test]
    fn sizes_are_read_with_binary_and_decimal_units() {
        let check = |text: &str, bytes: u64| assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        check("64MiB", 64 << 20);
        check("1 mib", 1 << 20);
        check("1MB", 1_000_000);
        check("1_024", 1024);
        check("7B", 7);
        check("16 TiB", 16 << 40);
    }

    #[test]
    fn sizes_that_are_none_are_refused() {
        for text in ["", "MiB", "1.5MiB", "-1", "99999999999TiB", "1 bit"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_read_with_z_and_with_an_offset() {
        let new_year = parse_time("2026-01-01T00:00:00Z").expect("utc");
        assert_eq!(parse_time("2026-01-01T02:00:00+02:00"), Ok(new_year));
        assert_eq!(parse_time("2025-12-31T18:30:00-05:30"), Ok(new_year));
        for text in [
            "",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00+0200",
            "yesterday",
            "ü+02:00",
        ] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_short_form_can_be_read_again() {
        for millis in [0, 1, 100, 1500, 60_000, 90_000, 604_800_000, 694_861_001] {
            let duration = Duration::from_millis(millis);
            for text in [
                Short(duration).to_string(),
                format!("{:#}", Short(duration)),
            ] {
                assert_eq!(parse_duration(&text), Ok(duration), "{text}");
            }
        }
        for bytes in [0, 1, 1000, 1024, 64 << 20, (64 << 20) + 1, 3 << 40] {
            assert_eq!(parse_bytes(&Bytes(bytes).to_string()), Ok(bytes));
        }
    }

    #[test]
    fn the_short_form_is_short() {
        assert_eq!(Short(Duration::ZERO).to_string(), "0s");
        assert_eq!(Short(Duration::from_secs(60)).to_string(), "1m");
        assert_eq!(format!("{:#}", Short(Duration::from_secs(90))), "1 m 30 s");
        assert_eq!(Bytes(1000).to_string(), "1000 B");
    }
}
