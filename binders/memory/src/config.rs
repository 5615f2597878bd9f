//! The settings of an instance of `kind = "memory"`.

use std::{fmt, time::Duration};

use mq_core::{
    binder::{Capabilities, Capability, RetryState, SettlementStyle},
    error::Result,
    units,
};
use serde::{Deserialize, Deserializer, de};

use crate::{
    error,
    options::{Full, Options},
};

/// The settings of an instance of `kind = "memory"`.
///
/// ```toml
/// [binders.main]
/// kind = "memory"
/// partitions = 4
/// limit = { messages = 100_000, bytes = "64MiB" }
/// without = ["delayed-redelivery"]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct MemorySettings {
    /// The partitions of a destination for which nobody asks for another number: 1 to 4,096, 1 by default.
    pub partitions: u32,
    /// How much a destination keeps.
    pub limit: Limit,
    /// What happens to a message for which there is no room: by default its publisher waits.
    pub full: Full,
    /// How many messages a destination keeps for replays after every group has settled them, shared out evenly among its
    /// partitions: 10,000 by default. They make way where the limit is reached.
    pub retain: u64,
    /// The largest message with key and headers, in bytes: by default the destination's limit.
    #[serde(with = "units::optional_bytes")]
    pub max_message: Option<u64>,
    /// Capabilities that this instance does without: none by default.
    #[serde(deserialize_with = "capabilities")]
    pub without: Vec<Capability>,
    /// Whether messages are settled by position, lane by lane, as on Kafka: false by default.
    pub positional: bool,
    /// What is recorded about attempts: `"full"` by default, `"none"`, or at most so many bytes for each lane where
    /// `positional` is on.
    #[serde(deserialize_with = "retry_state")]
    pub retry_state: RetryState,
}

/// How much a destination keeps at most, over all its partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limit {
    /// Messages: 1 or more, 1,000,000 by default.
    pub messages: u64,
    /// Bytes of payloads, keys and headers: 1 or more, 1 GiB by default.
    #[serde(with = "units::bytes")]
    pub bytes: u64,
}

impl Limit {
    /// At most so many messages and bytes.
    #[must_use]
    pub fn new(messages: u64, bytes: u64) -> Self {
        Self { messages, bytes }
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self {
            messages: 1_000_000,
            bytes: 1 << 30,
        }
    }
}

impl Default for MemorySettings {
    fn default() -> Self {
        Self {
            partitions: 1,
            limit: Limit::default(),
            full: Full::default(),
            retain: 10_000,
            max_message: None,
            without: Vec::new(),
            positional: false,
            retry_state: RetryState::Full,
        }
    }
}

/// More partitions than this are refused: each costs memory in every group.
pub(crate) const MAX_PARTITIONS: u32 = 4_096;

/// What the positional style has: the rest needs settlements of single messages.
const POSITIONAL: [Capability; 8] = [
    Capability::Partitions,
    Capability::AnonymousGroups,
    Capability::Transactions,
    Capability::Seek,
    Capability::Expiry,
    Capability::StableIds,
    Capability::Browse,
    Capability::Lag,
];

impl MemorySettings {
    /// What an instance with these settings can do.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        let all = if self.positional {
            Capabilities::new(SettlementStyle::Positional).with(&POSITIONAL)
        } else {
            Capabilities::new(SettlementStyle::PerMessage).with(&Capability::ALL)
        };
        let some = all
            .without(&[Capability::Durable])
            .without(&self.without)
            .retry_state(self.retry_state);
        match self.max_message {
            Some(bytes) => some.max_message(bytes),
            None => some,
        }
    }

    /// Every setting that is out of range or contradicts another.
    pub(crate) fn mistakes(&self) -> Vec<Mistake> {
        let bounded = matches!(self.retry_state, RetryState::Bounded(_));
        let partitions = self.partitions > 1 && self.without.contains(&Capability::Partitions);
        let checks = [
            (
                self.partitions == 0,
                Mistake("partitions", "is 0", "set 1 or more"),
            ),
            (
                partitions,
                Mistake(
                    "partitions",
                    "is over 1 although `without` names them",
                    "remove one of the two",
                ),
            ),
            (
                self.partitions > MAX_PARTITIONS,
                Mistake("partitions", "is over 4,096", "set 4096 or less"),
            ),
            (
                self.limit.messages == 0,
                Mistake("limit.messages", "is 0", "set 1 or more"),
            ),
            (
                self.limit.bytes == 0,
                Mistake("limit.bytes", "is 0", "set 1 or more"),
            ),
            (
                self.max_message == Some(0),
                Mistake("max_message", "is 0", "set 1 or more, or leave it out"),
            ),
            (
                bounded && !self.positional,
                Mistake(
                    "retry_state",
                    "in bytes needs `positional = true`",
                    "set that, or use \"full\" or \"none\"",
                ),
            ),
        ];
        checks
            .into_iter()
            .filter(|(wrong, _)| *wrong)
            .map(|(_, mistake)| mistake)
            .collect()
    }

    pub(crate) fn options(&self, budget: Duration) -> Result<Options> {
        let mistakes = self.mistakes();
        if mistakes.is_empty() {
            return Ok(Options::new(self, budget));
        }
        let texts: Vec<_> = mistakes
            .iter()
            .map(|Mistake(key, problem, help)| format!("`{key}` {problem}: {help}"))
            .collect();
        Err(error::config(texts.join("; ")))
    }
}

/// A setting that cannot be: its key, what is wrong, and how to fix it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mistake(
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) &'static str,
);

fn capabilities<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Capability>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    names
        .iter()
        .map(|name| Capability::from_name(name).ok_or_else(|| unknown(name)))
        .collect()
}

fn unknown<E: de::Error>(name: &str) -> E {
    let known: Vec<_> = Capability::ALL
        .iter()
        .map(|capability| capability.name())
        .collect();
    E::custom(format!(
        "there is no capability `{name}`; the capabilities are {}",
        known.join(", ")
    ))
}

fn retry_state<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RetryState, D::Error> {
    deserializer.deserialize_any(RetryStateVisitor)
}

#[derive(Clone, Copy)]
struct RetryStateVisitor;

impl de::Visitor<'_> for RetryStateVisitor {
    type Value = RetryState;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"full\", \"none\" or a number of bytes, for example \"4KiB\"")
    }

    fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<RetryState, E> {
        Ok(RetryState::Bounded(
            usize::try_from(bytes).unwrap_or(usize::MAX),
        ))
    }

    fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<RetryState, E> {
        let bytes = u64::try_from(bytes)
            .map_err(|_| E::invalid_value(de::Unexpected::Signed(bytes), &self))?;
        self.visit_u64(bytes)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<RetryState, E> {
        match text {
            "full" => Ok(RetryState::Full),
            "none" => Ok(RetryState::None),
            other => {
                let bytes = units::parse_bytes(other);
                self.visit_u64(
                    bytes.map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))?,
                )
            }
        }
    }

    // Where settings say `none`, some decoders say that there is nothing.
    fn visit_unit<E: de::Error>(self) -> Result<RetryState, E> {
        Ok(RetryState::None)
    }
}

#[cfg(test)]
mod tests {
    use mq_core::config::{Config, Problems};

    use super::*;

    fn read(settings: &str) -> Result<MemorySettings, Problems> {
        let config = Config::toml(format!("[binders.main]\nkind = 'memory'\n{settings}"));
        config.settings()?.0.binders["main"].rest.decode()
    }

    #[test]
    fn every_setting_is_read() {
        let settings = read(
            "partitions = 4\nlimit = { messages = 10, bytes = '1KiB' }\nfull = 'drop_oldest'\nretain = 3\nmax_message = '1MB'
            without = ['delayed-redelivery', 'seek']\npositional = true\nretry_state = '4KiB'",
        );
        let expected = MemorySettings {
            partitions: 4,
            limit: Limit::new(10, 1_024),
            full: Full::DropOldest,
            retain: 3,
            max_message: Some(1_000_000),
            without: vec![Capability::DelayedRedelivery, Capability::Seek],
            positional: true,
            retry_state: RetryState::Bounded(4_096),
        };
        assert_eq!(settings.unwrap(), expected);
        assert_eq!(read("").unwrap(), MemorySettings::default());
    }

    #[test]
    fn what_is_recorded_is_a_word_or_a_number() {
        for (value, state) in [
            ("'full'", RetryState::Full),
            ("'none'", RetryState::None),
            ("64", RetryState::Bounded(64)),
        ] {
            assert_eq!(
                read(&format!("retry_state = {value}")).unwrap().retry_state,
                state
            );
        }
        for value in ["'some'", "-1", "true"] {
            assert!(read(&format!("retry_state = {value}")).is_err(), "{value}");
        }
    }

    #[test]
    fn unknown_keys_and_capabilities_are_refused_by_name() {
        for (settings, word) in [
            ("partition = 4", "partition"),
            ("limit = { message = 4 }", "message"),
            ("without = ['telepathy']", "telepathy"),
            ("full = 'panic'", "panic"),
        ] {
            let error = read(settings).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn contradictions_are_reported_all_at_once() {
        let settings = read("partitions = 0\nlimit = { messages = 0 }\nretry_state = 64").unwrap();
        assert_eq!(settings.mistakes().len(), 3);
        assert!(MemorySettings::default().mistakes().is_empty());
    }

    #[test]
    fn what_is_switched_off_is_not_declared() {
        let capabilities = read("without = ['delayed-redelivery']")
            .unwrap()
            .capabilities();
        assert!(!capabilities.has(Capability::DelayedRedelivery));
        assert!(capabilities.has(Capability::DeadLetter));
        assert!(!capabilities.has(Capability::Durable));
    }
}
