//! Keeps an input binding subscribed: connects, runs, reconnects with backoff, obeys commands, drains.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Sleep, sleep};

use super::{
    control::{BindingState, Command, Control},
    drain::DrainReport,
    engine::Engine,
    plan::InputPlan,
};
use crate::{
    binder::{Consumer, Event, LaneId, Record},
    error::{Error, Result},
};

/// The first and the longest pause between attempts to reach a broker.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(15));

/// Runs an input binding until it is told to shut down; reports what became of its last messages.
///
/// Dropping the future is what a crash would be: unsettled messages are delivered again.
pub async fn run_input(plan: Arc<InputPlan>, control: Control) -> DrainReport {
    let concurrency = plan.build.concurrency;
    let supervisor = Supervisor {
        plan,
        control,
        concurrency,
        paused: false,
        failures: 0,
        connected_before: false,
    };
    supervisor.run().await
}

struct Supervisor {
    plan: Arc<InputPlan>,
    control: Control,
    concurrency: usize,
    paused: bool,
    failures: u32,
    connected_before: bool,
}

/// Why a subscription has ended.
enum End {
    Shutdown(DrainReport),
    Stopped(DrainReport),
    Failed(String),
    Lost(Error),
}

/// What wakes the loop.
enum Step {
    Command(Command),
    Received(Result<Event>),
    Hungry,
    Rested(Vec<LaneId>),
    MustStop,
}

impl Supervisor {
    async fn run(mut self) -> DrainReport {
        let mut report = DrainReport::default();
        loop {
            let end = match self.connect().await {
                Ok(consumer) => self.subscribed(consumer).await,
                Err(end) => end,
            };
            match end {
                End::Shutdown(last) => {
                    self.control.status.set(BindingState::Stopped);
                    return report.plus(last);
                }
                End::Stopped(last) => {
                    report = report.plus(last);
                    self.control.status.set(BindingState::Stopped);
                }
                End::Failed(reason) => self.control.status.set(BindingState::Failed(reason)),
                End::Lost(error) => {
                    self.down(&error);
                    continue;
                }
            }
            if self.wait_for_start().await == Command::Shutdown {
                return report;
            }
        }
    }

    async fn wait_for_start(&mut self) -> Command {
        loop {
            match self.control.next().await {
                command @ (Command::Start | Command::Shutdown) => return command,
                Command::Pause => self.paused = true,
                Command::Resume => self.paused = false,
                Command::Concurrency(concurrency) => self.concurrency = concurrency,
                Command::Stop => {}
            }
        }
    }

    /// Subscribes, again and again if need be.
    async fn connect(&mut self) -> Result<Box<dyn Consumer>, End> {
        if !self.connected_before {
            self.control.status.set(BindingState::Starting);
        }
        loop {
            if self.failures > 0 {
                let wait = backoff(self.failures);
                self.obey_until(sleep(wait)).await?;
            }
            let (plan, binder) = (self.plan.clone(), self.plan.binder.clone());
            let attempt = async move { binder.get()?.consumer(&plan.spec).await };
            match self.obey_until(attempt).await? {
                Ok(consumer) => return Ok(consumer),
                Err(error) if error.is_temporary() => self.down(&error),
                Err(error) => {
                    tracing::error!(binding = &*self.plan.name, error = %error.chain(), "cannot subscribe");
                    return Err(End::Failed(error.chain()));
                }
            }
        }
    }

    /// Waits for `what` unless a command ends the waiting.
    async fn obey_until<T>(&mut self, what: impl Future<Output = T>) -> Result<T, End> {
        let mut what = pin!(what);
        loop {
            let command = tokio::select! {
                biased;
                result = &mut what => return Ok(result),
                command = self.control.next() => command,
            };
            match command {
                Command::Shutdown => return Err(End::Shutdown(DrainReport::default())),
                Command::Stop => return Err(End::Stopped(DrainReport::default())),
                Command::Pause => self.paused = true,
                Command::Resume => self.paused = false,
                Command::Concurrency(concurrency) => self.concurrency = concurrency,
                Command::Start => {}
            }
        }
    }

    fn down(&mut self, error: &Error) {
        self.failures = self.failures.saturating_add(1);
        self.control.status.set(BindingState::Down(error.chain()));
        if self.failures == 1 || self.failures.is_power_of_two() {
            tracing::warn!(binding = &*self.plan.name, error = %error.chain(), failures = self.failures, "broker is away; trying again");
        }
    }

    async fn subscribed(&mut self, mut consumer: Box<dyn Consumer>) -> End {
        let mut engine = match self.engine(&mut *consumer).await {
            Ok(engine) => engine,
            Err(error) if error.is_temporary() => return End::Lost(error),
            Err(error) => return End::Failed(error.chain()),
        };
        engine.paused = self.paused;
        if self.paused {
            // Nothing is asked for, so nothing will arrive that says it is subscribed.
            self.up();
        }
        let end = self.work(&mut engine, &mut *consumer).await;
        if let End::Lost(_) = end {
            engine.lose(self.plan.drain).await;
        } else if let Err(error) = consumer.close().await {
            tracing::warn!(binding = &*self.plan.name, error = %error.chain(), "cannot leave the group in order");
        }
        engine.show(&self.control.status);
        end
    }

    async fn engine(&self, consumer: &mut dyn Consumer) -> Result<Engine> {
        let transaction = if self.plan.transactional {
            Some(consumer.transaction().await?)
        } else {
            None
        };
        Engine::new(
            self.plan.clone(),
            consumer.settler(),
            transaction,
            self.concurrency,
        )
    }

    async fn work(&mut self, engine: &mut Engine, consumer: &mut dyn Consumer) -> End {
        let mut records = Vec::new();
        let mut pause: Option<Pin<Box<Sleep>>> = None;
        loop {
            match self.step(engine, consumer, &mut records, &mut pause).await {
                Step::Hungry => {}
                Step::Rested(lanes) => self.note_pause(consumer.resume(&lanes).await),
                Step::Received(Ok(event)) => {
                    if let Some(error) = self.received(engine, consumer, event, &mut records).await
                    {
                        return End::Lost(error);
                    }
                }
                Step::Received(Err(error)) if error.is_temporary() => {
                    self.down(&error);
                    pause = Some(Box::pin(sleep(backoff(self.failures))));
                }
                Step::Received(Err(error)) => return End::Lost(error),
                Step::MustStop => {
                    let reason = engine.stopping.clone().unwrap_or_default();
                    self.control.status.set(BindingState::Draining);
                    engine.drain(self.plan.drain).await;
                    return End::Failed(reason);
                }
                Step::Command(command) => {
                    if let Some(end) = self.obey(engine, command).await {
                        return end;
                    }
                }
            }
        }
    }

    /// Runs the loop until something else than handling is to be done.
    async fn step(
        &mut self,
        engine: &mut Engine,
        consumer: &mut dyn Consumer,
        records: &mut Vec<Record>,
        pause: &mut Option<Pin<Box<Sleep>>>,
    ) -> Step {
        let max = engine.appetite();
        let mut receive = (max > 0).then(|| consumer.receive(records, max));
        let (control, status) = (&mut self.control.commands, &self.control.status);
        let mut listening = false;
        let step = poll_fn(|cx| {
            engine.turn(cx);
            engine.show(status);
            if engine.stopping.is_some() {
                return Poll::Ready(Step::MustStop);
            }
            if let Some(error) = engine.broken.take() {
                return Poll::Ready(Step::Received(Ok(Event::Ended(error))));
            }
            // Once it is registered, the channel is asked again only when it has something.
            if !listening || !control.is_empty() || control.is_closed() {
                listening = true;
                if let Poll::Ready(command) = control.poll_recv(cx) {
                    return Poll::Ready(Step::Command(command.unwrap_or(Command::Shutdown)));
                }
            }
            let rested = engine.resting.take_rested();
            if !rested.is_empty() {
                return Poll::Ready(Step::Rested(rested));
            }
            if is_pausing(pause, cx) {
                return Poll::Pending;
            }
            match &mut receive {
                Some(receive) => receive.as_mut().poll(cx).map(Step::Received),
                None if engine.appetite() > 0 => Poll::Ready(Step::Hungry),
                None => Poll::Pending,
            }
        });
        step.await
    }

    /// Deals with an event; the error means that the subscription is gone.
    async fn received(
        &mut self,
        engine: &mut Engine,
        consumer: &mut dyn Consumer,
        event: Event,
        records: &mut Vec<Record>,
    ) -> Option<Error> {
        match event {
            Event::Messages => {
                engine.take_in(records);
                let fresh = engine.resting.take_fresh();
                if !fresh.is_empty() {
                    self.note_pause(consumer.pause(&fresh).await);
                }
            }
            Event::Assigned(lanes) => {
                engine.assigned(lanes);
                self.up();
            }
            Event::Revoking { lanes, budget } => {
                engine.revoke(&lanes, budget).await;
                if let Err(error) = consumer.released(&lanes).await {
                    tracing::warn!(binding = &*self.plan.name, error = %error.chain(), "lanes were lost while they were given up");
                }
            }
            Event::Lost { lanes } => engine.forget_lanes(&lanes),
            Event::Ended(error) => return Some(error),
        }
        if self.failures > 0 {
            self.up();
        }
        None
    }

    /// A broker that cannot pause lanes hands their messages over; the window bounds them.
    fn note_pause(&self, result: Result<()>) {
        if let Err(error) = result {
            tracing::debug!(binding = &*self.plan.name, error = %error.chain(), "lanes cannot rest");
        }
    }

    fn up(&mut self) {
        if self.connected_before && self.failures > 0 {
            self.plan.metrics().reconnects.increment();
        }
        self.connected_before = true;
        self.failures = 0;
        self.control.status.set(if self.paused {
            BindingState::Paused
        } else {
            BindingState::Running
        });
    }

    async fn obey(&mut self, engine: &mut Engine, command: Command) -> Option<End> {
        match command {
            Command::Start => {}
            Command::Pause | Command::Resume => {
                self.paused = command == Command::Pause;
                engine.paused = self.paused;
                self.up();
            }
            Command::Concurrency(concurrency) => {
                self.concurrency = concurrency.max(1);
                engine.set_concurrency(self.concurrency);
            }
            Command::Stop | Command::Shutdown => {
                self.control.status.set(BindingState::Draining);
                engine.paused = false;
                let report = engine.drain(self.plan.drain).await;
                return Some(if command == Command::Stop {
                    End::Stopped(report)
                } else {
                    End::Shutdown(report)
                });
            }
        }
        None
    }
}

fn is_pausing(pause: &mut Option<Pin<Box<Sleep>>>, cx: &mut Context<'_>) -> bool {
    if let Some(sleep) = pause {
        if sleep.as_mut().poll(cx).is_pending() {
            return true;
        }
        *pause = None;
    }
    false
}

/// Doubles from the first to the longest pause, with a quarter of jitter.
fn backoff(failures: u32) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let full =
        (BACKOFF.0 * 2_u32.saturating_pow(failures.saturating_sub(1).min(16))).min(BACKOFF.1);
    let random = (RandomState::new().hash_one(failures) % 1_000) as f64 / 1_000.0;
    full.mul_f64(0.75 + random / 4.0)
}
