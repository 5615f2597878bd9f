//! What a step needs rights for.

use std::{collections::BTreeSet, sync::Arc};

use mq_core::error::Error;

use crate::{
    client::Link,
    producer::{Named, publishing},
};

/// The rights to the steps of a consumer. An error does not say which of the step's destinations may not be written.
#[derive(Debug)]
pub(super) struct Rights {
    /// The transactions themselves, and the positions in them.
    own: String,
    /// The destinations of the open step.
    destinations: BTreeSet<Arc<str>>,
    /// The one of the last message.
    last: Option<Arc<str>>,
    /// The destinations of steps that have ended.
    known: Named,
}

impl Rights {
    pub(super) fn new(purpose: &str) -> Self {
        Self {
            own: format!("transactions of {purpose}"),
            destinations: BTreeSet::new(),
            last: None,
            known: Named::default(),
        }
    }

    /// Another step begins.
    pub(super) fn begin(&mut self) {
        self.destinations.clear();
        self.last = None;
    }

    /// A message of the step goes there.
    pub(super) fn note(&mut self, destination: &Arc<str>) {
        if self.last.as_ref() != Some(destination) {
            self.destinations.insert(destination.clone());
            self.last = Some(destination.clone());
        }
    }

    /// The step has taken effect.
    pub(super) fn allow(&mut self, link: &Link) {
        let denials = link.denials();
        let mut destinations = self.destinations.iter();
        if self.known.is_of(denials) && destinations.all(|one| self.known.has(one)) {
            return;
        }
        self.known.renew(denials);
        link.allow(&self.own);
        for destination in &self.destinations {
            link.allow(&publishing(destination));
            self.known.add(destination);
        }
    }

    /// The error of a step that has not.
    pub(super) fn deny(&self, link: &Link, error: Error) -> Error {
        let outputs = self.destinations.iter().map(|one| publishing(one));
        let all: Vec<_> = outputs.chain([self.own.clone()]).collect();
        link.deny_one_of(&all, error)
    }
}
