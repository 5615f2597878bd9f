//! What the outbox in memory holds.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::super::{
    Fetch, Leases, OrderKey, OutboxMessage, OutboxRow, OutboxStats, ParkedKey, PartitionLease,
    RelayId, RowFailure, RowId, Unpark, fair_share,
};

#[derive(Debug)]
pub(super) struct State {
    last_row: u64,
    /// Rows that are kept, those of open transactions included.
    kept: usize,
    partitions: Vec<Partition>,
    parked: BTreeMap<OrderKey, Parked>,
    /// Until when each relay counts as alive.
    relays: HashMap<RelayId, Instant>,
}

#[derive(Debug, Default)]
struct Partition {
    fence: u64,
    holder: Option<(RelayId, Instant)>,
    waiting: BTreeMap<RowId, Stored>,
}

#[derive(Debug)]
struct Parked {
    key: ParkedKey,
    rows: BTreeMap<RowId, Stored>,
}

#[derive(Clone, Debug)]
pub(super) struct Stored {
    message: OutboxMessage,
    key: OrderKey,
    attempts: u32,
    due: Instant,
    appended: Instant,
    created: SystemTime,
}

impl Stored {
    pub(super) fn new(message: OutboxMessage, now: Instant, created: SystemTime) -> Self {
        Self {
            key: OrderKey::of(&message),
            message,
            attempts: 0,
            due: now,
            appended: now,
            created,
        }
    }

    fn row(&self, id: RowId, partition: u16, now: Instant) -> OutboxRow {
        OutboxRow {
            id,
            partition,
            key: self.key,
            message: self.message.clone(),
            attempts: self.attempts,
            wait: self.due.saturating_duration_since(now),
            created: self.created,
        }
    }
}

/// Appending.
impl State {
    pub(super) fn new(partitions: u16) -> Self {
        Self {
            last_row: 0,
            kept: 0,
            partitions: (0..partitions).map(|_| Partition::default()).collect(),
            parked: BTreeMap::new(),
            relays: HashMap::new(),
        }
    }

    /// Draws numbers for `rows` rows; returns the first one, or `None` if there is no room.
    pub(super) fn reserve(&mut self, rows: usize, limit: usize) -> Option<u64> {
        let kept = self.kept.checked_add(rows).filter(|kept| *kept <= limit)?;
        self.kept = kept;
        let first = self.last_row + 1;
        self.last_row += rows as u64;
        Some(first)
    }

    /// Forgets that so many rows were reserved.
    pub(super) fn give_up(&mut self, rows: usize) {
        self.kept -= rows;
    }

    pub(super) fn insert(&mut self, rows: Vec<(RowId, Stored)>) {
        for (id, row) in rows {
            if let Some(parked) = self.parked.get_mut(&row.key) {
                parked.rows.insert(id, row);
            } else {
                self.waiting(row.key).insert(id, row);
            }
        }
    }

    fn waiting(&mut self, key: OrderKey) -> &mut BTreeMap<RowId, Stored> {
        let partition = self.partition_of(key);
        &mut self.partitions[usize::from(partition)].waiting
    }

    fn partition_of(&self, key: OrderKey) -> u16 {
        // There are as many as a `u16` counted when they were made.
        key.partition(self.partitions.len() as u16)
    }
}

/// Leases.
impl State {
    pub(super) fn lease(
        &mut self,
        relay: &RelayId,
        held: &[PartitionLease],
        now: Instant,
        lease: Duration,
    ) -> Leases {
        let until = now + lease;
        self.relays.retain(|_, alive| *alive > now);
        self.relays.insert(relay.clone(), until);
        let share = fair_share(self.partitions.len() as u16, self.relays.len());
        let mut leases: Vec<_> = held
            .iter()
            .copied()
            .filter(|one| self.holds(*one))
            .collect();
        for one in &leases {
            self.partitions[usize::from(one.partition)].holder = Some((relay.clone(), until));
        }
        for (number, partition) in (0..).zip(&mut self.partitions) {
            let named = leases.iter().any(|one| one.partition == number);
            if leases.len() < share && !named && partition.is_free_for(relay, now) {
                partition.fence += 1;
                partition.holder = Some((relay.clone(), until));
                leases.push(PartitionLease {
                    partition: number,
                    fence: partition.fence,
                });
            }
        }
        Leases {
            held: leases,
            share,
        }
    }

    pub(super) fn hand_back(&mut self, leases: &[PartitionLease]) {
        for lease in leases {
            if self.holds(*lease) {
                self.partitions[usize::from(lease.partition)].holder = None;
            }
        }
    }

    pub(super) fn leave(&mut self, relay: &RelayId) {
        self.relays.remove(relay);
        for partition in &mut self.partitions {
            if partition.holder.as_ref().is_some_and(|(id, _)| id == relay) {
                partition.holder = None;
            }
        }
    }

    /// Whether nobody has taken the partition since. A lease that was handed back holds no more.
    fn holds(&self, lease: PartitionLease) -> bool {
        self.partitions
            .get(usize::from(lease.partition))
            .is_some_and(|partition| partition.fence == lease.fence && partition.holder.is_some())
    }

    /// The lost ones of some leases.
    fn lost(&self, leases: &[PartitionLease]) -> Vec<PartitionLease> {
        leases
            .iter()
            .copied()
            .filter(|one| !self.holds(*one))
            .collect()
    }
}

impl Partition {
    fn is_free_for(&self, relay: &RelayId, now: Instant) -> bool {
        self.holder
            .as_ref()
            .is_none_or(|(holder, until)| holder == relay || *until <= now)
    }
}

/// Publishing.
impl State {
    pub(super) fn fetch(&self, fetch: Fetch<'_>, now: Instant) -> Vec<OutboxRow> {
        let skip: HashSet<_> = fetch.skip.iter().collect();
        let held = fetch.leases.iter().copied().filter(|one| self.holds(*one));
        let mut rows: Vec<_> = held
            .flat_map(|lease| {
                self.partitions[usize::from(lease.partition)]
                    .waiting
                    .iter()
                    .filter(|(_, row)| *row.message.output == *fetch.output)
                    .filter(|(_, row)| !skip.contains(&row.key))
                    .take(fetch.rows)
                    .map(move |(id, row)| (*id, lease.partition, row))
            })
            .collect();
        rows.sort_unstable_by_key(|(id, ..)| *id);
        let mut bytes = 0;
        rows.into_iter()
            .take(fetch.rows)
            .take_while(|(_, _, row)| {
                let before = bytes;
                bytes += row.message.message.size();
                before < fetch.bytes.max(1)
            })
            .map(|(id, partition, row)| row.row(id, partition, now))
            .collect()
    }

    pub(super) fn published(
        &mut self,
        leases: &[PartitionLease],
        rows: &[RowId],
    ) -> Vec<PartitionLease> {
        let lost = self.lost(leases);
        for lease in leases.iter().filter(|one| !lost.contains(one)) {
            let waiting = &mut self.partitions[usize::from(lease.partition)].waiting;
            let removed = rows
                .iter()
                .filter(|id| waiting.remove(id).is_some())
                .count();
            self.kept -= removed;
        }
        lost
    }

    pub(super) fn failed(
        &mut self,
        leases: &[PartitionLease],
        failures: &[RowFailure],
        now: Instant,
    ) -> Vec<PartitionLease> {
        let lost = self.lost(leases);
        for lease in leases.iter().filter(|one| !lost.contains(one)) {
            let waiting = &mut self.partitions[usize::from(lease.partition)].waiting;
            for failure in failures {
                if let Some(row) = waiting.get_mut(&failure.row) {
                    row.attempts = failure.attempts;
                    row.due = now + failure.after;
                }
            }
        }
        lost
    }
}

/// Parking.
impl State {
    pub(super) fn park(
        &mut self,
        leases: &[PartitionLease],
        failures: &[RowFailure],
        since: SystemTime,
    ) -> Vec<PartitionLease> {
        let lost = self.lost(leases);
        for lease in leases.iter().filter(|one| !lost.contains(one)) {
            for failure in failures {
                self.park_row(lease.partition, failure, since);
            }
        }
        lost
    }

    fn park_row(&mut self, partition: u16, failure: &RowFailure, since: SystemTime) {
        let waiting = &mut self.partitions[usize::from(partition)].waiting;
        let Some(first) = waiting.get(&failure.row) else {
            return;
        };
        let row = first.row(failure.row, partition, first.due);
        let of_key = waiting.iter().filter(|(_, stored)| stored.key == row.key);
        let ids: Vec<_> = of_key.map(|(id, _)| *id).collect();
        let rows: BTreeMap<_, _> = ids
            .into_iter()
            .filter_map(|id| Some((id, waiting.remove(&id)?)))
            .collect();
        let key = ParkedKey::new(&row, failure, since, rows.len());
        self.parked.insert(row.key, Parked { key, rows });
    }

    pub(super) fn parked(&self, after: Option<OrderKey>, limit: usize) -> Vec<ParkedKey> {
        self.parked
            .values()
            .filter(|parked| after.is_none_or(|after| parked.key.key > after))
            .take(limit)
            .map(|parked| ParkedKey {
                rows: parked.rows.len(),
                ..parked.key.clone()
            })
            .collect()
    }

    pub(super) fn unpark(&mut self, key: OrderKey, how: Unpark, now: Instant) -> usize {
        let Some(parked) = self.parked.remove(&key) else {
            return 0;
        };
        let count = parked.rows.len();
        for (id, mut row) in parked.rows {
            if how == Unpark::DropFirst && id == parked.key.row {
                self.kept -= 1;
                continue;
            }
            (row.attempts, row.due) = (0, now);
            self.waiting(key).insert(id, row);
        }
        count
    }

    pub(super) fn stats(&self, now: Instant) -> OutboxStats {
        let rows = || self.partitions.iter().flat_map(|one| one.waiting.values());
        let outputs: std::collections::BTreeSet<_> =
            rows().map(|row| row.message.output.clone()).collect();
        OutboxStats {
            rows: rows().count(),
            oldest: rows().map(|row| row.appended).min().map(|at| now - at),
            outputs: outputs.into_iter().collect(),
            parked_keys: self.parked.len(),
            parked_rows: self.parked.values().map(|parked| parked.rows.len()).sum(),
        }
    }
}
