//! The serde side of the units.

use super::{Bytes, Short, Unreadable, parse_bytes, parse_duration, parse_time};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// A `Duration` as text: `#[serde(with = "mq_core::units::duration")]`.
pub mod duration {
    use super::{Deserialize, Deserializer, Duration, Serialize, Serializer, Short};

    /// Reads `"10s"`.
    ///
    /// # Errors
    /// The deserializer's, with an example of a duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Ok(Short::deserialize(deserializer)?.0)
    }

    /// Writes `"10s"`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        Short(*value).serialize(serializer)
    }
}

/// A list of `Duration`s: `#[serde(with = "mq_core::units::durations")]`.
pub mod durations {
    use super::{Deserialize, Deserializer, Duration, Serializer, Short};

    /// Reads `["1m", "10m"]`.
    ///
    /// # Errors
    /// The deserializer's, with an example of a duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Duration>, D::Error> {
        let list = Vec::<Short>::deserialize(deserializer)?;
        Ok(list.into_iter().map(|short| short.0).collect())
    }

    /// Writes `["1m", "10m"]`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(value: &[Duration], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(value.iter().map(|duration| Short(*duration)))
    }
}

/// An `Option<Duration>`: `#[serde(with = "mq_core::units::optional_duration")]`. In settings `"none"` is `None`.
pub mod optional_duration {
    use super::{Deserialize, Deserializer, Duration, Serialize, Serializer, Short};

    /// Reads `"10s"`, or `"none"` in settings.
    ///
    /// # Errors
    /// The deserializer's, with an example of a duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Short>::deserialize(deserializer)?.map(|short| short.0))
    }

    /// Writes `"10s"` or nothing.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(Short).serialize(serializer)
    }
}

/// A byte size: `#[serde(with = "mq_core::units::bytes")]`.
pub mod bytes {
    use super::{Bytes, Deserialize, Deserializer, Serialize, Serializer};

    /// Reads `"64MiB"` or `67108864`.
    ///
    /// # Errors
    /// The deserializer's, with an example of a size.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        Ok(Bytes::deserialize(deserializer)?.0)
    }

    /// Writes `"64 MiB"`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        Bytes(*value).serialize(serializer)
    }
}

/// An optional byte size: `#[serde(with = "mq_core::units::optional_bytes")]`. In settings `"none"` is `None`.
pub mod optional_bytes {
    use super::{Bytes, Deserialize, Deserializer, Serialize, Serializer};

    /// Reads `"64MiB"`, `67108864`, or `"none"` in settings.
    ///
    /// # Errors
    /// The deserializer's, with an example of a size.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<u64>, D::Error> {
        Ok(Option::<Bytes>::deserialize(deserializer)?.map(|bytes| bytes.0))
    }

    /// Writes `"64 MiB"` or nothing.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(value: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(Bytes).serialize(serializer)
    }
}

/// A point in time: `#[serde(with = "mq_core::units::timestamp")]`.
pub mod timestamp {
    use super::{Deserializer, Serializer, TextVisitor, parse_time};
    use std::time::SystemTime;

    /// Reads `"2026-01-01T00:00:00Z"`.
    ///
    /// # Errors
    /// The deserializer's, with an example.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
        deserializer.deserialize_str(TextVisitor {
            parse: parse_time,
            number: None,
        })
    }

    /// Writes `"2026-01-01T00:00:00Z"`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(value: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_rfc3339(*value))
    }
}

impl<'de> Deserialize<'de> for Short {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor {
            parse: |text| parse_duration(text).map(Self),
            number: None,
        })
    }
}

impl Serialize for Short {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor {
            parse: |text| parse_bytes(text).map(Self),
            number: Some(Self),
        })
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a text with `parse`, and a number with `number` where the unit has a plain form.
struct TextVisitor<T> {
    parse: fn(&str) -> Result<T, Unreadable>,
    number: Option<fn(u64) -> T>,
}

impl<T> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An empty text is never good: its error says what is.
        let help = (self.parse)("")
            .err()
            .map(|error| error.help)
            .unwrap_or_default();
        f.write_str(&help)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        match self.number {
            Some(from) => Ok(from(number)),
            None => self.visit_str(&number.to_string()),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => self.visit_str(&number.to_string()),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}
