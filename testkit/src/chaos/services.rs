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

use super::feed::{Feed, Published};
use super::handlers::{
    DONE, Desks, Effects, LETTERS, Processing, Settling, WORK, process, process_batch, read_letter,
    settle, settle_batch,
};
use super::ledger::{Desk, Ledger};
use super::options::Guarantee;
use super::plan::Plan;
use super::positions::Positions;
use super::settings::{LEDGER, SEEN, Wiring, settings};
use super::source::{Lanes, Sending};
use crate::history::Log;

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
        let config = Config::toml(settings(roles, shared, wiring));
        let mut app = App::builder()
            .binder_kind(mq_broker::FACTORY)
            .config(config);
        if let Some(binder) = binder {
            app = app.binder("main", binder);
        }
        let (mut log, published) = (None, Published::default());
        for role in roles {
            let file = Arc::new(Log::create(folder.join(role.as_str()), role.as_str())?);
            app = add(app, *role, number, shared, wiring, &file)?;
            if *role == Role::Source {
                log = Some(file);
            }
        }
        let streams = shared.plan.is_stream();
        if let Some(log) = log.as_ref().filter(|_| streams) {
            app = app.source(WORK, Feed::new(&shared.lanes, log, &published));
        }
        let planned = app.build().map_err(|problems| {
            let text = format!("the services cannot be planned: {problems}");
            Error::new(ErrorKind::Config, text)
        })?;
        let app = planned.start().await?;
        let sending = match log.filter(|_| !streams) {
            Some(log) => Some(shared.lanes.send(&app.handle().output(WORK)?, &log)),
            None => None,
        };
        if let Ok(output) = app.handle().outlets().get(WORK) {
            drop(published.set(output.metrics().clone()));
        }
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
            let app = app.state(Processing(desks));
            if wiring.batch > 0 {
                app.batch_processor(WORK, DONE, process_batch)
            } else {
                app.processor(WORK, DONE, process)
            }
        }
        Role::Sink => {
            let desk = Desk {
                ledger: shared.ledger.clone(),
                member,
                log: log.clone(),
            };
            let effects = effects(shared, wiring, desk.clone())?;
            let app = app
                .store(LEDGER, Arc::new(desk))
                .state(Settling(desks, effects))
                .sink(LETTERS, read_letter);
            if wiring.batch > 0 {
                app.batch_sink(DONE, settle_batch)
            } else {
                app.sink(DONE, settle)
            }
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
