//! Finding and reading the settings files. Only here are files read.

use super::document::{Document, SyntaxError};
use super::nearest::suggestion;
use super::{Node, Problem, toml, yaml};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The name of the settings file, without its ending.
const STEM: &str = "mq";
/// The endings, the one that is kept first.
const ENDINGS: [&str; 3] = ["toml", "yaml", "yml"];

/// Which language a text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Toml,
    Yaml,
}

impl Format {
    /// By the file's ending; none for other endings.
    pub(super) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Toml => "TOML",
            Self::Yaml => "YAML",
        }
    }

    /// Parses a text of this format.
    pub(super) fn parse(self, document: &Document<'_>) -> Result<Node, Vec<Problem>> {
        let parsed = match self {
            Self::Toml => toml::parse(document),
            Self::Yaml => yaml::parse(document),
        };
        parsed.map_err(|errors| one_a_line(document, errors, self.name()))
    }
}

/// The first error of each line: the others are mostly its consequences.
fn one_a_line(document: &Document<'_>, errors: Vec<SyntaxError>, format: &str) -> Vec<Problem> {
    let mut lines = BTreeMap::new();
    for error in errors {
        lines.entry(document.line(error.offset)).or_insert(error);
    }
    let problem = |error: &SyntaxError| document.problem(error, format);
    lines.values().map(problem).collect()
}

/// The settings file of this folder, if there is one.
///
/// # Errors
/// Two of them, in different formats.
pub(super) fn base_in(folder: &Path) -> Result<Option<PathBuf>, Problem> {
    only_one(folder, STEM)
}

/// The settings file of a profile beside `stem`.
///
/// # Errors
/// None or two of them, and names that are no names.
pub(super) fn profile_in(folder: &Path, stem: &str, profile: &str) -> Result<PathBuf, Problem> {
    if profile.contains(['/', '\\']) || profile == ".." {
        let help = "use letters, digits, `_` and `-`";
        return Err(Problem::new(
            format!("`{profile}` is no name for a profile"),
            help,
        ));
    }
    let found = only_one(folder, &format!("{stem}-{profile}"))?;
    found.ok_or_else(|| no_profile(folder, stem, profile))
}

fn no_profile(folder: &Path, stem: &str, profile: &str) -> Problem {
    let message = format!(
        "the profile `{profile}` has no file `{}`",
        shown(&folder.join(format!("{stem}-{profile}.toml")))
    );
    let there = profiles_in(folder, stem);
    let there: Vec<_> = there.iter().map(String::as_str).collect();
    let help = if there.is_empty() {
        "make the file, or unset MQ_PROFILE".to_owned()
    } else {
        suggestion(profile, &there, "make the file, or use one of")
    };
    Problem::new(message, help)
}

/// The profiles that have a file here.
fn profiles_in(folder: &Path, stem: &str) -> Vec<String> {
    let begin = format!("{stem}-");
    let entries = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let files = entries.filter(|path| Format::of(path).is_some());
    let profile =
        |path: PathBuf| Some(path.file_stem()?.to_str()?.strip_prefix(&begin)?.to_owned());
    let mut profiles: Vec<_> = files.filter_map(profile).collect();
    profiles.sort();
    profiles
}

fn only_one(folder: &Path, stem: &str) -> Result<Option<PathBuf>, Problem> {
    let paths = ENDINGS.map(|ending| folder.join(format!("{stem}.{ending}")));
    let mut there = paths.into_iter().filter(|path| path.is_file());
    let (first, second) = (there.next(), there.next());
    match (&first, &second) {
        (Some(keep), Some(delete)) => {
            let (keep, delete) = (shown(keep), shown(delete));
            let message = format!("`{keep}` and `{delete}` are both there, and only one is read");
            let help = format!("delete `{delete}`, after moving what is only there into `{keep}`");
            Err(Problem::new(message, help))
        }
        _ => Ok(first),
    }
}

/// Reads a settings file.
///
/// # Errors
/// A problem that names the file.
pub(super) fn read(path: &Path) -> Result<String, Problem> {
    fs::read_to_string(path).map_err(|error| {
        let help = match error.kind() {
            io::ErrorKind::NotFound => "make the file, or correct its name",
            io::ErrorKind::PermissionDenied => "give this user the right to read it",
            io::ErrorKind::InvalidData => "save it as UTF-8",
            _ => "check the file and its folder",
        };
        Problem::new(format!("cannot read `{}`: {error}", shown(path)), help)
    })
}

/// Whether others than the owner can read a file.
#[cfg(unix)]
pub(super) fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

/// Whether others than the owner can read a file: not known on this system.
#[cfg(not(unix))]
pub(super) const fn is_open(_: &Path) -> bool {
    false
}

/// A path as it is shown: short in the working directory.
pub(super) fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

/// Where the settings file is looked for: the working directory, and the program's own folder.
pub(super) fn places() -> Vec<PathBuf> {
    let program = std::env::current_exe()
        .ok()
        .and_then(|program| Some(program.parent()?.to_owned()));
    std::iter::once(PathBuf::from(".")).chain(program).collect()
}
