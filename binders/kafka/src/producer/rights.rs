//! Which destinations may be written.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use mq_core::{binder::Receipt, error::Result, message::Message};

use crate::client::Link;

/// Beyond so many, destinations are forgotten, and found out again.
const MANY: usize = 1_000;

/// What the right to write to a destination is known by.
pub(crate) fn publishing(destination: &str) -> String {
    format!("publishing to {destination}")
}

/// The destinations of a producer that are known to be writable, so that nothing has to be noted when something is stored there.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The [`Link::denials`] for which the producer's own destination is known; 0 is none.
    own: AtomicU64,
    /// Destinations that messages have named.
    named: Mutex<Named>,
}

/// Destinations that are known to be writable since nothing was denied.
#[derive(Debug, Default)]
pub(crate) struct Named {
    /// The [`Link::denials`] for which they are.
    denials: u64,
    destinations: HashSet<Arc<str>>,
}

impl Named {
    /// Forgets what was known before something was denied, and everything where it is too much.
    pub(crate) fn renew(&mut self, denials: u64) {
        if !self.is_of(denials) || self.destinations.len() >= MANY {
            self.destinations.clear();
            self.denials = denials;
        }
    }

    pub(crate) fn is_of(&self, denials: u64) -> bool {
        self.denials == denials
    }

    pub(crate) fn has(&self, destination: &Arc<str>) -> bool {
        self.destinations.contains(destination)
    }

    pub(crate) fn add(&mut self, destination: &Arc<str>) {
        self.destinations.insert(destination.clone());
    }
}

impl Known {
    fn named(&self) -> MutexGuard<'_, Named> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the destination of each message is known to be writable since nothing was denied.
    pub(super) fn has_all(&self, denials: u64, messages: &[Message]) -> bool {
        let is_own = self.own.load(Ordering::Relaxed) == denials;
        let mut named = None;
        messages
            .iter()
            .all(|message| match &message.properties().destination {
                None => is_own,
                Some(destination) => {
                    let named = named.get_or_insert_with(|| self.named());
                    named.is_of(denials) && named.has(destination)
                }
            })
    }

    fn add(&self, denials: u64, destination: Option<&Arc<str>>) {
        let Some(destination) = destination else {
            return self.own.store(denials, Ordering::Relaxed);
        };
        let mut named = self.named();
        named.renew(denials);
        named.add(destination);
    }

    /// Knows a right that was taken away from one that was never there; a destination that may be written says nothing of another.
    #[cold]
    pub(super) fn judge(
        &self,
        link: &Link,
        own: &str,
        messages: &[Message],
        results: Vec<Result<Receipt>>,
    ) -> Vec<Result<Receipt>> {
        let denials = link.denials();
        let named = |message: &Message| message.properties().destination.clone();
        let stored = messages.iter().zip(&results);
        let stored = stored.filter(|(_, result)| result.is_ok());
        let stored: HashSet<_> = stored.map(|(message, _)| named(message)).collect();
        for destination in stored {
            link.allow(&publishing(destination.as_deref().unwrap_or(own)));
            self.add(denials, destination.as_ref());
        }
        let judged = messages.iter().zip(results).map(|(message, result)| {
            let what = || publishing(named(message).as_deref().unwrap_or(own));
            result.map_err(|error| link.deny(&what(), error))
        });
        judged.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(destination: &str) -> Message {
        Message::new("x").destination(destination)
    }

    #[test]
    fn a_destination_is_known_until_something_is_denied() {
        let (known, own) = (Known::default(), [Message::new("x")]);
        assert!(!known.has_all(1, &own));
        known.add(1, None);
        known.add(1, Some(&"a".into()));
        assert!(known.has_all(1, &own));
        assert!(known.has_all(1, &[to("a"), Message::new("x")]));
        assert!(!known.has_all(1, &[to("a"), to("b")]));
        assert!(!known.has_all(2, &own));
        assert!(!known.has_all(2, &[to("a")]));
        known.add(2, Some(&"b".into()));
        assert!(!known.has_all(2, &[to("a")]), "it was known before that");
    }
}
