//! How far a run is, as its logs say.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mq::error::{Error, ErrorKind, Result};
use tokio::time::{Instant, interval};

use super::services::Role;

/// Bytes of an entry.
const ENTRY: u64 = 72;
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(5);
/// So long without a new entry, and there is nothing left to come, where everything is sent.
const PAUSE: Duration = Duration::from_secs(1);
/// So long without a new entry anywhere is the end of hope: far more than any delay, lease or backoff of a run.
const PATIENCE: Duration = Duration::from_secs(60);

/// Watches the logs of a run.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    folder: PathBuf,
    messages: u64,
}

impl Progress {
    pub(super) fn new(folder: &Path, messages: u64) -> Self {
        Self {
            folder: folder.to_owned(),
            messages,
        }
    }

    /// Waits until this part of the messages, so many of so many, is through the sink, or until everything that is to get there
    /// has: of a binder that loses messages, less.
    ///
    /// # Errors
    /// Nothing gets on any more.
    pub(super) async fn reaches(&self, part: u64, of: u64) -> Result<()> {
        // A message is seen and takes effect, as it is sent and confirmed.
        let (all, wanted) = (2 * self.messages, 2 * (self.messages * part / of));
        let done = |rest: Duration| {
            let is_sent = || self.entries(Role::Source) >= all;
            self.entries(Role::Sink) >= wanted || (rest > PAUSE && is_sent())
        };
        self.watch(|rest| done(rest).then_some(())).await
    }

    /// Waits for a result, for as long as anything gets on.
    ///
    /// # Errors
    /// Nothing gets on any more, or the result is an error.
    pub(super) async fn patiently<T>(&self, result: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            result = result => result,
            stuck = self.watch(|_| None) => stuck,
        }
    }

    async fn watch<T>(&self, mut done: impl FnMut(Duration) -> Option<T>) -> Result<T> {
        let mut ticks = interval(LOOK);
        let (mut last, mut since) = (0, Instant::now());
        loop {
            ticks.tick().await;
            if let Some(done) = done(since.elapsed()) {
                return Ok(done);
            }
            let entries = Role::ALL.map(|role| self.entries(role)).iter().sum();
            if entries != last {
                (last, since) = (entries, Instant::now());
            } else if since.elapsed() > PATIENCE {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "nothing gets on any more",
                ));
            }
        }
    }

    /// Entries in the logs of a service, about.
    pub(super) fn entries(&self, role: Role) -> u64 {
        let Ok(files) = std::fs::read_dir(self.folder.join(role.as_str())) else {
            return 0;
        };
        let bytes = files.flatten().flat_map(|file| file.metadata());
        bytes.map(|file| file.len() / ENTRY).sum()
    }
}
