//! Steps of a task: each is announced with its number, and timed.

use std::time::{Duration, Instant};

use crate::Result;

/// A step: its name and what it does.
pub(crate) type Step = (&'static str, fn() -> Result);

/// Runs named steps one after the other and keeps going after a failure, so that one run shows all.
///
/// # Errors
/// Names the steps that failed.
pub(crate) fn run_all(steps: &[Step]) -> Result {
    let mut failed = Vec::new();
    for (number, (name, step)) in steps.iter().enumerate() {
        announce(number + 1, steps.len(), name);
        let begin = Instant::now();
        match step() {
            Ok(()) => println!("    {name}: ok in {}", seconds(begin.elapsed())),
            Err(error) => {
                println!("    {name}: {error}");
                failed.push(*name);
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!("failed: {}", failed.join(", ")).into())
}

/// Prints the head of a step.
pub(crate) fn announce(number: usize, of: usize, name: &str) {
    println!("[{number}/{of}] {name}");
}

/// A duration for people.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
