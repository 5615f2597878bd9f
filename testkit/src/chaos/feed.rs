//! The source as a stream that the framework publishes: it learns what is confirmed from the counter of its output.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mq::prelude::*;
use mq::telemetry::BindingMetrics;
use tokio::sync::OwnedMutexGuard;

use super::handlers::NAME;
use super::plan::Work;
use super::source::{Lane, Lanes};
use crate::history::{Entry, Log};

/// So many messages are handed over before it is waited for the confirmation of all of them.
const CHUNK: u64 = 1_000;
/// How often the counter is looked at.
const LOOK: Duration = Duration::from_millis(1);

/// Gives one message after the other, chunk by chunk; after a restart the last chunk again, unless it was confirmed.
#[derive(Debug)]
pub(super) struct Feed {
    lanes: Lanes,
    log: Arc<Log>,
    published: Published,
    /// Ours alone, once the source before this one is gone.
    lane: Option<OwnedMutexGuard<Lane>>,
    /// What is given next, and where the chunk ends.
    at: u64,
    end: u64,
    given: u64,
}

/// The counters of the output, which exist once the application has started.
pub(super) type Published = Arc<OnceLock<Arc<BindingMetrics>>>;

impl Feed {
    pub(super) fn new(lanes: &Lanes, log: &Arc<Log>, published: &Published) -> Self {
        Self {
            lanes: lanes.clone(),
            log: log.clone(),
            published: published.clone(),
            lane: None,
            at: 0,
            end: 0,
            given: 0,
        }
    }

    /// Waits until everything given is confirmed, and writes that down.
    async fn confirm(&mut self, lane: &mut Lane) -> mq::error::Result<()> {
        if self.at == lane.next {
            return Ok(());
        }
        let confirmed = || {
            self.published
                .get()
                .map_or(0, |found| found.published.get())
        };
        while confirmed() < self.given {
            tokio::time::sleep(LOOK).await;
        }
        let entry = |number| Entry::confirmed(self.work(number, lane).id());
        let entries: Vec<_> = (lane.next..self.at).map(entry).collect();
        self.log.append_all(&entries)?;
        self.lanes.confirmed(lane, self.at);
        Ok(())
    }

    fn work(&self, number: u64, lane: &Lane) -> Work {
        self.lanes
            .plan()
            .work(number, lane.copies.saturating_sub(1))
    }

    async fn give(&mut self, lane: &mut Lane) -> mq::error::Result<Option<Message>> {
        if self.at == self.end {
            self.confirm(lane).await?;
            if self.at == self.lanes.plan().messages {
                return Ok(None);
            }
            lane.copies += 1;
            self.end = (self.at + CHUNK).min(self.lanes.plan().messages);
        }
        let work = self.work(self.at, lane);
        self.log.append(self.lanes.plan().sending(work))?;
        self.at += 1;
        self.given += 1;
        let payload = serde_json::to_vec(&work).unwrap_or_default();
        let message = Message::new(payload).id(work.name());
        let key = self.lanes.plan().key(work.number);
        Ok(Some(message.key(key).header(NAME, work.name())))
    }
}

impl Source for Feed {
    type Output = Message;

    async fn next(&mut self) -> Result<Option<Message>, Failure> {
        let mut lane = match self.lane.take() {
            Some(lane) => lane,
            None => {
                let lane = self.lanes.first().await;
                (self.at, self.end) = (lane.next, lane.next);
                lane
            }
        };
        let given = self.give(&mut lane).await;
        self.lane = Some(lane);
        Ok(given?)
    }
}
