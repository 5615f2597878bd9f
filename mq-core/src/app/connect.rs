//! Binder instances: configured or given, then connected and provisioned.

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::{
    binder::{
        Binder, BinderContext, Capabilities, Connector, ConsumerSpec, DestinationPlan, ProducerSpec,
    },
    clock::Clock,
    config::Problems,
    error::Result,
    output::BinderSlot,
    policy::Provision,
};

/// A binder instance of the application.
pub(super) struct Instance {
    pub(super) name: Arc<str>,
    pub(super) kind: String,
    pub(super) slot: BinderSlot,
    connector: Option<Box<dyn Connector>>,
    /// What its bindings need, by how it is to come about.
    pub(super) needs: Vec<(Provision, DestinationPlan)>,
}

impl Instance {
    pub(super) fn given(name: &str, binder: Arc<dyn Binder>) -> Self {
        Self {
            name: name.into(),
            kind: "given".to_owned(),
            slot: binder.into(),
            connector: None,
            needs: Vec::new(),
        }
    }

    pub(super) fn configured(name: &str, kind: &str, connector: Box<dyn Connector>) -> Self {
        let slot = BinderSlot::default();
        Self {
            name: name.into(),
            kind: kind.to_owned(),
            slot,
            connector: Some(connector),
            needs: Vec::new(),
        }
    }

    /// Whether it existed before the application.
    pub(super) fn is_given(&self) -> bool {
        self.connector.is_none()
    }

    pub(super) fn capabilities(&self, spec: Option<&ConsumerSpec>) -> Capabilities {
        match (&self.connector, self.slot.get()) {
            (Some(connector), _) => connector.capabilities(spec),
            (None, Ok(binder)) => binder.capabilities().clone(),
            (None, Err(_)) => Capabilities::default(),
        }
    }

    /// What is wrong with the options of the client library; a given instance was checked by whoever made it.
    pub(super) fn check_consumer(&self, spec: &ConsumerSpec) -> Problems {
        let connector = self.connector.as_ref();
        connector.map_or_else(Problems::new, |connector| connector.check_consumer(spec))
    }

    /// The same for what writes.
    pub(super) fn check_producer(&self, spec: &ProducerSpec) -> Problems {
        let connector = self.connector.as_ref();
        connector.map_or_else(Problems::new, |connector| connector.check_producer(spec))
    }

    pub(super) fn needs(&mut self, provision: Provision, plan: DestinationPlan) {
        let same = |(mode, need): &&mut (Provision, DestinationPlan)| {
            *mode == provision && need.name == plan.name
        };
        match self.needs.iter_mut().find(same) {
            Some((_, need)) => {
                need.partitions = need.partitions.max(plan.partitions);
                need.like.extend(plan.like);
                need.groups.extend(
                    plan.groups
                        .into_iter()
                        .filter(|group| !need.groups.contains(group))
                        .collect::<Vec<_>>(),
                );
            }
            None => self.needs.push((provision, plan)),
        }
    }

    /// Connects, and waits for the broker as long as it takes to create or verify what the bindings need.
    pub(super) async fn connect(
        &mut self,
        application: &Arc<str>,
        clock: Clock,
    ) -> Result<Arc<dyn Binder>> {
        if let Some(connector) = &self.connector {
            let context = BinderContext::new(self.name.clone(), application.clone()).clock(clock);
            self.slot.fill(connector.connect(context).await?);
        }
        let binder = self.slot.get()?.clone();
        for mode in [Provision::Create, Provision::Verify] {
            let plans: Vec<_> = self
                .needs
                .iter()
                .filter(|(m, _)| *m == mode)
                .map(|(_, plan)| plan.clone())
                .collect();
            if !plans.is_empty() {
                self.provision(&*binder, &plans, mode).await?;
            }
        }
        Ok(binder)
    }

    async fn provision(
        &self,
        binder: &dyn Binder,
        plans: &[DestinationPlan],
        mode: Provision,
    ) -> Result<()> {
        let mut wait = Duration::from_millis(100);
        loop {
            match binder.provision(plans, mode).await {
                Ok(report) => {
                    for drift in &report.drift {
                        tracing::warn!(binder = &*self.name, "{drift}; left as it is");
                    }
                    return Ok(());
                }
                Err(error) if error.is_temporary() => {
                    tracing::warn!(binder = &*self.name, error = %error.chain(), ?wait, "broker is away; trying again");
                    sleep(wait).await;
                    wait = (wait * 2).min(Duration::from_secs(15));
                }
                Err(error) => return Err(error.context("binder", &self.name)),
            }
        }
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
