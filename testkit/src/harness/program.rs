//! What to start.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mq_core::error::{Error, ErrorKind, Result};

use super::Process;

/// A program to run as a child process: its arguments and environment, where its output goes, and how it tells that it is ready.
///
/// ```no_run
/// # use std::time::Duration;
/// # use mq_testkit::harness::Program;
/// # async fn example() -> mq_core::error::Result<()> {
/// let mut shop = Program::new("target/debug/shop")
///     .env("MQ_PROFILE", "test")
///     .logs("target/tmp/shop")
///     .ready("ready", Duration::from_secs(10))
///     .start()
///     .await?;
/// shop.kill().await?;
/// shop.start().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) args: Vec<OsString>,
    pub(super) env: Vec<(OsString, Option<OsString>)>,
    pub(super) folder: Option<PathBuf>,
    pub(super) logs: Option<PathBuf>,
    pub(super) ready: Option<(String, Duration)>,
    pub(super) user: Option<u32>,
}

impl Program {
    /// A program by its path, or by a name that is looked up in the search path.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Self {
            name: name.into_owned(),
            path,
            args: Vec::new(),
            env: Vec::new(),
            folder: None,
            logs: None,
            ready: None,
            user: None,
        }
    }

    /// Its name in logs and errors. Default: the name of the file.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned());
        self.args.extend(args);
        self
    }

    /// Sets a variable; all others are those of the test. The last value of a name counts.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let value = Some(value.as_ref().to_owned());
        self.env.push((name.as_ref().to_owned(), value));
        self
    }

    /// Takes a variable of the test away.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), None));
        self
    }

    /// What its fail points do, in the language of [`fail_point!`](crate::fail_point): `"stored=3*off->exit;settled=pause"`.
    ///
    /// The program must have been built with them.
    #[must_use]
    pub fn fail_points(self, points: &str) -> Self {
        self.env("MQ_FAIL_POINTS", points)
    }

    /// The folder it runs in. Default: that of the test.
    #[must_use]
    pub fn folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = Some(folder.as_ref().to_owned());
        self
    }

    /// The folder for its output, which is made if missing: `NAME-0.log` for the first start, `NAME-1.log` for the second.
    ///
    /// Default: a temporary folder that goes with the [`Process`]. A file that exists is written over.
    #[must_use]
    pub fn logs(mut self, folder: impl AsRef<Path>) -> Self {
        self.logs = Some(folder.as_ref().to_owned());
        self
    }

    /// The line, or a part of it, by which it tells that it is ready, and how long that may take. Default: a process
    /// counts as ready when it runs.
    #[must_use]
    pub fn ready(mut self, line: impl Into<String>, within: Duration) -> Self {
        self.ready = Some((line.into(), within));
        self
    }

    /// Runs it as another user and group of the same number; only root may do that.
    #[must_use]
    pub fn user(mut self, id: u32) -> Self {
        self.user = Some(id);
        self
    }

    /// Starts it, and waits until it is ready.
    ///
    /// Where the future is dropped, the process is killed.
    ///
    /// # Errors
    /// There is no such program, the system refuses, or it is not ready in time; then the error's cause has the end of its output.
    pub async fn start(self) -> Result<Process> {
        let mut process = Process::new(self)?;
        process.start().await?;
        Ok(process)
    }

    /// The command, behind a gate: a shell that becomes the program once it has read a line, and ends where there is none.
    ///
    /// So the process is on the watchdog's list before the program does anything.
    pub(super) fn gated(&self) -> Result<Command> {
        let path = find(&self.path).ok_or_else(|| self.missing())?;
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "read -r go && exec \"$0\" \"$@\" </dev/null"])
            .arg(path)
            .args(&self.args);
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        #[cfg(unix)]
        self.place(&mut command);
        Ok(command)
    }

    /// A group of its own, so that signals reach what it starts and no signal for the test reaches it.
    #[cfg(unix)]
    fn place(&self, command: &mut Command) {
        use std::os::unix::process::CommandExt as _;

        command.process_group(0);
        if let Some(id) = self.user {
            command.uid(id).gid(id);
        }
    }

    fn missing(&self) -> Error {
        Error::new(
            ErrorKind::NotFound,
            "there is no such program; build or install it, or name it by its path",
        )
        .operation("Program::start")
        .context("program", self.path.display())
    }
}

/// A program by its path, which may be relative to the folder of the test, or by its name in the search path.
pub(super) fn find(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return std::path::absolute(program)
            .ok()
            .filter(|path| path.is_file());
    }
    #[expect(clippy::disallowed_methods, reason = "the search path is no setting")]
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}
