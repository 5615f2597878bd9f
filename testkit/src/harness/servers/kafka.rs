//! Apache Kafka: each node is broker and controller.

use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use mq_core::error::Result;

use super::Kind;
use super::kafka_secured::{self, Secured};
use super::maven;
use super::probe::{Probe, Reader, odd};
use super::recipe::{Missing, Plan, Proxied, Recipe};
use super::store::Store;
use super::tools::Tools;
use crate::harness::Program;

const VERSION: &str = "4.1.1";

/// The server, and the console tools.
const ARTIFACTS: [&str; 2] = [
    "org.apache.kafka:kafka_2.13:4.1.1",
    "org.apache.kafka:kafka-tools:4.1.1",
];

/// The ports of a node, by their use: for clients, for controllers, for a proxy to forward to, for a proxy to listen on.
const CLIENTS: usize = 0;
const CONTROLLERS: usize = 1;
const BEHIND: usize = 2;
const PROXY: usize = 3;
/// With TLS and users; with TLS and certificates of clients.
const SECURED: usize = 4;
const MUTUAL: usize = 5;

/// Replication is as wide as three nodes allow; otherwise the first group or transaction would wait for brokers that do not exist.
const COMMON: &str = "process.roles=broker,controller
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENTS
listener.security.protocol.map=CLIENTS:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL,MUTUAL:SSL
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=4194304
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=300
broker.session.timeout.ms=1500
auto.create.topics.enable=false
";

const LOGGING: &str = r#"<Configuration><Appenders><Console name="c"><PatternLayout pattern="%d{HH:mm:ss.SSS} %-5p %c{1} - %m%n"/></Console></Appenders>
<Loggers><Root level="warn"><AppenderRef ref="c"/></Root></Loggers></Configuration>
"#;

#[derive(Debug)]
pub(super) struct Kafka;

#[async_trait]
impl Recipe for Kafka {
    async fn fetch(&self, store: &Store) -> Result<Tools, Missing> {
        maven::java(Kind::Kafka).await?;
        let folder = maven::jars(store, &format!("kafka-{VERSION}"), &ARTIFACTS).await?;
        Ok(Tools::system(&[]).env("CLASSPATH", format!("{}/libs/*", folder.display())))
    }

    fn ports(&self) -> usize {
        6
    }

    async fn prepare(&self, plan: &Plan) -> Result<()> {
        plan.write("log4j2.xml", LOGGING)?;
        if plan.options.secured {
            kafka_secured::prepare(plan).await?;
        }
        let id = cluster_id();
        let mut formats = Vec::new();
        for node in 0..plan.nodes() {
            let path = plan.write(&format!("node-{node}.properties"), &settings(plan, node))?;
            let format = java(plan, node, "kafka.tools.StorageTool")
                .args(["format", "-t", &id, "-c"])
                .arg(path);
            let format = match plan.options.secured {
                true => kafka_secured::with_users(format),
                false => format,
            };
            formats.push(plan.run(format.name(format!("format-{node}"))));
        }
        for format in formats {
            format.await?;
        }
        Ok(())
    }

    fn program(&self, plan: &Plan, node: usize) -> Program {
        let path = plan.folder.join(format!("node-{node}.properties"));
        java(plan, node, "kafka.Kafka").arg(path)
    }

    fn proxied(&self, plan: &Plan, node: usize) -> Option<Proxied> {
        Some(Proxied {
            listen: plan.port(node, PROXY),
            upstream: plan.port(node, BEHIND),
        })
    }

    /// Asks for the brokers: all of them, and a controller.
    async fn probe(&self, addr: SocketAddr, nodes: usize) -> io::Result<Option<String>> {
        let mut probe = Probe::connect(addr).await?;
        probe.send(&brokers_please()).await?;
        let length = probe.length().await?;
        let answer = probe.take(length).await?;
        let (brokers, controller) = brokers(&answer).ok_or_else(odd)?;
        let ready = brokers == nodes && controller >= 0;
        Ok(ready.then(|| VERSION.to_owned()))
    }
}

/// How a client gets in, where the server is secured.
pub(super) fn secured(plan: &Plan) -> Option<Secured> {
    let own = || Secured::new(plan, plan.port(0, SECURED), plan.port(0, MUTUAL));
    plan.options.secured.then(own)
}

/// A Java program with the class path of the tools.
fn java(plan: &Plan, node: usize, class: &str) -> Program {
    let logging = plan.folder.join("log4j2.xml");
    plan.tools
        .program("java")
        .name(format!("kafka-{node}"))
        .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms64m"])
        .arg(format!("-Xmx{}m", plan.options.heap))
        .arg(format!("-Dlog4j2.configurationFile={}", logging.display()))
        .arg(class)
        .folder(&plan.folder)
}

fn settings(plan: &Plan, node: usize) -> String {
    let port = |index| plan.port(node, index);
    let voters = (0..plan.nodes())
        .map(|node| format!("{}@127.0.0.1:{}", node + 1, plan.port(node, CONTROLLERS)));
    let voters = voters.collect::<Vec<_>>().join(",");
    let copies = plan.nodes().min(3);
    let in_sync = copies.saturating_sub(1).max(1);
    let (listeners, security) = match plan.options.secured {
        true => (
            format!(
                ",SECURED://localhost:{},MUTUAL://localhost:{}",
                port(SECURED),
                port(MUTUAL)
            ),
            kafka_secured::settings(plan),
        ),
        false => (String::new(), String::new()),
    };
    format!(
        "{COMMON}node.id={}\ncontroller.quorum.voters={voters}\nlog.dirs={}\n\
         listeners=CLIENTS://127.0.0.1:{},PROXIED://127.0.0.1:{},CONTROLLER://127.0.0.1:{}{listeners}\n\
         advertised.listeners=CLIENTS://127.0.0.1:{},PROXIED://127.0.0.1:{}{listeners}\n\
         {security}default.replication.factor={copies}\nmin.insync.replicas={in_sync}\n\
         offsets.topic.replication.factor={copies}\n\
         transaction.state.log.replication.factor={copies}\ntransaction.state.log.min.isr={in_sync}\n\
         share.coordinator.state.topic.replication.factor={copies}\nshare.coordinator.state.topic.min.isr={in_sync}\n",
        node + 1,
        plan.data(node).display(),
        port(CLIENTS),
        port(BEHIND),
        port(CONTROLLERS),
        port(CLIENTS),
        port(PROXY),
    )
}

/// Sixteen random bytes in the alphabet of base 64 for URLs, as Kafka writes ids.
fn cluster_id() -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let letters = (0..21).map(|_| char::from(alphabet[fastrand::usize(..alphabet.len())]));
    // The last letter stands for two bits only.
    letters.chain(['A']).collect()
}

/// A request for metadata, version 1, of no topics.
fn brokers_please() -> Vec<u8> {
    let mut request = Vec::new();
    request.extend_from_slice(&3_i16.to_be_bytes());
    request.extend_from_slice(&1_i16.to_be_bytes());
    request.extend_from_slice(&7_i32.to_be_bytes());
    request.extend_from_slice(&2_i16.to_be_bytes());
    request.extend_from_slice(b"mq");
    request.extend_from_slice(&0_i32.to_be_bytes());
    let length = u32::try_from(request.len()).unwrap_or_default();
    let mut message = length.to_be_bytes().to_vec();
    message.append(&mut request);
    message
}

/// How many brokers there are, and the number of the controller.
fn brokers(answer: &[u8]) -> Option<(usize, i32)> {
    let mut answer = Reader(answer);
    answer.skip(4)?;
    let count = answer.i32()?;
    for _ in 0..count {
        answer.i32()?;
        answer.string()?;
        answer.i32()?;
        answer.string()?;
    }
    Some((usize::try_from(count).ok()?, answer.i32()?))
}
