//! How a message that arrives twice is recognised.

use super::OutOfRange;
use super::range::Ranges;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How a message that arrives twice is recognised, and for how long.
///
/// In the settings a table, or just the store's name: `idempotency = "shop-db"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct IdempotencyPolicy {
    /// The name of the store under `[stores]` that remembers what was handled. It has no default.
    pub store: String,
    /// What tells messages apart: `"id"` (the default), `"key"`, or `"header:<name>"`.
    pub key: Option<String>,
    /// How long a handled message is remembered: 1 second or more, 7 days by default.
    #[serde(with = "crate::units::duration")]
    pub ttl: Duration,
    /// How long a claim holds without being renewed: 1 second to 1 hour, 60 s by default.
    /// When a process is killed, its claimed messages wait this long.
    #[serde(with = "crate::units::duration")]
    pub lease: Duration,
}

impl IdempotencyPolicy {
    /// The policy with its defaults on this store.
    pub fn new(store: impl Into<String>) -> Self {
        Self {
            store: store.into(),
            key: None,
            ttl: default_ttl(),
            lease: default_lease(),
        }
    }

    /// The fields that are out of range.
    #[must_use]
    pub fn validate(&self) -> Vec<OutOfRange> {
        let lease = Duration::from_secs(1)..=Duration::from_secs(3600);
        Ranges::default()
            .check(
                "store",
                !self.store.is_empty(),
                "is empty",
                "name a store of `[stores]`",
            )
            .check(
                "key",
                self.key.as_deref().is_none_or(is_key),
                "is not a key",
                "use `id`, `key`, or a header such as `header:order-id`",
            )
            .check(
                "ttl",
                self.ttl >= Duration::from_secs(1),
                "is too short",
                "use 1s or more (default 7d)",
            )
            .check(
                "lease",
                lease.contains(&self.lease),
                "is out of range",
                "use 1s to 1h (default 60s)",
            )
            .found()
    }
}

fn is_key(key: &str) -> bool {
    matches!(key, "id" | "key")
        || key
            .strip_prefix("header:")
            .is_some_and(|name| !name.is_empty())
}

fn default_ttl() -> Duration {
    Duration::from_secs(7 * 24 * 3600)
}

fn default_lease() -> Duration {
    Duration::from_secs(60)
}

/// The table form. Its fields are [`FIELDS`].
#[derive(Deserialize)]
struct Table {
    store: String,
    #[serde(default)]
    key: Option<String>,
    #[serde(default = "default_ttl", with = "crate::units::duration")]
    ttl: Duration,
    #[serde(default = "default_lease", with = "crate::units::duration")]
    lease: Duration,
}

const FIELDS: &[&str] = &["store", "key", "ttl", "lease"];

impl<'de> Deserialize<'de> for IdempotencyPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("IdempotencyPolicy", FIELDS, NameOrTable)
    }
}

struct NameOrTable;

impl<'de> Visitor<'de> for NameOrTable {
    type Value = IdempotencyPolicy;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the name of a store, or a table such as `{ store = \"shop-db\", ttl = \"7d\" }`",
        )
    }

    fn visit_str<E: Error>(self, store: &str) -> Result<Self::Value, E> {
        Ok(IdempotencyPolicy::new(store))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let Table {
            store,
            key,
            ttl,
            lease,
        } = Table::deserialize(MapAccessDeserializer::new(map))?;
        Ok(IdempotencyPolicy {
            store,
            key,
            ttl,
            lease,
        })
    }
}
