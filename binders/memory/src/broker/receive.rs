//! What a consumer gets when it asks.

use mq_core::{
    binder::{Event, LaneId, Record},
    clock::Clock,
};
use tokio::time::Instant;

use super::{
    group::Group,
    member::{Ended, LaneRef, MemberKey},
    state::State,
    take::{Look, Taker},
};
use crate::options::Options;

/// The answer to a consumer that asks for messages.
#[derive(Debug)]
pub(crate) enum Received {
    /// Something has happened, or messages were handed out.
    Event(Event),
    /// There may be something: ask again.
    Again,
    /// There is nothing before this time, if any, unless the consumer is notified.
    Nothing(Option<Instant>),
    /// There will be nothing any more.
    Ended(Option<Ended>),
}

impl State {
    /// Hands out an event, or up to `max` messages.
    pub(crate) fn receive(
        &mut self,
        key: MemberKey,
        records: &mut Vec<Record>,
        max: usize,
        options: &Options,
        clock: Clock,
    ) -> Received {
        let Some(member) = self.members.get_mut(key.index).filter(|m| m.number == key.number) else {
            return Received::Ended(None);
        };
        member.is_waiting = false;
        if let Some(event) = member.events.pop_front() {
            return Received::Event(event);
        }
        if member.ended.is_some() {
            return Received::Ended(member.ended);
        }
        let room = max.min(member.window.saturating_sub(member.unsettled));
        if room == 0 {
            member.is_waiting = true;
            return Received::Nothing(None);
        }
        let before = records.len();
        let look = self.hand_out(key, records, room, options, clock);
        let taken = records.len() - before;
        let member = &mut self.members[key.index];
        member.unsettled += taken;
        match look {
            _ if taken > 0 => Received::Event(Event::Messages),
            Look::Unfinished => Received::Again,
            Look::Done => {
                member.is_waiting = true;
                Received::Nothing(self.due(key))
            }
        }
    }

    /// Asks one lane after the other, beginning with another one each time.
    fn hand_out(&mut self, key: MemberKey, records: &mut Vec<Record>, room: usize, options: &Options, clock: Clock) -> Look {
        let member = &mut self.members[key.index];
        let count = member.lanes.len();
        let first = member.first;
        member.first = if first + 1 < count { first + 1 } else { 0 };
        let mut taker = Taker {
            records,
            room,
            owner: key.owner(),
            lane: LaneId(0),
            epoch: 0,
            counts: options.counts_deliveries,
            clock,
            passed: Vec::new(),
        };
        let mut look = Look::Done;
        for index in (first..count).chain(0..first.min(count)) {
            let Some(lane) = self.members[key.index].lanes[index] else { continue };
            taker.lane = LaneId(u32::try_from(index).unwrap_or(u32::MAX));
            if self.take_from(lane, &mut taker) == Look::Unfinished {
                look = Look::Unfinished;
            }
            if taker.room == 0 {
                break;
            }
        }
        look
    }

    fn take_from(&mut self, lane: LaneRef, taker: &mut Taker<'_>) -> Look {
        let Some(destination) = self.destinations.get_mut(lane.destination) else { return Look::Done };
        let Some(group) = destination.groups.get_mut(lane.group) else { return Look::Done };
        taker.epoch = lane.epoch;
        let Group { queues, filter, .. } = group;
        let look = queues[lane.partition].take(&destination.logs[lane.partition], filter.as_ref(), taker);
        if !taker.passed.is_empty() {
            destination.free(lane.partition, taker.passed.drain(..));
            destination.wake_publishers();
        }
        look
    }

    /// When something becomes due for this consumer.
    fn due(&self, key: MemberKey) -> Option<Instant> {
        let lanes = self.members[key.index].lanes.iter().flatten();
        let queues = lanes.filter_map(|lane| {
            let group = self.destinations.get(lane.destination)?.groups.get(lane.group)?;
            group.queues[lane.partition].due()
        });
        queues.min()
    }
}
