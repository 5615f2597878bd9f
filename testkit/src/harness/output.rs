//! The file that a child writes its output to, read from the other side.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// How many lines an error shows.
const TAIL: usize = 20;

/// The output of one start. The child writes the file itself, so nothing is lost where the test or the child is killed.
#[derive(Debug)]
pub(super) struct Output {
    path: PathBuf,
    /// Up to here it has been looked through; always the beginning of a line.
    seen: u64,
}

impl Output {
    /// Makes the file anew, and gives the end to write to.
    pub(super) fn create(path: PathBuf) -> io::Result<(Self, File)> {
        let file = File::create(&path)?;
        Ok((Self { path, seen: 0 }, file))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All of it so far.
    pub(super) fn text(&self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(&self.path)?).into_owned())
    }

    /// The end of it, for an error.
    pub(super) fn tail(&self) -> String {
        let text = self.text().unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }

    /// The first whole line with `part` in it after those that were looked through; they are then looked through too.
    pub(super) fn find(&mut self, part: &str) -> io::Result<Option<String>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.seen))?;
        let mut fresh = Vec::new();
        file.read_to_end(&mut fresh)?;
        for line in fresh.split_inclusive(|byte| *byte == b'\n') {
            if !line.ends_with(b"\n") {
                break;
            }
            self.seen += line.len() as u64;
            let line = String::from_utf8_lossy(line);
            if line.contains(part) {
                return Ok(Some(line.trim_end().to_owned()));
            }
        }
        Ok(None)
    }
}
