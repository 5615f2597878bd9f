//! A child process that a test may kill.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use mq_core::error::{Error, ErrorKind, Result};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::output::Output;
use super::reaper::{Reaper, Whom, pid_of};
use super::{Program, refused, watchdog};

/// How often the output is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A [`Program`] that runs, or has run: it can be killed, paused, stopped and started again.
///
/// It has a process group of its own. It never outlives the test: dropping this kills the whole group, and where the
/// test process itself is killed, a watchdog does. When the process ends, what it has started and left in its group is
/// killed too.
///
/// The waits need a tokio runtime with time, which must not be paused; a process is bound to no runtime and may pass from
/// one to another.
#[derive(Debug)]
pub struct Process {
    program: Program,
    logs: PathBuf,
    starts: u64,
    current: Option<(Reaper, Output)>,
    temporary: Option<TempDir>,
}

impl Process {
    /// A process that has not been started.
    pub(super) fn new(program: Program) -> Result<Self> {
        let (logs, temporary) = match &program.logs {
            Some(folder) => (folder.clone(), None),
            None => {
                let folder = TempDir::new().map_err(|e| refused("no temporary folder", e))?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        std::fs::create_dir_all(&logs)
            .map_err(|e| refused(format!("cannot make the folder {}", logs.display()), e))?;
        Ok(Self {
            program,
            logs,
            starts: 0,
            current: None,
            temporary,
        })
    }

    /// Starts it again, and waits until it is ready. One that still runs is killed first.
    ///
    /// Where the future is dropped, the process goes on, ready or not.
    ///
    /// # Errors
    /// As [`Program::start`]; one that is not ready in time is killed.
    pub async fn start(&mut self) -> Result<()> {
        self.current = None;
        self.current = Some(self.spawn()?);
        self.starts += 1;
        let Some((line, within)) = self.program.ready.clone() else {
            return Ok(());
        };
        let ready = self.wait_line(&line, within).await;
        if ready.is_err() {
            self.signal(Whom::Group, Signal::KILL)?;
        }
        ready.map(drop)
    }

    /// The program; a change counts from the next start.
    pub fn program_mut(&mut self) -> &mut Program {
        &mut self.program
    }

    /// The number of the process, or of the last one.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.current.as_ref().map(|(reaper, _)| reaper.pid())
    }

    /// How often it has been started.
    #[must_use]
    pub fn starts(&self) -> u64 {
        self.starts
    }

    /// Whether it runs; a paused one does.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let reaper = self.current.as_ref().map(|(reaper, _)| reaper);
        reaper.is_some_and(|reaper| reaper.status().is_none())
    }

    /// The file with the output of the last start, standard output and standard error together.
    #[must_use]
    pub fn log(&self) -> Option<&Path> {
        self.current.as_ref().map(|(_, output)| output.path())
    }

    /// The output of the last start so far.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn output(&self) -> Result<String> {
        let Some((_, output)) = &self.current else {
            return Ok(String::new());
        };
        output
            .text()
            .map_err(|e| refused("cannot read the output", e))
    }

    /// Waits for a line with `part` in it and gives the line. Lines up to the last one found are not looked at again:
    /// two calls find two lines.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The line does not come in time, or the process ends without it; the cause has the end of the output.
    pub async fn wait_line(&mut self, part: &str, within: Duration) -> Result<String> {
        let name = &self.program.name;
        let (reaper, output) = self.current.as_mut().ok_or_else(|| never_started(name))?;
        let deadline = Instant::now() + within;
        loop {
            // Asked before looking, so that the last line of a process that ends now is seen.
            let status = reaper.status();
            let late = Instant::now() >= deadline;
            let found = output.find(part);
            if let Some(line) = found.map_err(|e| refused("cannot read the output", e))? {
                return Ok(line);
            }
            let why = match status {
                Some(status) => {
                    format!("{name} has ended without a line that was waited for ({status})")
                }
                None if late => {
                    format!("{name} has not written a line that was waited for in {within:?}")
                }
                None => {
                    sleep(LOOK).await;
                    continue;
                }
            };
            return Err(without_line(why, part, output));
        }
    }

    /// Kills it with all that it has started (SIGKILL), and waits for the end. One that has ended stays ended.
    ///
    /// # Errors
    /// It was never started, or the system refuses.
    pub async fn kill(&mut self) -> Result<ExitStatus> {
        self.signal(Whom::Group, Signal::KILL)?;
        self.ended().await
    }

    /// Waits until the process says that it has come to a fail point, then kills it there.
    ///
    /// The point must be set to pause: `program.fail_points("stored=pause")`.
    ///
    /// # Errors
    /// As [`Process::wait_line`] and [`Process::kill`].
    pub async fn kill_at(&mut self, point: &str, within: Duration) -> Result<ExitStatus> {
        self.wait_line(&format!("fail point {point}: "), within)
            .await?;
        self.kill().await
    }

    /// Asks it to stop (SIGTERM, to the process alone) and waits for the end. A paused one is resumed first.
    ///
    /// # Errors
    /// It has not ended in time; then it is killed. Or it was never started.
    pub async fn stop(&mut self, within: Duration) -> Result<ExitStatus> {
        self.terminate()?;
        let ended = self.wait(within).await;
        if ended.is_err() {
            self.signal(Whom::Group, Signal::KILL)?;
        }
        ended
    }

    /// Asks it to stop (SIGTERM) and does not wait.
    ///
    /// # Errors
    /// It was never started, or the system refuses.
    pub fn terminate(&mut self) -> Result<()> {
        self.signal(Whom::Leader, Signal::TERM)?;
        self.signal(Whom::Group, Signal::CONT)
    }

    /// As [`Process::terminate`], with Ctrl-C (SIGINT).
    ///
    /// # Errors
    /// As [`Process::terminate`].
    pub fn interrupt(&mut self) -> Result<()> {
        self.signal(Whom::Leader, Signal::INT)?;
        self.signal(Whom::Group, Signal::CONT)
    }

    /// Pauses it with all that it has started (SIGSTOP): nothing of it runs, its connections stay open.
    ///
    /// # Errors
    /// It was never started, or the system refuses.
    pub fn pause(&mut self) -> Result<()> {
        self.signal(Whom::Group, Signal::STOP)
    }

    /// Lets a paused process go on (SIGCONT).
    ///
    /// # Errors
    /// It was never started, or the system refuses.
    pub fn resume(&mut self) -> Result<()> {
        self.signal(Whom::Group, Signal::CONT)
    }

    /// Waits for its end. Cancel-safe.
    ///
    /// # Errors
    /// It has not ended in time, and goes on; or it was never started.
    pub async fn wait(&mut self, within: Duration) -> Result<ExitStatus> {
        let ended = tokio::time::timeout(within, self.ended()).await;
        ended.unwrap_or_else(|_| {
            let what = format!("{} has not ended in {within:?}", self.program.name);
            Err(Error::new(ErrorKind::Unavailable, what).operation("Process::wait"))
        })
    }

    async fn ended(&mut self) -> Result<ExitStatus> {
        let name = &self.program.name;
        let (reaper, _) = self.current.as_mut().ok_or_else(|| never_started(name))?;
        let ended = reaper.ended().await;
        ended.map_err(|e| refused(format!("cannot wait for {name}"), e))
    }

    fn signal(&self, whom: Whom, signal: Signal) -> Result<()> {
        let name = &self.program.name;
        let (reaper, _) = self.current.as_ref().ok_or_else(|| never_started(name))?;
        let sent = reaper.signal(whom, signal).map(drop);
        sent.map_err(|e| refused(format!("cannot send {signal:?} to {name}"), e))
    }

    /// Starts the gate, puts it on the watchdog's list, and opens it.
    fn spawn(&self) -> Result<(Reaper, Output)> {
        let name = &self.program.name;
        let cannot = |e| refused(format!("cannot start {name}"), e);
        let path = self.logs.join(format!("{name}-{}.log", self.starts));
        let (output, file) = Output::create(path).map_err(cannot)?;
        let mut command = self.program.gated()?;
        command
            .stdin(Stdio::piped())
            .stdout(file.try_clone().map_err(cannot)?)
            .stderr(file);
        let mut child = command.spawn().map_err(cannot)?;
        let gate = child.stdin.take();
        // Before the reaper exists, which takes it off the list.
        watchdog::add(pid_of(&child).map_err(cannot)?).map_err(cannot)?;
        let reaper = Reaper::new(child).map_err(cannot)?;
        if let Some(mut gate) = gate {
            gate.write_all(b"go\n").map_err(cannot)?;
        }
        Ok((reaper, output))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.current = None;
        let Some(folder) = self.temporary.take() else {
            return;
        };
        if std::thread::panicking() {
            // The output says why the test has failed.
            let _kept = folder.keep();
        }
    }
}

fn never_started(name: &str) -> Error {
    let what = format!("{name} was never started; call start first");
    Error::new(ErrorKind::Closed, what).operation("Process")
}

fn without_line(why: String, part: &str, output: &Output) -> Error {
    Error::new(ErrorKind::Unavailable, why)
        .operation("Process::wait_line")
        .context("line", part)
        .context("output", output.path().display())
        .source(output.tail())
}
