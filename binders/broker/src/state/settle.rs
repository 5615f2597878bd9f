//! What consumers say of messages that they were given: checked here, in force when the journal has it.

use mq_core::binder::LaneId;

use super::{
    State,
    lane::{Extra, NotYours, Note, Place},
    member::MemberKey,
};
use crate::record::LaneKey;

/// A settlement that may take effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked {
    pub(crate) lane: LaneKey,
    /// How often the message was delivered.
    pub(crate) deliveries: u32,
    /// What was recorded about it.
    pub(crate) note: Note,
}

impl State {
    /// The lane that a consumer knows by this number.
    #[inline]
    pub(crate) fn lane_of(&mut self, key: MemberKey, lane: LaneId) -> Option<LaneKey> {
        self.member(key)?.lanes.get(lane.0 as usize).copied()
    }

    /// A lane of the consumer, if this is the number of its assignment.
    pub(crate) fn current(&mut self, key: MemberKey, lane: LaneId, epoch: u32) -> Option<LaneKey> {
        let member = self.member(key)?;
        let index = lane.0 as usize;
        let is_current = member.epochs.get(index) == Some(&epoch);
        member.lanes.get(index).copied().filter(|_| is_current)
    }

    /// Whether the consumer has the message.
    pub(crate) fn check(
        &mut self,
        key: MemberKey,
        lane: LaneId,
        position: u64,
    ) -> Result<Checked, NotYours> {
        let own = self.lane_of(key, lane).ok_or(NotYours)?;
        let lane = self.lane(own).ok_or(NotYours)?;
        let slot = *lane.out_with(position, key.number)?;
        let note = if slot.extra == Extra::Noted {
            lane.notes.get(&position).copied().unwrap_or_default()
        } else {
            Note::default()
        };
        Ok(Checked {
            lane: own,
            deliveries: u32::from(slot.deliveries),
            note,
        })
    }

    /// Takes a run of messages from the consumer: they are settled when the journal says so.
    ///
    /// Calls `refused` with the index of each that it does not have.
    #[inline]
    pub(crate) fn begin_run(
        &mut self,
        key: MemberKey,
        own: LaneKey,
        positions: impl Iterator<Item = u64>,
        mut refused: impl FnMut(usize),
    ) {
        let (mut taken, mut sized) = (0, Vec::new());
        let member = self.member(key);
        let counts_bytes = member.is_some_and(|member| member.credit.counts_bytes());
        if let Some(lane) = self.lane(own) {
            for (index, position) in positions.enumerate() {
                match lane.out_with(position, key.number) {
                    Ok(slot) => {
                        slot.place = Place::Settling;
                        taken += 1;
                        if counts_bytes {
                            sized.push(position);
                        }
                    }
                    Err(NotYours) => refused(index),
                }
            }
        } else {
            positions.enumerate().for_each(|(index, _)| refused(index));
        }
        self.has_less(key, own, taken, &sized);
    }

    /// Takes one message from the consumer that it was checked to have.
    pub(crate) fn begin(&mut self, key: MemberKey, own: LaneKey, position: u64) {
        self.begin_run(key, own, std::iter::once(position), |_| {});
    }

    /// Gives a message back to the consumer, as the journal did not take its settlement.
    pub(crate) fn undo(&mut self, key: MemberKey, own: LaneKey, position: u64) {
        let is_there = self.member(key).is_some();
        let Some(lane) = self.lane(own) else {
            return;
        };
        if lane.cursor.is_some() {
            let has = lane.undo_commit(position, key.number);
            if has {
                self.has_again(key, own, position);
            }
            self.pass_on(own.destination, own.group);
            return;
        }
        let Some(slot) = lane.slots.get_mut(position) else {
            return;
        };
        if slot.place != Place::Settling || slot.owner != key.number {
            return;
        }
        if !is_there {
            lane.line_up(position);
            return;
        }
        slot.place = Place::Out;
        self.has_again(key, own, position);
    }

    fn has_again(&mut self, key: MemberKey, own: LaneKey, position: u64) {
        let found = self.destinations.get(&own.destination);
        let entry = found.and_then(|found| found.entry(own.partition, position));
        let len = entry.map_or(0, |entry| entry.len);
        if let Some(member) = self.member(key) {
            member.credit.take_back(own, position, len);
        }
    }

    /// Moves the end of the consumer's lease of one message.
    pub(crate) fn extend(&mut self, key: MemberKey, lane: LaneId, position: u64, end: u64) {
        if let Some(member) = self.member(key).filter(|member| member.lease.is_some()) {
            member.extended.insert((lane.0, position), end);
        }
    }

    /// So many messages of a lane are not with the consumer any more; these, where it counts bytes.
    pub(super) fn has_less(
        &mut self,
        key: MemberKey,
        lane: LaneKey,
        count: usize,
        positions: &[u64],
    ) {
        if let Some(member) = self.member(key)
            && member.credit.give(lane, count, positions)
        {
            member.wake();
        }
    }

    /// The same for everything that it had of the lane.
    pub(super) fn has_nothing(&mut self, key: MemberKey, lane: LaneKey, count: usize) {
        if let Some(member) = self.member(key)
            && member.credit.give_all(lane, count)
        {
            member.wake();
        }
    }

    #[inline]
    pub(super) fn lane(&mut self, key: LaneKey) -> Option<&mut super::lane::Lane> {
        let destination = self.destinations.get_mut(&key.destination)?;
        let group = destination.groups.get_mut(&key.group)?;
        group.lanes.get_mut(key.partition as usize)
    }
}
