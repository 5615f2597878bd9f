//! Lanes that are taken from their consumers, on demand.

use mq_core::binder::{AssignedLane, Event, Lane};

use super::{Broker, group::Reading, number, state::State};

impl State {
    /// Takes the lanes of a destination from its consumers without asking, and gives them out again.
    pub(crate) fn lose_lanes(&mut self, name: &str, broker: &Broker) {
        let Some(destination) = self.find(name) else {
            return;
        };
        let groups: Vec<_> = self.destinations[destination]
            .groups
            .iter()
            .map(|(group, _)| group)
            .collect();
        for group in groups {
            if broker.options.is_positional {
                self.lose(destination, group);
                self.rebalance(destination, group, broker);
            } else {
                self.lose_shared(destination, group);
            }
        }
    }

    /// Every consumer of the group loses what it has of the destination, and has the lanes again under new numbers.
    fn lose_shared(&mut self, destination: usize, group: usize) {
        let found = &mut self.destinations[destination];
        let consumers = found.groups[group].members.clone();
        for index in consumers {
            let Some(member) = self.members.get_mut(index) else {
                continue;
            };
            let Reading::Shared(queues) = &mut found.groups[group].reading else {
                return;
            };
            let taken: usize = queues
                .iter()
                .map(|queue| queue.count_out_with(number(index)))
                .sum();
            member.unsettled = member.unsettled.saturating_sub(taken);
            found.groups[group].give_back(index, &found.logs);
            let (mut lost, mut assigned) = (Vec::new(), Vec::new());
            for (id, lane) in member
                .lanes_mut()
                .filter(|(_, lane)| lane.destination == destination)
            {
                lane.epoch = lane.epoch.wrapping_add(1);
                lost.push(id);
                let partition = number(lane.partition);
                let lane_name = Lane {
                    destination: found.name.clone(),
                    partition,
                };
                assigned.push(AssignedLane {
                    id,
                    lane: lane_name,
                    position: None,
                    saved: None,
                    epoch: lane.epoch,
                });
            }
            // Lanes that are assigned anew are read, whatever was said of the old ones.
            lost.iter().for_each(|id| {
                member.paused.remove(id);
            });
            member.events.push_back(Event::Lost { lanes: lost });
            member.events.push_back(Event::Assigned(assigned));
        }
        found.groups[group].wake(&mut self.members);
    }
}
