//! A consumer in the hands of a case.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use mq_core::binder::{
    Action, AssignedLane, Consumer, Event, LaneId, Record, Settlement, SettlementStyle, Settler,
    Unsettled,
};
use tokio::time::timeout;

use super::check::{Broken, Checked};

/// A consumer with its settling half. Dropping it is what a crash would be.
pub(crate) struct Reader {
    pub(crate) consumer: Box<dyn Consumer>,
    pub(crate) settler: Arc<dyn Settler>,
    /// What it reads now.
    pub(crate) lanes: Vec<AssignedLane>,
    /// Every assignment that it was told of.
    pub(crate) assignments: Vec<AssignedLane>,
    style: SettlementStyle,
    patience: Duration,
    /// Where positions are committed: what of a lane's assignment was handed over and is not done with, and where it ends.
    open: BTreeMap<(LaneId, u32), Open>,
}

#[derive(Default)]
struct Open {
    positions: BTreeSet<u64>,
    end: u64,
}

/// Receiving.
impl Reader {
    /// Takes a consumer over and waits for its first assignment.
    pub(crate) async fn open(
        consumer: Box<dyn Consumer>,
        style: SettlementStyle,
        patience: Duration,
    ) -> Checked<Self> {
        let settler = consumer.settler();
        let mut reader = Self {
            consumer,
            settler,
            lanes: Vec::new(),
            assignments: Vec::new(),
            style,
            patience,
            open: BTreeMap::new(),
        };
        match reader.event(1).await? {
            (Event::Assigned(_), records) if records.is_empty() => Ok(reader),
            (event, _) => Err(Broken::new(format!(
                "the first event of a consumer is an assignment, but came {event:?}"
            ))),
        }
    }

    /// The next event, with the records that it brought.
    pub(crate) async fn event(&mut self, max: usize) -> Checked<(Event, Vec<Record>)> {
        let patience = self.patience;
        let nothing = |_| Broken::new(format!("nothing was received within {patience:?}"));
        timeout(patience, self.wait(max)).await.map_err(nothing)?
    }

    /// The same, however long it takes.
    pub(crate) async fn wait(&mut self, max: usize) -> Checked<(Event, Vec<Record>)> {
        let mut records = Vec::new();
        let event = self.consumer.receive(&mut records, max).await?;
        self.note(&event, &records);
        if records.len() > max {
            let text = format!(
                "{} records were handed over, at most {max} were asked for",
                records.len()
            );
            return Err(Broken::new(text));
        }
        Ok((event, records))
    }

    fn note(&mut self, event: &Event, records: &[Record]) {
        match event {
            Event::Assigned(lanes) => {
                self.lanes
                    .retain(|old| lanes.iter().all(|new| new.id != old.id));
                self.lanes.extend(lanes.iter().cloned());
                self.assignments.extend(lanes.iter().cloned());
            }
            Event::Lost { lanes } => self.lanes.retain(|old| !lanes.contains(&old.id)),
            _ => {}
        }
        for record in records {
            let open = self.open.entry((record.lane, record.epoch)).or_default();
            open.positions.insert(record.position);
            open.end = open.end.max(record.position + 1);
        }
    }

    /// At least one record and at most `max`; lanes that are to be given up are given up.
    pub(crate) async fn some(&mut self, max: usize) -> Checked<Vec<Record>> {
        loop {
            let (event, records) = self.event(max).await?;
            match event {
                Event::Revoking { lanes, .. } => self.let_go(&lanes).await?,
                Event::Ended(error) => return Err(error.into()),
                _ if records.is_empty() => {}
                _ => return Ok(records),
            }
        }
    }

    /// Gives lanes up.
    pub(crate) async fn let_go(&mut self, lanes: &[LaneId]) -> Checked {
        self.lanes.retain(|lane| !lanes.contains(&lane.id));
        Ok(self.consumer.released(lanes).await?)
    }

    /// The next record.
    pub(crate) async fn next(&mut self) -> Checked<Record> {
        Ok(self.some(1).await?.remove(0))
    }

    /// Exactly `count` records, in as many calls as it takes. They stay unsettled.
    pub(crate) async fn take(&mut self, count: usize) -> Checked<Vec<Record>> {
        let mut records = Vec::with_capacity(count);
        while records.len() < count {
            let more = self.some(count - records.len()).await.map_err(|broken| {
                let found = texts(&records);
                Broken::new(format!("{broken}; before that came {found:?} of {count}"))
            })?;
            records.extend(more);
        }
        Ok(records)
    }

    /// The texts of exactly `count` messages, settled one by one.
    pub(crate) async fn texts(&mut self, count: usize) -> Checked<Vec<String>> {
        let mut found = Vec::with_capacity(count);
        while found.len() < count {
            let records = self.some(count - found.len()).await.map_err(|broken| {
                Broken::new(format!("{broken}; before that came {found:?} of {count}"))
            })?;
            self.done(&records).await?;
            found.extend(texts(&records));
        }
        Ok(found)
    }

    /// The same in alphabetical order, for messages that have none.
    pub(crate) async fn sorted(&mut self, count: usize) -> Checked<Vec<String>> {
        let mut found = self.texts(count).await?;
        found.sort();
        Ok(found)
    }
}

/// Settling.
impl Reader {
    /// Says that these are done with, in the way of the broker. Each must take effect.
    pub(crate) async fn done(&mut self, records: &[Record]) -> Checked {
        let settlements = self.ends(records);
        let unsettled = self.settle_all(&settlements).await?;
        if unsettled.is_empty() {
            return Ok(());
        }
        let text = format!("acknowledgements did not take effect: {unsettled:?}");
        Err(Broken::new(text))
    }

    /// The settlements that say that these are done with: one each, or one commit a lane.
    pub(crate) fn ends(&mut self, records: &[Record]) -> Vec<Settlement> {
        if self.style == SettlementStyle::PerMessage {
            let ack = |record: &Record| settlement(record, Action::Ack);
            return records.iter().map(ack).collect();
        }
        let mut commits = BTreeMap::new();
        for record in records {
            let lane = (record.lane, record.epoch);
            let open = self.open.entry(lane).or_default();
            open.positions.remove(&record.position);
            let lowest = open.positions.first().copied();
            commits.insert(lane, lowest.unwrap_or(open.end));
        }
        let commit = |((lane, epoch), position)| Settlement {
            lane,
            position,
            epoch,
            action: Action::Commit { saved: None },
        };
        commits.into_iter().map(commit).collect()
    }

    /// Settles one record like this; says whether that took effect.
    pub(crate) async fn settle(&mut self, record: &Record, action: Action) -> Checked<Settled> {
        let mut unsettled = self.settle_all(&[settlement(record, action)]).await?;
        Ok(unsettled.pop().map_or(Ok(()), |one| Err(one.error)))
    }

    pub(crate) async fn settle_all(
        &mut self,
        settlements: &[Settlement],
    ) -> Checked<Vec<Unsettled>> {
        let settling = self.settler.settle(settlements);
        match timeout(self.patience, settling).await {
            Ok(unsettled) => Ok(unsettled?),
            Err(_) => Err(Broken::new(format!(
                "`settle` did not end within {:?}",
                self.patience
            ))),
        }
    }

    /// Leaves the group and gives unsettled messages back.
    pub(crate) async fn close(self) -> Checked {
        let Ok(closed) = timeout(self.patience, self.consumer.close()).await else {
            let text = format!(
                "`close` of a consumer did not end within {:?}",
                self.patience
            );
            return Err(Broken::new(text));
        };
        Ok(closed?)
    }
}

/// What became of one settlement.
pub(crate) type Settled = Result<(), mq_core::binder::SettleError>;

pub(crate) fn settlement(record: &Record, action: Action) -> Settlement {
    Settlement {
        lane: record.lane,
        position: record.position,
        epoch: record.epoch,
        action,
    }
}

/// The payloads as texts, in order.
pub(crate) fn texts(records: &[Record]) -> Vec<String> {
    records.iter().map(text).collect()
}

/// The payload as text.
pub(crate) fn text(record: &Record) -> String {
    String::from_utf8_lossy(record.message.as_bytes()).into_owned()
}
