//! RabbitMQ with its management, as one node with a port mapper of its own.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use async_trait::async_trait;
use mq_core::error::Result;

use super::debian;
use super::probe::{Probe, Reader};
use super::recipe::{Missing, Plan, Recipe, file_error};
use super::store::Store;
use super::tools::Tools;
use crate::harness::Program;

/// Where Debian has the start script, which takes the settings of the environment; the one on the search path does not.
const FOLDER: &str = "/usr/lib/rabbitmq/bin";

const PLUGINS: &str = "[rabbitmq_management,rabbitmq_prometheus].\n";

/// Two schedulers do for a test.
const ERLANG: &str = "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2";

/// The ports of a node, by their use.
const CLIENTS: usize = 0;
const MANAGEMENT: usize = 1;
const METRICS: usize = 2;
const NODES: usize = 3;
const MAPPER: usize = 4;

#[derive(Debug)]
pub(super) struct RabbitMq;

#[async_trait]
impl Recipe for RabbitMq {
    async fn fetch(&self, store: &Store) -> Result<Tools, Missing> {
        if Path::new(FOLDER).join("rabbitmq-server").is_file() {
            return Ok(Tools::system(&[FOLDER]));
        }
        let root = debian::tree(store, "rabbitmq", &["rabbitmq-server"]).await?;
        let moved = relocate(&root);
        moved.map_err(|e| {
            format!(
                "rabbitmq cannot be made to run from {}: {e}",
                root.display()
            )
        })?;
        Ok(Tools::tree(root, &[FOLDER]))
    }

    fn ports(&self) -> usize {
        5
    }

    async fn prepare(&self, plan: &Plan) -> Result<()> {
        for folder in ["mnesia", "home"] {
            let path = plan.data(0).join(folder);
            let made = fs::create_dir_all(&path);
            made.map_err(|e| file_error("cannot make a server's data folder", &path, e))?;
        }
        plan.write("enabled_plugins", PLUGINS)?;
        plan.write("rabbitmq.conf", &settings(plan)).map(drop)
    }

    /// The port mapper; a node would start one itself that outlives it.
    fn companion(&self, plan: &Plan, node: usize) -> Option<Program> {
        let port = plan.port(node, MAPPER).to_string();
        let mapper = plan.tools.program("epmd");
        Some(mapper.args(["-address", "127.0.0.1", "-port", &port]))
    }

    fn program(&self, plan: &Plan, node: usize) -> Program {
        let program = plan.tools.program("rabbitmq-server");
        let environment = environment(plan, node);
        let set = |program: Program, (name, value): (&str, OsString)| program.env(name, value);
        environment.into_iter().fold(program, set)
    }

    async fn probe(&self, addr: SocketAddr, _nodes: usize) -> io::Result<Option<String>> {
        let mut probe = Probe::connect(addr).await?;
        probe.send(b"AMQP\0\0\x09\x01").await?;
        // A frame: its kind, channel and length; then connection.start with what the server says of itself.
        let head = probe.take(3).await?;
        let length = probe.length().await?;
        let start = probe.take(length).await?;
        if head[0] != 1 {
            return Ok(None);
        }
        Ok(version(&start))
    }
}

/// In the table of what the server says of itself: the name, the sign of a long text, its length, the text.
fn version(start: &[u8]) -> Option<String> {
    let name = b"\x07versionS";
    let at = start.windows(name.len()).position(|text| text == name)?;
    let mut text = Reader(start.get(at + name.len()..)?);
    let length = usize::try_from(text.i32()?).ok()?;
    Some(String::from_utf8_lossy(text.skip(length)?).into_owned())
}

/// What node and tools have to know. Files of the system are kept away; the script becomes the node, which a signal then reaches.
pub(super) fn environment(plan: &Plan, node: usize) -> Vec<(&'static str, OsString)> {
    let data = plan.data(node);
    let port = |index| plan.port(node, index).to_string();
    let name = format!("mq{}@127.0.0.1", port(CLIENTS));
    vec![
        ("HOME", data.join("home").into()),
        ("LANG", "C.UTF-8".into()),
        ("RABBITMQ_NODENAME", name.into()),
        // A long name may be an address: then no name has to be looked up.
        ("RABBITMQ_USE_LONGNAME", "true".into()),
        ("RABBITMQ_NODE_PORT", port(CLIENTS).into()),
        ("RABBITMQ_DIST_PORT", port(NODES).into()),
        (
            "RABBITMQ_CONFIG_FILE",
            plan.folder.join("rabbitmq.conf").into(),
        ),
        ("RABBITMQ_CONF_ENV_FILE", "/dev/null".into()),
        (
            "RABBITMQ_ENABLED_PLUGINS_FILE",
            plan.folder.join("enabled_plugins").into(),
        ),
        ("RABBITMQ_MNESIA_BASE", data.join("mnesia").into()),
        ("RABBITMQ_LOG_BASE", plan.logs().into()),
        ("RABBITMQ_PID_FILE", data.join("pid").into()),
        ("ERL_EPMD_PORT", port(MAPPER).into()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".into()),
        ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ERLANG.into()),
        ("RABBITMQ_ALLOW_INPUT", "true".into()),
        ("RABBITMQ_SERVER_START_ARGS", "-noshell -noinput".into()),
    ]
}

/// `guest` may come from anywhere, so nothing listens but on the loopback.
fn settings(plan: &Plan) -> String {
    let port = |index| plan.port(0, index);
    format!(
        "listeners.tcp.default = 127.0.0.1:{}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {}\n\
         prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {}\nloopback_users = none\n\
         disk_free_limit.absolute = 50MB\ncollect_statistics_interval = 1000\nlog.console = true\nlog.file = false\n",
        port(CLIENTS),
        port(MANAGEMENT),
        port(METRICS)
    )
}

/// Erlang's scripts have the folder in them that they were made for.
fn relocate(root: &Path) -> io::Result<()> {
    let erlang = root.join("usr/lib/erlang");
    let mut scripts = vec![erlang.join("bin/erl"), erlang.join("bin/start")];
    for folder in fs::read_dir(&erlang)? {
        scripts.push(folder?.path().join("bin/erl"));
    }
    for script in scripts.iter().filter(|script| script.is_file()) {
        let text = fs::read_to_string(script)?;
        let moved = text.replace("=/usr/lib/erlang\n", &format!("={}\n", erlang.display()));
        if moved != text {
            fs::write(script, moved)?;
        }
    }
    Ok(())
}
