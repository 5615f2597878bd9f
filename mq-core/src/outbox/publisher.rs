//! Where the relay publishes to.

use std::{collections::HashMap, sync::Arc};

use crate::binder::Producer;

/// Finds the producer of an output. In the application these are the producers of its output bindings.
pub trait OutboxPublisher: Send + Sync {
    /// The names of all outputs. Asked once, when the relay starts; rows for other outputs wait for a relay that knows them.
    fn outputs(&self) -> Vec<Arc<str>>;

    /// The producer of this output. Asked before each batch, so a producer may be replaced; `None` makes the output wait.
    fn producer(&self, output: &str) -> Option<Arc<dyn Producer>>;
}

impl OutboxPublisher for HashMap<Arc<str>, Arc<dyn Producer>> {
    fn outputs(&self) -> Vec<Arc<str>> {
        self.keys().cloned().collect()
    }

    fn producer(&self, output: &str) -> Option<Arc<dyn Producer>> {
        self.get(output).cloned()
    }
}
