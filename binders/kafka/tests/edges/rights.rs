//! Rights that are taken away from an application that runs, and given back.

use std::{collections::BTreeSet, process::Stdio};

use mq_core::{
    app::{App, RunningApp},
    binder::{Binder, Health},
    binding::BindingState,
    config::Config,
    extract::Text,
    message::Message,
};
use mq_kafka::KafkaBinder;
use mq_testkit::harness::Server;

use crate::place::{browse, connect, name, publish, server, settings, topic, until};

/// Changes the access control list of a resource; whoever is not named in a list that is there may nothing.
pub(crate) async fn acl(server: &Server, change: &[&str]) {
    acl_of(server, ["User:other", "All"], change).await;
}

/// Changes what somebody may do with a resource.
pub(crate) async fn acl_of(server: &Server, [who, what]: [&str; 2], change: &[&str]) {
    let mut command = server.command("java").expect("it came with the server");
    let right = ["--allow-principal", who, "--operation", what];
    let change: Vec<String> = [&right, change]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect();
    let addr = server.addr();
    let changing = tokio::task::spawn_blocking(move || {
        command
            .args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .arg("org.apache.kafka.tools.AclCommand")
            .args(["--bootstrap-server", &addr, "--force"])
            .args(change)
            .stdout(Stdio::null())
            .status()
    });
    let status = changing.await.expect("no panic").expect("it runs");
    assert!(status.success());
}

/// An application that passes everything on, as a user who has rights to lose.
async fn passing_on(
    server: &Server,
    group: &str,
    [orders, invoices]: [&str; 2],
    consumer: &str,
) -> RunningApp {
    let place = server.secured().expect("it was asked for");
    let config = format!(
        "[app]\nname = '{group}'\n[binders.main]\nkind = 'kafka'\nservers = '{}'\nsession_timeout = '6s'\ntimeout = '20s'\n\
         security = {{ ca = '{}', mechanism = 'plain', user = '{}', password = '{}' }}\n\
         [bindings.orders]\ndestination = '{orders}'\n[bindings.orders.consumer]\n{consumer}\n\
         [bindings.invoices]\ndestination = '{invoices}'\n",
        place.address,
        place.ca.display(),
        place.user,
        place.password
    );
    App::builder()
        .config(Config::toml(config))
        .binder_kind(mq_kafka::FACTORY)
        .processor("orders", "invoices", |Text(text): Text| async move {
            Text(text)
        })
        .build()
        .expect("a plan")
        .start()
        .await
        .expect("a start")
}

async fn texts(binder: &KafkaBinder, topic: &str) -> Vec<String> {
    let all = browse(binder, topic).await;
    all.iter()
        .map(|one| String::from_utf8_lossy(one.message.as_bytes()).into_owned())
        .collect()
}

/// Everything that was sent has come through.
async fn is_through(binder: &KafkaBinder, invoices: &str, sent: &[&str]) {
    let sent: BTreeSet<_> = sent.iter().map(|&text| text.to_owned()).collect();
    until("everything is through", async || {
        texts(binder, invoices)
            .await
            .into_iter()
            .collect::<BTreeSet<_>>()
            == sent
    })
    .await;
}

/// What the instance of the application says of itself.
fn instance(running: &RunningApp) -> Health {
    let binder = running.handle().binder("main").expect("there is one");
    binder.health()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_to_read_that_is_taken_away_is_told_and_reading_goes_on_when_it_is_back() {
    let Some(server) = server().await else { return };
    let binder = connect(settings(server)).await;
    let (orders, invoices) = (
        topic(&binder, "orders", 2).await,
        topic(&binder, "invoices", 1).await,
    );
    let group = name("billing");
    let running = passing_on(server, &group, [&orders, &invoices], "").await;
    publish(&binder, &orders, &[Message::new("a"), Message::new("b")]).await;
    is_through(&binder, &invoices, &["a", "b"]).await;
    until("its rights are known", async || {
        instance(&running) == Health::Up
    })
    .await;
    for resource in [["--topic", &orders], ["--group", &group]] {
        acl(server, &[&["--add"], &resource[..]].concat()).await;
        let text = resource[1];
        publish(&binder, &orders, &[Message::new(text.to_owned())]).await;
        let says = |reason: &str| reason.contains("access control list");
        // The instance says it until the cluster answers the next time.
        let mut was_told = false;
        until("the binding is down and says why", async || {
            was_told |= matches!(instance(&running), Health::Degraded(reason) if says(&reason));
            let state = running
                .handle()
                .binding("orders")
                .expect("it is there")
                .state();
            was_told && matches!(state, BindingState::Down(reason) if says(&reason))
        })
        .await;
        let readiness = running.handle().readiness();
        assert!(
            matches!(&readiness, Health::Down(reason) if says(reason)),
            "{readiness:?}"
        );
        acl(server, &[&["--remove"], &resource[..]].concat()).await;
        until("it is ready again", async || {
            running.handle().readiness() == Health::Up && instance(&running) == Health::Up
        })
        .await;
    }
    is_through(&binder, &invoices, &["a", "b", &orders, &group]).await;
    running.stop().await.expect("stopped");
    binder.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_to_write_that_is_taken_away_is_told_and_nothing_is_lost() {
    let Some(server) = server().await else { return };
    let binder = connect(settings(server)).await;
    for consumer in ["", "guarantee = 'exactly_once'"] {
        let (orders, invoices) = (
            topic(&binder, "orders", 2).await,
            topic(&binder, "invoices", 1).await,
        );
        let running = passing_on(server, &name("billing"), [&orders, &invoices], consumer).await;
        publish(&binder, &orders, &[Message::new("a")]).await;
        is_through(&binder, &invoices, &["a"]).await;
        acl(server, &["--add", "--topic", &invoices]).await;
        publish(&binder, &orders, &[Message::new("b"), Message::new("c")]).await;
        let says = |reason: &str| reason.contains("access control list");
        let mut was_told = false;
        until("it is not ready and says why", async || {
            was_told |= matches!(instance(&running), Health::Degraded(reason) if says(&reason));
            let readiness = running.handle().readiness();
            was_told
                && matches!(readiness, Health::Down(reason) | Health::Degraded(reason) if says(&reason))
        })
        .await;
        acl(server, &["--remove", "--topic", &invoices]).await;
        is_through(&binder, &invoices, &["a", "b", "c"]).await;
        until("it is ready again", async || {
            running.handle().readiness() == Health::Up && instance(&running) == Health::Up
        })
        .await;
        let found = texts(&binder, &invoices).await;
        assert_eq!(found.len(), 3, "once each: {found:?}");
        running.stop().await.expect("stopped");
    }
    binder.close().await.expect("closed");
}
