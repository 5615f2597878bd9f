//! The source files of the workspace.

use std::{fs, path::Path};

/// A source file.
#[derive(Debug)]
pub(crate) struct Source {
    /// The path from the root of the workspace, with `/`.
    pub(crate) path: String,
    /// What stands in it.
    pub(crate) text: String,
}

impl Source {
    /// A place in the file, for a report.
    pub(crate) fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }

    /// Whether the file shows a mistake to the compiler.
    pub(crate) fn shows_a_mistake(&self) -> bool {
        self.path.contains("tests/ui/")
    }
}

/// All `*.rs` files of the workspace that are not hidden and not in a target folder, in the order of their paths.
pub(crate) fn all() -> Vec<Source> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut sources = Vec::new();
    collect(root, "", &mut sources);
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn collect(folder: &Path, prefix: &str, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let inner = format!("{prefix}{name}");
        if path.is_dir() {
            if !is_left_out(&path, &name) {
                collect(&path, &format!("{inner}/"), sources);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file in UTF-8");
            sources.push(Source { path: inner, text });
        }
    }
}

/// Cargo marks its target folders as caches, wherever they are.
fn is_left_out(folder: &Path, name: &str) -> bool {
    name.starts_with('.') || name == "target" || folder.join("CACHEDIR.TAG").exists()
}
