//! What each kind of server has to say about itself.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use mq_core::error::{Error, ErrorKind, Result};

use super::ServerOptions;
use super::ports::Port;
use super::store::Store;
use super::tools::Tools;
use crate::harness::Program;

/// How long a server may take to make its first files.
const PREPARE: Duration = Duration::from_secs(120);

/// The user that servers which refuse root run as: nobody.
pub(super) const NOBODY: u32 = 65_534;

/// Why a server cannot be had on this machine, and what to do about it.
pub(super) type Missing = String;

/// The recipe of a kind of server.
#[async_trait]
pub(super) trait Recipe: fmt::Debug + Send + Sync {
    /// Finds its programs, or downloads them. The store is locked meanwhile.
    async fn fetch(&self, store: &Store) -> Result<Tools, Missing>;

    /// How many ports a node needs; the first one is for clients.
    fn ports(&self) -> usize {
        1
    }

    /// Makes the files of all nodes.
    async fn prepare(&self, plan: &Plan) -> Result<()>;

    /// What runs beside a node, as long as the server is there.
    fn companion(&self, _plan: &Plan, _node: usize) -> Option<Program> {
        None
    }

    /// A node. Its standard log and readiness are set by the caller.
    fn program(&self, plan: &Plan, node: usize) -> Program;

    /// The port that a node tells clients to come back to when they came through a proxy; `None` where it tells none.
    fn proxied(&self, _plan: &Plan, _node: usize) -> Option<Proxied> {
        None
    }

    /// Does a real request. The version where it was answered, `None` where the server is not ready yet.
    async fn probe(&self, addr: SocketAddr, nodes: usize) -> io::Result<Option<String>>;
}

/// Where a proxy must listen, and where it must forward to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proxied {
    pub(super) listen: u16,
    pub(super) upstream: u16,
}

/// A server as it is to be made.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) folder: PathBuf,
    pub(super) tools: Tools,
    pub(super) ports: Vec<Vec<Port>>,
    pub(super) options: ServerOptions,
}

impl Plan {
    /// The folder for the data of a node; passable for every user.
    pub(super) fn data(&self, node: usize) -> PathBuf {
        self.folder.join(format!("data-{node}"))
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    /// A port of a node.
    pub(super) fn port(&self, node: usize, index: usize) -> u16 {
        self.ports[node][index].number()
    }

    pub(super) fn nodes(&self) -> usize {
        self.ports.len()
    }

    /// Writes a file of a node's configuration.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        let written = std::fs::write(&path, text);
        written.map_err(|e| file_error("cannot write a server's configuration", &path, e))?;
        Ok(path)
    }

    /// Makes the data folder of a node, for nobody where we are root.
    pub(super) fn own(&self, node: usize) -> Result<PathBuf> {
        let path = self.data(node);
        let made = std::fs::create_dir_all(&path).and_then(|()| {
            use std::os::unix::fs::{PermissionsExt as _, chown};

            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700))?;
            match is_root() {
                true => chown(&path, Some(NOBODY), Some(NOBODY)),
                false => Ok(()),
            }
        });
        made.map_err(|e| file_error("cannot make a server's data folder", &path, e))?;
        Ok(path)
    }

    /// Runs a program to its end.
    pub(super) async fn run(&self, program: Program) -> Result<()> {
        let mut process = program.logs(self.logs()).start().await?;
        let status = process.wait(PREPARE).await?;
        if status.success() {
            return Ok(());
        }
        let what = format!("a server's files cannot be made ({status})");
        Err(Error::new(ErrorKind::Unavailable, what)
            .operation("Server::start")
            .source(process.output()?))
    }
}

/// Whether we are root, whom some servers refuse.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Has a program run by somebody else where we are root.
pub(super) fn not_as_root(program: Program) -> Program {
    if is_root() {
        return program.user(NOBODY);
    }
    program
}

pub(super) fn file_error(what: &str, path: &Path, source: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, what)
        .operation("Server")
        .context("path", path.display())
        .source(source)
}
