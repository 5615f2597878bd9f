//! How a kind of binder comes into being from settings.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use super::{Binder, Capabilities, ConsumerSpec, ProducerSpec};
use crate::{
    clock::Clock,
    config::{Node, Problems},
    error::Result,
};

/// What a connecting binder is told about its surroundings.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BinderContext {
    /// The instance's name in the settings.
    pub name: Arc<str>,
    /// The application's name.
    pub application: Arc<str>,
    /// The clock to use.
    pub clock: Clock,
}

impl BinderContext {
    /// With the system's clock.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, application: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            application: application.into(),
            clock: Clock::system(),
        }
    }

    /// Sets the clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}

/// A kind of binder: registered through `inventory` by a binder's crate, or given to the application builder by hand.
pub trait BinderFactory: Send + Sync + 'static {
    /// The word that `kind = "…"` names it by.
    fn kind(&self) -> &'static str;

    /// Reads the instance's settings with the binder's own struct (`deny_unknown_fields`), through [`Node::decode`].
    ///
    /// # Errors
    /// Everything that is wrong with the settings, each with path, place and fix.
    fn configure(&self, settings: &Node) -> Result<Box<dyn Connector>, Problems>;
}

/// Settings that are right: what can be known of an instance before its first connection.
#[async_trait]
pub trait Connector: Send + Sync + fmt::Debug {
    /// What the instance will be able to do for this consumer; bindings are checked against it before anything is connected.
    fn capabilities(&self, consumer: Option<&ConsumerSpec>) -> Capabilities;

    /// What is wrong with the options of the client library that a consumer asks for; nothing by default.
    fn check_consumer(&self, spec: &ConsumerSpec) -> Problems {
        let _ = spec;
        Problems::new()
    }

    /// What is wrong with the options of the client library that a producer asks for; nothing by default.
    fn check_producer(&self, spec: &ProducerSpec) -> Problems {
        let _ = spec;
        Problems::new()
    }

    /// Makes the instance. May return before the broker is reachable; the instance then reports itself as down.
    ///
    /// # Errors
    /// The instance can never work with these settings.
    async fn connect(&self, context: BinderContext) -> Result<Arc<dyn Binder>>;
}
