//! What the settings say, with every default filled in.

use super::{KeyPath, Node};
use crate::policy::OutOfRange;
use crate::policy::Ranges;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

mod consumer;
mod one_or_many;
mod producer;

pub use consumer::ConsumerSettings;
pub use producer::ProducerSettings;

/// Everything that the settings say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// The application itself.
    pub app: AppSettings,
    /// The binder instances by name. Without one, the application chooses its default.
    pub binders: BTreeMap<String, BinderSettings>,
    /// The bindings by name.
    pub bindings: BTreeMap<String, BindingSettings>,
    /// The stores by name.
    pub stores: BTreeMap<String, StoreSettings>,
}

impl Settings {
    /// The fields that are out of range, everywhere.
    #[must_use]
    pub fn validate(&self) -> Vec<OutOfRange> {
        let app = self
            .app
            .validate()
            .into_iter()
            .map(|found| found.within("app"));
        let binding = |(name, binding): (&String, &BindingSettings)| {
            let table = KeyPath::root()
                .key("bindings")
                .key(name.as_str())
                .to_string();
            let found = binding.validate().into_iter();
            found.map(move |found| found.within(&table))
        };
        app.chain(self.bindings.iter().flat_map(binding)).collect()
    }
}

/// The application itself: `[app]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AppSettings {
    /// The application's name, which is the group of its bindings. By default the package of the listener.
    pub name: Option<String>,
    /// Whether a listener needs its binding in the settings: false by default.
    pub strict_bindings: bool,
    /// How long handlers may finish when the application stops: up to 1 hour, 25 s by default.
    #[serde(with = "crate::units::duration")]
    pub drain: Duration,
}

/// A binder instance: `[binders.<name>]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BinderSettings {
    /// Which kind it is: `memory`, `broker`, `kafka`, `amqp`.
    pub kind: String,
    /// The keys that the kind has of its own, for [`Node::decode`].
    #[serde(rename = "$rest")]
    pub rest: Node,
}

/// A store: `[stores.<name>]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoreSettings {
    /// Which kind it is: `memory`, `postgres`, `mysql`, `sqlite`.
    pub kind: String,
    /// The keys that the kind has of its own, for [`Node::decode`].
    #[serde(rename = "$rest")]
    pub rest: Node,
}

/// A binding: `[bindings.<name>]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BindingSettings {
    /// The destinations, one text or a list; empty means the binding's name.
    #[serde(with = "one_or_many")]
    pub destination: Vec<String>,
    /// The group; by default the application's name. `"none"` is anonymous: an own copy, only new messages.
    #[serde(deserialize_with = "one_or_many::literal")]
    pub group: Option<String>,
    /// The binder instance; may be left out where there is one.
    pub binder: Option<String>,
    /// As an input.
    pub consumer: ConsumerSettings,
    /// As an output.
    pub producer: ProducerSettings,
}

/// The group's name that means: no group.
const ANONYMOUS: &str = "none";

impl BindingSettings {
    /// Whether the binding asks for no group: `group = "none"`.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.group.as_deref() == Some(ANONYMOUS)
    }

    /// The destinations of the binding `name`: those that are set, or the name itself.
    #[must_use]
    pub fn destinations(&self, name: &str) -> Vec<String> {
        if self.destination.is_empty() {
            vec![name.to_owned()]
        } else {
            self.destination.clone()
        }
    }

    /// The fields that are out of range.
    #[must_use]
    pub fn validate(&self) -> Vec<OutOfRange> {
        let named = self.destination.iter().all(|one| !one.is_empty());
        Ranges::default()
            .check(
                "destination",
                named,
                "has an empty name",
                "name the destination, or delete the line to use the binding's name",
            )
            .check(
                "group",
                self.group.as_deref() != Some(""),
                "is empty",
                "name the group, or write \"none\" for an anonymous one",
            )
            .within("consumer", self.consumer.validate())
            .within("producer", self.producer.validate())
            .found()
    }
}

impl Default for AppSettings {
    fn default() -> Self {
        Self {
            name: None,
            strict_bindings: false,
            drain: Duration::from_secs(25),
        }
    }
}

impl AppSettings {
    /// The fields that are out of range.
    #[must_use]
    pub fn validate(&self) -> Vec<OutOfRange> {
        Ranges::default()
            .check(
                "name",
                self.name.as_deref() != Some(""),
                "is empty",
                "name the application, or delete the line",
            )
            .check(
                "drain",
                self.drain <= Duration::from_secs(3600),
                "is too long",
                "use 0s to 1h (default 25s)",
            )
            .found()
    }
}

const PARTITIONS_HELP: &str = "use 1 to 100,000, or delete the line";

fn partitions_are_good(partitions: Option<u32>) -> bool {
    partitions.is_none_or(|count| (1..=100_000).contains(&count))
}
