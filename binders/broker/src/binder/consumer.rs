//! The receiving side.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mq_core::{
    binder::{
        AssignedLane, Consumer, ConsumerSpec, Event, LaneId, Record, Settlement, Settler,
        Transaction, Unsettled,
    },
    error::{ErrorStatus, Result},
};

use super::{session::Session, transaction::BrokerTransaction};
use crate::{
    engine::{Reading, Wanted},
    error,
    options::GroupMode,
    state::{MemberKey, Turn},
};

/// A subscription of a binding.
#[derive(Debug)]
struct BrokerConsumer {
    session: Arc<Session>,
    reading: Reading,
    /// The lanes, until they were reported.
    assigned: Option<Vec<AssignedLane>>,
    letters: Option<Arc<str>>,
}

/// What a consumer asks of this binder in particular.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) mode: Option<GroupMode>,
    pub(super) letters: Option<Arc<str>>,
    pub(super) window_bytes: Option<u64>,
}

pub(super) async fn open(
    session: &Arc<Session>,
    spec: &ConsumerSpec,
    own: Own,
) -> Result<Box<dyn Consumer>> {
    let wanted = Wanted {
        destinations: &spec.destinations,
        group: spec.group.as_deref(),
        start: match spec.group {
            Some(_) => spec.start,
            None => mq_core::policy::Start::Latest,
        },
        window: spec.window,
        window_bytes: own.window_bytes,
        lease: None,
        mode: own.mode,
        letters: own.letters.clone(),
        may_change: session.may_change(),
        announces: true,
    };
    let (mut reading, lanes) = Reading::open(session.open()?, &wanted).await?;
    session.add(reading.key())?;
    // Logs are read by one member each, which is told when that is this one.
    let mut assigned: Vec<_> = lanes
        .into_iter()
        .filter(|lane| lane.position.is_none())
        .collect();
    assigned.extend(reading.first_gained());
    Ok(Box::new(BrokerConsumer {
        session: session.clone(),
        reading,
        assigned: Some(assigned),
        letters: own.letters,
    }))
}

#[async_trait]
impl Consumer for BrokerConsumer {
    async fn receive(&mut self, records: &mut Vec<Record>, max: usize) -> Result<Event> {
        self.session.open()?;
        if let Some(lanes) = self.assigned.take() {
            return Ok(Event::Assigned(lanes));
        }
        tokio::task::consume_budget().await;
        match self.reading.receive(records, max).await {
            Ok(None) => Ok(Event::Messages),
            Ok(Some(Turn::Gained(lane))) => Ok(Event::Assigned(
                self.reading.gained(lane).into_iter().collect(),
            )),
            Ok(Some(Turn::Leaving(lane))) => Ok(Event::Revoking {
                lanes: vec![lane],
                budget: BUDGET,
            }),
            Err(error) if error.status() == ErrorStatus::Temporary => Ok(Event::Ended(error)),
            Err(error) => Err(error),
        }
    }

    fn settler(&self) -> Arc<dyn Settler> {
        Arc::new(BrokerSettler {
            session: self.session.clone(),
            key: self.reading.key(),
            letters: self.letters.clone(),
        })
    }

    async fn released(&mut self, lanes: &[LaneId]) -> Result<()> {
        self.reading.released(lanes);
        Ok(())
    }

    async fn pause(&mut self, lanes: &[LaneId]) -> Result<()> {
        self.reading.pause(lanes);
        Ok(())
    }

    async fn resume(&mut self, lanes: &[LaneId]) -> Result<()> {
        self.reading.resume(lanes);
        Ok(())
    }

    async fn seek(&mut self, lane: LaneId, position: u64) -> Result<()> {
        self.reading.seek(lane, position).await
    }

    async fn transaction(&mut self) -> Result<Box<dyn Transaction>> {
        Ok(Box::new(BrokerTransaction::new(
            self.session.clone(),
            self.reading.key(),
            self.letters.clone(),
        )))
    }

    async fn close(self: Box<Self>) -> Result<()> {
        // Leaving is what dropping does.
        Ok(())
    }
}

/// Nobody waits for a lane that is to be given up, so that there is time.
const BUDGET: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct BrokerSettler {
    session: Arc<Session>,
    key: MemberKey,
    letters: Option<Arc<str>>,
}

#[async_trait]
impl Settler for BrokerSettler {
    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Unsettled>> {
        self.session
            .open()?
            .settle(self.key, self.letters.as_ref(), settlements)
            .await
    }
}

impl Reading {
    /// Moves the reading of a lane, for the whole group.
    async fn seek(&self, lane: LaneId, position: u64) -> Result<()> {
        let change = self.shared().lock().seek_lane(self.key(), lane, position);
        self.shared()
            .change(&[change.ok_or_else(error::lost)?])
            .await
    }
}
