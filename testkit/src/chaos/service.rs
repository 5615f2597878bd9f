//! A child process: some of the services, on a binder that it makes from settings, going on where its predecessors were killed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mq::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

use super::ledger::Ledger;
use super::options::{Guarantee, Options};
use super::plan::Plan;
use super::positions::Positions;
use super::services::{Member, Role, Shared};
use super::settings::Wiring;
use super::source::{Lanes, Resumption};
use crate::history::{What, logs_in, read_log};

/// The file in the folder of a run that tells its children what they are.
const FILE: &str = "run.json";
/// The line by which a child says that it runs.
pub(super) const READY: &str = "chaos service is ready";
/// How often a child looks whether it is to come to an end.
const LOOK: Duration = Duration::from_millis(20);

/// What a child is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Orders {
    pub(super) options: Options,
    pub(super) wiring: Wiring,
}

impl Orders {
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let written = serde_json::to_vec(self).map_err(std::io::Error::other);
        let written = written.and_then(|bytes| std::fs::write(&path, bytes));
        written
            .map_err(|error| failed("the orders of the children cannot be written", &path, error))
    }

    fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let read = std::fs::read(&path);
        let read =
            read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(std::io::Error::other));
        read.map_err(|error| failed("the orders of this child cannot be read", &path, error))
    }
}

/// The file that tells a child to end once there is nothing left to do.
pub(super) fn drain_file(folder: &Path, name: &str) -> std::path::PathBuf {
    folder.join(format!("drain-{name}"))
}

/// The services that a name of a child stands for: `source+sink`.
pub(super) fn name_of(roles: &[Role]) -> String {
    roles
        .iter()
        .map(|role| role.as_str())
        .collect::<Vec<_>>()
        .join("+")
}

fn roles_of(name: &str) -> Result<Vec<Role>> {
    let role = |word: &str| Role::ALL.into_iter().find(|role| role.as_str() == word);
    name.split('+').map(role).collect::<Option<_>>().ok_or_else(|| {
        let text = format!("`{name}` names no services; use `source`, `processor`, `sink`, or several with `+` between");
        Error::new(ErrorKind::Config, text)
    })
}

/// Runs some of the services until everything is done, or until SIGTERM.
///
/// # Errors
/// The services cannot be started, or have failed for good.
pub async fn serve(folder: &Path, name: &str) -> Result<()> {
    let (roles, orders) = (roles_of(name)?, Orders::read(folder)?);
    let mut terminated = signal(SignalKind::terminate())
        .map_err(|error| failed("SIGTERM cannot be watched", folder, error))?;
    let shared = resume(&roles, &orders.options, folder)?;
    let mut member = Member::start(&roles, 0, &shared, &orders.wiring, None, folder).await?;
    say(READY);
    tokio::select! {
        _ = terminated.recv() => {}
        result = drain(&mut member, folder, name) => result?,
    }
    member.stop().await
}

async fn drain(member: &mut Member, folder: &Path, name: &str) -> Result<()> {
    let file = drain_file(folder, name);
    let mut ticks = tokio::time::interval(LOOK);
    while !file.exists() {
        ticks.tick().await;
    }
    member.finished().await
}

#[expect(clippy::print_stdout, reason = "the parent waits for this line")]
fn say(line: &str) {
    println!("{line}");
}

/// What earlier processes of these services left.
fn resume(roles: &[Role], options: &Options, folder: &Path) -> Result<Shared> {
    let plan = Arc::new(Plan::new(options));
    let (mut ledger, mut positions) = (Ledger::default(), Positions::default());
    if roles.contains(&Role::Sink) {
        remember(&mut ledger, &mut positions, options.guarantee, folder)?;
    }
    Ok(Shared {
        lanes: lanes(roles, &plan, folder)?,
        ledger: Arc::new(ledger),
        positions: Arc::new(positions),
        seen: None,
        burst: Arc::default(),
        plan,
    })
}

fn lanes(roles: &[Role], plan: &Arc<Plan>, folder: &Path) -> Result<Lanes> {
    let mut resumption = Resumption::new(plan);
    if roles.contains(&Role::Source) {
        for log in logs_of(Role::Source, folder)? {
            read_log(log, |entry| resumption.note(&entry))?;
        }
    }
    Ok(resumption.lanes())
}

fn remember(
    ledger: &mut Ledger,
    positions: &mut Positions,
    guarantee: Guarantee,
    folder: &Path,
) -> Result<()> {
    for log in logs_of(Role::Sink, folder)? {
        read_log(log, |entry| match (entry.what, guarantee) {
            (What::Effect, Guarantee::Idempotent) => ledger.remember(entry.id),
            (What::Effect, Guarantee::ExactlyOnce) => {
                if let Some(place) = entry.place {
                    positions.remember(place);
                }
            }
            _ => {}
        })?;
    }
    Ok(())
}

fn logs_of(role: Role, folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let folder = folder.join(role.as_str());
    if folder.exists() {
        logs_in(folder)
    } else {
        Ok(Vec::new())
    }
}

fn failed(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, what)
        .context("path", path.display())
        .source(error)
}
