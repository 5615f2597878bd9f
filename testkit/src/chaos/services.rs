//! Source, processor and sink as one application or several, with the settings that they run with.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use mq::binder::Binder;
use mq::config::Config;
use mq::error::{Error, ErrorKind, Result};
use mq::idempotency::{IdempotencyStore, KeySource};
use mq::{App, RunningApp};
use serde::{Deserialize, Serialize};

use super::handlers::{
    DONE, Desks, Effects, LETTERS, Processing, Settling, WORK, process, read_letter, settle,
};
use super::ledger::{Desk, Ledger};
use super::options::Guarantee;
use super::plan::Plan;
use super::positions::Positions;
use super::source::{Lanes, Sending};
use crate::history::Log;

/// The applications' name, and so the group.
pub(super) const GROUP: &str = "chaos";
/// The sink's store.
const LEDGER: &str = "ledger";
/// The processor's store.
const SEEN: &str = "seen";

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    Source,
    Processor,
    Sink,
}

impl Role {
    pub(super) const ALL: [Self; 3] = [Self::Source, Self::Processor, Self::Sink];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Processor => "processor",
            Self::Sink => "sink",
        }
    }
}

/// What differs between binders.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Wiring {
    /// `[binders.main]`, where the application makes its own instance.
    pub(super) binder: String,
    /// What the sink's store knows messages again by. An id that is derived is not in the logs, so a store that is to outlive its
    /// process goes by a header.
    pub(super) known_by: String,
    /// Partitions of the destinations.
    pub(super) partitions: u32,
    /// `key`, or what keeps the order of keys too.
    pub(super) ordering: String,
    /// Handler calls at once.
    pub(super) concurrency: usize,
}

/// What all members of all services in one process share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) plan: Arc<Plan>,
    pub(super) lanes: Lanes,
    pub(super) ledger: Arc<Ledger>,
    pub(super) positions: Arc<Positions>,
    /// What the processor remembers, where it remembers anything.
    pub(super) seen: Option<Arc<dyn IdempotencyStore>>,
    pub(super) burst: Arc<AtomicBool>,
}

/// A member of one service, or of several at once.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) roles: Vec<Role>,
    pub(super) app: RunningApp,
    sending: Option<Sending>,
}

impl Member {
    /// Starts it, with logs of its own.
    pub(super) async fn start(
        roles: &[Role],
        number: u64,
        shared: &Shared,
        wiring: &Wiring,
        binder: Option<Arc<dyn Binder>>,
        folder: &Path,
    ) -> Result<Self> {
        let mut app = App::builder().config(Config::toml(&settings(roles, shared, wiring)));
        if let Some(binder) = binder {
            app = app.binder("main", binder);
        }
        let mut log = None;
        for role in roles {
            let file = Arc::new(Log::create(folder.join(role.as_str()), role.as_str())?);
            app = add(app, *role, number, shared, wiring, &file)?;
            if *role == Role::Source {
                log = Some(file);
            }
        }
        let planned = app.build().map_err(|problems| {
            Error::new(
                ErrorKind::Config,
                format!("the services cannot be planned: {problems}"),
            )
        })?;
        let app = planned.start().await?;
        let sending = match &log {
            Some(log) => Some(shared.lanes.send(&app.handle().output(WORK)?, log)),
            None => None,
        };
        Ok(Self {
            roles: roles.to_vec(),
            app,
            sending,
        })
    }

    /// Waits until everything is sent, and nothing is left of what it reads. Cancel-safe.
    pub(super) async fn finished(&mut self) -> Result<()> {
        if let Some(sending) = &mut self.sending {
            sending.finished().await?;
        }
        self.app.until_idle().await
    }

    /// Stops it in order.
    pub(super) async fn stop(self) -> Result<()> {
        if let Some(sending) = self.sending {
            sending.stop().await?;
        }
        self.app.stop().await.map(drop)
    }
}

fn add(
    app: App,
    role: Role,
    member: u64,
    shared: &Shared,
    wiring: &Wiring,
    log: &Arc<Log>,
) -> Result<App> {
    let desks = Desks {
        plan: shared.plan.clone(),
        burst: shared.burst.clone(),
        log: log.clone(),
        calls: Arc::default(),
    };
    Ok(match role {
        Role::Source => app,
        Role::Processor => {
            let app = match &shared.seen {
                Some(store) => app.store(SEEN, store.clone()),
                None => app,
            };
            app.state(Processing(desks)).processor(WORK, DONE, process)
        }
        Role::Sink => {
            let desk = Desk {
                ledger: shared.ledger.clone(),
                member,
                log: log.clone(),
            };
            let effects = effects(shared, wiring, desk.clone())?;
            app.store(LEDGER, Arc::new(desk))
                .state(Settling(desks, effects))
                .sink(DONE, settle)
                .sink(LETTERS, read_letter)
        }
    })
}

fn effects(shared: &Shared, wiring: &Wiring, desk: Desk) -> Result<Effects> {
    Ok(match shared.plan.guarantee {
        Guarantee::AtLeastOnce => Effects::Plain,
        Guarantee::Idempotent => Effects::Claimed(desk, KeySource::parse(&wiring.known_by)?),
        Guarantee::ExactlyOnce => Effects::Placed(shared.positions.clone()),
    })
}

/// The settings of an application with these services.
fn settings(roles: &[Role], shared: &Shared, wiring: &Wiring) -> String {
    let Wiring {
        binder,
        partitions,
        concurrency,
        known_by,
        ordering,
    } = wiring;
    let mut text = format!("[app]\nname = '{GROUP}'\ndrain = '500ms'\n");
    if !binder.is_empty() {
        text += &format!("[binders.main]\n{binder}\n");
    }
    let consumer = format!(
        "ordering = '{ordering}'\nconcurrency = {concurrency}\ntimeout = '250ms'\npartitions = {partitions}\n\
         retry = {{ attempts = 4, initial = '2ms', max = '10ms', delayed = ['30ms', '60ms', '90ms'] }}\n"
    );
    let is = |guarantee| shared.plan.guarantee == guarantee;
    let claims = if is(Guarantee::Idempotent) {
        format!("idempotency = {{ store = '{LEDGER}', key = '{known_by}', lease = '2s' }}\n")
    } else {
        String::new()
    };
    let first = if is(Guarantee::ExactlyOnce) {
        "guarantee = 'exactly_once'\n".to_owned()
    } else if shared.seen.is_some() {
        format!("idempotency = {{ store = '{SEEN}', ttl = '10s', lease = '2s' }}\n")
    } else {
        String::new()
    };
    let [has_source, has_processor, has_sink] = Role::ALL.map(|role| roles.contains(&role));
    let mut binding = |name: &str, destination: &str, consumer: Option<String>| {
        text += &format!("[bindings.{name}]\ndestination = {destination}\n");
        text += &format!("producer.partitions = {partitions}\n");
        if let Some(consumer) = consumer {
            text += &format!("[bindings.{name}.consumer]\n{consumer}");
        }
    };
    if has_source || has_processor {
        let consumer = has_processor.then(|| format!("{consumer}{first}"));
        binding(WORK, "'chaos.work'", consumer);
    }
    if has_processor || has_sink {
        let consumer = has_sink.then(|| format!("{consumer}{claims}"));
        binding(DONE, "'chaos.done'", consumer);
    }
    if has_sink {
        let letters = "['chaos.work.chaos.dlq', 'chaos.done.chaos.dlq']";
        binding(LETTERS, letters, Some(format!("{consumer}{claims}")));
    }
    text
}
