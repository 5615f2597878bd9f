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
    /// What an earlier process applied.
    pub(super) fn remember(&mut self, place: Place) {
        let applied = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        applied.insert((place.partition, place.position));
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
