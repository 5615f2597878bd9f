//! Changes, as the journal orders them.

use std::{num::NonZeroU64, sync::Arc};

use super::{
    State,
    destination::{Destination, Route},
    lane::{Lane, Note},
    log::Entry,
    member::Ended,
    publishers::Admission,
};
use crate::{
    journal::frame::{HEADER, Header},
    options::{DestinationOptions, Full},
    record::{Change, LaneKey, Malformed, PREFIX, PublishHead, kind, records},
};

/// Where the messages of a frame were stored, in order; [`DUPLICATE`](Self::DUPLICATE) where the publisher had stored it before,
/// [`FENCED`](Self::FENCED) where the publisher is somebody else's by now.
#[derive(Debug, Default)]
pub(crate) struct Applied(pub(crate) Vec<u64>);

impl Applied {
    /// A message that was there already, or whose destination is gone.
    pub(crate) const DUPLICATE: u64 = u64::MAX;
    /// A message of a publisher that somebody else has opened since.
    pub(crate) const FENCED: u64 = u64::MAX - 1;
}

impl State {
    /// Applies a frame.
    ///
    /// What refers to a destination, group or message that is gone is passed over.
    pub(crate) fn apply(&mut self, header: &Header, body: &[u8]) -> Result<Applied, Malformed> {
        let mut applied = Applied::default();
        self.time = header.time;
        self.ahead = header.ahead;
        for record in records(body) {
            let (place, record) = record?;
            if record[PREFIX - 1] == kind::PUBLISH {
                let lsn = header.lsn + (HEADER + place) as u64;
                let head = PublishHead::read(record)?;
                applied
                    .0
                    .push(self.store(&head, lsn, header.time, header.ahead));
            } else {
                self.change(Change::decode(record)?);
            }
        }
        self.lsn = header.end();
        self.crc = header.crc;
        Ok(applied)
    }

    #[inline]
    pub(super) fn store(&mut self, head: &PublishHead, lsn: u64, time: u64, ahead: i64) -> u64 {
        let target = &head.target;
        let Some(destination) = self.destinations.get_mut(&target.destination) else {
            return Applied::DUPLICATE;
        };
        let Some(log) = destination.logs.get_mut(target.partition as usize) else {
            return Applied::DUPLICATE;
        };
        if target.producer != 0 {
            let publishers = &mut self.publishers;
            match publishers.admit(target.producer, target.epoch, target.sequence) {
                Admission::New => {}
                Admission::Repeated => return Applied::DUPLICATE,
                Admission::Fenced => return Applied::FENCED,
            }
        }
        // Users say the time of day.
        let due = head.due.map(|due| due.saturating_add_signed(ahead));
        let due = due.filter(|due| *due > time);
        let entry = Entry {
            lsn: NonZeroU64::new(lsn).unwrap_or(NonZeroU64::MIN),
            key: target.key,
            len: head.len,
            marks: if due.is_some() { Entry::SCHEDULED } else { 0 }
                | if head.end.is_some() { Entry::ENDS } else { 0 },
        };
        let position = log.push(entry, due, time);
        if let Some(end) = head.end {
            log.ends.add(position, end.saturating_add_signed(ahead));
        }
        self.live.add(&entry);
        destination.stored.add(head.len);
        destination.route.add(1, u64::from(head.len));
        if destination.route.options.full == Full::DropOldest {
            destination.drop_oldest(&mut self.live);
        }
        self.touched.insert(target.destination);
        position
    }

    /// What concerns messages that a group has.
    fn settle(&mut self, change: Change) {
        match change {
            Change::Ack { lane, runs } => self.ack(lane, &runs),
            Change::Release {
                lane,
                position,
                attempts,
                deliveries,
                due,
            } => {
                self.with(lane, position, |lane, log| {
                    let note = Note {
                        attempts,
                        deliveries,
                        due,
                        is_held: false,
                        crashes: lane.crashes(position),
                    };
                    lane.release(position, note, log);
                });
            }
            Change::Hold {
                lane,
                position,
                attempts,
                due,
            } => self.with(lane, position, |lane, _| {
                let note = Note {
                    attempts,
                    deliveries: 0,
                    due,
                    is_held: true,
                    crashes: lane.crashes(position),
                };
                lane.hold(position, note);
            }),
            _ => {}
        }
    }

    /// What speaks of positions that may not be its own is passed over: messages come again rather than never.
    #[cold]
    fn change_without_positions(&mut self, change: Change) {
        if let Change::Group {
            destination,
            id,
            name,
            ..
        } = change
        {
            self.add_group(destination, id, &name, &[]);
        }
    }

    pub(super) fn change(&mut self, change: Change) {
        if self.is_shifted && change.has_positions() {
            return self.change_without_positions(change);
        }
        match change {
            Change::Ack { .. } | Change::Release { .. } | Change::Hold { .. } => {
                self.settle(change);
            }
            Change::Destination { id, name, options } => self.create(id, &name, options),
            Change::Delete { destination } => self.delete(destination),
            Change::Group {
                destination,
                id,
                name,
                from,
            } => self.add_group(destination, id, &name, &from),
            Change::Forget { destination, group } => self.forget(destination, group),
            Change::Seek {
                destination,
                group,
                from,
            } => self.move_group(destination, group, &from),
            Change::Purge { destination, to } => self.purge_to(destination, &to),
            Change::Handled {
                destination,
                partition,
                position,
            } => self.handle(destination, partition, position),
            Change::Trim {
                destination,
                partition,
                to,
            } => self.trim(destination, partition, to),
            Change::Producer { id, name } => self.publishers.add(id, &name),
            other => self.change_rest(other),
        }
    }

    /// What the second format has added.
    fn change_rest(&mut self, change: Change) {
        match change {
            Change::Mode {
                destination,
                group,
                mode,
            } => self.set_mode(destination, group, mode),
            Change::Commit {
                lane,
                position,
                moves,
                saved,
            } => self.commit(lane, position, moves, saved),
            Change::Boot => self.boot(),
            Change::Start { lane, runs } => self.start(lane, &runs),
            Change::Expire {
                destination,
                partition,
                runs,
            } => self.expire(destination, partition, &runs),
            Change::Ended { crashed } => self.end_process(crashed),
            Change::Options { id, options } => self.set_options(id, options),
            Change::Epoch { id, epoch } => self.publishers.fence(id, epoch),
            _ => {}
        }
    }

    fn ack(&mut self, lane: LaneKey, runs: &[(u64, u64)]) {
        let Some(destination) = self.destinations.get_mut(&lane.destination) else {
            return;
        };
        let partition = lane.partition as usize;
        let (Some(group), Some(log)) = (
            destination.groups.get_mut(&lane.group),
            destination.logs.get_mut(partition),
        ) else {
            return;
        };
        let own = &mut group.lanes[partition];
        if own.cursor.is_some() {
            // It was written when the group was of another mode.
            return;
        }
        let mut ready = false;
        let end = log.end();
        let runs = runs
            .iter()
            .map(|(first, count)| *first..first.saturating_add(*count).min(end));
        for run in runs.clone() {
            own.cover(run.end, log);
            for position in run {
                ready |= own.settle(position, log);
            }
        }
        own.tidy();
        if ready {
            self.touched.insert(lane.destination);
        }
        let alone = destination.groups.len() == 1;
        for position in runs.flatten() {
            if alone || destination.is_settled(partition, position) {
                destination.finish(partition, position, &mut self.live);
            }
        }
        destination.sweep(partition, &mut self.live);
        // Publishers may wait for the room of what is done.
        destination.route.load.room.notify_waiters();
    }

    /// Changes one message of a lane.
    fn with(
        &mut self,
        key: LaneKey,
        position: u64,
        change: impl FnOnce(&mut Lane, &super::log::Log),
    ) {
        let Some(destination) = self.destinations.get_mut(&key.destination) else {
            return;
        };
        let partition = key.partition as usize;
        if let (Some(group), Some(log)) = (
            destination.groups.get_mut(&key.group),
            destination.logs.get(partition),
        ) {
            let lane = &mut group.lanes[partition];
            lane.cover(position.saturating_add(1).min(log.end()), log);
            change(lane, log);
            self.touched.insert(key.destination);
        }
    }

    pub(super) fn create(&mut self, id: u32, name: &str, options: DestinationOptions) {
        self.next_destination = self.next_destination.max(id.saturating_add(1));
        if self.names.contains_key(name) {
            return;
        }
        let route = Arc::new(Route::new(id, name, options));
        self.names.insert(route.name.clone(), id);
        let mut destination = Destination::new(route);
        if destination.is_in_memory() {
            destination.begin_at(self.boots);
        }
        self.destinations.insert(id, destination);
        self.list_memory();
    }

    fn delete(&mut self, id: u32) {
        let Some(destination) = self.destinations.remove(&id) else {
            return;
        };
        self.names.remove(&destination.route.name);
        self.list_memory();
        for log in &destination.logs {
            for (_, entry) in log.entries.iter() {
                self.live.drop(&entry);
            }
        }
        for (_, member) in &mut self.members {
            if member.lanes.iter().any(|lane| lane.destination == id) {
                member.ended = Some(Ended::Deleted);
                member.wake();
            }
        }
        destination.route.load.room.notify_waiters();
    }

    pub(super) fn handle(&mut self, id: u32, partition: u32, position: u64) {
        let Some(destination) = self.destinations.get_mut(&id) else {
            return;
        };
        let index = partition as usize;
        let log = destination.logs.get_mut(index);
        let Some(key) = log.and_then(|log| log.handle(position)) else {
            return;
        };
        for group in destination.groups.values_mut() {
            group.lanes[index].lose(position, key);
        }
        destination.finish(index, position, &mut self.live);
        destination.sweep(index, &mut self.live);
        self.touched.insert(id);
    }
}
