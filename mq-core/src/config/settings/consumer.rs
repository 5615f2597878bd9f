//! A binding as an input.

use crate::config::Node;
use crate::policy::Ranges;
use crate::policy::{
    BatchPolicy, BreakerPolicy, DeadLetterPolicy, Exhausted, Guarantee, IdempotencyPolicy,
    Ordering, OutOfRange, Provision, RetryPolicy, Start, Unmatched, WindowPolicy,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A binding as an input: `[bindings.<name>.consumer]`.
///
/// An optional setting is turned off with `"none"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ConsumerSettings {
    /// Whether the binding is started with the application: true by default.
    pub enabled: bool,
    /// How many handler calls run at once: 1 to 10,000, 8 by default.
    pub concurrency: usize,
    /// Which messages are handled one after the other: those of one key by default.
    pub ordering: Ordering,
    /// How long one handler call may take: 1 ms to 1 day, 30 s by default. `"none"` turns it off.
    #[serde(with = "crate::units::optional_duration")]
    pub timeout: Option<Duration>,
    /// How often and when a failed message is handled again.
    pub retry: RetryPolicy,
    /// What becomes of a message when its attempts are used up: a dead letter by default.
    pub exhausted: Exhausted,
    /// How often a message takes effect: `at_least_once` by default, or `exactly_once` inside the broker.
    pub guarantee: Guarantee,
    /// What becomes of a message that no listener's condition takes: a dead letter by default.
    pub unmatched: Unmatched,
    /// Where dead letters go.
    pub dead_letter: DeadLetterPolicy,
    /// How a message that arrives twice is recognised; off by default. A text is the name of the store.
    pub idempotency: Option<IdempotencyPolicy>,
    /// Whether a message without a key is refused (and dead-lettered): false by default.
    pub require_key: bool,
    /// When fetching stops because the handler keeps failing; off by default.
    pub circuit_breaker: Option<BreakerPolicy>,
    /// How messages are gathered for a batch listener; off by default.
    pub batch: Option<BatchPolicy>,
    /// Where a new group begins: at the earliest message by default.
    pub start: Start,
    /// A condition that the broker or the loop checks before the handler; none by default.
    pub filter: Option<String>,
    /// How much may be unsettled at once.
    pub window: WindowPolicy,
    /// The largest payload that is handled, in bytes: 1 or more; the binder's own limit by default.
    #[serde(with = "crate::units::optional_bytes")]
    pub max_payload: Option<u64>,
    /// What happens to destinations and groups that are not there: they are made by default.
    pub provision: Provision,
    /// How many partitions the destination is made with: 1 to 100,000; the binder's own number by default.
    pub partitions: Option<u32>,
    /// Options for the broker's client, passed through by the binder.
    pub native: Node,
}

impl Default for ConsumerSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            concurrency: 8,
            ordering: Ordering::default(),
            timeout: Some(Duration::from_secs(30)),
            retry: RetryPolicy::default(),
            exhausted: Exhausted::default(),
            guarantee: Guarantee::default(),
            unmatched: Unmatched::default(),
            dead_letter: DeadLetterPolicy::default(),
            idempotency: None,
            require_key: false,
            circuit_breaker: None,
            batch: None,
            start: Start::default(),
            filter: None,
            window: WindowPolicy::default(),
            max_payload: None,
            provision: Provision::default(),
            partitions: None,
            native: Node::default(),
        }
    }
}

impl ConsumerSettings {
    /// The fields that are out of range, those of the policies included.
    #[must_use]
    pub fn validate(&self) -> Vec<OutOfRange> {
        self.check_own_fields()
            .within("retry", self.retry.validate())
            .within("dead_letter", self.dead_letter.validate())
            .within(
                "idempotency",
                self.idempotency
                    .as_ref()
                    .map(IdempotencyPolicy::validate)
                    .unwrap_or_default(),
            )
            .within(
                "circuit_breaker",
                self.circuit_breaker
                    .as_ref()
                    .map(BreakerPolicy::validate)
                    .unwrap_or_default(),
            )
            .within(
                "batch",
                self.batch
                    .as_ref()
                    .map(BatchPolicy::validate)
                    .unwrap_or_default(),
            )
            .within("window", self.window.validate())
            .found()
    }

    fn check_own_fields(&self) -> Ranges {
        let concurrency = 1..=10_000;
        let timeout = Duration::from_millis(1)..=Duration::from_secs(24 * 3600);
        let timeout_is_good = self.timeout.is_none_or(|one| timeout.contains(&one));
        Ranges::default()
            .check(
                "concurrency",
                concurrency.contains(&self.concurrency),
                "is out of range",
                "use 1 to 10,000 (default 8)",
            )
            .check(
                "timeout",
                timeout_is_good,
                "is out of range",
                "use 1ms to 1d (default 30s), or \"none\" to turn it off",
            )
            .check(
                "filter",
                self.filter.as_deref() != Some(""),
                "is empty",
                "write a condition, or delete the line",
            )
            .check(
                "max_payload",
                self.max_payload != Some(0),
                "is out of range",
                "use 1 byte or more, or delete the line",
            )
            .check(
                "partitions",
                super::partitions_are_good(self.partitions),
                "is out of range",
                super::PARTITIONS_HELP,
            )
    }
}
