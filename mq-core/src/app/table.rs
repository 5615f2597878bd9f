//! The policy table: what every binding will do, shown at start.

use std::fmt;

use crate::{
    binding::{InputPlan, SourcePlan},
    config::Settings,
    policy::{Exhausted, Ordering},
    units::Short,
};

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyRow {
    /// The binding.
    pub binding: String,
    /// `destination → …`
    pub destination: String,
    /// The group, or `-`.
    pub group: String,
    /// The binder instance.
    pub binder: String,
    /// What is promised.
    pub guarantee: String,
    /// When a failed message is tried again.
    pub retry: String,
    /// Where it goes then.
    pub exhausted: String,
    /// The function and its place.
    pub function: String,
}

/// What every binding will do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyTable(Vec<PolicyRow>);

impl PolicyTable {
    pub(super) fn new(inputs: &[InputPlan], sources: &[SourcePlan], settings: &Settings) -> Self {
        let inputs = inputs.iter().map(|plan| input_row(plan, settings));
        Self(sources.iter().map(source_row).chain(inputs).collect())
    }

    /// Every line.
    #[must_use]
    pub fn rows(&self) -> &[PolicyRow] {
        &self.0
    }
}

fn source_row(plan: &SourcePlan) -> PolicyRow {
    let names = |name: fn(&crate::output::Outlet) -> &str| {
        plan.outlets
            .iter()
            .map(|outlet| name(outlet))
            .collect::<Vec<_>>()
            .join(", ")
    };
    PolicyRow {
        binding: names(|outlet| outlet.name()),
        destination: format!("→ {}", names(|outlet| outlet.destination())),
        group: "-".to_owned(),
        binder: "-".to_owned(),
        guarantee: "confirmed".to_owned(),
        retry: "until confirmed".to_owned(),
        exhausted: "-".to_owned(),
        function: format!("{} ({})", plan.source.name, plan.source.location),
    }
}

fn input_row(plan: &InputPlan, settings: &Settings) -> PolicyRow {
    let consumer = settings
        .bindings
        .get(&*plan.name)
        .map(|binding| &binding.consumer);
    let idempotency = consumer.and_then(|consumer| consumer.idempotency.as_ref());
    let effect = idempotency.map_or_else(
        || "at least once".to_owned(),
        |policy| format!("effect once ({})", policy.store),
    );
    let effect = if plan.transactional {
        "exactly once in the broker".to_owned()
    } else {
        effect
    };
    let order = match plan.ordering {
        Ordering::Key => ", ordered by key",
        Ordering::Partition => ", ordered by partition",
        Ordering::None => "",
    };
    let own = plan.spec.destinations.iter().filter(|name| {
        plan.retry_destinations
            .iter()
            .all(|retry| retry.name != **name)
    });
    PolicyRow {
        binding: plan.name.to_string(),
        destination: own.map(|name| &**name).collect::<Vec<_>>().join(", "),
        group: plan
            .spec
            .group
            .as_deref()
            .unwrap_or("(anonymous)")
            .to_owned(),
        binder: plan.binder_name.to_string(),
        guarantee: format!("{effect}{order}"),
        retry: retry(plan),
        exhausted: exhausted(plan),
        function: format!("{} ({})", plan.listener.name, plan.listener.location),
    }
}

fn retry(plan: &InputPlan) -> String {
    let timeout = plan
        .build
        .stack
        .timeout
        .map_or_else(String::new, |limit| format!(", {} each", Short(limit)));
    let memory = match plan.capabilities.retry_state {
        crate::binder::RetryState::None => "; attempts are forgotten by a restart",
        _ => "",
    };
    format!("{}{timeout}{memory}", plan.build.stack.retry)
}

fn exhausted(plan: &InputPlan) -> String {
    match plan.exhausted {
        Exhausted::DeadLetter => format!("→ {}", plan.letters.destination),
        Exhausted::Stop => "binding stops".to_owned(),
        Exhausted::Requeue => "given back".to_owned(),
        Exhausted::Discard => "discarded".to_owned(),
    }
}

impl fmt::Display for PolicyTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles = [
            "BINDING",
            "DESTINATION",
            "GROUP",
            "BINDER",
            "GUARANTEE",
            "RETRY",
            "THEN",
            "FUNCTION",
        ];
        let cells = |row: &PolicyRow| {
            let row = row.clone();
            [
                row.binding,
                row.destination,
                row.group,
                row.binder,
                row.guarantee,
                row.retry,
                row.exhausted,
                row.function,
            ]
        };
        let rows: Vec<[String; 8]> = std::iter::once(titles.map(str::to_owned))
            .chain(self.0.iter().map(cells))
            .collect();
        let width = |column: usize| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..titles.len()).map(width).collect();
        for row in &rows {
            let line: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            writeln!(f, "{}", line.join("  ").trim_end())?;
        }
        Ok(())
    }
}
