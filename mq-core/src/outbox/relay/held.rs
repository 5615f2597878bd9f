//! Which partitions this relay holds, and which of them are in use.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::Notify, time::Instant};

use crate::outbox::{Leases, PartitionLease};

/// The leases of a relay, shared by its keeper (who renews and hands back) and its workers (who use them).
#[derive(Debug, Default)]
pub(super) struct Held {
    entries: Mutex<BTreeMap<u16, Entry>>,
    /// Told when a partition that is to be handed back is in use no more.
    pub(super) unused: Notify,
}

#[derive(Debug)]
struct Entry {
    lease: PartitionLease,
    /// Until when it certainly holds, by this process's clock: counted from before the renewal was asked for.
    until: Instant,
    leaving: bool,
    users: usize,
}

/// Called by the keeper.
impl Held {
    pub(super) fn all(&self) -> Vec<PartitionLease> {
        self.entries().values().map(|entry| entry.lease).collect()
    }

    /// Takes over what the store says, and marks what is beyond the share; returns whether something was gained.
    pub(super) fn renewed(&self, leases: &Leases, until: Instant) -> bool {
        let mut entries = self.entries();
        let mut old = std::mem::take(&mut *entries);
        let mut gained = false;
        for lease in &leases.held {
            let known = old
                .remove(&lease.partition)
                .filter(|entry| entry.lease == *lease);
            gained |= known.is_none();
            let users = known.map_or(0, |entry| entry.users);
            entries.insert(
                lease.partition,
                Entry {
                    lease: *lease,
                    until,
                    leaving: false,
                    users,
                },
            );
        }
        for entry in entries.values_mut().skip(leases.share) {
            entry.leaving = true;
        }
        gained
    }

    /// Takes out what is to be handed back and in use no more.
    pub(super) fn take_unused(&self) -> Vec<PartitionLease> {
        let mut entries = self.entries();
        let unused = |entry: &&Entry| entry.leaving && entry.users == 0;
        let leases: Vec<_> = entries
            .values()
            .filter(unused)
            .map(|entry| entry.lease)
            .collect();
        for lease in &leases {
            entries.remove(&lease.partition);
        }
        leases
    }

    /// Takes everything out.
    pub(super) fn take_all(&self) -> Vec<PartitionLease> {
        let entries = std::mem::take(&mut *self.entries());
        entries.into_values().map(|entry| entry.lease).collect()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<u16, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Called by workers.
impl Held {
    /// Uses the partitions of one group of `groups` that hold for now, until the returned guard is dropped.
    pub(super) fn check_out(&self, group: usize, groups: usize, now: Instant) -> InUse<'_> {
        let mut leases = Vec::new();
        for entry in self.entries().values_mut() {
            let mine = usize::from(entry.lease.partition) % groups == group;
            if mine && !entry.leaving && entry.until > now {
                entry.users += 1;
                leases.push(entry.lease);
            }
        }
        InUse { held: self, leases }
    }

    /// Whether the lease certainly holds for now.
    pub(super) fn holds(&self, partition: u16, fence: u64, now: Instant) -> bool {
        self.entries()
            .get(&partition)
            .is_some_and(|entry| entry.lease.fence == fence && entry.until > now)
    }

    /// The store has said that these are lost.
    pub(super) fn lose(&self, lost: &[PartitionLease]) {
        let mut entries = self.entries();
        for lease in lost {
            if entries
                .get(&lease.partition)
                .is_some_and(|entry| entry.lease == *lease)
            {
                entries.remove(&lease.partition);
            }
        }
    }

    fn check_in(&self, leases: &[PartitionLease]) {
        let mut entries = self.entries();
        for lease in leases {
            let entry = entries.get_mut(&lease.partition);
            if let Some(entry) = entry.filter(|entry| entry.lease == *lease) {
                entry.users -= 1;
                if entry.leaving && entry.users == 0 {
                    self.unused.notify_one();
                }
            }
        }
    }
}

/// Partitions in use by a worker; they are not handed back meanwhile.
#[derive(Debug)]
pub(super) struct InUse<'a> {
    held: &'a Held,
    pub(super) leases: Vec<PartitionLease>,
}

impl InUse<'_> {
    /// Whether the partition's lease certainly holds still.
    pub(super) fn holds(&self, partition: u16, now: Instant) -> bool {
        self.lease(partition)
            .is_some_and(|lease| self.held.holds(partition, lease.fence, now))
    }

    /// The lease of the partition.
    pub(super) fn lease(&self, partition: u16) -> Option<PartitionLease> {
        self.leases
            .iter()
            .copied()
            .find(|lease| lease.partition == partition)
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.held.check_in(&self.leases);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn lease(partition: u16, fence: u64) -> PartitionLease {
        PartitionLease { partition, fence }
    }

    fn leases(numbers: impl IntoIterator<Item = u16>, share: usize) -> Leases {
        Leases {
            held: numbers.into_iter().map(|number| lease(number, 1)).collect(),
            share,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_beyond_the_share_is_handed_back_once_it_is_unused() {
        let (held, now) = (Held::default(), Instant::now());
        let until = now + Duration::from_secs(15);
        assert!(held.renewed(&leases(0..4, 4), until));
        let used = held.check_out(0, 1, now);
        assert_eq!(used.leases.len(), 4);
        assert!(!held.renewed(&leases(0..4, 2), until));
        assert_eq!(held.take_unused(), []);
        assert_eq!(held.check_out(0, 1, now).leases, [lease(0, 1), lease(1, 1)]);
        assert!(used.holds(3, now));
        drop(used);
        assert_eq!(held.take_unused(), [lease(2, 1), lease(3, 1)]);
        assert_eq!(held.all(), [lease(0, 1), lease(1, 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_ended_or_lost_lease_is_not_used() {
        let (held, now) = (Held::default(), Instant::now());
        let until = now + Duration::from_secs(15);
        held.renewed(&leases(0..2, 2), until);
        let used = held.check_out(0, 1, now);
        held.lose(&[lease(0, 1), lease(1, 7)]);
        assert!(!used.holds(0, now));
        assert!(used.holds(1, now));
        assert!(!used.holds(1, until));
        drop(used);
        assert!(held.check_out(0, 1, until).leases.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn groups_share_the_partitions() {
        let (held, now) = (Held::default(), Instant::now());
        held.renewed(&leases(0..4, 4), now + Duration::from_secs(15));
        let numbers = |group| {
            let used = held.check_out(group, 2, now);
            used.leases
                .iter()
                .map(|one| one.partition)
                .collect::<Vec<_>>()
        };
        assert_eq!((numbers(0), numbers(1)), (vec![0, 2], vec![1, 3]));
    }
}
