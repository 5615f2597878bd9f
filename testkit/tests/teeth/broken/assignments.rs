//! Mistakes with the numbers of assignments.

use std::sync::Arc;

use mq_core::binder::AssignedLane;

use super::prelude::*;

/// Counts the assignments of each partition for itself: two that get the number of a lane after each other may have the same.
#[derive(Debug, Default)]
pub(crate) struct CountsEachPartition(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    /// How often a consumer was given each partition.
    counts: HashMap<(Arc<str>, u32), u32>,
    /// What its broker calls the last assignment of a lane with this epoch.
    real: HashMap<(LaneId, u32), u32>,
    /// What an assignment of the broker was called.
    told: HashMap<(LaneId, u32), u32>,
}

impl Counted {
    fn tell(&mut self, lane: &mut AssignedLane) {
        let place = (lane.lane.destination.clone(), lane.lane.partition);
        let count = self.counts.entry(place).or_default();
        *count += 1;
        self.real.insert((lane.id, *count), lane.epoch);
        self.told.insert((lane.id, lane.epoch), *count);
        lane.epoch = *count;
    }

    /// What the broker would call this; what was never told of is of no assignment.
    fn real(&self, settlement: &Settlement) -> Settlement {
        let real = self.real.get(&(settlement.lane, settlement.epoch));
        Settlement {
            epoch: real.copied().unwrap_or(u32::MAX),
            ..settlement.clone()
        }
    }
}

impl CountsEachPartition {
    fn real(&self, settlements: &[Settlement]) -> Vec<Settlement> {
        let counted = locked(&self.0);
        settlements.iter().map(|one| counted.real(one)).collect()
    }
}

#[async_trait]
impl Flaw for CountsEachPartition {
    fn of_consumer(&self) -> Option<Arc<dyn Flaw>> {
        Some(Arc::new(Self::default()))
    }

    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        let before = records.len();
        let mut event = real.receive(records, max).await?;
        let mut counted = locked(&self.0);
        if let Event::Assigned(lanes) = &mut event {
            lanes.iter_mut().for_each(|lane| counted.tell(lane));
        }
        for record in &mut records[before..] {
            let told = counted.told.get(&(record.lane, record.epoch));
            record.epoch = told.copied().unwrap_or(record.epoch);
        }
        Ok(event)
    }

    async fn settle(&self, real: &dyn Settler, all: &[Settlement]) -> Result<Vec<Unsettled>> {
        real.settle(&self.real(all)).await
    }

    async fn add_settlements(&self, real: &mut Step, all: &[Settlement]) -> Result<()> {
        real.step.settle(&self.real(all)).await
    }
}
