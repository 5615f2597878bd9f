//! A run, from its folder to its outcome.

use std::path::{Path, PathBuf};
use std::time::Instant;

use mq::error::{Error, ErrorKind, Result};

use super::binders::{Shape, entry};
use super::options::Options;
use super::verdict::{Outcome, judge};
use super::{children, memory};

/// A run that has come to its end.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished {
    /// What came of it.
    pub outcome: Outcome,
    /// The stories of the messages that are not as promised; empty after a good run.
    pub stories: String,
    /// Where the logs are kept: only those of a run that was not good.
    pub logs: Option<PathBuf>,
}

/// Makes traffic and trouble, and says what became of every message. A good run leaves nothing behind.
///
/// Takes the runtime that it is called on; the run is in real time.
///
/// # Errors
/// There is no such binder, the services cannot be started, or nothing gets on any more; then the logs are kept, and the error
/// names their folder.
pub async fn run(options: &Options) -> Result<Finished> {
    let entry = entry(options)?;
    let folder = folder(options)?;
    let begin = Instant::now();
    let result = match &entry.shape {
        Shape::Inside => memory::run(options, &folder).await,
        Shape::Outside(outside) => children::run(options, outside, &folder).await,
    };
    let kept = |error: Error| {
        let error = error.context("logs", folder.display());
        error.context("seed", options.seed)
    };
    result.map_err(kept)?;
    let (asked, place) = (options.clone(), folder.clone());
    let judged = tokio::task::spawn_blocking(move || judge(&asked, &place, begin.elapsed())).await;
    let judged = judged.map_err(|_| Error::new(ErrorKind::Bug, "the check has panicked"));
    let (outcome, stories) = judged.and_then(|judged| judged).map_err(kept)?;
    let logs = if outcome.is_good() {
        remove(&folder)?;
        None
    } else {
        Some(folder)
    };
    Ok(Finished {
        outcome,
        stories,
        logs,
    })
}

/// A new folder.
fn folder(options: &Options) -> Result<PathBuf> {
    let parent = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let made = std::fs::create_dir_all(&parent).and_then(|()| {
        tempfile::Builder::new()
            .prefix("mq-chaos-")
            .tempdir_in(&parent)
    });
    let made = made.map_err(|error| io("a folder for the logs cannot be made", &parent, error))?;
    Ok(made.keep())
}

fn remove(folder: &Path) -> Result<()> {
    let removed = std::fs::remove_dir_all(folder);
    removed.map_err(|error| io("the logs cannot be removed", folder, error))
}

fn io(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, what)
        .context("path", path.display())
        .source(error)
}
