//! What a consumer gets when it asks.

use std::collections::VecDeque;

use crate::options::Expired;

use super::{
    State,
    lane::{Pick, Taker},
    member::{Ended, Lease, MemberKey, Turn},
};

/// The answer to a consumer that asks for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Messages were picked.
    Some,
    /// There is nothing before this time (nanoseconds since the Unix epoch), if any, unless the consumer is notified.
    Nothing(Option<u64>),
    /// Something has changed for the consumer.
    Turn(Turn),
    /// There will be nothing any more.
    Ended(Ended),
}

impl State {
    /// Picks up to `max` messages for a consumer.
    pub(crate) fn take(
        &mut self,
        key: MemberKey,
        picks: &mut Vec<Pick>,
        max: usize,
        now: u64,
    ) -> Taken {
        if self.leasing > 0 {
            self.expire_leases(now);
        }
        let Some(member) = self.member(key) else {
            return Taken::Ended(Ended::Closed);
        };
        if let Some(ended) = member.ended {
            return Taken::Ended(ended);
        }
        if let Some(turn) = member.turns.as_mut().and_then(VecDeque::pop_front) {
            return Taken::Turn(turn);
        }
        member.is_waiting = false;
        let room = max.min(member.credit.room());
        let before = picks.len();
        let is_short = room > 0 && self.pick(key, picks, room, now);
        let taken = picks.len() - before;
        let due = if taken == 0 {
            self.due(key, if is_short { 0 } else { room })
        } else {
            None
        };
        let Some(member) = self.member(key) else {
            return Taken::Ended(Ended::Closed);
        };
        if taken > 0 {
            member.credit.take(&picks[before..], &member.lanes);
            if let Some(lease) = member.lease {
                let leases = picks[before..].iter().map(|pick| Lease {
                    end: now.saturating_add(lease),
                    lane: pick.lane,
                    position: pick.position,
                    deliveries: pick.deliveries,
                });
                member.leases.extend(leases);
            }
            return Taken::Some;
        }
        member.is_waiting = true;
        Taken::Nothing(due)
    }

    /// Asks one lane after the other, beginning with another one each time; returns whether a message was too large for what is left of
    /// the consumer's credit.
    fn pick(&mut self, key: MemberKey, picks: &mut Vec<Pick>, room: usize, now: u64) -> bool {
        let time = self.time;
        let member = &mut self.members[key.index];
        let count = member.lanes.len();
        let first = member.first;
        member.first = if first + 1 < count { first + 1 } else { 0 };
        let mut taker = Taker {
            picks,
            room,
            owner: key.number,
            lane: 0,
            now,
            keeps_over: false,
            grant: member.credit.grant(),
            is_short: false,
        };
        for index in (first..count).chain(0..first.min(count)) {
            if taker.room == 0 {
                break;
            }
            taker.lane = u32::try_from(index).unwrap_or(u32::MAX);
            let member = &self.members[key.index];
            if !member.paused.is_empty() && member.paused.contains(&taker.lane) {
                continue;
            }
            let lane = member.lanes[index];
            let Some(destination) = self.destinations.get_mut(&lane.destination) else {
                continue;
            };
            taker.keeps_over = destination.route.options.expired != Expired::HandOut;
            destination.fire(lane.partition as usize, now, time);
            if let Some(group) = destination.groups.get_mut(&lane.group)
                && group.is_turn(key.index)
            {
                let partition = lane.partition as usize;
                group.lanes[partition].take(&destination.logs[partition], &mut taker);
            }
        }
        taker.is_short
    }

    /// When something becomes due for this consumer, which has so much room.
    fn due(&self, key: MemberKey, room: usize) -> Option<u64> {
        let member = self.members.get(key.index)?;
        let all = self.members.iter().filter(|_| self.leasing > 0);
        let lease = all.filter_map(|(_, member)| member.leases.front().map(|lease| lease.end));
        // What it cannot be handed is nothing to wait for.
        let lanes = (0..).zip(&member.lanes).filter_map(|(index, lane)| {
            if room == 0 || member.paused.contains(&index) {
                return None;
            }
            let destination = self.destinations.get(&lane.destination)?;
            let partition = lane.partition as usize;
            let group = destination.groups.get(&lane.group)?;
            if !group.is_turn(key.index) {
                return None;
            }
            let released = group.lanes[partition].due();
            let scheduled = destination.logs[partition].due();
            released.into_iter().chain(scheduled).min()
        });
        lanes.chain(lease).min()
    }

    /// Takes back what consumers have had for too long.
    fn expire_leases(&mut self, now: u64) {
        let members = self.members.iter_mut();
        let expired: Vec<_> = members
            .flat_map(|(index, member)| {
                let number = member.number;
                let expired = member.expired(now).into_iter();
                expired.map(move |(lane, lease)| (MemberKey { index, number }, lane, lease))
            })
            .collect();
        for (key, lane, lease) in expired {
            let destination = self.destinations.get_mut(&lane.destination);
            let group = destination.and_then(|found| found.groups.get_mut(&lane.group));
            let Some(group) = group else { continue };
            let own = &mut group.lanes[lane.partition as usize];
            let slot = own.out_with(lease.position, key.number);
            if slot.is_ok_and(|slot| slot.deliveries == lease.deliveries) {
                own.line_up(lease.position);
                self.touched.insert(lane.destination);
                self.members[key.index]
                    .credit
                    .give(lane, 1, &[lease.position]);
                self.stand_back(key, lane);
            }
        }
        self.wake();
    }
}

impl super::destination::Destination {
    /// Lets go of messages whose time has come.
    #[inline]
    fn fire(&mut self, partition: usize, now: u64, time: u64) {
        while let Some(position) = self.logs[partition].pop_due(now, time) {
            for group in self.groups.values_mut() {
                group.lanes[partition].fire(position, now);
            }
        }
    }
}
