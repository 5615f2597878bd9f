//! The input bindings of the plan.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::plan::Planner;
use crate::{
    binder::{Capabilities, Capability, ConsumerSpec, DestinationPlan, Naming, ProducerSpec},
    binding::{InputPlan, RetryDestination},
    config::{BindingSettings, ConsumerSettings},
    extract::Preparation,
    idempotency::{IdempotencyStore, KeySource, MemoryIdempotencyStore, Scope},
    listener::{BuildOptions, Listener, Ready, Style, UserLayers},
    message::IdSeed,
    middleware::{IdempotencyLayer, IdempotencyOptions, LetterOptions, Pulse, StackOptions},
    output::{Outlet, OutletOptions},
    policy::{Guarantee, IdempotencyPolicy, Ordering},
    telemetry::BindingMetrics,
    units::Short,
};

impl Planner<'_> {
    pub(super) fn plan_inputs(&mut self) -> Vec<InputPlan> {
        let app = self.app;
        let mut taken: BTreeSet<&str> = BTreeSet::new();
        let mut plans = Vec::new();
        for listener in &app.listeners {
            if !taken.insert(&listener.input) {
                self.two_listeners(listener);
                continue;
            }
            if self
                .settings
                .bindings
                .get(&listener.input)
                .is_none_or(|binding| binding.consumer.enabled)
            {
                plans.extend(self.plan_input(listener));
            }
        }
        plans
    }

    fn two_listeners(&mut self, second: &Listener) {
        let first = self
            .app
            .listeners
            .iter()
            .find(|listener| listener.input == second.input);
        let first = first.map_or_else(String::new, |first| {
            format!(" and `{}` ({})", first.name, first.location)
        });
        self.findings.other(
            format!(
                "two listeners on `{}`: `{}` ({}){first}",
                second.input, second.name, second.location
            ),
            "give each an input of its own, or make one function of them",
        );
    }

    fn plan_input(&mut self, listener: &Listener) -> Option<InputPlan> {
        self.check_output_count(
            &listener.name,
            listener.location,
            listener.body.outputs(),
            listener.outputs.len(),
        );
        let ready = self.prepare(listener);
        let settings = self
            .settings
            .bindings
            .get(&listener.input)
            .cloned()
            .unwrap_or_default();
        let instance = self.binder_of(&listener.input)?;
        let mut spec = self.spec(listener, &settings);
        if let Some(instance) = self.instances.get(&instance) {
            self.findings.all(instance.check_consumer(&spec));
        }
        let capabilities = self.capabilities(&instance, Some(&spec));
        self.check_input(listener, &instance, &settings, &capabilities);
        let retry_destinations = retry_destinations(&spec, &settings.consumer, &capabilities);
        let letters = letters(&spec, &settings.consumer, capabilities.naming);
        let mut letters_plan = DestinationPlan::new(letters.destination.clone());
        letters_plan.like.clone_from(&spec.destinations);
        spec.destinations
            .extend(retry_destinations.iter().map(|retry| retry.name.clone()));
        self.needs(&instance, &settings, &spec, letters_plan);
        let build = self.build_options(listener, &settings.consumer, &spec)?;
        let letter_outlet = self.letter_outlet(&instance, &letters, &build.stack.metrics)?;
        let outlets = self.outlets_of(&listener.outputs)?;
        let consumer = settings.consumer;
        Some(InputPlan {
            name: listener.input.as_str().into(),
            listener: listener.clone(),
            binder: self.instances.get(&instance)?.slot.clone(),
            binder_name: instance.into(),
            capabilities,
            spec,
            retry_destinations,
            ordering: consumer.ordering,
            window: consumer.window,
            max_payload: consumer.max_payload,
            require_key: consumer.require_key,
            exhausted: consumer.exhausted,
            letters,
            build,
            ready: ready?,
            outlets,
            letter_outlet,
            transactional: consumer.guarantee == Guarantee::ExactlyOnce,
            drain: self.settings.app.drain,
            clock: self.app.clock,
        })
    }

    fn prepare(&mut self, listener: &Listener) -> Option<Box<dyn Ready>> {
        let seed = |output: &String| IdSeed::new(&[&listener.name, output]);
        let seeds: Arc<[IdSeed]> = listener.outputs.iter().map(seed).collect();
        let app = self.app;
        let mut start = Preparation::new(
            &app.states,
            &app.codecs,
            &self.outlets,
            &listener.name,
            &listener.publishes,
        );
        match listener.body.prepare(&mut start, seeds) {
            Ok(ready) => Some(ready),
            Err(error) => {
                self.findings
                    .function(&listener.name, listener.location, &error);
                None
            }
        }
    }

    fn spec(&self, listener: &Listener, settings: &BindingSettings) -> ConsumerSpec {
        let group = (!settings.is_anonymous()).then(|| {
            settings
                .group
                .clone()
                .unwrap_or_else(|| self.name.to_string())
        });
        let mut spec = ConsumerSpec::new(listener.input.as_str(), group.as_deref());
        spec.destinations = settings
            .destinations(&listener.input)
            .into_iter()
            .map(Into::into)
            .collect();
        spec.start = settings.consumer.start;
        spec.filter.clone_from(&settings.consumer.filter);
        spec.window = settings.consumer.window.messages;
        spec.max_payload = settings.consumer.max_payload;
        spec.native = settings.consumer.native.clone();
        spec
    }

    fn build_options(
        &mut self,
        listener: &Listener,
        settings: &ConsumerSettings,
        spec: &ConsumerSpec,
    ) -> Option<BuildOptions> {
        let metrics = BindingMetrics::shared();
        let idempotency = match &settings.idempotency {
            None => None,
            Some(policy) => {
                Some(self.idempotency(listener, (policy, settings.ordering), spec, &metrics)?)
            }
        };
        let none = UserLayers::default();
        let own = self
            .app
            .bindings
            .get(&listener.input)
            .map_or(&none, |binding| &binding.layers);
        let stack = StackOptions {
            binding: listener.input.as_str().into(),
            metrics,
            pulse: Pulse::new(),
            retry: settings.retry.clone(),
            exhausted: settings.exhausted,
            breaker: settings.circuit_breaker.clone(),
            idempotency,
            timeout: settings.timeout,
        };
        let batch = match listener.style() {
            Style::Single => crate::policy::BatchPolicy::default(),
            Style::Batch => settings.batch.clone().unwrap_or_default(),
        };
        // Batches of an ordered binding go one after the other, so that a key is in one batch at a time.
        let ordered_batches =
            listener.style() == Style::Batch && settings.ordering != Ordering::None;
        let concurrency = if ordered_batches {
            1
        } else {
            settings.concurrency
        };
        Some(BuildOptions {
            stack,
            concurrency,
            batch,
            layers: self.app.layers.around(own),
        })
    }

    fn idempotency(
        &mut self,
        listener: &Listener,
        (policy, ordering): (&IdempotencyPolicy, Ordering),
        spec: &ConsumerSpec,
        metrics: &Arc<BindingMetrics>,
    ) -> Option<IdempotencyLayer> {
        let path = format!("bindings.{}.consumer.idempotency", listener.input);
        let store = self.store(&path, &policy.store)?;
        let Ok(key) = KeySource::of(policy) else {
            self.findings.value(
                &format!("{path}.key"),
                "names no key",
                "write `id`, `key` or `header:<name>`",
            );
            return None;
        };
        let group = spec.group.as_deref().unwrap_or("none");
        let scope = match Scope::new(group, &listener.name) {
            Ok(scope) => scope,
            Err(error) => {
                self.findings
                    .function(&listener.name, listener.location, &error);
                return None;
            }
        };
        let (lease, window) = (policy.lease, policy.ttl);
        Some(IdempotencyLayer::new(IdempotencyOptions {
            store,
            scope,
            key,
            lease,
            window,
            ordering,
            metrics: metrics.clone(),
        }))
    }

    fn store(&mut self, path: &str, name: &str) -> Option<Arc<dyn IdempotencyStore>> {
        if let Some(store) = self.app.stores.get(name) {
            return Some(store.clone());
        }
        let configured = self.settings.stores.get(name);
        if configured.is_some_and(|store| store.kind == "memory") {
            return Some(Arc::new(MemoryIdempotencyStore::new(self.app.clock)));
        }
        let (problem, help) = match configured {
            Some(store) => (
                "names a store of a kind that is not built in",
                format!("its kind is `{}`; built in: `memory`", store.kind),
            ),
            None => (
                "names no store",
                format!(
                    "add `[stores.{name}]` with a kind, or give one with `.store(\"{name}\", …)`"
                ),
            ),
        };
        self.findings.value(path, problem, help);
        None
    }

    fn letter_outlet(
        &self,
        instance: &str,
        letters: &LetterOptions,
        metrics: &Arc<BindingMetrics>,
    ) -> Option<Arc<Outlet>> {
        let instance = self.instances.get(instance)?;
        let options = OutletOptions::new(ProducerSpec::new(letters.destination.clone()));
        // Dead letters are counted by the loop; what else goes out here is not the listener's.
        let _ = metrics;
        Some(Arc::new(Outlet::new(
            instance.slot.clone(),
            options,
            BindingMetrics::shared(),
        )))
    }

    /// What must be there before the first message.
    fn needs(
        &mut self,
        instance: &str,
        settings: &BindingSettings,
        spec: &ConsumerSpec,
        letters: DestinationPlan,
    ) {
        let Some(instance) = self.instances.get_mut(instance) else {
            return;
        };
        let provision = settings.consumer.provision;
        for destination in &spec.destinations {
            let mut plan = DestinationPlan::new(destination.clone());
            plan.partitions = settings.consumer.partitions;
            plan.groups = spec.group.iter().cloned().collect();
            instance.needs(provision, plan);
        }
        instance.needs(provision, letters);
    }
}

/// What the binder calls the destination by default, or what the settings say.
fn letters(spec: &ConsumerSpec, settings: &ConsumerSettings, naming: Naming) -> LetterOptions {
    let first = spec
        .destinations
        .first()
        .map_or("", |destination| destination);
    let default = naming.dead_letters(first, spec.group.as_deref());
    let max_metadata = usize::try_from(settings.dead_letter.max_metadata).unwrap_or(usize::MAX);
    let destination = settings
        .dead_letter
        .destination
        .clone()
        .unwrap_or(default)
        .into();
    LetterOptions {
        destination,
        group: spec.group.clone(),
        max_metadata,
    }
}

/// Retry destinations, where delayed attempts without order need them.
fn retry_destinations(
    spec: &ConsumerSpec,
    settings: &ConsumerSettings,
    capabilities: &Capabilities,
) -> Vec<RetryDestination> {
    let native = capabilities.settles_each() && capabilities.has(Capability::DelayedRedelivery);
    let Some(group) = spec
        .group
        .as_ref()
        .filter(|_| !native && settings.ordering != Ordering::Partition)
    else {
        return Vec::new();
    };
    let of = |destination: &Arc<str>, delay: Duration| RetryDestination {
        delay,
        name: format!("{destination}.{group}.retry.{}", Short(delay)).into(),
        of: destination.clone(),
    };
    let mut delays = settings.retry.delayed.clone();
    delays.sort_unstable();
    delays.dedup();
    spec.destinations
        .iter()
        .flat_map(|destination| delays.iter().map(move |delay| of(destination, *delay)))
        .collect()
}
