//! Counting instructions: the bench runs itself again under valgrind's callgrind, with fewer and with more messages.

use std::{env, process::Command};

/// The argument by which the bench knows that it is counted: a backlog and a number of messages follow.
pub(crate) const COUNTED: &str = "--counted";

/// Instructions of one message beside a backlog: the difference of two runs.
///
/// `None` where there is no valgrind.
pub(crate) fn cost(backlog: u64, counts: (u64, u64)) -> Option<f64> {
    let (few, many) = (count(backlog, counts.0)?, count(backlog, counts.1)?);
    Some((many - few) / (counts.1 - counts.0) as f64)
}

fn count(backlog: u64, messages: u64) -> Option<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe().ok()?)
        .args([COUNTED, &backlog.to_string(), &messages.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}
