//! When the time of messages is up.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{State, lane::Pick};
use crate::{options::Expired, record::ranges};

/// The ends of the messages of a partition that have one.
#[derive(Debug, Default)]
pub(super) struct Ends {
    by_position: BTreeMap<u64, u64>,
    by_end: BTreeSet<(u64, u64)>,
}

impl Ends {
    pub(super) fn add(&mut self, position: u64, end: u64) {
        self.by_position.insert(position, end);
        self.by_end.insert((end, position));
    }

    pub(super) fn remove(&mut self, position: u64) {
        if let Some(end) = self.by_position.remove(&position) {
            self.by_end.remove(&(end, position));
        }
    }

    /// Whether the time of the message is up.
    pub(super) fn is_over(&self, position: u64, now: u64) -> bool {
        self.by_position
            .get(&position)
            .is_some_and(|end| *end <= now)
    }

    /// Every end, by position.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (u64, u64)> {
        self.by_position
            .iter()
            .map(|(position, end)| (*position, *end))
    }

    /// The messages whose time is up, up to `max`, by their ends.
    fn over(&self, now: u64, max: usize) -> Vec<u64> {
        let over = self.by_end.iter().take_while(|(end, _)| *end <= now);
        over.take(max).map(|(_, position)| *position).collect()
    }
}

/// Messages of a partition whose time is up.
#[derive(Debug)]
pub(crate) struct Over {
    pub(crate) destination: u32,
    pub(crate) partition: u32,
    pub(crate) name: Arc<str>,
    pub(crate) runs: Vec<(u64, u64)>,
    /// What becomes dead letters, with the groups that have not settled it.
    pub(crate) letters: Vec<(Pick, Vec<Arc<str>>)>,
}

impl State {
    /// Messages of one partition whose time is up and that are not to be handed out; up to `max`.
    pub(crate) fn over(&self, now: u64, max: usize) -> Option<Over> {
        let all = self.destinations.iter();
        let mut all = all.filter(|(_, found)| found.route.options.expired != Expired::HandOut);
        all.find_map(|(id, found)| {
            let mut logs = (0..).zip(&found.logs);
            logs.find_map(|(partition, log)| {
                let mut over = log.ends.over(now, max);
                if over.is_empty() {
                    return None;
                }
                over.sort_unstable();
                let buries = found.route.options.expired == Expired::DeadLetter;
                let letters = over.iter().filter(|_| buries).filter_map(|position| {
                    let pick = Pick::of(*position, log.get(*position)?);
                    let groups = found.groups.values().filter(|group| {
                        let lane = &group.lanes[partition as usize];
                        !group.name.is_empty() && lane.wants(*position)
                    });
                    Some((pick, groups.map(|group| group.name.clone()).collect()))
                });
                Some(Over {
                    destination: *id,
                    partition,
                    name: found.route.name.clone(),
                    letters: letters.collect(),
                    runs: ranges(&over),
                })
            })
        })
    }

    /// The time of these messages is up: nobody gets them any more.
    pub(super) fn expire(&mut self, id: u32, partition: u32, runs: &[(u64, u64)]) {
        let found = self.destinations.get(&id);
        let Some(log) = found.and_then(|found| found.logs.get(partition as usize)) else {
            return;
        };
        let end = log.end();
        for (first, count) in runs {
            for position in *first..first.saturating_add(*count).min(end) {
                self.handle(id, partition, position);
            }
        }
    }
}
