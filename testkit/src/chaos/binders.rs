//! The binders that a run can be on: one entry each.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;

use mq::error::{Error, ErrorKind, Result};

use super::options::Options;
use super::services::Role;
use super::settings::Wiring;
use crate::harness::{Kind, Proxy, ProxyOptions, Server, ServerOptions};

/// One binder of the table.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct BinderEntry {
    /// Its name on the command line.
    pub name: &'static str,
    /// What a run on it is, in a few words.
    pub about: &'static str,
    pub(super) shape: Shape,
}

/// Where services and broker live.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Everything in this process, with faults from within.
    Inside,
    /// In child processes, with signals for faults.
    Outside(Outside),
}

/// A binder whose services are child processes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outside {
    /// The services of each process, the source first. A broker that lives inside the service has one process with all.
    pub(super) processes: &'static [&'static [Role]],
    /// Makes what the services run on.
    pub(super) ground: Grounding,
    /// What may happen; what stands here twice happens twice as often.
    pub(super) faults: &'static [ProcessFault],
}

/// Starts a server, where there is one, and says how the services find it.
pub(super) type Grounding =
    for<'a> fn(&'a Options, &'a Path) -> Pin<Box<dyn Future<Output = Result<Ground>> + Send + 'a>>;

/// What services in child processes run on.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) wiring: Wiring,
    /// The server, which lives as long as the run.
    pub(super) server: Option<Server>,
    /// What stands between the services and the server.
    pub(super) proxies: Vec<Proxy>,
}

/// What can happen to a process, which is one drawn from all.
#[derive(Debug, Clone, Copy)]
pub(super) enum ProcessFault {
    /// Killed with -9, and started again after a while.
    Kill,
    /// Killed, started, and soon killed again.
    KillTwice,
    /// Every service at once.
    KillAll,
    /// Stopped and continued.
    Pause,
    /// Stopped for longer than leases last, and continued.
    PauseLong,
    /// Stopped for longer than the session of a group, and continued: somebody else has its work by then.
    PauseSession,
    /// Asked to end, and started again.
    Stop,
    /// The server, where there is one, killed and started again.
    KillServer,
    /// Every connection to the server is reset.
    Cut,
    /// The same, and for a while nobody listens, or nobody answers.
    CutLong,
}

const ONE: &[&[Role]] = &[&Role::ALL];
const KILLS: &[ProcessFault] = &[
    ProcessFault::Kill,
    ProcessFault::Kill,
    ProcessFault::Kill,
    ProcessFault::KillTwice,
    ProcessFault::KillAll,
    ProcessFault::Pause,
    ProcessFault::PauseLong,
    ProcessFault::Stop,
];
/// As [`KILLS`]; the server dies too, and the network between.
const SERVER_KILLS: &[ProcessFault] = &[
    ProcessFault::Kill,
    ProcessFault::Kill,
    ProcessFault::KillTwice,
    ProcessFault::KillAll,
    ProcessFault::Pause,
    ProcessFault::PauseSession,
    ProcessFault::Stop,
    ProcessFault::KillServer,
    ProcessFault::Cut,
    ProcessFault::CutLong,
];
/// A process for each service.
const APART: &[&[Role]] = &[&[Role::Source], &[Role::Processor], &[Role::Sink]];
const PAUSES: &[ProcessFault] = &[ProcessFault::Pause];

/// Every binder.
pub const BINDERS: &[BinderEntry] = &[
    BinderEntry {
        name: "memory",
        about: "everything in one process, faults from within",
        shape: Shape::Inside,
    },
    BinderEntry {
        name: "broker",
        about: "the embedded broker in one child process that is killed and goes on in the same folder",
        shape: Shape::Outside(Outside {
            processes: ONE,
            ground: |_, folder| Box::pin(async { Ok(embedded(folder)) }),
            faults: KILLS,
        }),
    },
    BinderEntry {
        name: "kafka",
        about: "services in processes of their own on a Kafka broker; all of them are killed, and the network is cut",
        shape: Shape::Outside(Outside {
            processes: APART,
            ground: |options, _| Box::pin(kafka(options)),
            faults: SERVER_KILLS,
        }),
    },
    BinderEntry {
        name: "memory-paused",
        about: "the memory binder in one child process that is stopped and continued",
        shape: Shape::Outside(Outside {
            processes: ONE,
            ground: |_, _| Box::pin(async { Ok(forgetful()) }),
            faults: PAUSES,
        }),
    },
    BinderEntry {
        name: "memory-killed",
        about: "the same, but killed: messages are lost, which shows that a run can fail",
        shape: Shape::Outside(Outside {
            processes: ONE,
            ground: |_, _| Box::pin(async { Ok(forgetful()) }),
            faults: KILLS,
        }),
    },
];

/// The entry that a run is for.
pub(super) fn entry(options: &Options) -> Result<&'static BinderEntry> {
    let found = BINDERS.iter().find(|entry| entry.name == options.binder);
    found.ok_or_else(|| {
        let known: Vec<_> = BINDERS.iter().map(|entry| entry.name).collect();
        let text = format!(
            "there is no binder `{}` to run on; use one of {}",
            options.binder,
            known.join(", ")
        );
        Error::new(ErrorKind::Config, text)
    })
}

fn embedded(folder: &Path) -> Ground {
    let data = folder.join("data");
    wired(format!("kind = 'broker'\npath = '{}'", data.display()))
}

/// Times are short, so that a run is about faults and not about waiting; the session is the shortest that the broker allows.
///
/// Every other seed names the instances: those take over from their predecessors, while others wait for these to be given up.
async fn kafka(options: &Options) -> Result<Ground> {
    let server = ServerOptions::new(Kind::Kafka).heap(1_024).start().await?;
    let proxies = server.proxies(ProxyOptions::default())?;
    let servers: Vec<_> = proxies
        .iter()
        .map(|proxy| proxy.addr().to_string())
        .collect();
    let mut binder = format!(
        "kind = 'kafka'\nservers = '{}'\nsession_timeout = '6s'\nhandover = '2s'\n",
        servers.join(",")
    );
    if options.seed.is_multiple_of(2) {
        binder.push_str("instance = 'only'\n");
    }
    Ok(Ground {
        server: Some(server),
        proxies,
        ..wired(binder)
    })
}

fn forgetful() -> Ground {
    wired("kind = 'memory'\npartitions = 4\nlimit = { messages = 20_000 }".to_owned())
}

fn wired(binder: String) -> Ground {
    Ground {
        wiring: Wiring {
            binder,
            known_by: "header:chaos-name".to_owned(),
            partitions: 4,
            ordering: "key".to_owned(),
            batch: 0,
            concurrency: 16,
        },
        server: None,
        proxies: Vec::new(),
    }
}
