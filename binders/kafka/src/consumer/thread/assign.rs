//! Partitions that come and go.

use std::time::Instant;

use mq_core::binder::{AssignedLane, Event, Lane, LaneId};
use rdkafka::{TopicPartitionList, consumer::Consumer, error::KafkaResult};

use super::{
    super::{
        commits::Commit,
        lanes::LaneState,
        positions::offset,
        rebalance::{Change, let_go, take_over},
        start::{Origin, origins},
    },
    Handover, Running,
};
use crate::error;

impl Running {
    pub(super) fn changes(&mut self) {
        for change in self.reader.client.0.context().hooks.take() {
            match change {
                Change::Assign(partitions) => self.assign(&partitions),
                Change::Revoke(partitions) => self.revoke(partitions),
            }
            self.filler.forget();
        }
    }

    pub(super) fn assign(&mut self, partitions: &TopicPartitionList) {
        if let Err(error) = self.try_assign(partitions) {
            let error = error::classify("taking partitions over", &error);
            // Librdkafka waits for an answer; the subscription ends anyway.
            drop(take_over(&self.reader.client.0, &TopicPartitionList::new()));
            self.end(&if error.is_temporary() {
                error
            } else {
                error.temporary()
            });
        }
    }

    fn try_assign(&mut self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        let (shared, client) = (&self.reader.shared, &self.reader.client.0);
        let has_group = shared.group.is_some();
        let found = if partitions.count() == 0 {
            Vec::new()
        } else {
            origins(
                client,
                partitions,
                &self.reader.beginning,
                has_group,
                shared.timeout,
            )?
        };
        let mut list = TopicPartitionList::new();
        for origin in &found {
            list.add_partition_offset(&origin.topic, origin.partition, offset(origin.position))?;
        }
        // A partition that was paused when it went away comes back paused: librdkafka keeps that beyond the assignment. One that it has
        // never had is no error.
        client.resume(&list)?;
        if has_group {
            take_over(client, &list)?;
        } else {
            client.assign(&list)?;
        }
        if self.is_paused {
            client.pause(&list)?;
        }
        let lanes: Vec<_> = found.iter().map(|origin| self.lane(origin)).collect();
        self.settle_new(&found, &lanes);
        self.watch.assigned(&lanes);
        self.shared().queue.push_event(Event::Assigned(lanes));
        Ok(())
    }

    fn lane(&self, origin: &Origin) -> AssignedLane {
        let (id, epoch) = self
            .shared()
            .lanes()
            .assign(&origin.topic, origin.partition);
        AssignedLane {
            id,
            lane: Lane {
                destination: origin.topic.clone(),
                partition: u32::try_from(origin.partition).unwrap_or_default(),
            },
            position: Some(origin.position),
            saved: origin.saved.clone(),
            epoch,
        }
    }

    /// Commits where a new group begins, so that a crash before its first commit begins there again.
    fn settle_new(&self, found: &[Origin], lanes: &[AssignedLane]) {
        let new = found.iter().zip(lanes).filter(|(origin, _)| origin.is_new);
        let commits: Vec<_> = new
            .map(|(origin, lane)| Commit {
                lane: lane.id,
                epoch: lane.epoch,
                topic: origin.topic.clone(),
                partition: origin.partition,
                position: origin.position,
                notes: None,
            })
            .collect();
        if commits.is_empty() || self.shared().group.is_none() {
            return;
        }
        let (shared, client) = (self.reader.shared.clone(), self.reader.client.clone());
        // Nobody waits for it; a commit of the loop that comes before it is sent takes its place.
        if let Ok((_, true)) = shared.commits.add(commits) {
            let running = move || shared.commits.run(&shared, &client.0);
            drop(self.reader.runtime.spawn_blocking(running));
        }
    }

    fn revoke(&mut self, partitions: TopicPartitionList) {
        let lanes = self.lanes_of(&partitions);
        self.shared().queue.purge(&lanes);
        self.batch.retain(|record| !lanes.contains(&record.lane));
        if self.reader.client.0.assignment_lost() || self.is_over || lanes.is_empty() {
            self.lose(lanes);
            self.let_go(&partitions);
            return;
        }
        let mut table = self.shared().lanes();
        for lane in &lanes {
            table.set(*lane, LaneState::Revoking);
        }
        drop(table);
        self.handover = Some(Handover {
            partitions,
            waiting: lanes.clone(),
            deadline: Instant::now() + self.reader.handover,
        });
        let budget = self.reader.handover;
        self.shared()
            .queue
            .push_event(Event::Revoking { lanes, budget });
    }

    /// Ends a handover when the loop is done with it, or its time is over.
    pub(super) fn hand_over(&mut self) {
        let Some(handover) = &self.handover else {
            return;
        };
        let is_lost = self.reader.client.0.assignment_lost();
        let is_late = handover.deadline <= Instant::now();
        if !handover.waiting.is_empty() && !is_late && !is_lost && !self.is_over {
            return;
        }
        if let Some(handover) = self.handover.take() {
            self.lose(handover.waiting);
            self.let_go(&handover.partitions);
        }
    }

    fn let_go(&self, partitions: &TopicPartitionList) {
        if let Err(error) = let_go(&self.reader.client.0, partitions) {
            tracing::warn!(binding = &*self.shared().binding, %error, "partitions cannot be given up");
        }
    }

    fn lose(&self, lanes: Vec<LaneId>) {
        if lanes.is_empty() {
            return;
        }
        let mut table = self.shared().lanes();
        for lane in &lanes {
            table.set(*lane, LaneState::Free);
        }
        drop(table);
        self.shared().queue.push_event(Event::Lost { lanes });
    }

    fn lanes_of(&self, partitions: &TopicPartitionList) -> Vec<LaneId> {
        let table = self.shared().lanes();
        let elements = partitions.elements().into_iter();
        elements
            .filter_map(|element| table.find(element.topic(), element.partition()))
            .collect()
    }
}
