//! A worker: publishes the rows of one output and one group of partitions.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    STORE, Shared, Signal,
    blame::Blame,
    blocked::{Blocked, Pause},
    held::InUse,
    marks::Marks,
    options::doubled,
    waves::Waves,
};
use crate::{
    error::{Error, ErrorKind, Result},
    message::Message,
    outbox::{Fetch, OrderKey, OutboxRow, RowFailure},
};

/// How many waves a batch may take before it is marked and the rest is fetched anew.
const MAX_WAVES: usize = 32;
/// How many keys may wait for their next attempt before the worker waits with them.
const MAX_BLOCKED: usize = 1_000;
/// The first wait when nothing is there; it doubles up to the poll interval.
const FIRST_LOOK: Duration = Duration::from_millis(20);

pub(super) struct Worker {
    shared: Arc<Shared>,
    output: Arc<str>,
    group: usize,
    signal: watch::Receiver<Signal>,
    blocked: Blocked,
    /// Of the output.
    pause: Pause,
    /// Of the store.
    store_pause: Pause,
    /// How many looks in a row have found nothing.
    idle: u32,
}

/// What a round has found.
#[derive(PartialEq, Eq)]
enum Round {
    /// More than it could do.
    Full,
    /// Something.
    Some,
    /// Nothing that can be done now.
    Idle,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, output: Arc<str>, group: usize) -> Self {
        let signal = shared.signal.subscribe();
        Self {
            shared,
            output,
            group,
            signal,
            blocked: Blocked::default(),
            pause: Pause::default(),
            store_pause: Pause::default(),
            idle: 0,
        }
    }

    /// Runs until the relay is stopping and what was there then is published.
    pub(super) async fn run(mut self) {
        loop {
            let stop = self.signal.borrow_and_update().stop;
            let round = self.round().await;
            match stop {
                Some(_) if round != Round::Full || self.is_over() => return,
                None if round == Round::Idle => self.wait().await,
                _ => self.idle = 0,
            }
        }
    }

    /// Whether the relay is stopping and nothing may be begun any more.
    fn is_over(&self) -> bool {
        let stop = self.signal.borrow().stop;
        stop.is_some_and(|stop| stop <= self.shared.clock.now())
    }

    /// Waits for a wake-up, a due key, the end of a pause, or the next look.
    async fn wait(&mut self) {
        let now = self.shared.clock.now();
        self.idle = self.idle.saturating_add(1);
        let look = now + doubled(FIRST_LOOK, self.idle, self.shared.options.poll);
        let next = match self.paused_until(now) {
            Some(until) => until,
            None => self.blocked.next_due().map_or(look, |due| due.min(look)),
        };
        tokio::select! {
            () = sleep_until(next) => {}
            // The relay owns the sender, so this is a wake-up or the signal to stop.
            _ = self.signal.changed() => self.idle = 0,
        }
    }

    fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.pause.until(now).max(self.store_pause.until(now))
    }

    async fn round(&mut self) -> Round {
        let now = self.shared.clock.now();
        self.blocked.expire(now);
        if self.paused_until(now).is_some() || self.blocked.len() >= MAX_BLOCKED {
            return Round::Idle;
        }
        let shared = self.shared.clone();
        let used = shared
            .held
            .check_out(self.group, shared.options.workers, now);
        if used.leases.is_empty() {
            return Round::Idle;
        }
        let rows = match self.fetch(&used).await {
            Ok(rows) => rows,
            Err(error) => {
                shared.monitor.trouble(STORE, &error);
                self.store_pause.failed(shared.clock.now());
                return Round::Idle;
            }
        };
        self.store_pause.succeeded();
        if rows.is_empty() {
            return Round::Idle;
        }
        self.publish(rows, &used).await
    }

    async fn fetch(&self, used: &InUse<'_>) -> Result<Vec<OutboxRow>> {
        let options = &self.shared.options;
        let fetch = Fetch {
            output: &self.output,
            leases: &used.leases,
            skip: &self.blocked.keys(),
            rows: options.rows,
            bytes: usize::try_from(options.bytes).unwrap_or(usize::MAX),
        };
        self.shared.store.fetch(fetch).await
    }

    /// Publishes a batch and marks what became of it.
    async fn publish(&mut self, rows: Vec<OutboxRow>, used: &InUse<'_>) -> Round {
        let full = self.is_full(&rows);
        let (rows, waiting) = self.split_off_waiting(rows);
        let mut waves = Waves::new(rows, self.shared.options.pipeline);
        for key in &waiting {
            waves.fail(*key);
        }
        let mut marks = Marks::default();
        for _ in 0..MAX_WAVES {
            if self.is_over() {
                break;
            }
            let wave = self.still_held(waves.next(), used, &mut waves);
            if wave.is_empty() {
                break;
            }
            let results = self.send(&wave).await;
            if self.judge(wave, results, used, &mut waves, &mut marks) == Go::Pause {
                break;
            }
        }
        let worked = !waiting.is_empty() || !marks.is_empty();
        self.write(marks, used).await;
        match worked {
            true if full || !waves.is_empty() => Round::Full,
            true => Round::Some,
            false => Round::Idle,
        }
    }

    /// Whether there may be more where these rows come from.
    fn is_full(&self, rows: &[OutboxRow]) -> bool {
        let options = &self.shared.options;
        let bytes: u64 = rows
            .iter()
            .map(|row| row.message.message.size() as u64)
            .sum();
        rows.len() >= options.rows || bytes >= options.bytes
    }

    /// Blocks the keys of rows that are not due yet: another relay has tried them before.
    fn split_off_waiting(&mut self, rows: Vec<OutboxRow>) -> (Vec<OutboxRow>, Vec<OrderKey>) {
        let now = self.shared.clock.now();
        let (ready, waiting): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| row.wait.is_zero());
        for row in &waiting {
            self.blocked.insert(row.key, now + row.wait);
        }
        (ready, waiting.into_iter().map(|row| row.key).collect())
    }

    /// The rows whose lease holds. The keys of others end here, even if their lease is renewed before the next wave.
    fn still_held(
        &self,
        wave: Vec<OutboxRow>,
        used: &InUse<'_>,
        waves: &mut Waves,
    ) -> Vec<OutboxRow> {
        let now = self.shared.clock.now();
        let (held, gone): (Vec<_>, Vec<_>) = wave
            .into_iter()
            .partition(|row| used.holds(row.partition, now));
        for row in &gone {
            waves.fail(row.key);
        }
        held
    }

    /// Sends a wave; returns a result for each row.
    async fn send(&self, wave: &[OutboxRow]) -> Vec<Result<()>> {
        let failed = |error: fn() -> Error| wave.iter().map(|_| Err(error())).collect();
        let Some(producer) = self.shared.publisher.producer(&self.output) else {
            return failed(no_producer);
        };
        let messages: Vec<Message> = wave.iter().map(|row| row.message.message.clone()).collect();
        let sending = producer.publish(&messages);
        let Ok(results) = timeout(self.shared.options.timeout, sending).await else {
            return failed(unconfirmed);
        };
        let mut results: Vec<_> = results.into_iter().map(|one| one.map(|_| ())).collect();
        results.resize_with(wave.len(), || Err(unconfirmed()));
        results
    }

    /// Decides what becomes of each row of a wave.
    fn judge(
        &mut self,
        wave: Vec<OutboxRow>,
        results: Vec<Result<()>>,
        used: &InUse<'_>,
        waves: &mut Waves,
        marks: &mut Marks,
    ) -> Go {
        let mut trouble = None;
        for (row, result) in wave.into_iter().zip(results) {
            let Some(lease) = used.lease(row.partition) else {
                continue;
            };
            let Err(error) = result else {
                self.shared.monitor.published(1);
                marks.published(lease, &row);
                continue;
            };
            match Blame::of(&error, &row.message.message) {
                Blame::Output => {
                    waves.fail(row.key);
                    trouble = Some(error);
                }
                // Later rows of a key that has failed are not to blame.
                blame if waves.fail(row.key) => {
                    let parks = self.failure(&row, blame, &error);
                    match parks {
                        Parks::Yes(failure) => marks.parked(lease, failure),
                        Parks::No(failure) => marks.failed(lease, failure),
                    }
                }
                Blame::Row | Blame::RowForNow => {}
            }
        }
        self.account(trouble)
    }

    fn account(&mut self, trouble: Option<Error>) -> Go {
        let monitor = &self.shared.monitor;
        match trouble {
            Some(error) => {
                monitor.trouble(&self.output, &error);
                self.pause.failed(self.shared.clock.now());
                Go::Pause
            }
            None => {
                monitor.works(&self.output);
                self.pause.succeeded();
                Go::On
            }
        }
    }

    /// Counts a failure of a row, and blocks or parks its key.
    fn failure(&mut self, row: &OutboxRow, blame: Blame, error: &Error) -> Parks {
        let options = &self.shared.options;
        let attempts = row.attempts.saturating_add(1);
        let failure = RowFailure {
            row: row.id,
            attempts,
            after: options.backoff(attempts),
            reason: error.chain(),
        };
        self.shared.monitor.failed();
        if blame == Blame::Row && attempts >= options.park_after {
            self.shared.monitor.parked();
            tracing::error!(
                output = &*self.output,
                key = %row.key,
                row = %row.id,
                attempts,
                error = failure.reason,
                "a key of the outbox is parked: its first row cannot be published; mend the cause and unpark it, or drop the row"
            );
            return Parks::Yes(failure);
        }
        let due = self.shared.clock.now() + failure.after;
        self.blocked.insert(row.key, due);
        Parks::No(failure)
    }

    /// Writes marks down, however long the store takes to take them, as long as a lease holds: fetching again before that would
    /// publish the rows twice.
    async fn write(&mut self, mut marks: Marks, used: &InUse<'_>) {
        let (store, monitor) = (&self.shared.store, &self.shared.monitor);
        let mut failures = 0;
        loop {
            match marks.write(&**store).await {
                Ok(lost) => {
                    monitor.lost(lost.len());
                    self.shared.held.lose(&lost);
                    return;
                }
                Err(error) => monitor.trouble(STORE, &error),
            }
            failures += 1;
            sleep(doubled(FIRST_LOOK, failures, Duration::from_secs(5))).await;
            let now: Instant = self.shared.clock.now();
            if !marks.leases().any(|lease| used.holds(lease.partition, now)) {
                return;
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Go {
    On,
    Pause,
}

enum Parks {
    Yes(RowFailure),
    No(RowFailure),
}

fn no_producer() -> Error {
    Error::new(ErrorKind::Unavailable, "the output has no producer now").temporary()
}

fn unconfirmed() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the broker has not confirmed in time",
    )
    .temporary()
}
