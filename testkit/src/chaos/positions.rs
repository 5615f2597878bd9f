//! Effects that are written once for each position of a destination, as a consumer does that keeps its positions with its results.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;
use mq::error::Result;

use crate::history::{Entry, Log, Place};

/// The positions that are applied, of every destination together; the effects in the logs have them too.
#[derive(Debug, Default)]
pub(super) struct Positions(Mutex<HashSet<(u32, u64), RandomState>>);

impl Positions {
    /// With what earlier processes applied.
    pub(super) fn remembering(before: impl IntoIterator<Item = Place>) -> Self {
        let before = before.into_iter();
        Self(Mutex::new(
            before
                .map(|place| (place.partition, place.position))
                .collect(),
        ))
    }

    /// Writes the effect, unless this position has one.
    pub(super) fn apply(&self, place: Place, entry: Entry, log: &Log) -> Result<()> {
        let mut applied = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = (place.partition, place.position);
        if !applied.contains(&at) {
            log.append(entry.at(place.partition, place.position))?;
            applied.insert(at);
        }
        Ok(())
    }
}
