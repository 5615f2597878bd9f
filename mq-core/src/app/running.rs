//! An application that runs.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::task::JoinSet;

use super::Planned;
use crate::{
    binder::{Binder, Health},
    binding::{
        BindingHandle, BindingState, Command, DrainReport, InputPlan, run_input, run_source,
    },
    error::{Error, Result},
    extract::Output,
    output::Outlets,
};

/// What an application is asked through while it runs; cheap to clone.
#[derive(Clone, Debug)]
pub struct AppHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: Arc<str>,
    binders: BTreeMap<String, Arc<dyn Binder>>,
    /// Made from settings, and so closed when the application stops.
    own_binders: Vec<Arc<dyn Binder>>,
    outlets: Outlets,
    inputs: BTreeMap<String, (Arc<InputPlan>, BindingHandle)>,
    sources: BTreeMap<String, BindingHandle>,
}

impl AppHandle {
    /// The application's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The input binding of this name.
    #[must_use]
    pub fn binding(&self, name: &str) -> Option<&BindingHandle> {
        self.0.inputs.get(name).map(|(_, handle)| handle)
    }

    /// Every input binding, by name.
    pub fn bindings(&self) -> impl Iterator<Item = &BindingHandle> {
        self.0.inputs.values().map(|(_, handle)| handle)
    }

    /// Every source, by name.
    pub fn sources(&self) -> impl Iterator<Item = &BindingHandle> {
        self.0.sources.values()
    }

    pub(super) fn inputs(&self) -> impl Iterator<Item = &(Arc<InputPlan>, BindingHandle)> {
        self.0.inputs.values()
    }

    /// A typed publisher to an output binding.
    ///
    /// # Errors
    /// There is no such output binding.
    pub fn output<T: Serialize + ?Sized>(&self, name: &str) -> Result<Output<T>> {
        Ok(Output::new(self.0.outlets.get(name)?.clone()))
    }

    /// Every output binding.
    #[must_use]
    pub fn outlets(&self) -> &Outlets {
        &self.0.outlets
    }

    /// A binder instance.
    #[must_use]
    pub fn binder(&self, name: &str) -> Option<&Arc<dyn Binder>> {
        self.0.binders.get(name)
    }

    /// Whether messages are taken in everywhere; the worst reason if not.
    #[must_use]
    pub fn readiness(&self) -> Health {
        let down = self.bindings().find_map(|binding| match binding.state() {
            BindingState::Down(reason) | BindingState::Failed(reason) => {
                Some(format!("{}: {reason}", binding.name()))
            }
            BindingState::Starting => Some(format!("{}: starting", binding.name())),
            _ => None,
        });
        let problem = || {
            self.bindings()
                .find_map(|binding| Some(format!("{}: {}", binding.name(), binding.problem()?)))
        };
        match down {
            Some(reason) => Health::Down(reason),
            None => problem().map_or(Health::Up, Health::Degraded),
        }
    }
}

/// What became of the last messages when an application stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// All input bindings together.
    pub drained: DrainReport,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DrainReport {
            finished,
            handed_back,
            abandoned,
            ..
        } = self.drained;
        let took = self.took.as_millis();
        write!(
            f,
            "stopped in {took} ms: {finished} finished, {handed_back} handed back"
        )?;
        if abandoned > 0 {
            write!(
                f,
                ", {abandoned} still in a handler; they will be delivered again"
            )?;
        }
        Ok(())
    }
}

/// An application that runs. Dropping it is what a crash would be.
#[derive(Debug)]
#[must_use = "dropping a running application ends it as a crash would"]
pub struct RunningApp {
    handle: AppHandle,
    inputs: JoinSet<DrainReport>,
    sources: JoinSet<()>,
}

impl Planned {
    /// Connects the binders, creates what is missing, subscribes, and then starts the sources.
    ///
    /// Waits for brokers that are away as long as it takes; dropping the future gives up.
    ///
    /// # Errors
    /// A broker refuses what the plan needs, for good.
    pub async fn start(mut self) -> Result<RunningApp> {
        let (mut binders, mut own_binders) = (BTreeMap::new(), Vec::new());
        for (name, instance) in &mut self.instances {
            let binder = instance.connect(&self.name, self.clock).await?;
            if !instance.is_given() {
                own_binders.push(binder.clone());
            }
            binders.insert(name.clone(), binder);
        }
        let mut inputs = JoinSet::new();
        let mut input_handles = BTreeMap::new();
        for plan in self.inputs {
            let plan = Arc::new(plan);
            let (handle, control) = BindingHandle::new(plan.name.clone(), plan.metrics().clone());
            inputs.spawn(run_input(plan.clone(), control));
            input_handles.insert(plan.name.to_string(), (plan, handle));
        }
        // A group that only sees new messages must be there before the first source publishes.
        for (_, handle) in input_handles.values() {
            drop(
                handle
                    .wait_for(|state| *state != BindingState::Starting)
                    .await,
            );
        }
        let mut sources = JoinSet::new();
        let mut source_handles = BTreeMap::new();
        for plan in self.sources {
            let metrics = crate::telemetry::BindingMetrics::shared();
            let (handle, control) = BindingHandle::new(plan.source.name.clone(), metrics);
            source_handles.insert(plan.source.name.to_string(), handle);
            sources.spawn(run_source(plan, control));
        }
        let shared = Shared {
            name: self.name,
            binders,
            own_binders,
            outlets: self.outlets,
            inputs: input_handles,
            sources: source_handles,
        };
        Ok(RunningApp {
            handle: AppHandle(Arc::new(shared)),
            inputs,
            sources,
        })
    }
}

impl RunningApp {
    /// What the application is asked through.
    #[must_use]
    pub fn handle(&self) -> &AppHandle {
        &self.handle
    }

    /// Stops in order: sources, intake, handlers within the drain time, outputs, settlements, connections.
    ///
    /// Binders that were given to [`App::binder`](super::App::binder) stay open.
    ///
    /// # Errors
    /// A connection could not be closed in order; everything else was done.
    pub async fn stop(mut self) -> Result<Report> {
        let begin = tokio::time::Instant::now();
        for source in self.handle.sources() {
            drop(source.command(Command::Shutdown).await);
        }
        while self.sources.join_next().await.is_some() {}
        for binding in self.handle.bindings() {
            drop(binding.command(Command::Shutdown).await);
        }
        let mut drained = DrainReport::default();
        while let Some(report) = self.inputs.join_next().await {
            drained = drained.plus(report.unwrap_or_default());
        }
        let closed = self.close().await;
        closed.map(|()| Report {
            drained,
            took: begin.elapsed(),
        })
    }

    async fn close(&self) -> Result<()> {
        let mut first: Option<Error> = None;
        for outlet in self.handle.outlets().iter() {
            if let Err(error) = outlet.close().await {
                first.get_or_insert(error);
            }
        }
        for binder in &self.handle.0.own_binders {
            if let Err(error) = binder.close().await {
                first.get_or_insert(error);
            }
        }
        first.map_or(Ok(()), Err)
    }
}
