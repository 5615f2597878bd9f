//! The loop of a source: takes its items as fast as the outputs confirm them.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{sync::mpsc, time::sleep};

use super::control::{BindingState, Command, Control};
use crate::{
    binder::{OutputIndex, Staged},
    function::{Emit, Emitted, SourceListener, SourceTask},
    message::{IdSeed, Message, MessageId},
    outcome::Failure,
    output::Outlet,
};

/// Items that a source may be ahead of its outputs.
const AHEAD: usize = 64;
/// At most this many items are published together.
const ROUND: usize = 512;

/// Everything that a source is run with.
pub struct SourcePlan {
    /// The source.
    pub source: SourceListener,
    /// What runs.
    pub task: Box<dyn SourceTask>,
    /// Where its items go, in order.
    pub outlets: Vec<Arc<Outlet>>,
    /// How long a drain may take.
    pub drain: Duration,
}

impl std::fmt::Debug for SourcePlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourcePlan")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// Runs a source until it ends or is told to shut down.
///
/// Items that were handed over are published before this returns, as far as the drain allows.
pub async fn run_source(plan: SourcePlan, mut control: Control) {
    let name = plan.source.name.clone();
    let (sender, items) = mpsc::channel(AHEAD);
    let running = plan.task.run(Emit::new(name.clone(), sender));
    let ids = Ids::new(&name);
    let run = Run {
        name,
        outlets: plan.outlets,
        items,
        ids,
        drain: plan.drain,
    };
    let state = run.run(running, &mut control).await;
    control.status.set(state);
}

struct Run {
    name: Arc<str>,
    outlets: Vec<Arc<Outlet>>,
    items: mpsc::Receiver<Emitted>,
    ids: Ids,
    drain: Duration,
}

type Running = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

impl Run {
    async fn run(mut self, mut running: Running, control: &mut Control) -> BindingState {
        control.status.set(BindingState::Running);
        let (mut ended, mut paused) = (None, false);
        loop {
            let mut round = Vec::new();
            tokio::select! {
                biased;
                command = control.next() => match command {
                    Command::Shutdown | Command::Stop => return self.shut_down(control).await,
                    Command::Pause | Command::Resume => {
                        paused = command == Command::Pause;
                        control.status.set(if paused { BindingState::Paused } else { BindingState::Running });
                    }
                    Command::Start | Command::Concurrency(_) => {}
                },
                result = &mut running, if ended.is_none() => ended = Some(result),
                count = self.items.recv_many(&mut round, ROUND), if !paused => {
                    if count == 0 {
                        return self.end(ended);
                    }
                    tokio::select! {
                        result = self.publish(round) => if let Err(reason) = result {
                            return self.failed(reason);
                        },
                        never = drive(&mut running, &mut ended) => match never {},
                    }
                }
            }
        }
    }

    fn end(&self, ended: Option<Result<(), Failure>>) -> BindingState {
        match ended {
            Some(Err(failure)) if failure.error_type() != "stopping" => {
                self.failed(failure.to_string())
            }
            _ => {
                tracing::info!(source = &*self.name, "source has come to its end");
                BindingState::Ended
            }
        }
    }

    fn failed(&self, reason: String) -> BindingState {
        tracing::error!(source = &*self.name, reason, "source stops");
        BindingState::Failed(reason)
    }

    /// Takes no more, and publishes what was handed over.
    async fn shut_down(&mut self, control: &Control) -> BindingState {
        control.status.set(BindingState::Draining);
        self.items.close();
        let mut round = Vec::new();
        while self.items.recv_many(&mut round, ROUND).await > 0 {}
        match tokio::time::timeout(self.drain, self.publish(round)).await {
            Ok(Ok(())) => BindingState::Stopped,
            Ok(Err(reason)) => self.failed(reason),
            Err(_) => self.failed("its last items could not be published in time".to_owned()),
        }
    }

    /// Publishes until everything is confirmed.
    async fn publish(&self, round: Vec<Emitted>) -> Result<(), String> {
        let mut outputs: BTreeMap<OutputIndex, Vec<Message>> = BTreeMap::new();
        for Staged { output, message } in round.into_iter().flat_map(|item| item.messages) {
            let message = if message.as_id().is_some() {
                message
            } else {
                message.id(self.ids.next())
            };
            outputs.entry(output).or_default().push(message);
        }
        for (OutputIndex(index), messages) in outputs {
            let outlet = self.outlets.get(usize::from(index));
            let outlet =
                outlet.ok_or_else(|| format!("the source has no output number {index}"))?;
            publish_all(outlet, messages).await?;
        }
        Ok(())
    }
}

/// Keeps the source running while its items are published.
async fn drive(
    running: &mut Running,
    ended: &mut Option<Result<(), Failure>>,
) -> std::convert::Infallible {
    if ended.is_none() {
        *ended = Some(running.await);
    }
    std::future::pending().await
}

async fn publish_all(outlet: &Outlet, messages: Vec<Message>) -> Result<(), String> {
    let mut left = messages;
    left.iter_mut()
        .try_for_each(|message| outlet.prepare(message))
        .map_err(|error| error.chain())?;
    let mut wait = Duration::from_millis(50);
    while !left.is_empty() {
        let results = outlet.publish(&left).await;
        let mut again = Vec::new();
        let mut last = None;
        for (message, result) in left.into_iter().zip(results) {
            match result {
                Ok(_) => {}
                Err(error) if error.is_temporary() => {
                    again.push(message);
                    last = Some(error);
                }
                Err(error) => {
                    return Err(format!(
                        "cannot publish to `{}`: {}",
                        outlet.name(),
                        error.chain()
                    ));
                }
            }
        }
        if let Some(error) = last {
            tracing::warn!(output = &**outlet.name(), error = %error.chain(), ?wait, "cannot publish; it is tried again");
            sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(15));
        }
        left = again;
    }
    Ok(())
}

/// Ids of items that have none: unlike any other run's, and the same when an item is published again.
struct Ids {
    seed: IdSeed,
    run: MessageId,
    count: AtomicU64,
}

impl Ids {
    fn new(name: &str) -> Self {
        use std::hash::{BuildHasher, RandomState};
        let random = |salt: u8| RandomState::new().hash_one(salt);
        Self {
            seed: IdSeed::new(&["source", name]),
            run: MessageId::Derived([random(0), random(1)]),
            count: AtomicU64::new(0),
        }
    }

    fn next(&self) -> MessageId {
        let count = self.count.fetch_add(1, Relaxed);
        let (high, low) = ((count >> 32) as u32, count as u32);
        self.seed.derive(&self.seed.derive(&self.run, high), low)
    }
}
