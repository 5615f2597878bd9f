//! What is known of the connection to the cluster, from every client of the instance.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use mq_core::{
    binder::Health,
    error::{BoxError, Error, ErrorKind, Result},
};
use tokio::sync::watch;

use super::statistics::Statistics;
use crate::{
    config::{HeaderStyle, Token, Tokens},
    error,
    headers::SpringPartitioner,
    producer::Counts,
};

/// The state of an instance.
///
/// The probe alone decides whether brokers are there: the errors of other clients may be old when they are read.
#[derive(Debug)]
pub(crate) struct Link {
    name: Arc<str>,
    state: Mutex<State>,
    /// What the probe has found; `None` until it has asked.
    found: watch::Sender<Option<Health>>,
    closed: watch::Sender<bool>,
    /// Something has happened that the probe should look at.
    suspicious: AtomicBool,
    tokens: Tokens,
    headers: HeaderStyle,
    partitioner: SpringPartitioner,
    statistics: Statistics,
    counts: Counts,
    /// What worked once, and why the cluster does not allow it any more.
    rights: Mutex<BTreeMap<String, Option<String>>>,
    /// How often something was found that is not allowed any more.
    denials: AtomicU64,
}

/// Beyond so many, rights that are there are forgotten: one that is taken away then looks like one that was never there.
const MANY: usize = 10_000;

/// What clients have told of the cluster.
#[derive(Debug, Default)]
struct State {
    /// Why the cluster does not let us in, with the way to fix it.
    refusal: Option<String>,
    /// The last thing that went wrong with a connection.
    note: Option<String>,
}

impl Link {
    pub(crate) fn new(name: Arc<str>, headers: HeaderStyle, tokens: Tokens) -> Self {
        Self {
            name,
            state: Mutex::default(),
            found: watch::Sender::new(None),
            closed: watch::Sender::new(false),
            suspicious: AtomicBool::new(true),
            tokens,
            headers,
            partitioner: SpringPartitioner::default(),
            statistics: Statistics::default(),
            counts: Counts::default(),
            rights: Mutex::default(),
            denials: AtomicU64::new(1),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How headers are called.
    pub(crate) fn headers(&self) -> HeaderStyle {
        self.headers
    }

    /// The partitioner, where librdkafka's own is not to be used.
    pub(crate) fn partitioner(&self) -> Option<&SpringPartitioner> {
        (self.headers == HeaderStyle::Spring).then_some(&self.partitioner)
    }

    pub(crate) fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// How many partitions topics have to which dead letters go.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(crate) fn has_tokens(&self) -> bool {
        self.tokens.0.is_some()
    }

    /// The current token.
    pub(crate) fn token(&self) -> Result<Token, BoxError> {
        let source = self
            .tokens
            .0
            .as_ref()
            .ok_or("there is no source of tokens")?;
        source.token()
    }

    pub(crate) fn health(&self) -> Health {
        if self.is_closed() {
            return Health::Down("closed".to_owned());
        }
        let found = self.found.borrow().clone();
        match found {
            None => Health::Down("not connected yet".to_owned()),
            Some(Health::Up) => self.allowed(),
            Some(found) => found,
        }
    }

    fn rights(&self) -> MutexGuard<'_, BTreeMap<String, Option<String>>> {
        self.rights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How well an instance is whose brokers answer.
    fn allowed(&self) -> Health {
        match self.rights().values().flatten().next() {
            None => Health::Up,
            Some(reason) => Health::Degraded(reason.clone()),
        }
    }

    /// Notes that something works.
    pub(crate) fn allow(&self, what: &str) {
        let mut rights = self.rights();
        if rights.len() >= MANY {
            rights.retain(|_, denial| denial.is_some());
        }
        if let Some(Some(_)) = rights.insert(what.to_owned(), None) {
            tracing::info!(binder = %self.name, what, "Kafka allows this again");
        }
    }

    /// Whether something worked once and is not allowed now.
    pub(crate) fn is_denied(&self, what: &str) -> bool {
        self.rights().get(what).is_some_and(Option::is_some)
    }

    /// Another number each time that something is found that is not allowed any more: what was known to work may not; never 0.
    pub(crate) fn denials(&self) -> u64 {
        self.denials.load(Ordering::Acquire)
    }

    /// The error of something that is not allowed; a temporary one, and the instance is degraded, if it was allowed before: a right that
    /// was taken away may be given back.
    pub(crate) fn deny(&self, what: &str, error: Error) -> Error {
        self.deny_one_of(&[what.to_owned()], error)
    }

    /// The same for an error of which it is not known which of these is not allowed: none is known to be until it works.
    pub(crate) fn deny_one_of(&self, all: &[String], error: Error) -> Error {
        if error.kind() != ErrorKind::Unauthorized {
            return error;
        }
        let mut rights = self.rights();
        if !all.iter().any(|what| rights.contains_key(what)) {
            return error;
        }
        for what in all {
            let before = rights.insert(what.clone(), Some(error.chain()));
            if !matches!(before, Some(Some(_))) {
                self.denials.fetch_add(1, Ordering::AcqRel);
                tracing::warn!(binder = %self.name, what, error = %error.chain(), "Kafka does not allow this any more");
            }
        }
        error.temporary()
    }

    /// Waits until it is known whether brokers answer.
    pub(crate) async fn known(&self) {
        // The sender lives as long as `self`.
        drop(self.found.subscribe().wait_for(Option::is_some).await);
    }

    /// Brokers answer.
    pub(crate) fn up(&self) {
        *self.state() = State::default();
        if self.found.send_replace(Some(Health::Up)) != Some(Health::Up) {
            tracing::info!(binder = %self.name, "Kafka is there");
        }
    }

    /// Brokers do not answer; what clients have told of the reason says more than this one.
    pub(crate) fn down(&self, reason: &str) {
        let state = self.state();
        let text = match (&state.refusal, &state.note) {
            (Some(refusal), _) => refusal.clone(),
            (None, Some(note)) => format!("no broker can be reached: {note}; {}", fix(note)),
            (None, None) => reason.to_owned(),
        };
        drop(state);
        let found = Health::Down(text.clone());
        if !matches!(self.found.send_replace(Some(found)), Some(Health::Down(_))) {
            tracing::warn!(binder = %self.name, reason = text, "Kafka is away");
        }
    }

    /// A connection failed, or ended; the next one may not.
    pub(crate) fn note(&self, reason: &str) {
        self.state().note = Some(reason.to_owned());
    }

    /// The cluster does not let us in.
    pub(crate) fn refuse(&self, reason: &str) {
        let mut state = self.state();
        if state.refusal.as_deref() != Some(reason) {
            tracing::warn!(binder = %self.name, reason, "Kafka refuses the connection");
        }
        state.refusal = Some(reason.to_owned());
    }

    /// Whether the cluster does not let us in.
    pub(crate) fn is_refused(&self) -> bool {
        self.state().refusal.is_some()
    }

    /// The error behind one that only says that nothing was answered.
    pub(crate) fn explain(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::Unavailable {
            return error;
        }
        if let Some(refusal) = &self.state().refusal {
            return Error::new(ErrorKind::Unauthorized, refusal.clone());
        }
        match &*self.found.borrow() {
            Some(Health::Down(reason)) => {
                Error::new(ErrorKind::Unavailable, reason.clone()).temporary()
            }
            _ => error,
        }
    }

    /// A client has trouble: the probe is to look at once.
    pub(crate) fn suspect(&self) {
        self.suspicious.store(true, Ordering::Release);
    }

    pub(crate) fn take_suspicion(&self) -> bool {
        self.suspicious.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn open(&self) -> Result<()> {
        if self.is_closed() {
            return Err(error::closed());
        }
        Ok(())
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Ends when the instance is closed.
    pub(crate) async fn closing(&self) -> Error {
        // The sender lives as long as `self`.
        drop(self.closed.subscribe().wait_for(|closed| *closed).await);
        error::closed()
    }
}

/// What to look at where no broker can be reached.
fn fix(note: &str) -> &'static str {
    // The broker has accepted the connection and does not like what is said on it.
    if note.contains("APIVERSION_QUERY") || note.contains("SSL_HANDSHAKE") {
        return "check `security`, and whether this port wants TLS and a user";
    }
    "check `servers`, and whether the cluster is up"
}
