//! Destinations in memory: their messages are in no frame and no snapshot.

use std::{num::NonZeroU64, sync::Arc};

use super::{Applied, State, destination::Destination, lane::Lane};
use crate::{
    journal::{
        Stamp,
        frame::{HEADER, Header},
    },
    options::Durability,
    record::{Change, FLEETING, Malformed, PREFIX, PublishHead, is_fleeting, kind, records},
};

/// Each opening has so many positions of a partition for itself, as a power of 2: none is used twice, although nothing is written.
const POSITIONS: u32 = 40;

impl Destination {
    pub(crate) fn is_in_memory(&self) -> bool {
        self.route.options.durability == Durability::Memory
    }

    /// Begins with the positions of this opening; nothing is stored yet.
    pub(super) fn begin_at(&mut self, boots: u32) {
        let first = first(boots);
        for log in &mut self.logs {
            log.entries.skip_to(first);
        }
        for group in self.groups.values_mut() {
            for lane in &mut group.lanes {
                *lane = Lane::starting_at(first, group.mode);
            }
        }
    }

    /// The positions before those that were given to messages.
    pub(super) fn unused(&self, boots: u32) -> u64 {
        if self.is_in_memory() { first(boots) } else { 0 }
    }
}

fn first(boots: u32) -> u64 {
    u64::from(boots) << POSITIONS
}

impl State {
    /// Applies a frame of which parts are in memory only: `header` is that of the written part, if there is one.
    ///
    /// The places of its messages in memory count from `place` on.
    pub(crate) fn apply_mixed(
        &mut self,
        header: Option<&Header>,
        stamp: Stamp,
        body: &[u8],
        mut place: u64,
    ) -> Result<Applied, Malformed> {
        let memory = self.memory.clone();
        let (mut applied, mut written) = (Applied::default(), HEADER);
        if let Some(header) = header {
            (self.time, self.ahead) = (header.time, header.ahead);
        }
        for record in records(body) {
            let (_, record) = record?;
            let is_fleeting = is_fleeting(record, &memory);
            if record[PREFIX - 1] == kind::PUBLISH {
                let lsn = match header {
                    Some(header) if !is_fleeting => header.lsn + written as u64,
                    _ => place | FLEETING,
                };
                place += u64::from(is_fleeting);
                let head = PublishHead::read(record)?;
                applied.0.push(self.store_at(&head, lsn, stamp));
            } else {
                self.change(Change::decode(record)?);
            }
            written += if is_fleeting { 0 } else { record.len() };
        }
        if let Some(header) = header {
            self.lsn = header.end();
            self.crc = header.crc;
        }
        Ok(applied)
    }

    fn store_at(&mut self, head: &PublishHead, lsn: u64, stamp: Stamp) -> u64 {
        let lsn = NonZeroU64::new(lsn).unwrap_or(NonZeroU64::MIN);
        let position = self.store(head, lsn.get(), stamp.time, stamp.ahead);
        if position == Applied::DUPLICATE && lsn.get() & FLEETING != 0 {
            self.live.forget(lsn.get());
        }
        position
    }

    /// The broker was opened: what was in memory is gone, and new positions begin.
    pub(super) fn boot(&mut self) {
        self.boots = self.boots.saturating_add(1);
        for destination in self.destinations.values_mut() {
            if destination.is_in_memory() {
                destination.begin_at(self.boots);
            }
        }
    }

    /// A destination was created or is gone.
    pub(super) fn list_memory(&mut self) {
        let all = self.destinations.iter();
        let memory = all.filter(|(_, found)| found.is_in_memory());
        self.memory = Arc::new(memory.map(|(id, _)| *id).collect());
    }

    /// The places of messages in memory that are not kept any longer.
    pub(crate) fn take_gone(&mut self) -> Vec<u64> {
        self.live.take_gone()
    }

    /// A message that a consumer was to get has gone before it was read.
    pub(crate) fn drop_gone(&mut self, key: super::MemberKey, lane: u32, position: u64) {
        let Some(own) = self.lane_of(key, mq_core::binder::LaneId(lane)) else {
            return;
        };
        let Some(destination) = self.destinations.get_mut(&own.destination) else {
            return;
        };
        let partition = own.partition as usize;
        let (Some(group), Some(log)) = (
            destination.groups.get_mut(&own.group),
            destination.logs.get(partition),
        ) else {
            return;
        };
        let lane = &mut group.lanes[partition];
        if log.get(position).is_some() || lane.out_with(position, key.number).is_err() {
            return;
        }
        if lane.settle(position, log) {
            self.touched.insert(own.destination);
        }
        self.has_less(key, own, 1, &[position]);
    }
}
