//! Whether a binder can do what a binding asks of it.

use super::plan::Planner;
use crate::{
    binder::{Capabilities, Capability, RetryState},
    config::{BindingSettings, Origin},
    listener::{Listener, Style},
    policy::{Exhausted, Guarantee, Ordering, Start},
    units::Short,
};

/// One binding against one binder.
struct Check<'a, 'b> {
    planner: &'a mut Planner<'b>,
    binding: &'a str,
    binder: String,
    capabilities: &'a Capabilities,
}

impl Planner<'_> {
    pub(super) fn check_input(
        &mut self,
        listener: &Listener,
        instance: &str,
        settings: &BindingSettings,
        capabilities: &Capabilities,
    ) {
        let kind = self
            .instances
            .get(instance)
            .map_or("", |instance| &instance.kind);
        let binder = format!("`{instance}` ({kind})");
        let mut check = Check {
            planner: self,
            binding: &listener.input,
            binder,
            capabilities,
        };
        check.group(settings);
        check.ordering(settings);
        check.delays(settings);
        check.reading(settings);
        check.idempotency(settings);
        check.style(listener, settings);
        check.guarantee(listener, settings, instance);
    }
}

impl Check<'_, '_> {
    fn refuse(&mut self, key: &str, problem: &str, help: &str) {
        let path = format!("bindings.{}.{key}", self.binding);
        self.planner.findings.value(&path, problem, help);
    }

    fn cannot(&mut self, key: &str, why: &str, help: &str) {
        let problem = format!("cannot be kept by binder {}: {why}", self.binder);
        self.refuse(key, &problem, help);
    }

    fn has(&self, capability: Capability) -> bool {
        self.capabilities.has(capability)
    }

    /// Whether somebody has written this down, rather than it being the default.
    fn is_set(&self, key: &str) -> bool {
        self.planner
            .config
            .origin(&format!("bindings.{}.{key}", self.binding))
            != Origin::Default
    }

    fn group(&mut self, settings: &BindingSettings) {
        if settings.is_anonymous() && !self.has(Capability::AnonymousGroups) {
            self.cannot("group", "it has no anonymous groups", "name a group");
        }
        if settings.is_anonymous() && !settings.consumer.retry.delayed.is_empty() {
            let help = "name a group, or remove `delayed`: an anonymous group keeps nothing while the service is down";
            self.refuse("consumer.retry.delayed", "needs a named group", help);
        }
    }

    fn ordering(&mut self, settings: &BindingSettings) {
        let partitions = self.has(Capability::Partitions);
        match settings.consumer.ordering {
            Ordering::Key
                if !partitions
                    && !self.has(Capability::KeyOrder)
                    && self.is_set("consumer.ordering") =>
            {
                let why = "it has neither ordered partitions nor key order";
                self.cannot(
                    "consumer.ordering",
                    why,
                    "use a destination with partitions, or ordering = \"none\"",
                );
            }
            Ordering::Partition if !partitions => {
                self.cannot(
                    "consumer.ordering",
                    "it has no partitions",
                    "use ordering = \"key\" or \"none\"",
                );
            }
            _ => {}
        }
        if settings.consumer.exhausted == Exhausted::Requeue && !self.capabilities.settles_each() {
            let why = "it only knows positions, and cannot give a single message back";
            self.cannot(
                "consumer.exhausted",
                why,
                "use \"dead_letter\", \"stop\" or \"discard\"",
            );
        }
    }

    fn delays(&mut self, settings: &BindingSettings) {
        let Some(limit) = self.capabilities.max_unsettled else {
            return;
        };
        let longest = settings.consumer.retry.delayed.iter().max();
        if let Some(longest) = longest
            .filter(|longest| settings.consumer.ordering != Ordering::None && **longest > limit)
        {
            let why = format!(
                "with order, a message is held for {}, and the broker takes it back after {}",
                Short(*longest),
                Short(limit)
            );
            self.cannot(
                "consumer.retry.delayed",
                &why,
                "use shorter delays, or ordering = \"none\"",
            );
        }
    }

    fn reading(&mut self, settings: &BindingSettings) {
        let consumer = &settings.consumer;
        if consumer.filter.is_some() && !self.has(Capability::Filter) {
            self.cannot(
                "consumer.filter",
                "it has no filters",
                "remove it, and filter in the listener by returning `None`",
            );
        }
        if matches!(consumer.start, Start::Time(_) | Start::Position(_))
            && !self.has(Capability::Seek)
        {
            self.cannot(
                "consumer.start",
                "it cannot seek",
                "use \"earliest\" or \"latest\"",
            );
        }
    }

    fn idempotency(&mut self, settings: &BindingSettings) {
        let by_id = |policy: &crate::policy::IdempotencyPolicy| {
            policy.key.as_deref().unwrap_or("id") == "id"
        };
        if settings.consumer.idempotency.as_ref().is_some_and(by_id)
            && !self.has(Capability::StableIds)
        {
            let help = "set `idempotency.key` to `key` or `header:<name>`";
            self.cannot(
                "consumer.idempotency",
                "its messages have no ids that redelivery keeps",
                help,
            );
        }
    }

    fn guarantee(&mut self, listener: &Listener, settings: &BindingSettings, instance: &str) {
        if settings.consumer.guarantee != Guarantee::ExactlyOnce {
            return;
        }
        if !self.has(Capability::Transactions) {
            self.cannot(
                "consumer.guarantee",
                "it has no transactions",
                "use \"at_least_once\" with `idempotency`",
            );
        }
        self.records_what_is_done(settings);
        if !listener.publishes.is_empty() {
            let help = "return the outputs instead: what an `Output` parameter sends is not part of the transaction";
            self.refuse(
                "consumer.guarantee",
                "does not go with an `Output` parameter",
                help,
            );
        }
        for output in &listener.outputs {
            if self
                .planner
                .binder_of(output)
                .is_some_and(|other| other != instance)
            {
                let problem =
                    format!("cannot include output `{output}`, which is on another binder");
                self.refuse(
                    "consumer.guarantee",
                    &problem,
                    "put both on one binder, or use \"at_least_once\"",
                );
            }
        }
    }

    /// What is finished above a committed position is repeated after a loss, unless it is recorded or nothing is out of order.
    fn records_what_is_done(&mut self, settings: &BindingSettings) {
        let is_in_order = settings.consumer.ordering == Ordering::Partition;
        let records =
            self.capabilities.settles_each() || self.capabilities.retry_state != RetryState::None;
        if !is_in_order && !records {
            self.cannot(
                "consumer.guarantee",
                "it only knows positions, and records nothing of what is finished above them",
                "use ordering = \"partition\", or \"at_least_once\" with `idempotency`",
            );
        }
    }

    fn style(&mut self, listener: &Listener, settings: &BindingSettings) {
        if listener.style() == Style::Single && settings.consumer.batch.is_some() {
            let help = format!(
                "take a `Batch<…>` in `{}` ({}), or remove it",
                listener.name, listener.location
            );
            self.refuse(
                "consumer.batch",
                "is set, but the listener takes one message at a time",
                &help,
            );
        }
    }
}
