//! What a bench ends with: one line of JSON.

use std::io::Write;

use serde::Serialize;
use serde_json::{Map, Value, json};

/// The figures of a bench, in the order in which they were taken.
#[derive(Debug, Default)]
pub struct Figures(Map<String, Value>);

/// What one message costs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cost {
    /// Instructions; absent where nothing counts them.
    pub instructions: Option<f64>,
    /// Allocations.
    pub allocations: f64,
    /// Wall clock, in nanoseconds; noisy.
    pub nanoseconds: f64,
}

impl Figures {
    /// Adds a figure and shows it.
    pub fn add(&mut self, name: &str, cost: Cost) {
        let instructions = cost
            .instructions
            .map_or_else(|| "-".to_owned(), |count| format!("{count:.0}"));
        let line = format!(
            "{name:<28} {instructions:>10} instructions {:>8.3} allocations {:>8.0} ns",
            cost.allocations, cost.nanoseconds
        );
        drop(writeln!(std::io::stderr(), "{line}"));
        let round = |number: f64, digits: f64| (number * digits).round() / digits;
        self.0.insert(
            name.to_owned(),
            json!({
                "instructions": cost.instructions.map(|count| round(count, 1.0)),
                "allocations": round(cost.allocations, 1000.0),
                "nanoseconds": round(cost.nanoseconds, 1.0),
            }),
        );
    }

    /// Prints the closing line.
    pub fn print(self, bench: &str) {
        let closing = json!({ "bench": bench, "figures": self.0 });
        drop(writeln!(std::io::stdout(), "{closing}"));
    }
}
