//! The plan: settings, functions and binders put together, and everything checked before the first connection.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    App,
    connect::Instance,
    problems::{Findings, list},
    table::PolicyTable,
};
use crate::{
    binder::{BinderFactory, Capabilities},
    binding::{InputPlan, SourcePlan},
    clock::Clock,
    config::{Config, Problems, Settings, Warning, nearest},
    output::Outlets,
};

/// An application whose plan is made: everything was checked that can be checked without a connection.
#[derive(Debug)]
#[must_use = "a planned application does nothing until it is run"]
pub struct Planned {
    pub(super) name: Arc<str>,
    pub(super) clock: Clock,
    pub(super) instances: BTreeMap<String, Instance>,
    pub(super) inputs: Vec<InputPlan>,
    pub(super) sources: Vec<SourcePlan>,
    pub(super) outlets: Outlets,
    pub(super) table: PolicyTable,
    pub(super) warnings: Vec<Warning>,
}

impl Planned {
    /// The application's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What every binding will do.
    #[must_use]
    pub fn table(&self) -> &PolicyTable {
        &self.table
    }

    /// What should be changed although it works.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

/// Everything that is known while the plan is made.
pub(super) struct Planner<'a> {
    pub(super) app: &'a App,
    pub(super) config: &'a Config,
    pub(super) settings: &'a Settings,
    pub(super) name: Arc<str>,
    pub(super) findings: Findings<'a>,
    pub(super) instances: BTreeMap<String, Instance>,
    pub(super) outlets: Outlets,
}

pub(super) fn plan(app: &App) -> Result<Planned, Problems> {
    let config = with_attributes(app);
    let (settings, problems) = config.readable();
    let Some(settings) = settings else {
        return Err(problems);
    };
    let mut planner = Planner {
        app,
        config: &config,
        settings: &settings,
        name: name_of(app, &settings),
        findings: Findings::new(&config),
        instances: BTreeMap::new(),
        outlets: Outlets::default(),
    };
    planner.findings.all(problems);
    planner.plan_instances();
    planner.plan_outputs();
    let inputs = planner.plan_inputs();
    let sources = planner.plan_sources();
    planner.check_bindings();
    let Planner {
        name,
        findings,
        instances,
        outlets,
        ..
    } = planner;
    let table = PolicyTable::new(&inputs, &sources, &settings);
    let planned = Planned {
        name,
        clock: app.clock,
        instances,
        inputs,
        sources,
        outlets,
        table,
        warnings: config.warnings(),
    };
    findings.or(planned)
}

/// The settings, with what the attributes of the functions say below everything else.
fn with_attributes(app: &App) -> Config {
    let mut config = app.config.clone();
    for listener in &app.listeners {
        let (file, line) = (listener.location.file, listener.location.line);
        config = config.known(&format!("bindings.{}", listener.input));
        for (key, value) in &listener.settings {
            let table = if key == "group" { "" } else { "consumer." };
            let path = format!("bindings.{}.{table}{key}", listener.input);
            config = config.attribute(&path, value.clone(), file, line);
        }
    }
    let outputs = app
        .listeners
        .iter()
        .flat_map(|listener| listener.outputs.iter().chain(&listener.publishes));
    let sources = app
        .sources
        .iter()
        .flat_map(|source| source.outputs.iter().chain(&source.publishes));
    outputs.chain(sources).fold(config, |config, name| {
        config.known(&format!("bindings.{name}"))
    })
}

/// `[app] name`, else the package of the first function, else the program's name.
fn name_of(app: &App, settings: &Settings) -> Arc<str> {
    let packages = app
        .listeners
        .iter()
        .map(|l| l.package)
        .chain(app.sources.iter().map(|s| s.package));
    let package = packages
        .into_iter()
        .find(|package| !package.is_empty())
        .map(str::to_owned);
    let name = settings.app.name.clone().or(package);
    name.or_else(Config::program_name)
        .unwrap_or_else(|| "app".to_owned())
        .into()
}

/// Kinds that are taken where no binder is configured, the first that is there.
const DEFAULT_KINDS: [&str; 2] = ["broker", "memory"];

impl Planner<'_> {
    fn plan_instances(&mut self) {
        for (name, binder) in &self.app.binders {
            self.instances
                .insert(name.clone(), Instance::given(name, binder.clone()));
        }
        for (name, binder) in &self.settings.binders {
            if self.app.binders.contains_key(name) {
                continue;
            }
            let Some(factory) = self.factory(name, &binder.kind) else {
                continue;
            };
            match factory.configure(&binder.rest) {
                Ok(connector) => {
                    self.instances.insert(
                        name.clone(),
                        Instance::configured(name, binder.kind.as_str(), connector),
                    );
                }
                Err(problems) => self.findings.all(problems),
            }
        }
        if self.instances.is_empty() && self.settings.binders.is_empty() {
            self.plan_default_instance();
        }
    }

    fn factory(&mut self, name: &str, kind: &str) -> Option<&'static dyn BinderFactory> {
        let found = self
            .app
            .kinds
            .iter()
            .find(|factory| factory.kind() == kind)
            .copied();
        if found.is_none() {
            let kinds: Vec<_> = self
                .app
                .kinds
                .iter()
                .map(|factory| factory.kind())
                .collect();
            let help = match nearest(kind, kinds.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "built in: {}; others need their feature of the `mq` crate",
                    list(kinds)
                ),
            };
            self.findings.value(
                &format!("binders.{name}.kind"),
                "is no kind of binder that is built in",
                help,
            );
        }
        found
    }

    fn plan_default_instance(&mut self) {
        let by_name = |kind: &&str| {
            self.app
                .kinds
                .iter()
                .find(|factory| factory.kind() == *kind)
        };
        let Some(factory) = DEFAULT_KINDS
            .iter()
            .find_map(by_name)
            .or_else(|| self.app.kinds.first())
        else {
            let help = "turn on a feature such as `memory` of the `mq` crate, or give one with `.binder(name, …)`";
            return self.findings.other("no kind of binder is built in", help);
        };
        match factory.configure(&crate::config::Node::default()) {
            Ok(connector) => {
                self.instances.insert(
                    "main".to_owned(),
                    Instance::configured("main", factory.kind(), connector),
                );
            }
            Err(problems) => self.findings.all(problems),
        }
    }

    /// The name of the binder instance of a binding; a problem if there is none, or more than one to choose from.
    pub(super) fn binder_of(&mut self, binding: &str) -> Option<String> {
        let path = format!("bindings.{binding}.binder");
        let names: Vec<String> = self.instances.keys().cloned().collect();
        let wanted = self
            .settings
            .bindings
            .get(binding)
            .and_then(|settings| settings.binder.clone());
        match wanted {
            Some(wanted) if self.instances.contains_key(&wanted) => Some(wanted),
            // A binder whose settings are wrong has its own problem.
            Some(wanted) if self.settings.binders.contains_key(&wanted) => None,
            Some(wanted) => {
                let near = nearest(&wanted, names.iter().map(String::as_str)).map(str::to_owned);
                let help = near.map_or_else(
                    || format!("there are: {}", list(names)),
                    |near| format!("did you mean `{near}`?"),
                );
                self.findings.value(&path, "names no binder", help);
                None
            }
            None if names.len() <= 1 => names.into_iter().next(),
            None if names.iter().any(|name| name == "main") => Some("main".to_owned()),
            None => {
                let message =
                    format!("binding `{binding}` names no binder, and there is more than one");
                self.findings.other(
                    message,
                    format!(
                        "set `{path}` to one of {}, or call one of them `main`",
                        list(names)
                    ),
                );
                None
            }
        }
    }

    pub(super) fn capabilities(
        &self,
        instance: &str,
        spec: Option<&crate::binder::ConsumerSpec>,
    ) -> Capabilities {
        self.instances
            .get(instance)
            .map(|instance| instance.capabilities(spec))
            .unwrap_or_default()
    }
}
