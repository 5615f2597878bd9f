//! Real servers: each one is started, used, killed, started again on the same data, and stopped.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use mq_testkit::harness::{Direction, Kind, Node, ProxyOptions, Server, ServerOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::SOON;

/// One server at a time: some of them are heavy.
static ONE: Mutex<()> = Mutex::const_new(());

/// Runs a tool to its end, off the runtime, and gives what it wrote.
async fn call(mut command: Command, input: &'static str) -> String {
    let running = tokio::task::spawn_blocking(move || {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    });
    let output = running.await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn split(addr: &str) -> (&str, &str) {
    addr.rsplit_once(':').unwrap()
}

/// Sends a line to Redis and gives the answer's first line.
async fn redis(addr: &str, line: &str) -> std::io::Result<String> {
    let mut socket = TcpStream::connect(addr).await?;
    socket.write_all(format!("{line}\r\n").as_bytes()).await?;
    let mut answer = vec![0; 1024];
    let length = socket.read(&mut answer).await?;
    answer.truncate(length);
    Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
}

#[tokio::test]
async fn redis_keeps_its_data_across_a_kill() {
    let _one = ONE.lock().await;
    let Some(mut server) = Server::available(Kind::Redis).await.unwrap() else {
        return;
    };
    let addr = server.addr();
    assert_eq!(redis(&addr, "PING").await.unwrap(), "+PONG");
    assert_eq!(redis(&addr, "SET k v1").await.unwrap(), "+OK");
    server.kill().await.unwrap();
    assert!(redis(&addr, "PING").await.is_err());
    server.start().await.unwrap();
    assert_eq!(redis(&addr, "GET k").await.unwrap(), "$2\r\nv1");
    server.stop().await.unwrap();
    assert!(server.version().unwrap().contains('.'));
}

#[tokio::test]
async fn a_paused_server_is_silent_and_a_proxy_goes_before_it() {
    let _one = ONE.lock().await;
    let Some(mut server) = Server::available(Kind::Redis).await.unwrap() else {
        return;
    };
    let proxies = server.proxies(ProxyOptions::default()).unwrap();
    let addr = proxies[0].addr().to_string();
    assert_eq!(server.url_by(&proxies), format!("redis://{addr}"));
    assert_eq!(redis(&addr, "SET k v2").await.unwrap(), "+OK");
    server.pause().unwrap();
    let asking = redis(&addr, "GET k");
    tokio::pin!(asking);
    let silence = tokio::time::timeout(Duration::from_millis(60), &mut asking).await;
    assert!(silence.is_err());
    server.resume().unwrap();
    assert_eq!(asking.await.unwrap(), "$2\r\nv2");
    proxies[0].half_open(Direction::ToClient);
    let half = tokio::time::timeout(Duration::from_millis(60), redis(&addr, "SET k v3")).await;
    assert!(half.is_err());
    assert_eq!(redis(&server.addr(), "GET k").await.unwrap(), "$2\r\nv3");
}

#[tokio::test]
async fn two_servers_of_a_kind_do_not_meet() {
    let _one = ONE.lock().await;
    let Some(first) = Server::available(Kind::Redis).await.unwrap() else {
        return;
    };
    let second = Server::redis().await.unwrap();
    assert_ne!(first.addr(), second.addr());
    redis(&first.addr(), "SET k first").await.unwrap();
    assert_eq!(redis(&second.addr(), "GET k").await.unwrap(), "$-1");
    let logs = second.logs().unwrap();
    assert!(logs.join("redis-server-0.log").is_file());
    drop(second);
    assert!(!logs.exists());
}

#[tokio::test]
async fn only_kafka_has_more_than_one_node() {
    let start = ServerOptions::new(Kind::Redis).nodes(2).start().await;
    assert_eq!(
        start.unwrap_err().message(),
        "a redis server has 1 to 1 nodes here"
    );
}

async fn psql(server: &Server, query: &'static str) -> String {
    let addr = server.addr();
    let (host, port) = split(&addr);
    let mut psql = server.command("psql").unwrap();
    psql.args([
        "-h",
        host,
        "-p",
        port,
        "-U",
        "postgres",
        "-v",
        "ON_ERROR_STOP=1",
        "-qAt",
    ]);
    call(psql, query).await
}

#[tokio::test]
async fn postgres_keeps_its_data_across_a_kill() {
    let _one = ONE.lock().await;
    let Some(mut server) = Server::available(Kind::Postgres).await.unwrap() else {
        return;
    };
    psql(&server, "create table t(x int); insert into t values (42);").await;
    for _ in 0..3 {
        server.kill().await.unwrap();
        server.start().await.unwrap();
        assert_eq!(psql(&server, "select x from t;").await, "42\n");
    }
    assert!(
        psql(&server, "show server_version;")
            .await
            .starts_with(server.version().unwrap())
    );
    server.stop().await.unwrap();
    server.start().await.unwrap();
    assert_eq!(psql(&server, "select x from t;").await, "42\n");
}

async fn mariadb(server: &Server, query: &'static str) -> String {
    let addr = server.addr();
    let (host, port) = split(&addr);
    let mut client = server.command("mariadb").unwrap();
    client.args(["--no-defaults", "-h", host, "-P", port, "-u", "root", "-N"]);
    call(client, query).await
}

#[tokio::test]
async fn mariadb_keeps_its_data_across_a_kill() {
    let _one = ONE.lock().await;
    let Some(mut server) = Server::available(Kind::MariaDb).await.unwrap() else {
        return;
    };
    mariadb(
        &server,
        "create database d; create table d.t(i int); insert into d.t values (7);",
    )
    .await;
    server.kill().await.unwrap();
    server.start().await.unwrap();
    assert_eq!(mariadb(&server, "select i from d.t;").await, "7\n");
    assert!(
        mariadb(&server, "select version();")
            .await
            .starts_with(server.version().unwrap())
    );
    server.stop().await.unwrap();
}

async fn rabbitmqctl(server: &Server, args: &[&str]) -> String {
    let mut tool = server.command("rabbitmqctl").unwrap();
    tool.args(args);
    call(tool, "").await
}

#[tokio::test]
async fn rabbitmq_keeps_its_data_across_a_kill() {
    let _one = ONE.lock().await;
    let Some(mut server) = Server::available(Kind::RabbitMq).await.unwrap() else {
        return;
    };
    rabbitmqctl(&server, &["add_user", "anna", "secret"]).await;
    server.kill().await.unwrap();
    server.start().await.unwrap();
    let users = rabbitmqctl(&server, &["-q", "list_users"]).await;
    assert!(users.contains("anna"), "{users}");
    let version = rabbitmqctl(&server, &["version"]).await;
    assert_eq!(version.trim(), server.version().unwrap());
    server.stop().await.unwrap();
    assert!(TcpStream::connect(server.addr()).await.is_err());
}

/// Runs one of Kafka's own tools against `addr`.
async fn kafka(
    server: &Server,
    addr: &str,
    class: &str,
    args: &[&str],
    input: &'static str,
) -> String {
    let mut java = server.command("java").unwrap();
    java.args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"])
        .arg(format!("org.apache.kafka.tools.{class}"))
        .args(["--bootstrap-server", addr])
        .args(args);
    call(java, input).await
}

const READ: [&str; 6] = [
    "--topic",
    "t",
    "--from-beginning",
    "--max-messages",
    "3",
    "--timeout-ms",
];

async fn write_three(server: &Server, addr: &str) {
    let args = ["--topic", "t", "--request-required-acks", "all"];
    kafka(server, addr, "ConsoleProducer", &args, "a\nb\nc\n").await;
}

async fn read_three(server: &Server, addr: &str) -> Vec<String> {
    let args = [&READ[..], &["60000"]].concat();
    let text = kafka(server, addr, "consumer.ConsoleConsumer", &args, "").await;
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn kafka_keeps_its_data_across_a_kill_and_stays_behind_its_proxy() {
    let _one = ONE.lock().await;
    let Some(mut server) = Server::available(Kind::Kafka).await.unwrap() else {
        return;
    };
    let proxies = server.proxies(ProxyOptions::default()).unwrap();
    let behind = proxies[0].addr().to_string();
    let create = ["--create", "--topic", "t", "--partitions", "3"];
    kafka(&server, &server.addr(), "TopicCommand", &create, "").await;
    write_three(&server, &behind).await;
    // The bootstrap and at least one more, to where the server says that it is.
    assert!(
        proxies[0].statistics().accepted >= 2,
        "{:?}",
        proxies[0].statistics()
    );
    server.kill().await.unwrap();
    server.start().await.unwrap();
    assert_eq!(read_three(&server, &server.addr()).await, ["a", "b", "c"]);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_kafka_cluster_goes_on_without_one_node() {
    let _one = ONE.lock().await;
    let options = ServerOptions::new(Kind::Kafka).nodes(3).heap(192);
    let Some(mut server) = options.available().await.unwrap() else {
        return;
    };
    let create = [
        "--create",
        "--topic",
        "t",
        "--partitions",
        "3",
        "--replication-factor",
        "3",
    ];
    kafka(&server, &server.addr(), "TopicCommand", &create, "").await;
    server.node(1).unwrap().kill().await.unwrap();
    assert_eq!(
        server
            .nodes()
            .iter()
            .filter(|node| node.is_running())
            .count(),
        2
    );
    write_three(&server, &server.addr()).await;
    server.node(1).unwrap().start().await.unwrap();
    let again = server.nodes()[1].addr().to_string();
    assert_eq!(read_three(&server, &again).await, ["a", "b", "c"]);
    server.stop().await.unwrap();
    let down = async {
        while server.nodes().iter().any(Node::is_running) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, down).await.unwrap();
}
