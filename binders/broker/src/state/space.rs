//! What is kept, and what goes.

use super::{State, destination::Destination, live::Live, log::Entry};
use crate::options::FOR_EVER;

impl Destination {
    /// A message is done, as every group has settled it.
    #[inline]
    pub(super) fn finish(&mut self, partition: usize, position: u64, live: &mut Live) {
        let log = &mut self.logs[partition];
        let len = if position < log.swept {
            let entry = log.remove(position);
            entry.and_then(|entry| {
                live.drop(&entry);
                (!entry.is(Entry::DONE)).then_some(entry.len)
            })
        } else {
            log.finish(position)
        };
        if let Some(len) = len {
            self.stored.sub(len);
            self.route.free(1, u64::from(len));
        }
    }

    /// Lets go of messages that are done, beyond those that are kept for replays.
    #[inline]
    pub(super) fn sweep(&mut self, partition: usize, live: &mut Live) {
        let retain = self.route.options.retain;
        let log = &mut self.logs[partition];
        while log.done > retain && log.swept < log.end() {
            let position = match log.get(log.swept) {
                Some(_) => log.swept,
                None => log.first_from(log.swept),
            };
            log.swept = position + 1;
            if let Some(entry) = log.remove_done(position) {
                live.drop(&entry);
            }
        }
        log.tidy();
    }

    /// Looks at every message again, after groups have come, gone or moved.
    pub(super) fn review(&mut self, live: &mut Live) {
        for partition in 0..self.logs.len() {
            let entries = self.logs[partition].entries.iter();
            let all: Vec<u64> = entries.map(|(position, _)| position).collect();
            for position in all {
                if self.is_settled(partition, position) {
                    self.finish(partition, position, live);
                } else if let Some(len) = self.logs[partition].reopen(position) {
                    self.stored.add(len);
                    self.route.add(1, u64::from(len));
                }
            }
            self.sweep(partition, live);
        }
    }

    /// A message goes, whoever wants it.
    fn remove(&mut self, partition: usize, position: u64, live: &mut Live) {
        let Some(entry) = self.logs[partition].remove(position) else {
            return;
        };
        for group in self.groups.values_mut() {
            group.lanes[partition].lose(position, entry.key);
        }
        if !entry.is(Entry::DONE) {
            self.stored.sub(entry.len);
            self.route.free(1, u64::from(entry.len));
        }
        live.drop(&entry);
    }

    /// Of the messages before `to`, those go for which this holds.
    fn remove_where(
        &mut self,
        partition: usize,
        to: u64,
        live: &mut Live,
        goes: impl Fn(&Entry) -> bool,
    ) {
        let Some(log) = self.logs.get(partition) else {
            return;
        };
        let gone = log.entries.iter().take_while(|(at, _)| *at < to);
        let gone = gone.filter(|(_, entry)| goes(entry));
        let gone: Vec<u64> = gone.map(|(position, _)| position).collect();
        for position in gone {
            self.remove(partition, position, live);
        }
        self.tidy(partition);
    }

    fn tidy(&mut self, partition: usize) {
        self.logs[partition].tidy();
        for group in self.groups.values_mut() {
            group.lanes[partition].tidy();
        }
    }

    /// Makes the oldest messages go until the destination is within its limits.
    pub(super) fn drop_oldest(&mut self, live: &mut Live) {
        while !self.stored.fits(&self.route.options) {
            let firsts = self.logs.iter().enumerate();
            let firsts = firsts.filter_map(|(partition, log)| {
                let (position, entry) = log.entries.iter().find(|(_, e)| !e.is(Entry::DONE))?;
                Some((entry.lsn, partition, position))
            });
            let Some((_, partition, position)) = firsts.min() else {
                return;
            };
            self.remove(partition, position, live);
            self.tidy(partition);
        }
    }
}

impl State {
    /// Everything of the partition that is done and lies before `to` goes.
    pub(super) fn trim(&mut self, id: u32, partition: u32, to: u64) {
        if let Some(destination) = self.destinations.get_mut(&id) {
            let live = &mut self.live;
            destination.remove_where(partition as usize, to, live, |entry| entry.is(Entry::DONE));
        }
    }

    /// Every message below these positions goes, whoever wants it.
    pub(super) fn purge_to(&mut self, id: u32, to: &[u64]) {
        let Some(destination) = self.destinations.get_mut(&id) else {
            return;
        };
        for (partition, to) in to.iter().enumerate() {
            destination.remove_where(partition, *to, &mut self.live, |_| true);
        }
        self.touched.insert(id);
    }

    /// The segments before `before` that hold nothing that is kept.
    pub(crate) fn free_segments(&self, numbers: &[u64], before: u64) -> Vec<u64> {
        let numbers = numbers.iter().copied().filter(|number| *number < before);
        numbers
            .filter(|number| self.live.is_free(*number))
            .collect()
    }

    /// What must go so that the segments before `before` hold only what is not settled: destination, partition, position.
    pub(crate) fn trims(&self, before: u64) -> Vec<(u32, u32, u64)> {
        let limit = self.live.start(before);
        let mut trims = Vec::new();
        let all = self.destinations.iter();
        for (id, destination) in all.filter(|(_, found)| found.route.options.retain < FOR_EVER) {
            for (partition, log) in (0..).zip(&destination.logs) {
                let old = log.entries.iter();
                let old = old.take_while(|(_, entry)| entry.lsn.get() < limit);
                let last = old.filter(|(_, entry)| entry.is(Entry::DONE)).last();
                if let Some((position, _)) = last {
                    trims.push((*id, partition, position + 1));
                }
            }
        }
        trims
    }
}
