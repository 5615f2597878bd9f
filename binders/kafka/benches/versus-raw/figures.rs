//! What the bench prints.

use std::io::Write;

use serde_json::{Map, Value};

use crate::{Scenario, job::Used};

/// A round of a scenario, as figures for one message.
#[derive(Clone, Copy, Debug)]
struct Round {
    ours: Used,
    raw: Used,
    messages: f64,
}

impl Round {
    /// Ours to theirs; 1 is as fast.
    fn ratio(&self) -> f64 {
        self.raw.seconds / self.ours.seconds
    }

    /// Ours to theirs; 1 is as cheap.
    fn processor_ratio(&self) -> f64 {
        self.ours.processor / self.raw.processor
    }

    /// Nanoseconds of processor time a message that ours takes beyond theirs.
    fn beyond(&self) -> f64 {
        (self.ours.processor - self.raw.processor) * 1e9 / self.messages
    }
}

/// The figures of all rounds.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<(&'static str, Vec<Round>)>);

impl Figures {
    /// Adds what a round has measured.
    pub(crate) fn add(&mut self, scenario: &Scenario, number: usize, ours: Used, raw: Used) {
        let messages = scenario.messages as f64;
        let round = Round {
            ours,
            raw,
            messages,
        };
        note(&format!(
            "{} round {number}: ours {:.3} s, raw {:.3} s, ratio {:.3}; processor {:.0} and {:.0} ns",
            scenario.name,
            ours.seconds,
            raw.seconds,
            round.ratio(),
            ours.processor * 1e9 / messages,
            raw.processor * 1e9 / messages,
        ));
        match self.0.last_mut() {
            Some((name, rounds)) if *name == scenario.name => rounds.push(round),
            _ => self.0.push((scenario.name, vec![round])),
        }
    }

    /// Prints the closing line to standard output.
    pub(crate) fn print(&self) {
        let mut closing = Map::new();
        for (name, rounds) in &self.0 {
            let mut put = |suffix: &str, digits: i32, of: &dyn Fn(&Round) -> f64| {
                let key = format!("{name}{suffix}");
                closing.insert(key, rounded(median(rounds.iter().map(of)), digits));
            };
            put("", 3, &Round::ratio);
            put("_cpu_ratio", 3, &Round::processor_ratio);
            put("_cpu_beyond_ns", 0, &Round::beyond);
            put("_ours_cpu_s", 10, &|round| {
                round.ours.processor / round.messages
            });
            put("_raw_cpu_s", 10, &|round| {
                round.raw.processor / round.messages
            });
            put("_ours_rate", 0, &|round| {
                round.messages / round.ours.seconds
            });
            put("_raw_rate", 0, &|round| round.messages / round.raw.seconds);
        }
        drop(writeln!(std::io::stdout(), "{}", Value::Object(closing)));
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let (low, high) = ((values.len() - 1) / 2, values.len() / 2);
    f64::midpoint(values[low], values[high])
}

fn rounded(value: f64, digits: i32) -> Value {
    let scale = 10_f64.powi(digits);
    Value::from((value * scale).round() / scale)
}

/// Writes a line to standard error.
pub(crate) fn note(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
