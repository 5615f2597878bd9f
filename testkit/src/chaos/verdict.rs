//! What came of a run.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use mq::error::{Error, ErrorKind, Result};
use serde::Serialize;

use super::options::{Guarantee, Options};
use super::services::Role;
use crate::history::{Checker, Goal, Report, logs_in};

/// What came of a run; serializes to one flat object, in this order.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// The binder.
    pub binder: String,
    /// How many messages were to be sent.
    pub messages: u64,
    /// How many faults there were.
    pub faults: u64,
    /// Confirmed messages without an effect, or that the processor has not seen.
    pub lost: u64,
    /// Messages that came after a later one of their key, in the processor or in the sink.
    pub reordered: u64,
    /// Messages with more than one effect.
    pub doubled: u64,
    /// Messages that nobody sent.
    pub phantom: u64,
    /// Messages that a stage has seen more than once; no fault.
    pub redelivered: u64,
    /// What was promised.
    pub guarantee: Guarantee,
    /// What the trouble was drawn from.
    pub seed: u64,
    /// How long it took.
    pub seconds: f64,
}

impl Outcome {
    /// Whether everything was as promised.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        let doubled = self.guarantee.forbids_doubles() && self.doubled > 0;
        self.lost == 0 && self.reordered == 0 && self.phantom == 0 && !doubled
    }

    /// One object on one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Reads the logs of a run. Blocks, for some seconds with millions of messages.
///
/// # Errors
/// A log cannot be read or is damaged, or fewer messages were sent than were to be.
pub(super) fn judge(options: &Options, folder: &Path, took: Duration) -> Result<(Outcome, String)> {
    let checker = Checker::new().memory(256 << 20).folder(folder);
    let processor = check(
        &checker.clone().goal(Goal::Delivery),
        folder,
        Role::Processor,
    )?;
    let sink = check(&checker, folder, Role::Sink)?;
    let sent = sink.summary.messages;
    if sent < options.messages {
        let error = Error::new(ErrorKind::Bug, "not every message was sent");
        return Err(error.context("sent", sent));
    }
    let (first, last) = (processor.summary, sink.summary);
    let outcome = Outcome {
        binder: options.binder.clone(),
        messages: options.messages,
        faults: options.faults,
        lost: last.lost.max(first.lost),
        reordered: first.reordered + last.reordered,
        doubled: last.doubled,
        phantom: first.phantom + last.phantom,
        redelivered: first.redelivered + last.redelivered,
        guarantee: options.guarantee,
        seed: options.seed,
        seconds: took.as_secs_f64(),
    };
    let stories = tell(&processor, options)? + &tell(&sink, options)?;
    Ok((outcome, stories))
}

fn check(checker: &Checker, folder: &Path, role: Role) -> Result<Report> {
    let mut logs = logs_in(folder.join(Role::Source.as_str()))?;
    logs.extend(logs_in(folder.join(role.as_str()))?);
    let report = checker.check(logs)?;
    if report.is_sound() {
        return Ok(report);
    }
    Err(Error::new(ErrorKind::Bug, "a log is damaged")
        .context("folder", folder.join(role.as_str()).display()))
}

/// The stories of messages that are not as promised.
fn tell(report: &Report, options: &Options) -> Result<String> {
    use crate::history::Verdict;
    let is_fault = |verdict| match verdict {
        Verdict::Redelivered => false,
        Verdict::Doubled => options.guarantee.forbids_doubles(),
        _ => true,
    };
    let mut text = String::new();
    for finding in &report.findings {
        if finding.verdicts.iter().any(is_fault) {
            let told = write!(text, "{finding}");
            told.map_err(|_| Error::new(ErrorKind::Bug, "a story cannot be told"))?;
        }
    }
    Ok(text)
}
