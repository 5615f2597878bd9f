//! Programs of a server, of the system or below a folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::Program;
use crate::harness::program::find;

/// Where the programs of a server are.
#[derive(Clone, Debug, Default)]
pub(super) struct Tools {
    /// The folder that stands for `/`; `None` is the system itself.
    pub(super) root: Option<PathBuf>,
    /// Searched before the search path.
    folders: Vec<PathBuf>,
    env: Vec<(String, OsString)>,
}

impl Tools {
    /// Programs of the system, some of them in folders that are not on the search path.
    pub(super) fn system(folders: &[&str]) -> Self {
        Self {
            root: None,
            folders: folders.iter().map(PathBuf::from).collect(),
            env: Vec::new(),
        }
        .with_path()
    }

    /// Programs of packages that were unpacked into a folder, with their libraries.
    pub(super) fn tree(root: PathBuf, folders: &[&str]) -> Self {
        let usual = ["usr/bin", "usr/sbin", "bin", "sbin"];
        let folders = folders.iter().map(|folder| folder.trim_start_matches('/'));
        let mut tools = Self {
            folders: folders
                .chain(usual)
                .map(|folder| root.join(folder))
                .collect(),
            env: Vec::new(),
            root: None,
        };
        let libraries = libraries(&root);
        if !libraries.is_empty() {
            tools = tools.env("LD_LIBRARY_PATH", join(&libraries));
        }
        tools.root = Some(root);
        tools.with_path()
    }

    /// Sets a variable for every program.
    pub(super) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// A program by its name, if it is there.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        let mut own = self.folders.iter().map(|folder| folder.join(name));
        own.find(|path| path.is_file())
            .or_else(|| find(Path::new(name)))
    }

    /// Whether all of these programs are there.
    pub(super) fn have(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.find(name).is_some())
    }

    /// A program to start.
    pub(super) fn program(&self, name: &str) -> Program {
        let path = self.find(name).unwrap_or_else(|| name.into());
        let program = Program::new(path).name(name);
        self.env
            .iter()
            .fold(program, |program, (name, value)| program.env(name, value))
    }

    /// A program to call.
    pub(super) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.find(name).unwrap_or_else(|| name.into()));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    fn with_path(self) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the search path is no setting")]
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders = self.folders.clone();
        folders.extend(std::env::split_paths(&path));
        self.env("PATH", join(&folders))
    }
}

fn join(folders: &[PathBuf]) -> OsString {
    std::env::join_paths(folders).unwrap_or_default()
}

/// The folders of libraries in an unpacked tree: `usr/lib/x86_64-linux-gnu` and the like.
fn libraries(root: &Path) -> Vec<PathBuf> {
    let places = ["usr/lib", "lib"].map(|place| root.join(place));
    let folders = places
        .iter()
        .filter_map(|place| std::fs::read_dir(place).ok());
    let folders = folders.flat_map(|folders| folders.flatten().map(|folder| folder.path()));
    folders
        .filter(|path| path.to_string_lossy().contains("-linux-"))
        .collect()
}
