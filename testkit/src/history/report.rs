//! What a check says.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::entry::{Event, Id};
use super::verdict::{Verdict, Verdicts};

/// How many messages have each verdict; serializes to one flat object, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// Ids that were sent, whether confirmed or not.
    pub messages: u64,
    /// [`Verdict::Lost`].
    pub lost: u64,
    /// [`Verdict::Reordered`].
    pub reordered: u64,
    /// [`Verdict::Doubled`].
    pub doubled: u64,
    /// [`Verdict::Phantom`].
    pub phantom: u64,
    /// [`Verdict::Redelivered`].
    pub redelivered: u64,
}

impl Summary {
    /// How many messages have this verdict.
    #[must_use]
    pub const fn count(&self, verdict: Verdict) -> u64 {
        match verdict {
            Verdict::Lost => self.lost,
            Verdict::Reordered => self.reordered,
            Verdict::Doubled => self.doubled,
            Verdict::Phantom => self.phantom,
            Verdict::Redelivered => self.redelivered,
        }
    }

    /// `{"messages":…,"lost":…,"reordered":…,"doubled":…,"phantom":…,"redelivered":…}`.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn add(&mut self, verdicts: Verdicts) {
        for verdict in verdicts.iter() {
            let count = match verdict {
                Verdict::Lost => &mut self.lost,
                Verdict::Reordered => &mut self.reordered,
                Verdict::Doubled => &mut self.doubled,
                Verdict::Phantom => &mut self.phantom,
                Verdict::Redelivered => &mut self.redelivered,
            };
            *count += 1;
        }
    }
}

/// One message that is not ok, and its story.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Which message.
    pub id: Id,
    /// What is to be said of it.
    pub verdicts: Verdicts,
    /// Every entry of it in all the logs, by time; the first thousand of them.
    pub story: Vec<Event>,
    /// Entries that the story leaves off.
    pub left_off: u64,
}

/// The verdicts on it, and a line for each event.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.id, self.verdicts)?;
        for event in &self.story {
            writeln!(f, "  {event}")?;
        }
        if self.left_off > 0 {
            writeln!(f, "  and {} more", self.left_off)?;
        }
        Ok(())
    }
}

/// How one log was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogReport {
    /// The file.
    pub path: PathBuf,
    /// The process and which start of it, such as `sink-2`.
    pub process: Arc<str>,
    /// Length of the file when it was read.
    pub bytes: u64,
    /// Sound entries in it.
    pub entries: u64,
    /// Bytes at the end that are no sound entry: what a writer left that died while writing. They are ignored.
    pub torn: u64,
    /// Entries that are bad and have sound ones behind them, and a bad header: no crash of a writer does that, so
    /// the file was changed, and a message may look lost or like a phantom because of it. They are ignored.
    pub damaged: u64,
}

impl fmt::Display for LogReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} entries", self.path.display(), self.entries)?;
        if self.torn > 0 {
            write!(f, ", {} bytes of a torn tail ignored", self.torn)?;
        }
        if self.damaged > 0 {
            write!(f, ", {} damaged entries ignored", self.damaged)?;
        }
        Ok(())
    }
}

/// What a check says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The exact counts.
    pub summary: Summary,
    /// Ids without a verdict against them.
    pub ok: u64,
    /// Messages that are not ok, by id; up to the limit of [`Checker::findings`](super::Checker::findings) for each
    /// verdict.
    pub findings: Vec<Finding>,
    /// How each log was found, in the order given.
    pub logs: Vec<LogReport>,
}

impl Report {
    /// The finding on this message; `None` if it is ok, unknown, or over the limit.
    #[must_use]
    pub fn finding(&self, id: Id) -> Option<&Finding> {
        let found = self
            .findings
            .binary_search_by_key(&id, |finding| finding.id);
        found.ok().map(|at| &self.findings[at])
    }

    /// Whether no log is damaged; torn tails are no damage.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.logs.iter().all(|log| log.damaged == 0)
    }
}

/// The findings with their stories, then logs that are not whole, then the summary as the last line.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            write!(f, "{finding}")?;
        }
        for verdict in Verdict::ALL {
            let told = self
                .findings
                .iter()
                .filter(|finding| finding.verdicts.contains(verdict));
            let untold = self.summary.count(verdict) - told.count() as u64;
            if untold > 0 {
                writeln!(f, "and {untold} more that are {verdict}")?;
            }
        }
        for log in self
            .logs
            .iter()
            .filter(|log| log.torn > 0 || log.damaged > 0)
        {
            writeln!(f, "{log}")?;
        }
        f.write_str(&self.summary.to_json())
    }
}
