//! Mistakes of the receiving half.

use std::{
    future::{Future, pending, poll_fn},
    pin::Pin,
    task::Poll,
};

use tokio::{task::unconstrained, time::sleep};

use super::prelude::*;

/// Keeps the first event to itself.
#[derive(Debug)]
pub(crate) struct HidesTheAssignment;

#[async_trait]
impl Flaw for HidesTheAssignment {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        loop {
            let event = real.receive(records, max).await?;
            if !matches!(event, Event::Assigned(_)) {
                return Ok(event);
            }
        }
    }
}

/// Hands over twice of what was asked for.
#[derive(Debug)]
pub(crate) struct HandsOverTooMuch;

#[async_trait]
impl Flaw for HandsOverTooMuch {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        real.receive(records, max * 2).await
    }
}

/// Empties the buffer before it fills it.
#[derive(Debug)]
pub(crate) struct EmptiesTheBuffer;

#[async_trait]
impl Flaw for EmptiesTheBuffer {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        records.clear();
        real.receive(records, max).await
    }
}

/// Has messages in its hands while it waits.
#[derive(Debug)]
pub(crate) struct LosesWhatIsDropped;

#[async_trait]
impl Flaw for LosesWhatIsDropped {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        let mut taken = Vec::new();
        let event = real.receive(&mut taken, max).await?;
        if !taken.is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        records.append(&mut taken);
        Ok(event)
    }
}

/// Looks once, and is not woken by what comes later.
#[derive(Debug)]
pub(crate) struct SleepsForEver;

#[async_trait]
impl Flaw for SleepsForEver {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        let mut receiving = unconstrained(real.receive(records, max));
        match poll_fn(|context| Poll::Ready(Pin::new(&mut receiving).poll(context))).await {
            Poll::Ready(event) => event,
            Poll::Pending => pending().await,
        }
    }
}

/// Receives or settles, one at a time.
#[derive(Debug, Default)]
pub(crate) struct HoldsUpSettling(tokio::sync::Mutex<()>);

#[async_trait]
impl Flaw for HoldsUpSettling {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        let _turn = self.0.lock().await;
        real.receive(records, max).await
    }

    async fn settle(&self, real: &dyn Settler, all: &[Settlement]) -> Result<Vec<Unsettled>> {
        let _turn = self.0.lock().await;
        real.settle(all).await
    }
}

/// Says that it pauses.
#[derive(Debug)]
pub(crate) struct LeaksWhilePaused;

#[async_trait]
impl Flaw for LeaksWhilePaused {
    async fn pause(&self, _: &mut dyn Consumer, _: &[LaneId]) -> Result<()> {
        Ok(())
    }
}

/// Two records of a batch change places.
#[derive(Debug)]
pub(crate) struct SwapsRecords;

#[async_trait]
impl Flaw for SwapsRecords {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        let before = records.len();
        let event = real.receive(records, max).await?;
        records[before..].reverse();
        Ok(event)
    }
}

/// Does not tell that lanes were lost.
#[derive(Debug)]
pub(crate) struct HidesLostLanes;

#[async_trait]
impl Flaw for HidesLostLanes {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        loop {
            let event = real.receive(records, max).await?;
            if !matches!(event, Event::Lost { .. }) {
                return Ok(event);
            }
        }
    }
}

/// Says nothing when the connection is cut.
#[derive(Debug)]
pub(crate) struct HidesCuts;

#[async_trait]
impl Flaw for HidesCuts {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        match real.receive(records, max).await {
            Ok(Event::Ended(_)) => pending().await,
            other => other,
        }
    }
}

/// Does something to the records that are handed over.
#[derive(Debug)]
pub(crate) struct Forges(pub fn(&mut Record));

#[async_trait]
impl Flaw for Forges {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        let before = records.len();
        let event = real.receive(records, max).await?;
        records[before..].iter_mut().for_each(self.0);
        Ok(event)
    }
}

/// Failed attempts are forgotten.
pub(crate) fn forgets_attempts(record: &mut Record) {
    record.attempts = 0;
}

/// Holds are forgotten.
pub(crate) fn forgets_holds(record: &mut Record) {
    record.due = None;
}

/// Every delivery is the first.
pub(crate) fn counts_no_deliveries(record: &mut Record) {
    record.deliveries = record.deliveries.map(|_| 1);
}

/// Takes lanes away without a word before.
#[derive(Debug)]
pub(crate) struct HidesRevocations;

#[async_trait]
impl Flaw for HidesRevocations {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        match real.receive(records, max).await? {
            Event::Revoking { lanes, .. } => {
                real.released(&lanes).await?;
                Ok(Event::Lost { lanes })
            }
            other => Ok(other),
        }
    }
}

/// Forgets who has not asked for a while.
#[derive(Debug, Default)]
pub(crate) struct ForgetsTheSilent(Mutex<HashMap<LaneId, tokio::time::Instant>>);

#[async_trait]
impl Flaw for ForgetsTheSilent {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        let event = real.receive(records, max).await?;
        let now = tokio::time::Instant::now();
        for record in records.iter() {
            locked(&self.0).insert(record.lane, now);
        }
        Ok(event)
    }

    async fn settle(&self, real: &dyn Settler, all: &[Settlement]) -> Result<Vec<Unsettled>> {
        let is_silent = |one: &Settlement| {
            let asked = locked(&self.0).get(&one.lane).copied();
            asked.is_some_and(|asked| asked.elapsed() > Duration::from_millis(700))
        };
        if all.iter().any(is_silent) {
            let lost = |index| Unsettled {
                index,
                error: SettleError::Lost,
            };
            return Ok((0..all.len()).map(lost).collect());
        }
        real.settle(all).await
    }
}

/// Does not end when its instance does.
#[derive(Debug)]
pub(crate) struct OutlivesItsInstance;

#[async_trait]
impl Flaw for OutlivesItsInstance {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        match real.receive(records, max).await {
            Err(error) if error.kind() == ErrorKind::Closed => pending().await,
            other => other,
        }
    }
}

/// A cut is the end.
#[derive(Debug)]
pub(crate) struct NeverComesBack;

#[async_trait]
impl Flaw for NeverComesBack {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        match real.receive(records, max).await? {
            Event::Ended(error) => Ok(Event::Ended(
                Error::new(error.kind(), error.message().to_owned()).fatal(),
            )),
            other => Ok(other),
        }
    }
}

/// Says that it resumes.
#[derive(Debug)]
pub(crate) struct StaysPaused;

#[async_trait]
impl Flaw for StaysPaused {
    async fn resume(&self, _: &mut dyn Consumer, _: &[LaneId]) -> Result<()> {
        Ok(())
    }
}

/// Pauses by handing back what it has.
#[derive(Debug)]
pub(crate) struct PausesEverything;

#[async_trait]
impl Flaw for PausesEverything {
    async fn pause(&self, real: &mut dyn Consumer, lanes: &[LaneId]) -> Result<()> {
        let all: Vec<_> = (0..8).map(LaneId).collect();
        real.pause(lanes).await?;
        real.pause(&all).await
    }
}
