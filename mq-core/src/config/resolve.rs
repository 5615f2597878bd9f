//! From the sources to one tree.

use super::document::Document;
use super::files::{self, Format};
use super::ledger::Ledger;
use super::merge::{merge, plant};
use super::problem::Place;
use super::sources::{Base, Config, Environment};
use super::{KeyPath, Node, Origin, Problem, Problems, Value, environment};
use std::path::{Path, PathBuf};

/// The tree of everything that was set, and what could not be read.
#[derive(Debug, Clone)]
pub(super) struct Resolved {
    pub(super) tree: Node,
    pub(super) problems: Problems,
}

/// The layers, weakest first. Files of profiles come between the file and the environment.
const ATTRIBUTES: u32 = 0;
const FILE: u32 = 1;
const ENVIRONMENT: u32 = u32::MAX - 2;
const CODE: u32 = u32::MAX - 1;

/// Reads all sources of `config` and merges them.
pub(super) fn resolve(config: &Config) -> Resolved {
    let mut sources = Sources {
        problems: config.unusable.iter().cloned().collect(),
        ..Sources::default()
    };
    let variables = sources.variables(config);
    let (base, stem) = sources.base(&config.base);
    sources.problems.extend(contradictions(&config.attributes));
    let mut tree = given(&config.attributes, ATTRIBUTES);
    base.into_iter().for_each(|layer| merge(&mut tree, layer));
    for layer in sources.profiles(&profiles(config, &variables), stem.as_ref()) {
        merge(&mut tree, layer);
    }
    let code = given(&config.code, CODE);
    let (variables, problems) =
        environment::parse(&variables, &names(config, &tree, &code), ENVIRONMENT);
    sources.problems.extend(problems);
    merge(&mut tree, variables);
    merge(&mut tree, code);
    sources.finish(tree)
}

/// The tree of what was given in code or in attributes.
fn given(nodes: &[Node], layer: u32) -> Node {
    let mut tree = empty();
    for (offset, node) in nodes.iter().enumerate() {
        let place = Place::new(layer, offset);
        plant(
            &mut tree,
            Node {
                place,
                ..node.clone()
            },
        );
    }
    tree
}

/// Attributes that set one key to different values: none of them is stronger.
fn contradictions(attributes: &[Node]) -> Vec<Problem> {
    let earlier = |(count, node): (usize, &Node)| {
        let others = attributes.iter().take(count);
        let mut contrary = others.filter(|other| other.path == node.path && *other != node);
        contrary.next().map(|other| contradiction(node, other))
    };
    attributes.iter().enumerate().filter_map(earlier).collect()
}

fn contradiction(node: &Node, other: &Node) -> Problem {
    let help = format!(
        "it is {other} in {}; set it in one place, or in the settings file",
        other.origin
    );
    Problem::new(
        format!("{} contradicts another attribute", node.named()),
        help,
    )
    .path(node.path.to_string())
    .origin(node.origin.clone())
}

fn empty() -> Node {
    Node::from(Value::Table(std::collections::BTreeMap::new()))
}

/// Every name that a variable can mean.
fn names(config: &Config, tree: &Node, code: &Node) -> Node {
    let mut names = tree.clone();
    merge(&mut names, code.clone());
    for path in &config.names {
        if names.at(path).is_none() {
            plant(
                &mut names,
                Node {
                    path: path.clone(),
                    ..empty()
                },
            );
        }
    }
    names
}

/// The profiles that were asked for: in code, else by the variable, which takes several with commas between them.
fn profiles(config: &Config, variables: &[(String, String)]) -> Vec<String> {
    let named = || {
        variables
            .iter()
            .find(|(name, _)| name == environment::PROFILE)
    };
    let listed = || {
        named()
            .into_iter()
            .flat_map(|(_, list)| list.split(','))
            .map(|one| one.trim().to_owned())
    };
    let profiles = config
        .profiles
        .clone()
        .unwrap_or_else(|| listed().collect());
    profiles
        .into_iter()
        .filter(|profile| !profile.is_empty())
        .collect()
}

/// Reads sources, and keeps what went wrong.
#[derive(Debug, Default)]
struct Sources {
    ledger: Ledger,
    problems: Problems,
}

/// Where the files of the profiles are, and how they begin.
type Stem = (Vec<PathBuf>, String);

impl Sources {
    fn variables(&mut self, config: &Config) -> Vec<(String, String)> {
        match &config.environment {
            Environment::None => Vec::new(),
            Environment::Given(variables) => variables.clone(),
            Environment::Process => std::env::vars_os()
                .filter_map(|(name, text)| self.variable(&name, text))
                .collect(),
        }
    }

    fn variable(
        &mut self,
        name: &std::ffi::OsStr,
        text: std::ffi::OsString,
    ) -> Option<(String, String)> {
        let name = name.to_str().filter(|name| name.starts_with("MQ_"))?;
        let text = text.into_string();
        if text.is_err() {
            let problem = Problem::new(
                format!("the value of the variable {name} is no text"),
                "write it in UTF-8",
            );
            self.problems.push(problem.origin(Origin::Environment {
                variable: name.to_owned(),
            }));
        }
        Some((name.to_owned(), text.ok()?))
    }

    fn base(&mut self, base: &Base) -> (Option<Node>, Option<Stem>) {
        match base {
            Base::None => (None, None),
            Base::Text(format, text) => {
                let name = if *format == Format::Toml {
                    "toml text"
                } else {
                    "yaml text"
                };
                (self.parse(*format, name, text, FILE), None)
            }
            Base::File(path) => {
                let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
                let stem = path
                    .file_stem()
                    .map(|stem| stem.to_string_lossy().into_owned())
                    .unwrap_or_default();
                (self.read(path, FILE), Some((vec![folder], stem)))
            }
            Base::Search(folders) => self.search(folders),
        }
    }

    /// Reads the settings file of the first folder that has one. Its profiles lie beside it; without one, in any.
    fn search(&mut self, folders: &[PathBuf]) -> (Option<Node>, Option<Stem>) {
        for folder in folders {
            match files::base_in(folder) {
                Ok(None) => {}
                Ok(Some(path)) => {
                    return (
                        self.read(&path, FILE),
                        Some((vec![folder.clone()], "mq".to_owned())),
                    );
                }
                Err(problem) => {
                    self.problems.push(problem);
                    return (None, None);
                }
            }
        }
        (None, Some((folders.to_vec(), "mq".to_owned())))
    }

    fn profiles(&mut self, profiles: &[String], stem: Option<&Stem>) -> Vec<Node> {
        let layers = (FILE + 1..).zip(profiles);
        layers
            .filter_map(|(layer, profile)| self.profile(profile, stem, layer))
            .collect()
    }

    fn profile(&mut self, profile: &str, stem: Option<&Stem>, layer: u32) -> Option<Node> {
        let Some((folders, stem)) = stem else {
            if self.problems.is_empty() {
                let message = format!("the profile `{profile}` has no settings file to lie beside");
                self.problems
                    .push(Problem::new(message, "use a settings file, or no profile"));
            }
            return None;
        };
        let mut found = folders
            .iter()
            .map(|folder| files::profile_in(folder, stem, profile));
        let first = found.next()?;
        let path = found.fold(
            first,
            |first, next| if first.is_ok() { first } else { next.or(first) },
        );
        path.map_err(|problem| self.problems.push(problem))
            .ok()
            .and_then(|path| self.read(&path, layer))
    }

    fn read(&mut self, path: &Path, layer: u32) -> Option<Node> {
        let name = files::shown(path);
        let Some(format) = Format::of(path) else {
            let message = format!("`{name}` is no settings file");
            self.problems
                .push(Problem::new(message, "name it `.toml`, `.yaml` or `.yml`"));
            return None;
        };
        let text = files::read(path)
            .map_err(|problem| self.problems.push(problem))
            .ok()?;
        if files::is_open(path) {
            self.ledger.open_file(name.clone());
        }
        self.parse(format, &name, &text, layer)
    }

    fn parse(&mut self, format: Format, name: &str, text: &str, layer: u32) -> Option<Node> {
        let parsed = format.parse(&Document::new(name, text, layer));
        parsed
            .map_err(|problems| self.problems.extend(problems))
            .ok()
    }

    /// Lets all nodes share what is known about secrets, and looks for those that can be guessed.
    fn finish(self, mut tree: Node) -> Resolved {
        tree.walk_mut(&mut |node| node.ledger = self.ledger.clone());
        tree.walk(&mut |node| self.ledger.guess(node));
        debug_assert_eq!(tree.path, KeyPath::root());
        Resolved {
            tree,
            problems: self.problems,
        }
    }
}
