//! The `native` tables of bindings.

use mq_core::{config::Node, error::Result};
use serde::Deserialize;

use crate::error;

/// What a consumer's `native` table may hold.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ConsumerNative {
    /// Where the broker moves dead letters; `<destination>.<group>.dlq` by default.
    pub(crate) dead_letter: Option<String>,
}

/// What a producer's `native` table may hold: nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ProducerNative {}

/// Reads a `native` table.
pub(crate) fn read<T: Default + serde::de::DeserializeOwned>(table: &Node) -> Result<T> {
    if table.is_empty() {
        return Ok(T::default());
    }
    table.decode().map_err(error::native)
}
