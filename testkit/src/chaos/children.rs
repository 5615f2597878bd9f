//! A run in child processes, which are killed, paused and stopped.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mq::error::{Error, ErrorKind, Result};

use super::binders::{Ground, Outside, ProcessFault};
use super::dice::Dice;
use super::options::Options;
use super::progress::Progress;
use super::service::{Orders, READY, drain_file, name_of};
use crate::harness::{Cut, Incoming, Process, Program, Proxy};

/// How long a child may take to start, with all that it reads again of what was before.
const START: Duration = Duration::from_secs(60);
/// How long a child may take to stop in order.
const STOP: Duration = Duration::from_secs(30);
/// How often it is looked whether a child has ended by itself.
const LOOK: Duration = Duration::from_millis(20);

/// The children, and what they run on.
struct Family {
    folder: PathBuf,
    children: Vec<(String, Process)>,
    ground: Ground,
}

/// Runs it; the logs tell what came of it.
pub(super) async fn run(options: &Options, outside: &Outside, folder: &Path) -> Result<()> {
    let ground = (outside.ground)(options, folder).await?;
    let orders = Orders {
        options: options.clone(),
        wiring: ground.wiring.clone(),
    };
    orders.write(folder)?;
    let mut family = Family {
        folder: folder.to_owned(),
        children: Vec::new(),
        ground,
    };
    for roles in outside.processes {
        family.add(options, name_of(roles)).await?;
    }
    let progress = Progress::new(folder, options.messages);
    let mut dice = Dice::of(options.seed, 1);
    for done in 0..options.faults {
        let reached = progress.reaches(done + 1, options.faults + 1);
        family.undisturbed(reached).await?;
        let fault = dice.pick(outside.faults);
        tracing::info!(?fault, number = done, "chaos");
        family.suffer(fault, &mut dice).await?;
    }
    family.finish(&progress).await
}

impl Family {
    async fn add(&mut self, options: &Options, name: String) -> Result<()> {
        let program = match &options.program {
            Some(program) => program.clone(),
            None => {
                std::env::current_exe().map_err(|error| lost("this program is not found", error))?
            }
        };
        let program = Program::new(program)
            .name(&name)
            .args(["service", &name])
            .arg(&self.folder)
            .logs(self.folder.join("output"))
            .ready(READY, START);
        self.children.push((name, program.start().await?));
        Ok(())
    }

    /// The result, unless a child ends before it is there.
    async fn undisturbed<T>(&mut self, result: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            result = result => result,
            error = self.ended() => Err(error),
        }
    }

    async fn ended(&self) -> Error {
        let mut ticks = tokio::time::interval(LOOK);
        loop {
            ticks.tick().await;
            let ended = self.children.iter().find(|(_, child)| !child.is_running());
            if let Some((name, child)) = ended {
                return died(name, child);
            }
        }
    }

    async fn suffer(&mut self, fault: ProcessFault, dice: &mut Dice) -> Result<()> {
        let at = dice.roll(self.children.len() as u64) as usize;
        let child = &mut self.children[at].1;
        match fault {
            ProcessFault::Kill => {
                child.kill().await?;
                rest(dice, 100).await;
                child.start().await
            }
            ProcessFault::KillTwice => {
                child.kill().await?;
                child.start().await?;
                rest(dice, 50).await;
                child.kill().await?;
                child.start().await
            }
            ProcessFault::KillAll => self.kill_all(dice).await,
            ProcessFault::Pause => {
                child.pause()?;
                rest(dice, 500).await;
                child.resume()
            }
            // Longer than a lease.
            ProcessFault::PauseLong => {
                child.pause()?;
                rest(dice, 4_000).await;
                child.resume()
            }
            // Longer than the shortest session that Kafka allows.
            ProcessFault::PauseSession => {
                child.pause()?;
                tokio::time::sleep(SESSION).await;
                child.resume()
            }
            ProcessFault::Stop => {
                child.stop(STOP).await?;
                child.start().await
            }
            ProcessFault::KillServer => self.kill_server(dice).await,
            ProcessFault::Cut => {
                self.each_proxy(|proxy| proxy.cut(Cut::Reset));
                Ok(())
            }
            ProcessFault::CutLong => {
                self.cut_long(dice).await;
                Ok(())
            }
        }
    }

    async fn kill_server(&mut self, dice: &mut Dice) -> Result<()> {
        let Some(server) = &mut self.ground.server else {
            return Ok(());
        };
        server.kill().await?;
        rest(dice, 500).await;
        server.start().await
    }

    async fn cut_long(&self, dice: &mut Dice) {
        let incoming = dice.pick(&[Incoming::Refuse, Incoming::BlackHole]);
        self.each_proxy(|proxy| {
            proxy.incoming(incoming);
            proxy.cut(Cut::Reset);
        });
        rest(dice, 4_000).await;
        self.each_proxy(Proxy::heal);
    }

    fn each_proxy(&self, what: impl Fn(&Proxy)) {
        self.ground.proxies.iter().for_each(what);
    }

    async fn kill_all(&mut self, dice: &mut Dice) -> Result<()> {
        for (_, child) in &mut self.children {
            child.kill().await?;
        }
        rest(dice, 100).await;
        for (_, child) in &mut self.children {
            child.start().await?;
        }
        Ok(())
    }

    /// Lets each child end once it has nothing left to do: the source first.
    async fn finish(&mut self, progress: &Progress) -> Result<()> {
        for (name, child) in &mut self.children {
            let drain = std::fs::write(drain_file(&self.folder, name), b"");
            drain.map_err(|error| lost("a child cannot be told to end", error))?;
            // The wait is bounded by progress, not by time.
            let ended = child.wait(Duration::from_secs(24 * 3600));
            let status = progress.patiently(ended).await?;
            if !status.success() {
                return Err(died(name, child));
            }
        }
        Ok(())
    }
}

/// Longer than a session of a group.
const SESSION: Duration = Duration::from_secs(8);

async fn rest(dice: &mut Dice, most: u64) {
    tokio::time::sleep(Duration::from_millis(dice.roll(most))).await;
}

fn died(name: &str, child: &Process) -> Error {
    let output = child.output().unwrap_or_default();
    let lines: Vec<_> = output.lines().collect();
    let last = lines[lines.len().saturating_sub(20)..].join("\n");
    let error = Error::new(
        ErrorKind::Bug,
        format!("the child `{name}` has ended by itself"),
    );
    error.context("output", last)
}

fn lost(what: &str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, what).source(error)
}
