//! Waits for the end of a child, and keeps signals from reaching a stranger who got its number.

use std::io;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
use tokio::sync::watch;

use super::watchdog;

/// Whom a signal is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whom {
    /// The process alone.
    Leader,
    /// The process and all that it has started.
    Group,
}

/// A child that a thread waits for.
#[derive(Debug)]
pub(super) struct Reaper {
    pid: Pid,
    /// Whether the number is still the child's; a signal is sent, and the child is reaped, under this lock.
    owned: Arc<Mutex<bool>>,
    ended: watch::Receiver<Option<ExitStatus>>,
    thread: Option<JoinHandle<()>>,
}

impl Reaper {
    pub(super) fn new(child: Child) -> io::Result<Self> {
        let pid = pid_of(&child)?;
        let owned = Arc::new(Mutex::new(true));
        let (sender, ended) = watch::channel(None);
        let theirs = Arc::clone(&owned);
        let thread = std::thread::Builder::new()
            .name(format!("reaper-{}", pid.as_raw_nonzero()))
            .spawn(move || reap(child, pid, &theirs, &sender))?;
        Ok(Self {
            pid,
            owned,
            ended,
            thread: Some(thread),
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// How it ended, if it did.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        *self.ended.borrow()
    }

    /// Sends a signal; true if there was somebody to get it.
    pub(super) fn signal(&self, whom: Whom, signal: Signal) -> io::Result<bool> {
        let owned = lock(&self.owned);
        if !*owned {
            return Ok(false);
        }
        let sent = match whom {
            Whom::Leader => kill_process(self.pid, signal),
            Whom::Group => kill_process_group(self.pid, signal),
        };
        match sent {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for the end. Cancel-safe.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        let ended = self.ended.wait_for(Option::is_some).await;
        let status = ended.ok().and_then(|status| *status);
        status.ok_or_else(|| io::Error::other("the end of the process was not seen"))
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        drop(self.signal(Whom::Group, Signal::KILL));
        if let Some(thread) = self.thread.take() {
            // It panics nowhere, and a killed process ends at once.
            drop(thread.join());
        }
    }
}

/// Waits until the process has ended, kills what it leaves behind, and only then gives its number back.
fn reap(
    mut child: Child,
    pid: Pid,
    owned: &Mutex<bool>,
    ended: &watch::Sender<Option<ExitStatus>>,
) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while matches!(waitid(WaitId::Pid(pid), options), Err(Errno::INTR)) {}
    let mut owned = lock(owned);
    // An error says that nothing was left behind.
    let _none = kill_process_group(pid, Signal::KILL);
    let status = child.wait();
    *owned = false;
    watchdog::remove(pid);
    ended.send_replace(status.ok());
}

/// The number of a child that nobody has waited for.
pub(super) fn pid_of(child: &Child) -> io::Result<Pid> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::Error::other("a process without a number"))
}

fn lock(owned: &Mutex<bool>) -> MutexGuard<'_, bool> {
    owned.lock().unwrap_or_else(PoisonError::into_inner)
}
