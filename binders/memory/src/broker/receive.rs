//! What a consumer gets when it asks.

use mq_core::binder::{Event, LaneId, Record};
use tokio::time::Instant;

use super::{
    Broker,
    group::{Group, Reading},
    member::{Ended, LaneRef, MemberKey},
    state::State,
    take::{Look, Taker},
};

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
    Ended(Ended),
}

impl State {
    /// Hands out an event, or up to `max` messages.
    pub(crate) fn receive(
        &mut self,
        key: MemberKey,
        records: &mut Vec<Record>,
        max: usize,
        broker: &Broker,
    ) -> Received {
        if broker.options.is_positional {
            self.expire(key, broker);
        }
        let Some(member) = self
            .members
            .get_mut(key.index)
            .filter(|m| m.number == key.number)
        else {
            return Received::Ended(Ended::Closed);
        };
        member.is_waiting = false;
        if let Some(event) = member.events.pop_front() {
            return Received::Event(event);
        }
        if let Some(ended) = member.ended {
            return Received::Ended(ended);
        }
        // By position, only the reader knows what is unsettled.
        let window = if broker.options.is_positional {
            max
        } else {
            member.window.saturating_sub(member.unsettled)
        };
        let room = max.min(window);
        if room == 0 {
            member.is_waiting = true;
            return Received::Nothing(self.expiry(key));
        }
        let before = records.len();
        let look = self.hand_out(key, records, room, broker);
        let taken = records.len() - before;
        let member = &mut self.members[key.index];
        if !broker.options.is_positional {
            member.unsettled += taken;
        }
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
    fn hand_out(
        &mut self,
        key: MemberKey,
        records: &mut Vec<Record>,
        room: usize,
        broker: &Broker,
    ) -> Look {
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
            counts: broker.options.counts_deliveries,
            clock: broker.clock,
            passed: Vec::new(),
        };
        let mut look = Look::Done;
        for index in (first..count).chain(0..first.min(count)) {
            let Some((id, lane)) = self.members[key.index].readable(index) else {
                continue;
            };
            taker.lane = id;
            if self.take_from(lane, &mut taker) == Look::Unfinished {
                look = Look::Unfinished;
            }
            if taker.room == 0 {
                break;
            }
        }
        look
    }

    /// Hands over nothing of these lanes until they are resumed.
    pub(crate) fn pause(&mut self, key: MemberKey, lanes: &[LaneId]) {
        if let Some(member) = self.member(key) {
            let known = lanes.iter().filter(|id| member.lane(**id).is_some());
            let known: Vec<_> = known.copied().collect();
            member.paused.extend(known);
        }
    }

    /// Hands over messages of these lanes again.
    pub(crate) fn resume(&mut self, key: MemberKey, lanes: &[LaneId]) {
        if let Some(member) = self.member(key) {
            lanes.iter().for_each(|id| {
                member.paused.remove(id);
            });
        }
    }

    fn take_from(&mut self, lane: LaneRef, taker: &mut Taker<'_>) -> Look {
        let Some(destination) = self.destinations.get_mut(lane.destination) else {
            return Look::Done;
        };
        let Some(group) = destination.groups.get_mut(lane.group) else {
            return Look::Done;
        };
        taker.epoch = lane.epoch;
        let Group {
            reading, filter, ..
        } = group;
        let log = &destination.logs[lane.partition];
        let look = match reading {
            Reading::Shared(queues) => queues[lane.partition].take(log, filter.as_ref(), taker),
            Reading::Assigned(tracks) => {
                tracks[lane.partition].read(log, taker);
                Look::Done
            }
        };
        if !taker.passed.is_empty() {
            destination.free(lane.partition, taker.passed.drain(..));
            destination.wake_publishers();
        }
        look
    }

    /// When something becomes due for this consumer.
    fn due(&self, key: MemberKey) -> Option<Instant> {
        let member = &self.members[key.index];
        let lanes = (0..member.lanes.len()).filter_map(|index| {
            let (_, lane) = member.readable(index)?;
            let group = self
                .destinations
                .get(lane.destination)?
                .groups
                .get(lane.group)?;
            match &group.reading {
                Reading::Shared(queues) => queues[lane.partition].due(),
                Reading::Assigned(_) => None,
            }
        });
        lanes.chain(self.expiry(key)).min()
    }

    /// When the next partition is taken from a consumer that was to give it up.
    fn expiry(&self, key: MemberKey) -> Option<Instant> {
        let groups = self.members[key.index].groups.iter();
        let expiries = groups.filter_map(|(destination, group)| {
            let destination = self.destinations.get(*destination)?;
            destination.groups.get(*group)?.expiry
        });
        expiries.min()
    }
}
