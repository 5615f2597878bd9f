//! A server that a test has for itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use mq_core::error::{Error, ErrorKind, Result};

use super::fetch::tools;
use super::recipe::Plan;
use super::store::{RunFolder, Store};
use super::{Kind, Node, Secured, ServerOptions, ports, variable};
use crate::harness::{Proxy, ProxyOptions};

/// A real server: started for the test on its own ports and folders, or found at an address that the environment gives.
///
/// It ends with this value, and where the test is killed. It listens on 127.0.0.1 only.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    // In the order in which they must go.
    nodes: Vec<Node>,
    plan: Option<Plan>,
    _folder: Option<RunFolder>,
    /// Where it was found, if it was.
    given: Option<String>,
}

impl Server {
    /// Kafka, one node.
    ///
    /// # Errors
    /// As [`ServerOptions::start`]; so for all others.
    pub async fn kafka() -> Result<Self> {
        ServerOptions::new(Kind::Kafka).start().await
    }

    /// Kafka, several nodes, each of them broker and controller; up to three copies of everything, of which all but one must be there.
    ///
    /// # Errors
    /// As [`ServerOptions::start`].
    pub async fn kafka_cluster(nodes: usize) -> Result<Self> {
        ServerOptions::new(Kind::Kafka).nodes(nodes).start().await
    }

    /// RabbitMQ with its management; user and password are `guest`.
    ///
    /// # Errors
    /// As [`ServerOptions::start`].
    pub async fn rabbitmq() -> Result<Self> {
        ServerOptions::new(Kind::RabbitMq).start().await
    }

    /// PostgreSQL; user and database are `postgres`, without a password.
    ///
    /// # Errors
    /// As [`ServerOptions::start`].
    pub async fn postgres() -> Result<Self> {
        ServerOptions::new(Kind::Postgres).start().await
    }

    /// MariaDB; the user is `root`, without a password.
    ///
    /// # Errors
    /// As [`ServerOptions::start`].
    pub async fn mariadb() -> Result<Self> {
        ServerOptions::new(Kind::MariaDb).start().await
    }

    /// Redis, which answers a write when it is on disk.
    ///
    /// # Errors
    /// As [`ServerOptions::start`].
    pub async fn redis() -> Result<Self> {
        ServerOptions::new(Kind::Redis).start().await
    }

    /// A server of a kind, or `None` after a printed skip; see [`ServerOptions::available`].
    ///
    /// # Errors
    /// As [`ServerOptions::available`].
    pub async fn available(kind: Kind) -> Result<Option<Self>> {
        ServerOptions::new(kind).available().await
    }

    pub(super) async fn start_with(options: ServerOptions) -> Result<Self> {
        let kind = options.kind;
        if let Some(addr) = variable(kind.variable()) {
            return Ok(Self::given(kind, addr));
        }
        let store = Store::open()?;
        let tools = tools(kind, &store).await?;
        let folder = store.run(kind)?;
        let ports = (0..options.nodes).map(|_| ports::reserve(kind.recipe().ports()));
        let plan = Plan {
            folder: folder.path().to_owned(),
            tools,
            ports: ports.collect::<Result<_>>()?,
            options,
        };
        kind.recipe().prepare(&plan).await?;
        let mut nodes = Vec::new();
        for node in 0..options.nodes {
            nodes.push(Node::launch(kind, &plan, node).await?);
        }
        let mut server = Self {
            kind,
            nodes,
            plan: Some(plan),
            _folder: Some(folder),
            given: None,
        };
        server.ready().await?;
        Ok(server)
    }

    fn given(kind: Kind, addr: String) -> Self {
        Self {
            kind,
            nodes: Vec::new(),
            plan: None,
            _folder: None,
            given: Some(addr),
        }
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where clients connect, `host:port`; all nodes of a cluster, joined by commas.
    #[must_use]
    pub fn addr(&self) -> String {
        if let Some(addr) = &self.given {
            return addr.clone();
        }
        let addrs = self.nodes.iter().map(|node| node.addr().to_string());
        addrs.collect::<Vec<_>>().join(",")
    }

    /// The URL for a client, with user and database: `postgres://postgres@127.0.0.1:21432/postgres`. For Kafka it is the same as [`Server::addr`].
    #[must_use]
    pub fn url(&self) -> String {
        self.kind.url(&self.addr())
    }

    /// How a client gets in where [`ServerOptions::secured`] was asked for; `None` otherwise, and where the address was given.
    #[must_use]
    pub fn secured(&self) -> Option<Secured> {
        self.plan.as_ref().and_then(super::kafka::secured)
    }

    /// The version that it tells; unknown of a server whose address was given.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.nodes.first().map(Node::version)
    }

    /// Whether the test has started it, and so may kill it.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.given.is_none()
    }

    /// Its nodes; none where the address was given.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// One of its nodes, to be killed alone.
    ///
    /// # Errors
    /// The address was given, or there are fewer nodes.
    pub fn node(&mut self, index: usize) -> Result<&mut Node> {
        let kind = self.kind;
        self.nodes
            .get_mut(index)
            .ok_or_else(|| not_ours(kind).context("node", index))
    }

    /// The folder with its output, until it is removed with the server; it stays where the test fails or `MQ_KEEP` is set.
    #[must_use]
    pub fn logs(&self) -> Option<PathBuf> {
        self.plan.as_ref().map(Plan::logs)
    }

    /// Kills all nodes (SIGKILL).
    ///
    /// # Errors
    /// The address was given.
    pub async fn kill(&mut self) -> Result<()> {
        for node in self.own()? {
            node.kill().await?;
        }
        Ok(())
    }

    /// Stops it in order. A cluster is killed instead: its last nodes would wait for a quorum in vain.
    ///
    /// # Errors
    /// The address was given, or it has not ended within a minute and was killed.
    pub async fn stop(&mut self) -> Result<()> {
        match self.own()? {
            [node] => node.stop().await.map(drop),
            _ => self.kill().await,
        }
    }

    /// Starts all nodes again on the same data and ports, and waits until they answer. Nodes that run are killed first.
    ///
    /// # Errors
    /// The address was given, or it does not answer within two minutes.
    pub async fn start(&mut self) -> Result<()> {
        for node in self.own()? {
            node.relaunch().await?;
        }
        self.ready().await
    }

    /// Pauses all nodes (SIGSTOP).
    ///
    /// # Errors
    /// The address was given.
    pub fn pause(&mut self) -> Result<()> {
        self.own()?.iter_mut().try_for_each(Node::pause)
    }

    /// Lets all nodes go on (SIGCONT).
    ///
    /// # Errors
    /// The address was given.
    pub fn resume(&mut self) -> Result<()> {
        self.own()?.iter_mut().try_for_each(Node::resume)
    }

    /// A proxy before each node; the addresses of the proxies are what clients get, also by what Kafka tells them.
    ///
    /// # Errors
    /// A proxy cannot listen; or it is a given Kafka, which would lead clients past a proxy.
    pub fn proxies(&self, options: ProxyOptions) -> Result<Vec<Proxy>> {
        match &self.given {
            Some(_) if self.kind == Kind::Kafka => Err(not_ours(self.kind)),
            Some(addr) => Ok(vec![options.to(addr.clone())?]),
            None => self.nodes.iter().map(|node| node.proxy(options)).collect(),
        }
    }

    /// The URL of this server by way of proxies.
    #[must_use]
    pub fn url_by(&self, proxies: &[Proxy]) -> String {
        let addrs = proxies.iter().map(|proxy| proxy.addr().to_string());
        self.kind.url(&addrs.collect::<Vec<_>>().join(","))
    }

    /// A program that came with it, such as `psql`, `redis-cli`, `mariadb`, `rabbitmqctl` or `java` with Kafka's class path, in
    /// the environment that it needs.
    ///
    /// # Errors
    /// The address was given, so nothing came with it.
    pub fn command(&self, program: &str) -> Result<Command> {
        let plan = self.plan.as_ref().ok_or_else(|| not_ours(self.kind))?;
        let mut command = plan.tools.command(program);
        command.current_dir(existing(&plan.folder));
        if self.kind == Kind::RabbitMq {
            command.envs(super::rabbitmq::environment(plan, 0));
        }
        Ok(command)
    }

    async fn ready(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            node.ready().await?;
        }
        Ok(())
    }

    fn own(&mut self) -> Result<&mut [Node]> {
        match self.given {
            Some(_) => Err(not_ours(self.kind)),
            None => Ok(&mut self.nodes),
        }
    }
}

fn existing(folder: &Path) -> &Path {
    if folder.is_dir() {
        folder
    } else {
        Path::new("/")
    }
}

fn not_ours(kind: Kind) -> Error {
    let what = format!(
        "the {kind} server was given by its address and is not the test's to touch; leave {} unset",
        kind.variable()
    );
    Error::new(ErrorKind::Unsupported, what).operation("Server")
}
