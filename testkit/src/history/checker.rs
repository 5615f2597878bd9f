//! The passes over the logs.

use std::path::{Path, PathBuf};

use mq_core::error::Result;

use super::lanes::{Lanes, Step};
use super::reader::{Reader, lengths, most_entries};
use super::report::{LogReport, Report, Summary};
use super::runs::Merge;
use super::sorter::Sorter;
use super::stories::Stories;
use super::tally::{Sight, Tally};
use super::verdict::{Verdict, Verdicts};

/// What a confirmed message has to reach, or it is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Goal {
    /// An effect; the default.
    #[default]
    Effect,
    /// A handler, whatever that made of it; an effect without a sight of it counts too.
    Delivery,
}

/// Reads logs and says what became of every message.
///
/// One check is about one destination and one group that consumes it: every message is to reach that group once.
/// With several groups, each has a folder of logs, and is checked with the logs of the senders.
#[derive(Debug, Clone)]
pub struct Checker {
    goal: Goal,
    memory: usize,
    findings: usize,
    folder: Option<PathBuf>,
}

impl Default for Checker {
    fn default() -> Self {
        Self::new()
    }
}

impl Checker {
    /// With the defaults: each message is to take effect, 512 MiB of memory, a hundred findings of each verdict.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            goal: Goal::Effect,
            memory: 512 << 20,
            findings: 100,
            folder: None,
        }
    }

    /// What a confirmed message has to reach; default [`Goal::Effect`].
    #[must_use]
    pub const fn goal(mut self, goal: Goal) -> Self {
        self.goal = goal;
        self
    }

    /// Bytes of memory for sorting; default 512 MiB. What does not fit goes through a temporary file.
    #[must_use]
    pub const fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// How many messages are told of for each verdict; default 100. The counts are exact whatever this is; a finding
    /// takes about 200 bytes and 100 for each of its events.
    #[must_use]
    pub const fn findings(mut self, limit: usize) -> Self {
        self.findings = limit;
        self
    }

    /// Where the temporary file is, of at most 54 bytes an entry and 65 a message; default is the folder of the
    /// system for such, which may itself be memory.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Checks these logs. Blocks: for seconds with tens of millions of entries.
    ///
    /// The writers are to have ended: of a message that is on its way the report says that it is lost.
    ///
    /// # Errors
    /// A log cannot be read, is no log or is given twice, or the temporary file fails. A torn or damaged log is no error: see
    /// [`Report::logs`].
    pub fn check<P: AsRef<Path>>(&self, logs: impl IntoIterator<Item = P>) -> Result<Report> {
        let logs: Vec<PathBuf> = logs
            .into_iter()
            .map(|path| path.as_ref().to_owned())
            .collect();
        let (sights, logs) = self.sort_sights(&logs)?;
        let mut counts = Counts::new(self.findings);
        let steps = self.judge_messages(sights, &mut counts)?;
        judge_order(steps, &mut counts)?;
        let findings = counts.stories.tell(&logs, self.goal)?;
        Ok(Report {
            summary: counts.summary,
            ok: counts.ok,
            findings,
            logs,
        })
    }

    /// All entries, by id.
    fn sort_sights(&self, logs: &[PathBuf]) -> Result<(Merge<Sight>, Vec<LogReport>)> {
        let lengths = lengths(logs)?;
        let mut sights = self.sorter(most_entries(&lengths));
        let mut reports = Vec::with_capacity(logs.len());
        for ((path, length), number) in logs.iter().zip(lengths).zip(0_u32..) {
            let reader = Reader::open(path, length)?;
            reports.push(reader.read(|stamped| sights.push(Sight::new(number, &stamped)))?);
        }
        Ok((sights.finish()?, reports))
    }

    /// Judges each message by itself, and gives those that have a key, by key.
    fn judge_messages(&self, sights: Merge<Sight>, counts: &mut Counts) -> Result<Merge<Step>> {
        let mut steps = self.sorter(0);
        let mut tally: Option<Tally> = None;
        for sight in sights {
            let sight = sight?;
            let known = tally.take_if(|tally| tally.id != sight.id());
            if let Some(done) = known {
                self.judge(&done, counts, &mut steps)?;
            }
            tally
                .get_or_insert_with(|| Tally::new(sight.id()))
                .add(&sight);
        }
        if let Some(done) = tally {
            self.judge(&done, counts, &mut steps)?;
        }
        steps.finish()
    }

    fn judge(&self, tally: &Tally, counts: &mut Counts, steps: &mut Sorter<Step>) -> Result<()> {
        let verdicts = tally.verdicts(self.goal);
        counts.add(tally, verdicts);
        match Step::new(tally, !verdicts.is_ok()) {
            Some(step) => steps.push(step),
            None => Ok(()),
        }
    }

    /// Each of the two sorters has half of the memory.
    fn sorter<R: super::sorter::Record>(&self, expected: u64) -> Sorter<R> {
        Sorter::new(self.memory / 2, expected, self.folder.as_deref())
    }
}

/// The order within each key.
fn judge_order(steps: Merge<Step>, counts: &mut Counts) -> Result<()> {
    let mut lanes = Lanes::new();
    for step in steps {
        let step = step?;
        if lanes.is_reordered(&step) {
            counts.add_reordered(&step);
        }
    }
    Ok(())
}

/// What was counted so far.
#[derive(Debug)]
struct Counts {
    summary: Summary,
    ok: u64,
    stories: Stories,
}

impl Counts {
    fn new(findings: usize) -> Self {
        Self {
            summary: Summary::default(),
            ok: 0,
            stories: Stories::new(findings),
        }
    }

    fn add(&mut self, tally: &Tally, verdicts: Verdicts) {
        self.summary.messages += u64::from(tally.sent);
        self.summary.add(verdicts);
        if verdicts.is_ok() {
            self.ok += 1;
        } else {
            self.stories.offer(tally.id, verdicts);
        }
    }

    fn add_reordered(&mut self, step: &Step) {
        let reordered = Verdicts::OK.add(Verdict::Reordered, true);
        self.summary.add(reordered);
        self.ok -= u64::from(!step.is_faulty());
        self.stories.offer(step.id(), reordered);
    }
}
