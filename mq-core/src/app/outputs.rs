//! The output bindings and the sources of the plan.

use std::{collections::BTreeSet, sync::Arc};

use super::{plan::Planner, problems::list};
use crate::{
    binder::{DestinationPlan, ProducerSpec},
    binding::SourcePlan,
    config::nearest,
    extract::Preparation,
    listener::ANY_OUTPUTS,
    output::{KeyRule, Outlet, OutletOptions},
    telemetry::BindingMetrics,
};

impl Planner<'_> {
    /// Every binding that something publishes to, and every configured one that could be.
    pub(super) fn plan_outputs(&mut self) {
        let used = self
            .app
            .listeners
            .iter()
            .flat_map(|listener| listener.outputs.iter().chain(&listener.publishes));
        let sources = self
            .app
            .sources
            .iter()
            .flat_map(|source| source.outputs.iter().chain(&source.publishes));
        let configured = self.settings.bindings.keys();
        let names: BTreeSet<String> = used.chain(sources).chain(configured).cloned().collect();
        for name in names {
            self.plan_output(&name);
        }
    }

    fn plan_output(&mut self, name: &str) {
        let Some(instance) = self.binder_of(name) else {
            return;
        };
        let settings = self
            .settings
            .bindings
            .get(name)
            .cloned()
            .unwrap_or_default();
        let destination: Arc<str> = settings.destinations(name).swap_remove(0).into();
        let mut options = OutletOptions::new(ProducerSpec::new(destination.clone()));
        options.spec.binding = name.into();
        options.spec.native = settings.producer.native.clone();
        options.content_type = settings.producer.content_type.clone().map(Into::into);
        options.max_payload = settings.producer.max_payload;
        if let Some(key) = &settings.producer.key {
            match KeyRule::parse(key) {
                Ok(rule) => options.key = Some(rule),
                Err(help) => {
                    let help = help
                        .split_once(": ")
                        .map_or(help.clone(), |(_, forms)| forms.to_owned());
                    self.findings.value(
                        &format!("bindings.{name}.producer.key"),
                        "names no key",
                        help,
                    );
                }
            }
        }
        let Some(instance) = self.instances.get_mut(&instance) else {
            return;
        };
        self.findings.all(instance.check_producer(&options.spec));
        if self.app.publishes_to(name) {
            let mut plan = DestinationPlan::new(destination);
            plan.partitions = settings.producer.partitions;
            plan.groups = settings
                .producer
                .required_groups
                .iter()
                .map(|group| group.as_str().into())
                .collect();
            instance.needs(settings.producer.provision, plan);
        }
        self.outlets.insert(Arc::new(Outlet::new(
            instance.slot.clone(),
            options,
            BindingMetrics::shared(),
        )));
    }

    /// The outlets of these outputs; nothing if one could not be planned.
    pub(super) fn outlets_of(&self, outputs: &[String]) -> Option<Vec<Arc<Outlet>>> {
        outputs
            .iter()
            .map(|name| self.outlets.get(name).ok().cloned())
            .collect()
    }

    pub(super) fn check_output_count(
        &mut self,
        name: &str,
        location: crate::listener::Location,
        feeds: u16,
        outputs: usize,
    ) {
        if usize::from(feeds) == outputs || feeds == ANY_OUTPUTS {
            return;
        }
        let (message, help) = match (feeds, outputs) {
            (0, _) => (
                "returns nothing to publish, but has an output",
                "return `Json(value)`, or remove the output",
            ),
            (_, 0) => (
                "returns something to publish, but has no output",
                "name an output, or return `()`",
            ),
            _ => (
                "returns values for a different number of outputs than it has",
                "return a tuple with one value for each output",
            ),
        };
        self.findings.other(
            format!("`{name}` ({location}) {message} ({feeds} returned, {outputs} named)"),
            help,
        );
    }

    pub(super) fn plan_sources(&mut self) -> Vec<SourcePlan> {
        let app = self.app;
        app.sources
            .iter()
            .filter_map(|source| {
                self.check_output_count(
                    &source.name,
                    source.location,
                    source.body.outputs(),
                    source.outputs.len(),
                );
                let mut start = Preparation::new(
                    &app.states,
                    &app.codecs,
                    &self.outlets,
                    &source.name,
                    &source.publishes,
                );
                let prepared = source.body.prepare(&mut start);
                match (prepared, self.outlets_of(&source.outputs)) {
                    (Ok(task), Some(outlets)) => Some(SourcePlan {
                        source: source.clone(),
                        task,
                        outlets,
                        drain: self.settings.app.drain,
                    }),
                    (Err(error), _) => {
                        self.findings
                            .function(&source.name, source.location, &error);
                        None
                    }
                    (Ok(_), None) => None,
                }
            })
            .collect()
    }

    /// Bindings in the settings that nothing uses.
    pub(super) fn check_bindings(&mut self) {
        let inputs: BTreeSet<&str> = self
            .app
            .listeners
            .iter()
            .map(|listener| listener.input.as_str())
            .collect();
        for name in self.settings.bindings.keys() {
            let has_consumer = self
                .config
                .tree()
                .get("bindings")
                .and_then(|all| all.get(name))
                .is_some_and(|b| b.get("consumer").is_some());
            if has_consumer && !inputs.contains(name.as_str()) {
                let help = match nearest(name, inputs.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if inputs.is_empty() => "there are no listeners".to_owned(),
                    None => format!("there are listeners on {}", list(&inputs)),
                };
                self.findings.value(
                    &format!("bindings.{name}.consumer"),
                    "is a binding without a listener",
                    help,
                );
            }
        }
        if self.settings.app.strict_bindings {
            for name in inputs
                .into_iter()
                .filter(|name| !self.settings.bindings.contains_key(*name))
            {
                let help = format!("add `[bindings.{name}]`, or turn `app.strict_bindings` off");
                self.findings.other(format!("listener on `{name}` has no binding in the settings, and `app.strict_bindings` is on"), help);
            }
        }
    }
}

impl super::App {
    /// Whether a function publishes to this binding.
    pub(super) fn publishes_to(&self, name: &str) -> bool {
        let listeners = self
            .listeners
            .iter()
            .flat_map(|listener| listener.outputs.iter().chain(&listener.publishes));
        let sources = self
            .sources
            .iter()
            .flat_map(|source| source.outputs.iter().chain(&source.publishes));
        listeners.chain(sources).any(|output| output == name)
    }
}
