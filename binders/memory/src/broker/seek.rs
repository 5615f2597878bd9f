//! Reading again, or not at all.

use mq_core::{
    binder::{LaneId, ReplayFrom},
    clock::Clock,
    error::{Error, ErrorKind, Result},
};

use super::{
    Broker,
    group::Reading,
    log::{Entry, Log, nanos},
    member::MemberKey,
    queue::Queue,
    slot::{NOBODY, Place, Slot},
    state::State,
    track::Holder,
};

impl Log {
    /// The position that this means here.
    pub(super) fn find(&self, from: ReplayFrom) -> u64 {
        match from {
            ReplayFrom::Earliest => self.start(),
            ReplayFrom::Latest => self.end(),
            ReplayFrom::Time(time) => self.first_since(nanos(time)),
            ReplayFrom::Position(position) => position.min(self.end()),
        }
    }
}

impl Queue {
    /// Hands out again what is kept from `position` on, and nothing before it.
    ///
    /// What consumers have stays with them.
    pub(super) fn seek(&mut self, position: u64, log: &Log, clock: Clock) {
        self.forget_waiting();
        let end = self.next();
        if position >= end {
            return self.slots.skip_to(position);
        }
        for (at, entry) in log.iter_from(position).take_while(|(at, _)| *at < end) {
            if self.slots.get(at).is_some() || entry.is(Entry::HANDLED) {
                continue;
            }
            self.slots
                .insert(at, Slot::new(entry.key, entry.priority, Place::Ready));
            if !self.is_scheduled(entry, at, clock) {
                self.line_up(at);
            }
        }
    }

    /// Forgets everything that no consumer has.
    fn forget_waiting(&mut self) {
        self.ready.clear();
        self.delayed.clear();
        self.keys.clear();
        let waiting = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.place != Place::Out);
        let waiting: Vec<_> = waiting.map(|(position, _)| position).collect();
        for position in waiting {
            self.slots.clear(position);
            self.holds.remove(&position);
        }
        self.slots.tidy();
        for (position, slot) in self.slots.iter_mut() {
            slot.next = NOBODY;
            if slot.key != 0 {
                self.keys.enter(slot.key, position);
            }
        }
    }

    /// Every message is gone.
    pub(super) fn purge(&mut self, log: &Log) {
        self.forget_waiting();
        self.slots.skip_to(log.end());
    }
}

impl State {
    /// Has a group read on elsewhere, in every partition.
    pub(crate) fn seek_group(
        &mut self,
        destination: usize,
        group: usize,
        from: ReplayFrom,
        broker: &Broker,
    ) {
        let positions = self.destinations[destination]
            .logs
            .iter()
            .map(|log| log.find(from))
            .collect();
        // From here on it is decided where the group begins.
        self.destinations[destination].groups[group].founded = None;
        self.lose(destination, group);
        self.move_group(destination, group, positions, broker);
        self.rebalance(destination, group, broker);
    }

    /// Sets where a group reads on; its consumers have no partitions at this time.
    pub(super) fn move_group(
        &mut self,
        destination: usize,
        group: usize,
        positions: Vec<u64>,
        broker: &Broker,
    ) {
        let found = &mut self.destinations[destination];
        for (partition, position) in positions.into_iter().enumerate() {
            match &mut found.groups[group].reading {
                Reading::Shared(queues) => {
                    queues[partition].seek(position, &found.logs[partition], broker.clock);
                }
                Reading::Assigned(tracks) => {
                    tracks[partition].committed = position;
                    tracks[partition].saved = None;
                }
            }
        }
        found.sweep_again();
        found.wake_publishers();
        found.groups[group].wake(&mut self.members);
    }

    /// Moves the reading of one lane.
    pub(crate) fn seek_lane(
        &mut self,
        key: MemberKey,
        id: LaneId,
        position: u64,
        broker: &Broker,
    ) -> Result<()> {
        let lost =
            || Error::new(ErrorKind::Lost, "the lane is not this consumer's").context("lane", id.0);
        let lane = self
            .member(key)
            .and_then(|member| member.lane(id))
            .ok_or_else(lost)?;
        let found = self
            .destinations
            .get_mut(lane.destination)
            .ok_or_else(lost)?;
        let log = &found.logs[lane.partition];
        let position = position.min(log.end());
        let group = found.groups.get_mut(lane.group).ok_or_else(lost)?;
        match &mut group.reading {
            Reading::Shared(queues) => queues[lane.partition].seek(position, log, broker.clock),
            Reading::Assigned(tracks) => {
                if let Holder::Reader { next, .. } = &mut tracks[lane.partition].holder {
                    *next = position;
                }
            }
        }
        group.wake(&mut self.members);
        found.sweep_again();
        found.wake_publishers();
        Ok(())
    }
}
