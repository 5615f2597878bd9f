//! Creating and verifying what bindings need of a broker.

use std::{fmt, sync::Arc};

/// A destination that a binding needs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DestinationPlan {
    /// Its name.
    pub name: Arc<str>,
    /// How many partitions it is to have; `None` leaves it to the broker.
    pub partitions: Option<u32>,
    /// Groups that must exist before the first message is published, so that none misses it.
    pub groups: Vec<Arc<str>>,
    /// Where it is made, it gets as many partitions as the largest of these, unless `partitions` says how many: what is read from them
    /// may have to keep its partition here. A broker without partitions, or with the same number everywhere, need not look at it.
    pub like: Vec<Arc<str>>,
}

impl DestinationPlan {
    /// A destination without further wishes.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            partitions: None,
            groups: Vec::new(),
            like: Vec::new(),
        }
    }

    /// Sets how many partitions it is to have.
    #[must_use]
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// Adds a group that must exist.
    #[must_use]
    pub fn group(mut self, group: impl Into<Arc<str>>) -> Self {
        self.groups.push(group.into());
        self
    }

    /// Adds a destination whose number of partitions it is to have at least.
    #[must_use]
    pub fn like(mut self, destination: impl Into<Arc<str>>) -> Self {
        self.like.push(destination.into());
        self
    }
}

/// A difference between what was asked for and what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The destination.
    pub destination: Arc<str>,
    /// What differs, for example `partitions`.
    pub what: &'static str,
    /// What was asked for.
    pub wanted: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of `{}`: wanted {}, found {}",
            self.what, self.destination, self.wanted, self.found
        )
    }
}

/// What provisioning did and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProvisionReport {
    /// Destinations and groups that were created.
    pub created: Vec<String>,
    /// Differences that were left as they are.
    pub drift: Vec<Drift>,
}
