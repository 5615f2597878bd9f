//! Whole configurations: files, layers, and everything that can be wrong with them.

mod explain;
mod layers;
mod mistakes;
mod own;
mod secrets;
mod settings;

use mq_core::config::{Config, Problems, Settings};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a writable folder");
    }
    folder
}

/// The settings in a folder, without the variables of the process.
fn in_folder(folder: &Path) -> Config {
    Config::folder(folder).environment(NOTHING)
}

const NOTHING: [(&str, &str); 0] = [];

fn good(config: &Config) -> Settings {
    match config.settings() {
        Ok((settings, _)) => settings,
        Err(problems) => panic!("{problems}"),
    }
}

fn bad(config: &Config) -> Problems {
    config.settings().expect_err("this has problems")
}

/// Each problem with its help, as it is shown, with only the file names of `folder`.
fn shown(problems: &Problems, folder: &TempDir) -> String {
    let prefix: PathBuf = folder.path().join("");
    problems.to_string().replace(&*prefix.to_string_lossy(), "")
}
