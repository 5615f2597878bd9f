//! Destinations and groups before their first use.

use mq_core::{
    binder::{Capability, DestinationPlan, Drift, ProvisionReport},
    error::{Error, ErrorKind, Result},
    policy::{Provision, Start},
};

use super::{Broker, number, state::State};
use crate::{config::MAX_PARTITIONS, error};

impl State {
    /// Creates or verifies what is planned.
    pub(crate) fn provision(
        &mut self,
        plans: &[DestinationPlan],
        mode: Provision,
        broker: &Broker,
    ) -> Result<ProvisionReport> {
        match mode {
            Provision::Create => self.create_all(plans, broker),
            Provision::Verify => self.verify_all(plans),
            _ => Ok(ProvisionReport::default()),
        }
    }

    fn create_all(
        &mut self,
        plans: &[DestinationPlan],
        broker: &Broker,
    ) -> Result<ProvisionReport> {
        for plan in plans {
            check(plan, broker)?;
        }
        let mut report = ProvisionReport::default();
        for plan in plans {
            let destination = self.find(&plan.name).unwrap_or_else(|| {
                report.created.push(plan.name.to_string());
                self.create(
                    &plan.name,
                    plan.partitions.unwrap_or(broker.options.partitions),
                )
            });
            report.drift.extend(self.drift(destination, plan));
            for group in &plan.groups {
                if self.destinations[destination].group(group).is_none() {
                    report.created.push(format!("{}/{group}", plan.name));
                    self.provide(destination, group, broker);
                }
            }
        }
        Ok(report)
    }

    /// A group that nobody has subscribed yet: whether it begins with what is there already is decided by who does.
    fn provide(&mut self, destination: usize, name: &std::sync::Arc<str>, broker: &Broker) {
        let ends = self.destinations[destination]
            .logs
            .iter()
            .map(super::log::Log::end)
            .collect();
        let group = self.found(destination, Some(name.clone()), Start::Earliest, broker);
        self.destinations[destination].groups[group].founded = Some(ends);
    }

    fn drift(&self, destination: usize, plan: &DestinationPlan) -> Option<Drift> {
        let found = number(self.destinations[destination].logs.len());
        let wanted = plan.partitions.filter(|wanted| *wanted != found)?;
        Some(Drift {
            destination: plan.name.clone(),
            what: "partitions",
            wanted: wanted.to_string(),
            found: found.to_string(),
        })
    }

    fn verify_all(&self, plans: &[DestinationPlan]) -> Result<ProvisionReport> {
        let mut missing = Vec::new();
        let mut different = Vec::new();
        for plan in plans {
            let Some(destination) = self.find(&plan.name) else {
                missing.push(format!("destination `{}`", plan.name));
                continue;
            };
            different.extend(self.drift(destination, plan).map(|drift| drift.to_string()));
            let absent = plan
                .groups
                .iter()
                .filter(|group| self.destinations[destination].group(group).is_none());
            missing.extend(absent.map(|group| format!("group `{group}` of `{}`", plan.name)));
        }
        if missing.is_empty() && different.is_empty() {
            return Ok(ProvisionReport::default());
        }
        let kind = if missing.is_empty() {
            ErrorKind::Config
        } else {
            ErrorKind::NotFound
        };
        let missing = missing.into_iter().map(|what| format!("{what} is missing"));
        let problems: Vec<_> = missing.chain(different).collect();
        let text = format!(
            "{}; create what is missing, or set provision = \"create\"",
            problems.join(", ")
        );
        Err(Error::new(kind, text))
    }
}

fn check(plan: &DestinationPlan, broker: &Broker) -> Result<()> {
    match plan.partitions {
        Some(0) => Err(error::config("a destination needs at least 1 partition")
            .context("destination", &plan.name)),
        Some(wanted) if wanted > MAX_PARTITIONS => {
            let text = "a destination has at most 4096 partitions; ask for fewer";
            Err(error::config(text).context("destination", &plan.name))
        }
        Some(wanted) if wanted > 1 && !broker.options.has(Capability::Partitions) => {
            Err(error::unsupported("partitions").context("destination", &plan.name))
        }
        _ => Ok(()),
    }
}
