//! The source: lanes that send their messages one after the other, and go on where they were when they are started again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use mq::error::Result;
use mq::extract::Output;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use tokio::task::JoinSet;

use super::handlers::NAME;
use super::plan::{Plan, Work};
use crate::history::{Entry, Log, What};

/// Where each lane is. Whoever has a lane has it alone: a source that is started again waits until the old one is gone.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    plan: Arc<Plan>,
    lanes: Arc<[Arc<Mutex<Lane>>]>,
    confirmed: Arc<AtomicU64>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Lane {
    /// The first message that is not confirmed.
    pub(super) next: u64,
    /// How often it was sent.
    pub(super) copies: u32,
}

/// What the logs of earlier sources say, entry by entry.
#[derive(Debug)]
pub(super) struct Resumption {
    plan: Arc<Plan>,
    lanes: Vec<Lane>,
}

impl Resumption {
    /// After nothing.
    pub(super) fn new(plan: &Arc<Plan>) -> Self {
        let lane = |number| Lane {
            next: number,
            copies: 0,
        };
        Self {
            plan: plan.clone(),
            lanes: (0..plan.lanes()).map(lane).collect(),
        }
    }

    /// An entry of a source's log: what is confirmed is not sent again.
    pub(super) fn note(&mut self, entry: &Entry) {
        let (work, count) = (Work::of(entry.id), self.plan.lanes());
        let lane = &mut self.lanes[(work.number % count) as usize];
        if entry.what == What::Confirmed && work.number >= lane.next {
            lane.next = work.number + count;
            lane.copies = 0;
        } else if work.number == lane.next {
            lane.copies = lane.copies.max(work.copy + 1);
        }
    }

    /// Where the lanes go on.
    pub(super) fn lanes(self) -> Lanes {
        let count = self.plan.lanes();
        let confirmed = self.lanes.iter().map(|lane| lane.next / count).sum();
        let lanes = self.lanes.into_iter();
        Lanes {
            plan: self.plan,
            lanes: lanes.map(|lane| Arc::new(Mutex::new(lane))).collect(),
            confirmed: Arc::new(AtomicU64::new(confirmed)),
        }
    }
}

impl Lanes {
    /// Whether everything is confirmed.
    pub(super) fn is_done(&self) -> bool {
        self.confirmed.load(Relaxed) >= self.plan.messages
    }

    /// What is sent.
    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The first lane, which is the only one where a stream sends.
    pub(super) async fn first(&self) -> OwnedMutexGuard<Lane> {
        self.lanes[0].clone().lock_owned().await
    }

    /// The messages of a lane before this one are confirmed.
    pub(super) fn confirmed(&self, lane: &mut Lane, next: u64) {
        let count = (next - lane.next) / self.plan.lanes();
        self.confirmed.fetch_add(count, Relaxed);
        (lane.next, lane.copies) = (next, 0);
    }

    /// Sends until everything is confirmed.
    pub(super) fn send(&self, output: &Output<Work>, log: &Arc<Log>) -> Sending {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for lane in self.lanes.iter() {
            let sender = Sender {
                lanes: self.clone(),
                output: output.clone(),
                log: log.clone(),
                stopped: stopped.clone(),
            };
            let lane = lane.clone();
            tasks.spawn(async move { sender.run(&mut *lane.lock().await).await });
        }
        Sending { stop, tasks }
    }
}

/// Lanes that send. Dropping it is what a crash would be.
#[derive(Debug)]
pub(super) struct Sending {
    stop: watch::Sender<bool>,
    tasks: JoinSet<Result<()>>,
}

impl Sending {
    /// Waits until everything is confirmed. Cancel-safe.
    ///
    /// # Errors
    /// The broker refused a message for good, or the log failed.
    pub(super) async fn finished(&mut self) -> Result<()> {
        while let Some(ended) = self.tasks.join_next().await {
            // A lane that panicked has written what it had sent; the run ends without progress.
            ended.unwrap_or(Ok(()))?;
        }
        Ok(())
    }

    /// Lets each lane finish the message that it is about.
    pub(super) async fn stop(mut self) -> Result<()> {
        self.stop.send_replace(true);
        self.finished().await
    }
}

struct Sender {
    lanes: Lanes,
    output: Output<Work>,
    log: Arc<Log>,
    stopped: watch::Receiver<bool>,
}

impl Sender {
    async fn run(&self, lane: &mut Lane) -> Result<()> {
        let (plan, first) = (self.lanes.plan(), Duration::from_millis(1));
        let mut wait = first;
        while lane.next < plan.messages && !*self.stopped.borrow() {
            let work = plan.work(lane.next, lane.copies);
            lane.copies += 1;
            if self.send(work).await? {
                self.lanes.confirmed(lane, lane.next + plan.lanes());
                wait = first;
            } else {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(Duration::from_millis(100));
            }
        }
        Ok(())
    }

    /// Whether it is confirmed.
    async fn send(&self, work: Work) -> Result<bool> {
        let plan = self.lanes.plan();
        self.log.append(plan.sending(work))?;
        let message = self.output.message(&work).id(work.name());
        let message = message.key(plan.key(work.number));
        match message.header(NAME, work.name()).send().await {
            Ok(_) => {
                self.log.append(Entry::confirmed(work.id()))?;
                Ok(true)
            }
            Err(error) if error.is_temporary() => Ok(false),
            Err(error) => Err(error),
        }
    }
}
