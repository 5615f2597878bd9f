//! The folder for servers: what was downloaded, and what runs.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mq_core::error::Result;
use rustix::fs::{FlockOperation, flock};

use super::recipe::{file_error, is_root};
use super::{Kind, variable};

/// How often a lock of another process is tried.
const TRY: Duration = Duration::from_millis(50);

/// How long folders of servers that ended badly are kept for their logs.
const KEEP: Duration = Duration::from_secs(24 * 3600);

/// The folder for servers: `servers` in the target folder of the test, or `MQ_SERVERS`.
#[derive(Clone, Debug)]
pub(super) struct Store {
    root: PathBuf,
}

impl Store {
    pub(super) fn open() -> Result<Self> {
        let root = root();
        let made = fs::create_dir_all(root.join("run"));
        made.map_err(|e| file_error("cannot make the folder for servers", &root, e))?;
        Ok(Self { root })
    }

    /// A path below the folder.
    pub(super) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(name)
    }

    /// Waits until no other test downloads. The lock goes with the file, or with the process.
    pub(super) async fn lock(&self) -> Result<File> {
        let path = self.path("lock");
        let cannot = |e| file_error("cannot lock the folder for servers", &path, e);
        let file = File::create(&path).map_err(cannot)?;
        loop {
            match try_lock(&file) {
                Ok(true) => return Ok(file),
                Ok(false) => tokio::time::sleep(TRY).await,
                Err(error) => return Err(cannot(error)),
            }
        }
    }

    /// A fresh folder for one server.
    pub(super) fn run(&self, kind: Kind) -> Result<RunFolder> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        self.clean();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{kind}-{}-{number}", std::process::id());
        RunFolder::new(self.path("run").join(name))
    }

    /// Removes folders that nobody uses any more. What cannot be removed stays.
    fn clean(&self) {
        let Ok(folders) = fs::read_dir(self.path("run")) else {
            return;
        };
        for folder in folders.flatten() {
            let path = folder.path();
            let changed = folder.metadata().and_then(|found| found.modified());
            let old = changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > KEEP));
            let lock = File::open(path.join("lock"));
            if old && lock.is_ok_and(|lock| try_lock(&lock).unwrap_or(false)) {
                drop(fs::remove_dir_all(&path));
            }
        }
    }
}

/// The folder of one server. It is removed at the end, unless the test has failed or `MQ_KEEP` is set.
#[derive(Debug)]
pub(super) struct RunFolder {
    path: PathBuf,
    _lock: File,
}

impl RunFolder {
    fn new(path: PathBuf) -> Result<Self> {
        let cannot = |e| file_error("cannot make the folder of a server", &path, e);
        // One of a process that had the same number.
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(path.join("logs")).map_err(cannot)?;
        let lock = File::create(path.join("lock")).map_err(cannot)?;
        try_lock(&lock).map_err(cannot)?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if !std::thread::panicking() && variable("MQ_KEEP").is_none() {
            drop(fs::remove_dir_all(&self.path));
        }
    }
}

/// Takes the lock of a file, if nobody has it.
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(error) if error == rustix::io::Errno::WOULDBLOCK => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn root() -> PathBuf {
    if let Some(root) = variable("MQ_SERVERS") {
        return root.into();
    }
    let elsewhere = std::env::temp_dir().join(format!(
        "mq-servers-{}",
        rustix::process::geteuid().as_raw()
    ));
    match target() {
        // Servers that refuse root run as nobody, who must be able to reach their files.
        Some(target) if !is_root() || passable(&target) => target.join("servers"),
        _ => elsewhere,
    }
}

/// The target folder that this program is in: cargo marks it.
fn target() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let mut folders = program.ancestors().skip(1);
    let target = folders.find(|folder| folder.join("CACHEDIR.TAG").is_file())?;
    Some(target.to_owned())
}

/// Whether every user can pass through a folder and all above it.
fn passable(folder: &Path) -> bool {
    let mut folders = folder.ancestors();
    folders.all(|folder| fs::metadata(folder).is_ok_and(|found| found.mode() & 0o001 != 0))
}
