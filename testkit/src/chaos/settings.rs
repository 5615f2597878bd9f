//! The settings that the services run with.

use serde::{Deserialize, Serialize};

use super::handlers::{DONE, LETTERS, WORK};
use super::options::Guarantee;
use super::services::{Role, Shared};

/// The applications' name, and so the group.
pub(super) const GROUP: &str = "chaos";
/// The sink's store.
pub(super) const LEDGER: &str = "ledger";
/// The processor's store.
pub(super) const SEEN: &str = "seen";

/// What differs between binders.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Wiring {
    /// `[binders.main]`, where the application makes its own instance.
    pub(super) binder: String,
    /// What the sink's store knows messages again by. An id that is derived is not in the logs, so a store that is to outlive its
    /// process goes by a header.
    pub(super) known_by: String,
    /// Partitions of the destinations.
    pub(super) partitions: u32,
    /// `key`, or what keeps the order of keys too.
    pub(super) ordering: String,
    /// How many messages the handlers of processor and sink take at once; 0 for those that take one.
    pub(super) batch: usize,
    /// Handler calls at once.
    pub(super) concurrency: usize,
}

/// The settings of an application with these services.
pub(super) fn settings(roles: &[Role], shared: &Shared, wiring: &Wiring) -> String {
    let mut text = format!("[app]\nname = '{GROUP}'\ndrain = '500ms'\n");
    if !wiring.binder.is_empty() {
        text += &format!("[binders.main]\n{}\n", wiring.binder);
    }
    let [has_source, has_processor, has_sink] = Role::ALL.map(|role| roles.contains(&role));
    if has_source || has_processor {
        let extra = has_processor.then(|| of_processor(shared) + &batch(wiring));
        text += &binding(WORK, "'chaos.work'", wiring, extra);
    }
    if has_processor || has_sink {
        let extra = has_sink.then(|| of_sink(shared, wiring) + &batch(wiring));
        text += &binding(DONE, "'chaos.done'", wiring, extra);
    }
    if has_sink {
        let letters = "['chaos.work.chaos.dlq', 'chaos.done.chaos.dlq']";
        text += &binding(LETTERS, letters, wiring, Some(of_sink(shared, wiring)));
    }
    text
}

fn batch(wiring: &Wiring) -> String {
    match wiring.batch {
        0 => String::new(),
        max => format!("batch = {{ max = {max}, wait = '3ms' }}\n"),
    }
}

fn of_processor(shared: &Shared) -> String {
    if shared.plan.guarantee == Guarantee::ExactlyOnce {
        "guarantee = 'exactly_once'\n".to_owned()
    } else if shared.seen.is_some() {
        format!("idempotency = {{ store = '{SEEN}', ttl = '10s', lease = '2s' }}\n")
    } else {
        String::new()
    }
}

fn of_sink(shared: &Shared, wiring: &Wiring) -> String {
    if shared.plan.guarantee != Guarantee::Idempotent {
        return String::new();
    }
    let key = &wiring.known_by;
    format!("idempotency = {{ store = '{LEDGER}', key = '{key}', lease = '2s' }}\n")
}

/// An output, and an input too where there is something to say of that.
fn binding(name: &str, destination: &str, wiring: &Wiring, consumer: Option<String>) -> String {
    let Wiring {
        partitions,
        concurrency,
        ordering,
        ..
    } = wiring;
    let output = format!(
        "[bindings.{name}]\ndestination = {destination}\nproducer.partitions = {partitions}\n"
    );
    let Some(consumer) = consumer else {
        return output;
    };
    format!(
        "{output}[bindings.{name}.consumer]\n{consumer}ordering = '{ordering}'\n\
         concurrency = {concurrency}\ntimeout = '250ms'\npartitions = {partitions}\n\
         retry = {{ attempts = 4, initial = '2ms', max = '10ms', delayed = ['30ms', '60ms', '90ms'] }}\n"
    )
}
