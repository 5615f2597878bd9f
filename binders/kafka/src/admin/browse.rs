//! Looking at messages without a group.

use mq_core::{
    binder::{Browsed, Cursor},
    error::Result,
};

use super::KafkaAdmin;
use crate::error;

impl KafkaAdmin {
    /// Up to `max` messages from `cursor` on, and where the next page begins.
    pub(super) fn page(
        &self,
        topic: &str,
        cursor: Cursor,
        max: usize,
    ) -> Result<(Vec<Browsed>, Cursor)> {
        let _ = (topic, cursor, max);
        Err(error::unsupported("browsing yet"))
    }
}
