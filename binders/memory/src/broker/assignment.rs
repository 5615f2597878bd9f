//! Who reads which partition, where they are read by position.

use std::collections::BTreeMap;

use mq_core::{
    binder::{AssignedLane, Event, Lane, LaneId},
    error::{Error, ErrorKind, Result},
};
use slab::Slab;
use tokio::time::Instant;

use super::{
    Broker, later,
    member::{LaneRef, Member, MemberKey},
    state::State,
    track::{Holder, Track},
};

/// The consumer, by its place in line, that each of `partitions` goes to: ranges of even size, as Kafka's range assignor.
pub(super) fn ranges(partitions: usize, members: usize) -> impl Iterator<Item = usize> {
    let each = partitions.checked_div(members).unwrap_or(0);
    let more = partitions.checked_rem(members).unwrap_or(0);
    (0..members)
        .flat_map(move |member| std::iter::repeat_n(member, each + usize::from(member < more)))
}

/// What consumers are told after a change.
#[derive(Debug, Default)]
struct News {
    assigned: BTreeMap<usize, Vec<AssignedLane>>,
    revoking: BTreeMap<usize, Vec<LaneId>>,
    lost: BTreeMap<usize, Vec<LaneId>>,
}

impl News {
    fn tell(self, members: &mut Slab<Member>, budget: std::time::Duration) {
        let lost = self
            .lost
            .into_iter()
            .map(|(member, lanes)| (member, Event::Lost { lanes }));
        let revoking = self
            .revoking
            .into_iter()
            .map(|(member, lanes)| (member, Event::Revoking { lanes, budget }));
        let assigned = self
            .assigned
            .into_iter()
            .map(|(member, lanes)| (member, Event::Assigned(lanes)));
        for (member, event) in lost.chain(revoking).chain(assigned) {
            if let Some(member) = members.get_mut(member) {
                member.events.push_back(event);
                member.wake();
            }
        }
    }

    /// Asks whoever reads a partition that is another's to let go, and takes it from whoever has not in time.
    fn part(
        &mut self,
        track: &mut Track,
        lane: LaneRef,
        target: Option<usize>,
        (now, until): (Instant, Instant),
        members: &mut Slab<Member>,
    ) {
        match track.holder {
            Holder::Leaver { member, until } if until <= now => {
                track.holder = Holder::Nobody;
                let gone = drop_lane(members, member, lane);
                self.lost.entry(member).or_default().extend(gone);
            }
            Holder::Reader { member, .. } if Some(member) != target => {
                track.holder = Holder::Leaver { member, until };
                let id = members
                    .get(member)
                    .and_then(|member| member.find_lane(lane));
                self.revoking.entry(member).or_default().extend(id);
            }
            _ => {}
        }
    }
}

impl State {
    /// Moves the partitions of a group to whom they belong, as far as those who have them let go.
    pub(super) fn rebalance(&mut self, destination: usize, group: usize, broker: &Broker) {
        let now = broker.clock.now();
        let Some(name) = self
            .destinations
            .get(destination)
            .map(|found| found.name.clone())
        else {
            return;
        };
        let Some(found) = self.destinations[destination].groups.get_mut(group) else {
            return;
        };
        let Some(tracks) = found.reading.tracks() else {
            return;
        };
        let mut news = News::default();
        let targets: Vec<_> = ranges(tracks.len(), found.members.len())
            .map(|place| found.members[place])
            .collect();
        for (partition, track) in tracks.iter_mut().enumerate() {
            let lane = LaneRef {
                destination,
                group,
                partition,
                epoch: track.epoch,
            };
            let target = targets.get(partition).copied();
            let until = later(now, broker.options.budget);
            news.part(track, lane, target, (now, until), &mut self.members);
            if let (Holder::Nobody, Some(target)) = (track.holder, target) {
                self.last_assignment = self.last_assignment.wrapping_add(1);
                let epoch = self.last_assignment;
                let lane = LaneRef { epoch, ..lane };
                let assigned = give(track, target, lane, &mut self.members, &name);
                news.assigned.entry(target).or_default().extend(assigned);
            }
        }
        found.expiry = expiry(found.reading.tracks().into_iter().flatten());
        if found.expiry.is_some() {
            // Whoever waits has to know when the time of others is up.
            found.wake(&mut self.members);
        }
        news.tell(&mut self.members, broker.options.budget);
    }

    /// Ends the time of those who were to give up a partition and have not.
    pub(super) fn expire(&mut self, key: MemberKey, broker: &Broker) {
        let Some(member) = self.members.get(key.index) else {
            return;
        };
        let groups = member.groups.iter().filter(|(destination, group)| {
            let group = self
                .destinations
                .get(*destination)
                .and_then(|found| found.groups.get(*group));
            group
                .and_then(|group| group.expiry)
                .is_some_and(|expiry| expiry <= broker.clock.now())
        });
        let groups: Vec<_> = groups.copied().collect();
        groups
            .into_iter()
            .for_each(|(destination, group)| self.rebalance(destination, group, broker));
    }

    /// The consumer has given up these lanes.
    pub(crate) fn release_lanes(
        &mut self,
        key: MemberKey,
        lanes: &[LaneId],
        broker: &Broker,
    ) -> Result<()> {
        self.expire(key, broker);
        let mut lost = 0;
        for id in lanes {
            let lane = self.member(key).and_then(|member| member.lane(*id));
            let let_go = lane.is_some_and(|lane| self.let_go(key, lane));
            lost += usize::from(!let_go);
            if let Some(lane) = lane.filter(|_| let_go) {
                self.rebalance(lane.destination, lane.group, broker);
            }
        }
        if lost == 0 {
            return Ok(());
        }
        let text = "lanes were lost before they were given up; settlements that came too late were refused";
        Err(Error::new(ErrorKind::Lost, text).context("lanes", lost))
    }

    fn let_go(&mut self, key: MemberKey, lane: LaneRef) -> bool {
        let Some(track) = self
            .track(lane)
            .filter(|track| track.is_held_by(key.index, lane.epoch))
        else {
            return false;
        };
        track.holder = Holder::Nobody;
        drop_lane(&mut self.members, key.index, lane);
        true
    }

    /// Takes partitions from whoever has them, all at once and without asking.
    pub(super) fn lose(&mut self, destination: usize, group: usize) {
        let Some(found) = self
            .destinations
            .get_mut(destination)
            .and_then(|found| found.groups.get_mut(group))
        else {
            return;
        };
        let mut news = News::default();
        for (partition, track) in found.reading.tracks().into_iter().flatten().enumerate() {
            let lane = LaneRef {
                destination,
                group,
                partition,
                epoch: track.epoch,
            };
            if let Some(member) = std::mem::take(&mut track.holder).member() {
                news.lost.entry(member).or_default().extend(drop_lane(
                    &mut self.members,
                    member,
                    lane,
                ));
            }
        }
        news.tell(&mut self.members, std::time::Duration::ZERO);
    }

    pub(super) fn track(&mut self, lane: LaneRef) -> Option<&mut Track> {
        let group = self
            .destinations
            .get_mut(lane.destination)?
            .groups
            .get_mut(lane.group)?;
        group.reading.tracks()?.get_mut(lane.partition)
    }
}

fn give(
    track: &mut Track,
    target: usize,
    lane: LaneRef,
    members: &mut Slab<Member>,
    name: &std::sync::Arc<str>,
) -> Option<AssignedLane> {
    let member = members.get_mut(target)?;
    track.assign(target, lane.epoch);
    let id = member.add_lane(lane);
    let lane = Lane {
        destination: name.clone(),
        partition: super::number(lane.partition),
    };
    let (position, saved) = (Some(track.committed), track.saved.clone());
    Some(AssignedLane {
        id,
        lane,
        position,
        saved,
        epoch: track.epoch,
    })
}

fn drop_lane(members: &mut Slab<Member>, member: usize, lane: LaneRef) -> Option<LaneId> {
    let member = members.get_mut(member)?;
    let id = member.find_lane(lane)?;
    member.drop_lane(id);
    Some(id)
}

fn expiry<'a>(tracks: impl Iterator<Item = &'a mut Track>) -> Option<Instant> {
    let leaving = tracks.filter_map(|track| match track.holder {
        Holder::Leaver { until, .. } => Some(until),
        Holder::Nobody | Holder::Reader { .. } => None,
    });
    leaving.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_shared_out_in_even_ranges() {
        for (partitions, members, expected) in [
            (4, 1, vec![0, 0, 0, 0]),
            (4, 2, vec![0, 0, 1, 1]),
            (5, 3, vec![0, 0, 1, 1, 2]),
            (2, 3, vec![0, 1]),
            (3, 0, vec![]),
        ] {
            assert_eq!(
                ranges(partitions, members).collect::<Vec<_>>(),
                expected,
                "{partitions} over {members}"
            );
        }
    }
}
