//! What one process is told to do, and what it answers.

use std::{env, io::Write, process::Command, process::Stdio};

use serde::{Deserialize, Serialize};

use crate::{Outcome, Work, ours, raw};

/// The argument by which the bench knows that it is to do one job and nothing else.
pub(crate) const ONE: &str = "--one";

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Side {
    Ours,
    Raw,
}

/// A side's part of a round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) side: Side,
    pub(crate) work: Work,
    pub(crate) messages: u64,
    pub(crate) bytes: usize,
    pub(crate) servers: String,
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) group: String,
    /// Messages that the bare loop puts into one transaction.
    pub(crate) transaction: u64,
}

/// What a side has used.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Used {
    /// From the first message to the last confirmation.
    pub(crate) seconds: f64,
    /// Processor seconds of the whole process.
    pub(crate) processor: f64,
}

impl Job {
    /// Has it done by a process of its own.
    pub(crate) fn in_child(&self) -> Outcome<Used> {
        let output = Command::new(env::current_exe()?)
            .args([ONE, &serde_json::to_string(self)?])
            .stderr(Stdio::inherit())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let used = serde_json::from_str(text.lines().last().unwrap_or_default());
        used.map_err(|error| format!("{:?} of {:?}: {error}", self.work, self.side).into())
    }
}

/// Does a job in this process, and tells what it has used.
pub(crate) fn run(job: &str) -> Outcome<()> {
    let job: Job = serde_json::from_str(job)?;
    let used = match (job.side, job.work) {
        (Side::Ours, Work::Consume | Work::Headers | Work::Reads | Work::Defaults) => {
            ours::consume(&job)
        }
        (Side::Ours, Work::Publish) => ours::publish(&job, BATCH),
        (Side::Ours, Work::Singles) => ours::publish(&job, 1),
        (Side::Ours, Work::ExactlyOnce) => ours::transform(&job),
        (Side::Raw, Work::Consume | Work::Headers | Work::Reads | Work::Defaults) => {
            raw::consume(&job)
        }
        (Side::Raw, Work::Publish | Work::Singles) => raw::publish(&job),
        (Side::Raw, Work::ExactlyOnce) => raw::transform(&job),
    }?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&used)?)?;
    Ok(())
}

/// Messages of one call: as many as the loop takes in at a time, and so gives out.
const BATCH: usize = 250;

/// Messages that are on their way at any time, on both sides.
pub(crate) const IN_FLIGHT: usize = 10_000;
