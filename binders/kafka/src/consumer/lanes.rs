//! The partitions of a consumer under the numbers by which the loop knows them.

use std::sync::Arc;

use mq_core::binder::LaneId;

/// What is done with a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LaneState {
    /// The number is free.
    #[default]
    Free,
    /// It is read.
    Reading,
    /// It is assigned; nothing of it is handed over.
    Paused,
    /// It goes to another member: what was handed over can still be settled.
    Revoking,
}

#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) epoch: u32,
    pub(crate) state: LaneState,
    /// The loop has been told of this assignment: what it asks of the lane is not meant for an earlier one of the same number.
    pub(crate) is_known: bool,
}

/// Every lane by its number.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    slots: Vec<Slot>,
    epoch: u32,
}

impl Lanes {
    /// Gives a partition a number and a new epoch.
    pub(crate) fn assign(&mut self, topic: &Arc<str>, partition: i32) -> (LaneId, u32) {
        self.epoch += 1;
        let slot = Slot {
            topic: topic.clone(),
            partition,
            epoch: self.epoch,
            state: LaneState::Reading,
            is_known: false,
        };
        let known = self.find(topic, partition);
        let id = match known.or_else(|| self.free()) {
            Some(id) => {
                self.slots[id.0 as usize] = slot;
                id
            }
            None => {
                self.slots.push(slot);
                LaneId(u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX))
            }
        };
        (id, self.epoch)
    }

    fn free(&self) -> Option<LaneId> {
        let free = |slot: &Slot| slot.state == LaneState::Free;
        let index = self.slots.iter().position(free)?;
        Some(LaneId(u32::try_from(index).ok()?))
    }

    /// The lane of this number, unless it is free.
    pub(crate) fn get(&self, id: LaneId) -> Option<&Slot> {
        let slot = self.slots.get(id.0 as usize)?;
        (slot.state != LaneState::Free).then_some(slot)
    }

    /// The lane, if the assignment is still the same.
    pub(crate) fn current(&self, id: LaneId, epoch: u32) -> Option<&Slot> {
        self.get(id).filter(|slot| slot.epoch == epoch)
    }

    pub(crate) fn find(&self, topic: &str, partition: i32) -> Option<LaneId> {
        // Once for each run of messages of a partition.
        let mut numbered = self.slots.iter().enumerate();
        let is_it = |slot: &Slot| {
            slot.state != LaneState::Free && slot.partition == partition && *slot.topic == *topic
        };
        let (index, _) = numbered.find(|(_, slot)| is_it(slot))?;
        Some(LaneId(u32::try_from(index).ok()?))
    }

    /// Whether all lanes that are assigned are of one topic.
    pub(crate) fn has_one_topic(&self) -> bool {
        let assigned = self.slots.iter();
        let mut topics = assigned
            .filter(|slot| slot.state != LaneState::Free)
            .map(|slot| &slot.topic);
        topics
            .next()
            .is_none_or(|first| topics.all(|topic| topic == first))
    }

    /// Those of these lanes that are still what the loop takes them for, as it asks something of them: that it is told of others is on its way.
    pub(crate) fn meant(&self, lanes: &[LaneId]) -> (Vec<LaneId>, Vec<Slot>) {
        let meant = |id: &LaneId| {
            let slot = self.get(*id).filter(|slot| slot.is_known)?;
            (slot.state != LaneState::Revoking).then(|| (*id, slot.clone()))
        };
        lanes.iter().filter_map(meant).unzip()
    }

    /// The loop is told of an assignment.
    pub(crate) fn tell(&mut self, id: LaneId, epoch: u32) {
        let slot = self.slots.get_mut(id.0 as usize);
        if let Some(slot) = slot.filter(|slot| slot.epoch == epoch) {
            slot.is_known = true;
        }
    }

    pub(crate) fn set(&mut self, id: LaneId, state: LaneState) {
        if let Some(slot) = self.slots.get_mut(id.0 as usize) {
            slot.state = state;
        }
    }

    /// Every lane that is assigned.
    pub(crate) fn assigned(&self) -> Vec<(LaneId, Slot)> {
        let numbers = (0_u32..).map(LaneId);
        let all = numbers.zip(&self.slots);
        all.filter(|(_, slot)| slot.state != LaneState::Free)
            .map(|(id, slot)| (id, slot.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again_with_another_epoch() {
        let mut lanes = Lanes::default();
        let topic: Arc<str> = "orders".into();
        let (first, epoch) = lanes.assign(&topic, 0);
        let (second, _) = lanes.assign(&topic, 1);
        assert!(lanes.has_one_topic());
        assert_ne!(first, second);
        lanes.set(first, LaneState::Free);
        assert!(lanes.current(first, epoch).is_none());
        let (again, newer) = lanes.assign(&topic, 7);
        assert_eq!(again, first);
        assert_ne!(newer, epoch);
        lanes.tell(again, epoch);
        assert!(lanes.get(again).is_some_and(|slot| !slot.is_known));
        lanes.tell(again, newer);
        assert!(lanes.get(again).is_some_and(|slot| slot.is_known));
        assert_eq!(lanes.find("orders", 7), Some(again));
        assert_eq!(lanes.find("orders", 0), None);
        assert_eq!(lanes.assigned().len(), 2);
        lanes.assign(&"other".into(), 0);
        assert!(!lanes.has_one_topic());
    }

    /// Lanes of partitions 0 to 2 of which the loop was told.
    fn told() -> (Lanes, Vec<LaneId>) {
        let (mut lanes, topic) = (Lanes::default(), "orders".into());
        let assigned: Vec<_> = (0..3)
            .map(|partition| lanes.assign(&topic, partition))
            .collect();
        for (id, epoch) in &assigned {
            lanes.tell(*id, *epoch);
        }
        (lanes, assigned.into_iter().map(|(id, _)| id).collect())
    }

    fn partitions(lanes: &Lanes, asked: &[LaneId]) -> Vec<i32> {
        let (ids, slots) = lanes.meant(asked);
        assert_eq!(ids.len(), slots.len());
        slots.iter().map(|slot| slot.partition).collect()
    }

    #[test]
    fn what_is_asked_late_is_not_meant_for_who_has_the_number_now() {
        let (mut lanes, ids) = told();
        lanes.set(ids[1], LaneState::Free);
        let (again, epoch) = lanes.assign(&"orders".into(), 7);
        assert_eq!(again, ids[1]);
        assert_eq!(partitions(&lanes, &[again]), [0; 0]);
        lanes.tell(again, epoch);
        assert_eq!(partitions(&lanes, &[again]), [7]);
    }

    #[test]
    fn what_is_asked_of_several_lanes_is_meant_for_those_that_are_left() {
        let (mut lanes, ids) = told();
        assert_eq!(partitions(&lanes, &ids), [0, 1, 2]);
        lanes.set(ids[0], LaneState::Revoking);
        assert_eq!(partitions(&lanes, &ids), [1, 2]);
        lanes.set(ids[0], LaneState::Free);
        lanes.set(ids[1], LaneState::Paused);
        assert_eq!(partitions(&lanes, &ids), [1, 2]);
    }
}
