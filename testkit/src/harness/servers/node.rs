//! One process of a server.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use mq_core::error::{Error, ErrorKind, Result};
use tokio::time::{Instant, sleep};

use super::Kind;
use super::recipe::{Plan, Proxied, Recipe};
use crate::harness::{Process, Proxy, ProxyOptions};

/// How long a server may take until it answers; a machine under load needs several times the usual.
const READY: Duration = Duration::from_secs(120);

/// How long a server may take to stop in order.
const STOP: Duration = Duration::from_secs(60);

/// How often it is asked.
const ASK: Duration = Duration::from_millis(25);

/// How often a start is tried that fails at once: PostgreSQL refuses while the remains of a killed one still end.
const TRIES: u32 = 20;

/// What runs longer before it ends has not failed at once.
const AT_ONCE: Duration = Duration::from_secs(3);

/// One process of a server, with its own port and data, which it keeps when it is started again.
#[derive(Debug)]
pub struct Node {
    kind: Kind,
    process: Process,
    /// What runs beside it as long as the server is there.
    _companion: Option<Process>,
    addr: SocketAddr,
    proxied: Proxied,
    nodes: usize,
    version: String,
}

impl Node {
    /// Starts its process; [`Node::ready`] is next.
    pub(super) async fn launch(kind: Kind, plan: &Plan, node: usize) -> Result<Self> {
        let recipe = kind.recipe();
        let companion = match recipe.companion(plan, node) {
            Some(program) => Some(program.logs(plan.logs()).start().await?),
            None => None,
        };
        let process = recipe.program(plan, node).logs(plan.logs()).start().await?;
        let port = plan.port(node, 0);
        let direct = Proxied {
            listen: 0,
            upstream: port,
        };
        Ok(Self {
            kind,
            process,
            _companion: companion,
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            proxied: recipe.proxied(plan, node).unwrap_or(direct),
            nodes: plan.nodes(),
            version: String::new(),
        })
    }

    /// Waits until it answers a real request, as all nodes of its cluster do.
    pub(super) async fn ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY;
        let (mut tries, mut begin) = (1, Instant::now());
        loop {
            if !self.process.is_running() {
                if tries == TRIES || begin.elapsed() > AT_ONCE {
                    return Err(self.dead());
                }
                tries += 1;
                sleep(ASK * tries).await;
                self.process.start().await?;
                begin = Instant::now();
            }
            let answer = self.recipe().probe(self.addr, self.nodes).await;
            if let Ok(Some(version)) = answer {
                self.version = version;
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(self.silent(answer.err()));
            }
            sleep(ASK).await;
        }
    }

    /// Where clients connect.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The version that the server tells.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether its process runs; a paused one does.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process.is_running()
    }

    /// The file with the output of its last start.
    #[must_use]
    pub fn log(&self) -> Option<&Path> {
        self.process.log()
    }

    /// Kills it (SIGKILL) and waits for the end.
    ///
    /// # Errors
    /// The system refuses.
    pub async fn kill(&mut self) -> Result<ExitStatus> {
        self.process.kill().await
    }

    /// Stops it in order and waits for the end.
    ///
    /// A node of a cluster may wait for the others: where all are to stop, use [`Server::stop`](super::Server::stop).
    ///
    /// # Errors
    /// It has not ended within a minute; then it is killed.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        if self.kind == Kind::Postgres {
            // The other signal waits for clients to leave.
            self.process.interrupt()?;
            return self.process.wait(STOP).await;
        }
        self.process.stop(STOP).await
    }

    /// Starts it again on the same data and port, and waits until it answers. One that runs is killed first.
    ///
    /// # Errors
    /// It does not answer within two minutes.
    pub async fn start(&mut self) -> Result<()> {
        self.process.start().await?;
        self.ready().await
    }

    /// Starts it again and does not wait.
    pub(super) async fn relaunch(&mut self) -> Result<()> {
        self.process.start().await
    }

    /// Pauses it (SIGSTOP): connections stay, nothing is answered.
    ///
    /// # Errors
    /// The system refuses.
    pub fn pause(&mut self) -> Result<()> {
        self.process.pause()
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// The system refuses.
    pub fn resume(&mut self) -> Result<()> {
        self.process.resume()
    }

    /// A proxy before it. Kafka tells clients where its nodes are; those who come through the proxy are told the proxy, so a node of Kafka can
    /// have only one.
    ///
    /// # Errors
    /// The proxy cannot listen.
    pub fn proxy(&self, options: ProxyOptions) -> Result<Proxy> {
        let Proxied { listen, upstream } = self.proxied;
        options.port(listen).to(format!("127.0.0.1:{upstream}"))
    }

    /// Where a proxy before it has to listen and where it forwards to, for a proxy of one's own instead of [`Node::proxy`]; listening at port 0
    /// is anywhere.
    #[must_use]
    pub fn proxied(&self) -> (SocketAddr, SocketAddr) {
        let Proxied { listen, upstream } = self.proxied;
        [listen, upstream]
            .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            .into()
    }

    fn recipe(&self) -> &'static dyn Recipe {
        self.kind.recipe()
    }

    fn dead(&self) -> Error {
        let what = format!("{} has ended before it answered", self.kind);
        self.failed(what)
            .source(self.process.output().unwrap_or_default())
    }

    fn silent(&self, error: Option<std::io::Error>) -> Error {
        let what = format!("{} does not answer {READY:?} after its start", self.kind);
        let failed = self.failed(what);
        match error {
            Some(error) => failed.source(error),
            None => failed,
        }
    }

    fn failed(&self, what: String) -> Error {
        let log = self.log().unwrap_or(Path::new("none"));
        Error::new(ErrorKind::Unavailable, what)
            .operation("Server::start")
            .context("addr", self.addr)
            .context("log", log.display())
    }
}
