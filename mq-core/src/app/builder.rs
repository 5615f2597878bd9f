//! Putting an application together.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use super::{BindingBuilder, Planned};
use crate::{
    binder::{Binder, BinderFactory, Deliveries, Delivery},
    clock::Clock,
    codec::{Codec, Codecs},
    config::{Config, Problems, Value},
    extract::States,
    function::{IntoProcessor, IntoSink, IntoSource, SourceListener},
    idempotency::IdempotencyStore,
    listener::{BatchFunction, LayerOf, Listener, UserLayers, only_batch, only_single},
    registry,
};

/// An application in the making.
///
/// [`App::new`] collects what the attributes have registered and reads settings and environment; [`App::builder`] begins with
/// nothing and takes what it is given.
#[derive(Debug)]
#[must_use = "an application does nothing until it is run"]
pub struct App {
    pub(super) listeners: Vec<Listener>,
    pub(super) sources: Vec<SourceListener>,
    pub(super) states: States,
    pub(super) codecs: Codecs,
    pub(super) layers: UserLayers,
    pub(super) bindings: BTreeMap<String, BindingBuilder>,
    pub(super) config: Config,
    pub(super) kinds: Vec<&'static dyn BinderFactory>,
    pub(super) binders: BTreeMap<String, Arc<dyn Binder>>,
    pub(super) stores: BTreeMap<String, Arc<dyn IdempotencyStore>>,
    pub(super) clock: Clock,
}

impl std::fmt::Debug for &'static dyn BinderFactory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind())
    }
}

/// The name of one output binding, or the names of several: `"invoices"`, `["invoices", "refunds"]`.
pub trait OutputNames {
    /// The names, in order.
    fn names(self) -> Vec<String>;
}

impl OutputNames for &str {
    fn names(self) -> Vec<String> {
        vec![self.to_owned()]
    }
}

impl OutputNames for String {
    fn names(self) -> Vec<String> {
        vec![self]
    }
}

impl<const N: usize> OutputNames for [&str; N] {
    fn names(self) -> Vec<String> {
        self.map(str::to_owned).into()
    }
}

/// How an application comes into being.
impl App {
    /// Every registered listener and source, the settings of `mq.toml` or `mq.yaml` with profiles and environment.
    pub fn new() -> Self {
        Self::registered(Config::load())
    }

    /// Every registered listener and source, and the settings of this file with profiles and environment.
    pub fn from_config(path: impl Into<PathBuf>) -> Self {
        Self::registered(Config::file(path))
    }

    /// Nothing but the registered kinds of binders; listeners, sources and settings are given.
    pub fn builder() -> Self {
        registry::install_failure_readers();
        Self {
            listeners: Vec::new(),
            sources: Vec::new(),
            states: States::default(),
            codecs: Codecs::default(),
            layers: UserLayers::default(),
            bindings: BTreeMap::new(),
            config: Config::empty(),
            kinds: registry::binder_kinds(),
            binders: BTreeMap::new(),
            stores: BTreeMap::new(),
            clock: Clock::system(),
        }
    }

    fn registered(config: Config) -> Self {
        Self {
            listeners: registry::listeners(),
            sources: registry::sources(),
            ..Self::builder().config(config)
        }
    }
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

/// What an application is given.
impl App {
    /// Replaces the settings.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets a key of the settings, over file and environment: `.set("bindings.orders.group", "billing")`.
    #[track_caller]
    pub fn set(mut self, path: &str, value: impl Into<Value>) -> Self {
        self.config = self.config.set(path, value);
        self
    }

    /// Gives a state, which listeners take as `State<T>`. `.state::<Arc<dyn Bank>>(…)` names the type to take.
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.insert(value);
        self
    }

    /// Derives a state from one given before: `.substate(|shop: &Shop| shop.db.clone())`.
    ///
    /// Without a state of type `S` nothing is derived, and a listener that wants `T` is refused at start.
    pub fn substate<S, T>(mut self, derive: impl FnOnce(&S) -> T) -> Self
    where
        S: Clone + 'static,
        T: Clone + Send + Sync + 'static,
    {
        if let Some(state) = self.states.get::<S>() {
            self.states.insert(derive(&state));
        }
        self
    }

    /// Adds a codec for payloads taken as `Payload<T>`.
    pub fn codec(mut self, codec: impl Codec) -> Self {
        self.codecs = self.codecs.with(codec);
        self
    }

    /// Adds a tower layer around every listener. Each binding gets a service of its own from it: one rate limit per binding.
    ///
    /// It stands outside of retry and dead-lettering, and sees every attempt.
    pub fn layer(mut self, layer: impl LayerOf<Delivery> + LayerOf<Deliveries>) -> Self {
        self.layers.push(layer);
        self
    }

    /// Adds a layer that only knows single deliveries; refused at start where there is a batch listener.
    pub fn layer_single(mut self, layer: impl LayerOf<Delivery>) -> Self {
        self.layers.push_erased(only_single(layer));
        self
    }

    /// Adds a layer that only knows batches; refused at start where there is a listener of single messages.
    pub fn layer_batch(mut self, layer: impl LayerOf<Deliveries>) -> Self {
        self.layers.push_erased(only_batch(layer));
        self
    }

    /// Says something of one binding.
    pub fn binding(
        mut self,
        name: impl Into<String>,
        change: impl FnOnce(BindingBuilder) -> BindingBuilder,
    ) -> Self {
        let binding = self.bindings.entry(name.into()).or_default();
        *binding = change(std::mem::take(binding));
        self
    }

    /// Gives a binder instance that exists already, instead of one made from settings.
    ///
    /// The application does not close it: it may serve several applications, one after the other or at once.
    pub fn binder(mut self, name: impl Into<String>, binder: Arc<dyn Binder>) -> Self {
        self.binders.insert(name.into(), binder);
        self
    }

    /// Adds a kind of binder that is not registered.
    pub fn binder_kind(mut self, factory: &'static dyn BinderFactory) -> Self {
        self.kinds.insert(0, factory);
        self
    }

    /// Gives a store for idempotency.
    pub fn store(mut self, name: impl Into<String>, store: Arc<dyn IdempotencyStore>) -> Self {
        self.stores.insert(name.into(), store);
        self
    }

    /// Sets the clock; tests give a virtual one.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}

/// Parts.
impl App {
    /// Adds a listener.
    pub fn listener(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Adds a source, as `#[stream_source]` makes it.
    pub fn source_listener(mut self, source: SourceListener) -> Self {
        self.sources.push(source);
        self
    }

    /// Adds a source: a type that implements `Source`, or `every("1s", …)`.
    #[track_caller]
    pub fn source<M>(self, output: impl Into<String>, source: impl IntoSource<M>) -> Self {
        let output = output.into();
        let listener = SourceListener::new(output.clone(), source.into_source()).output(output);
        self.source_listener(listener)
    }

    /// Adds a processor: a type that implements `Processor`, or an async function or closure that returns outputs.
    #[track_caller]
    pub fn processor<M>(
        self,
        input: impl Into<String>,
        outputs: impl OutputNames,
        processor: impl IntoProcessor<M>,
    ) -> Self {
        let input = input.into();
        let mut listener = Listener::new(input.clone(), input, processor.into_processor());
        listener.outputs = outputs.names();
        self.listener(listener)
    }

    /// Adds a sink: a type that implements `Sink`, or an async function or closure that returns no output.
    #[track_caller]
    pub fn sink<M>(self, input: impl Into<String>, sink: impl IntoSink<M>) -> Self {
        let input = input.into();
        let listener = Listener::new(input.clone(), input, sink.into_sink());
        self.listener(listener)
    }

    /// Adds an async function or closure that takes a `Batch` and returns no output.
    #[track_caller]
    pub fn batch_sink<M>(self, input: impl Into<String>, function: impl BatchFunction<M>) -> Self {
        let input = input.into();
        let listener = Listener::new(input.clone(), input, function.into_body());
        self.listener(listener)
    }

    /// Adds an async function or closure that takes a `Batch` and returns outputs.
    #[track_caller]
    pub fn batch_processor<M>(
        self,
        input: impl Into<String>,
        outputs: impl OutputNames,
        function: impl BatchFunction<M>,
    ) -> Self {
        let input = input.into();
        let mut listener = Listener::new(input.clone(), input, function.into_body());
        listener.outputs = outputs.names();
        self.listener(listener)
    }

    /// Checks everything that can be checked before the first connection.
    ///
    /// # Errors
    /// Every problem at once, each with its place and how to fix it; nothing was started.
    pub fn build(self) -> Result<Planned, Problems> {
        super::plan::plan(&self)
    }
}
