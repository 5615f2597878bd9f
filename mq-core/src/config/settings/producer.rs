//! A binding as an output.

use crate::config::Node;
use crate::policy::Ranges;
use crate::policy::{OutOfRange, Provision};
use serde::{Deserialize, Serialize};

/// A binding as an output: `[bindings.<name>.producer]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ProducerSettings {
    /// Where the key of a message comes from that sets none, such as `payload.customer`; no key by default.
    pub key: Option<String>,
    /// How many partitions the destination is made with: 1 to 100,000; the binder's own number by default.
    pub partitions: Option<u32>,
    /// Groups that are made with the destination, so that they miss nothing before they first start; none by default.
    #[serde(with = "super::one_or_many")]
    pub required_groups: Vec<String>,
    /// The content type of payloads that do not bring one; that of the value's type by default.
    pub content_type: Option<String>,
    /// The largest payload that is published, in bytes: 1 or more; the binder's own limit by default.
    #[serde(with = "crate::units::optional_bytes")]
    pub max_payload: Option<u64>,
    /// What happens to a destination that is not there: it is made by default.
    pub provision: Provision,
    /// Options for the broker's client, passed through by the binder.
    pub native: Node,
}

impl ProducerSettings {
    /// The fields that are out of range.
    #[must_use]
    pub fn validate(&self) -> Vec<OutOfRange> {
        let groups = self.required_groups.iter().all(|one| !one.is_empty());
        Ranges::default()
            .check(
                "key",
                self.key.as_deref() != Some(""),
                "is empty",
                "write where the key comes from, such as `payload.customer`, or delete the line",
            )
            .check(
                "partitions",
                super::partitions_are_good(self.partitions),
                "is out of range",
                super::PARTITIONS_HELP,
            )
            .check(
                "required_groups",
                groups,
                "has an empty name",
                "name each group, or delete the line",
            )
            .check(
                "content_type",
                self.content_type.as_deref() != Some(""),
                "is empty",
                "write one such as `application/json`, or delete the line",
            )
            .check(
                "max_payload",
                self.max_payload != Some(0),
                "is out of range",
                "use 1 byte or more, or delete the line",
            )
            .found()
    }
}
