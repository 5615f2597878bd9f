//! What is older than its destination keeps.

use std::time::Duration;

use super::{
    State,
    destination::Destination,
    log::{Entry, Log},
};
use crate::{options::Full, record::Change};

impl Destination {
    /// What makes the messages of the first partitions go that are too old, if any.
    fn aged(&self, now: u64, age: Duration) -> Vec<Change> {
        let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        let Some(oldest) = now.checked_sub(age) else {
            return Vec::new();
        };
        let destination = self.route.id;
        if self.route.options.full == Full::DropOldest {
            let to: Vec<u64> = self
                .logs
                .iter()
                .map(|log| log.first_since(oldest))
                .collect();
            let mut logs = self.logs.iter().zip(&to);
            let is_any = logs.any(|(log, to)| log.first_from(0) < *to);
            return is_any
                .then_some(Change::Purge { destination, to })
                .into_iter()
                .collect();
        }
        let logs = (0..).zip(&self.logs);
        let trims = logs.filter_map(|(partition, log)| {
            let to = log.first_since(oldest);
            log.has_done_before(to).then_some(Change::Trim {
                destination,
                partition,
                to,
            })
        });
        trims.collect()
    }

    /// Whether a message is not settled that is too old.
    fn is_overdue(&self, now: u64, age: Duration) -> bool {
        let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        let oldest = now.saturating_sub(age);
        let mut logs = self.logs.iter();
        logs.any(|log| log.has_unsettled_before(log.first_since(oldest)))
    }
}

impl Log {
    /// Whether a message before this position is done.
    fn has_done_before(&self, to: u64) -> bool {
        let entries = self.entries.iter().take_while(|(at, _)| *at < to);
        self.done > 0 && entries.into_iter().any(|(_, entry)| entry.is(Entry::DONE))
    }

    /// Whether a message before this position is not done.
    fn has_unsettled_before(&self, to: u64) -> bool {
        let mut entries = self.entries.iter().take_while(|(at, _)| *at < to);
        entries.any(|(_, entry)| !entry.is(Entry::DONE))
    }
}

impl State {
    /// What makes messages go that are older than their destinations keep; says of each destination whether it is held up by one that
    /// is not settled.
    pub(crate) fn aged(&self, now: u64) -> Vec<Change> {
        let mut changes = Vec::new();
        for destination in self.destinations.values() {
            let options = &destination.route.options;
            let Some(age) = options.max_age else {
                destination.route.set_overdue(false);
                continue;
            };
            changes.append(&mut destination.aged(now, age));
            let drops = options.full == Full::DropOldest;
            let is_overdue = !drops && destination.is_overdue(now, age);
            destination.route.set_overdue(is_overdue);
        }
        changes
    }
}
