//! Where settings come from, in rising precedence.

use super::explain::Explanation;
use super::files::Format;
use super::resolve::{Resolved, resolve};
use super::{KeyPath, Node, Origin, Problem, Problems, Settings, Value, Warning, decode};
use std::path::PathBuf;
use std::sync::OnceLock;

/// The settings of an application, from all their sources.
///
/// A stronger source replaces what a weaker one says, key by key: attributes of functions, the settings file, the
/// files of the profiles, the environment, the code.
/// Nothing is read before it is asked for, and every mistake of every source is reported at once.
///
/// ```
/// use mq_core::config::Config;
///
/// let config = Config::toml("[bindings.orders]\ndestination = 'shop.orders'")
///     .environment([("MQ__BINDINGS__ORDERS__CONSUMER__CONCURRENCY", "16")])
///     .set("bindings.orders.group", "billing");
/// let (settings, _warnings) = config.settings()?;
/// let orders = &settings.bindings["orders"];
/// assert_eq!(orders.destination, ["shop.orders"]);
/// assert_eq!(orders.consumer.concurrency, 16);
/// assert_eq!(orders.group.as_deref(), Some("billing"));
/// # Ok::<(), mq_core::config::Problems>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Config {
    pub(super) base: Base,
    pub(super) profiles: Option<Vec<String>>,
    pub(super) environment: Environment,
    pub(super) attributes: Vec<Node>,
    pub(super) code: Vec<Node>,
    pub(super) names: Vec<KeyPath>,
    /// What was given and cannot be used.
    pub(super) unusable: Vec<Problem>,
    resolved: OnceLock<Resolved>,
}

/// The settings file.
#[derive(Debug, Clone, Default)]
pub(super) enum Base {
    #[default]
    None,
    /// The first of these folders that has one, if any has.
    Search(Vec<PathBuf>),
    /// This file, which has to be there.
    File(PathBuf),
    Text(Format, String),
}

/// The variables.
#[derive(Debug, Clone, Default)]
pub(super) enum Environment {
    #[default]
    None,
    Process,
    Given(Vec<(String, String)>),
}

impl Config {
    /// No settings: the defaults, and what is added in code.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// `mq.toml` (or `.yaml`, `.yml`) in the working directory, else next to the program, else none; with the files
    /// of the profiles that `MQ_PROFILE` names, and the variables of the process.
    #[must_use]
    pub fn load() -> Self {
        Self {
            base: Base::Search(super::files::places()),
            environment: Environment::Process,
            ..Self::default()
        }
    }

    /// `mq.toml` (or `.yaml`, `.yml`) in this folder, which need not have one; else as [`load`](Self::load).
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self {
            base: Base::Search(vec![path.into()]),
            environment: Environment::Process,
            ..Self::default()
        }
    }

    /// This file, which has to be there; else as [`load`](Self::load).
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self {
            base: Base::File(path.into()),
            environment: Environment::Process,
            ..Self::default()
        }
    }

    /// This text in TOML, without files and without the environment.
    pub fn toml(text: impl Into<String>) -> Self {
        Self {
            base: Base::Text(Format::Toml, text.into()),
            ..Self::default()
        }
    }

    /// This text in YAML, without files and without the environment.
    pub fn yaml(text: impl Into<String>) -> Self {
        Self {
            base: Base::Text(Format::Yaml, text.into()),
            ..Self::default()
        }
    }

    /// Sets a key in code, over everything else; the last call wins. A path that is none becomes a problem of the
    /// report.
    #[track_caller]
    #[must_use]
    pub fn set(mut self, path: &str, value: impl Into<Value>) -> Self {
        if let Some(node) = self.given(path, value.into(), Origin::caller()) {
            self.code.push(node);
        }
        self
    }

    /// Sets a key as the attribute at this place of the source says, below everything else.
    /// Two attributes that set a key to different values are a problem of the report.
    #[must_use]
    pub fn attribute(mut self, path: &str, value: impl Into<Value>, file: &str, line: u32) -> Self {
        let origin = Origin::Attribute {
            file: file.to_owned(),
            line,
        };
        if let Some(node) = self.given(path, value.into(), origin) {
            self.attributes.push(node);
        }
        self
    }

    /// Says that a key exists, such as `bindings.order-lines`, without setting anything: then the variable
    /// `MQ__BINDINGS__ORDER_LINES__GROUP` means it.
    #[track_caller]
    #[must_use]
    pub fn known(mut self, path: &str) -> Self {
        if let Some(node) = self.given(path, Value::Null, Origin::caller()) {
            self.names.push(node.path);
        }
        self
    }

    /// Uses the file of this profile, `mq-<profile>.toml` beside the settings file, instead of those that
    /// `MQ_PROFILE` names. Called again, it adds another one over it. A profile without a file is a problem.
    #[must_use]
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.profiles.get_or_insert_default().push(name.into());
        self.changed()
    }

    /// Uses these variables instead of those of the process: `MQ__…`, and `MQ_PROFILE`; the others are ignored.
    #[must_use]
    pub fn environment<K: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let variables = variables
            .into_iter()
            .map(|(name, text)| (name.into(), text.into()));
        self.environment = Environment::Given(variables.collect());
        self.changed()
    }

    fn given(&mut self, path: &str, value: Value, origin: Origin) -> Option<Node> {
        self.resolved = OnceLock::new();
        match path.parse() {
            Ok(path) => Some(Node {
                value,
                path,
                origin,
                ..Node::default()
            }),
            Err(error) => {
                let problem = Problem::new(format!("`{path}` {}", error.problem), error.help);
                self.unusable.push(problem.path(path).origin(origin));
                None
            }
        }
    }

    fn changed(mut self) -> Self {
        self.resolved = OnceLock::new();
        self
    }

    fn resolved(&self) -> &Resolved {
        self.resolved.get_or_init(|| resolve(self))
    }

    /// What all sources say together, and what should be changed although it works.
    ///
    /// The files are read the first time, and kept.
    ///
    /// # Errors
    /// Everything that is wrong: files that cannot be read, unknown keys, wrong types, values out of range.
    pub fn settings(&self) -> Result<(Settings, Vec<Warning>), Problems> {
        let (settings, problems) = self.readable();
        let settings = settings.unwrap_or_default();
        problems.or((settings, self.warnings()))
    }

    /// The name of the program's file, for want of a better name.
    pub(crate) fn program_name() -> Option<String> {
        let program = std::env::current_exe().ok()?;
        Some(program.file_stem()?.to_string_lossy().into_owned())
    }

    /// What can be read of the settings, together with everything that is wrong with them, so that later checks can join
    /// the same report. `None` where a source cannot be read at all.
    pub(crate) fn readable(&self) -> (Option<Settings>, Problems) {
        let resolved = self.resolved();
        if !resolved.problems.is_empty() {
            return (None, resolved.problems.clone());
        }
        let (settings, mut problems) = decode::decode::<Settings>(&resolved.tree);
        let settings = settings.unwrap_or_default();
        let out_of_range = settings.validate();
        problems.extend(
            out_of_range
                .iter()
                .map(|found| resolved.tree.out_of_range(found)),
        );
        (Some(settings), problems)
    }

    /// What should be changed although it works, as far as it is known: a binder's own secrets are known once it has
    /// decoded its keys.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        self.resolved().tree.ledger.warnings()
    }

    /// Where the value of a key came from; [`Origin::Default`] where nobody set it.
    #[must_use]
    pub fn origin(&self, path: &str) -> Origin {
        let Ok(path) = path.parse() else {
            return Origin::Default;
        };
        let node = self.resolved().tree.nearest(&path);
        let here = node.path.segments().len() == path.segments().len();
        // A text above it is its short form.
        let short = node.value.as_text().is_some();
        if here || short {
            node.origin.clone()
        } else {
            Origin::Default
        }
    }

    /// A problem of the value of this key, with its origin and its place in the report, for checks that come later.
    ///
    /// `problem` is the rest of a sentence that begins with the key and its value.
    #[must_use]
    pub fn problem(&self, path: &str, problem: &str, help: impl Into<String>) -> Problem {
        self.resolved().tree.problem(path, problem, help)
    }

    /// The tree of everything that was set.
    #[must_use]
    pub fn tree(&self) -> &Node {
        &self.resolved().tree
    }

    /// Every effective value and where it came from, the defaults included, secrets as `***`.
    ///
    /// The defaults of a binder's own keys are its own, and not in the list. A secret with a name that does not say so
    /// is hidden once the binder has decoded it.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        Explanation::of(&self.resolved().tree)
    }
}
