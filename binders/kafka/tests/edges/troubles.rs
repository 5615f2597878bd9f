//! What is said where the cluster cannot be reached.

use std::{net::TcpListener, time::Duration};

use mq_core::{
    binder::{Binder, DestinationPlan, Health},
    error::{Error, ErrorKind},
    policy::Provision,
};
use mq_kafka::{KafkaSettings, SecuritySettings};

use crate::place::{connect, server, settings};

/// What an instance says of itself, and what provisioning says.
async fn told(mut settings: KafkaSettings) -> (String, Error) {
    settings.timeout = Duration::from_secs(3);
    let binder = connect(settings).await;
    let plan = [DestinationPlan::new("orders")];
    let error = binder
        .provision(&plan, Provision::Create)
        .await
        .expect_err("nobody answers");
    let Health::Down(reason) = binder.health() else {
        panic!("{:?}", binder.health())
    };
    binder.close().await.expect("closed");
    (reason, error)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_there_is_waited_for() {
    let mut settings = KafkaSettings::default();
    let closed = TcpListener::bind("127.0.0.1:0")
        .and_then(|socket| socket.local_addr())
        .expect("a free port");
    settings.servers = closed.to_string();
    let (reason, error) = told(settings).await;
    assert!(
        error.is_temporary()
            && reason.contains("Connection refused")
            && reason.contains("`servers`"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_nobody_knows_is_told() {
    let mut settings = KafkaSettings::default();
    settings.servers = "no-such-host.invalid:9092".to_owned();
    let (reason, error) = told(settings).await;
    assert!(
        error.is_temporary() && reason.contains("resolve") && reason.contains("`servers`"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_speaks_otherwise_is_told() {
    let Some(server) = server().await else { return };
    let mut tls = settings(server);
    tls.security = Some(SecuritySettings::default());
    let (reason, _) = told(tls).await;
    // By which side finds out first, librdkafka says that the handshake failed or that the connection was closed in it.
    assert!(
        reason.contains("SSL") && reason.contains("`security`"),
        "{reason}"
    );
    let mut plain = settings(server);
    plain.servers = server.secured().expect("it was asked for").address;
    let (reason, error) = told(plain).await;
    assert!(
        reason.contains("connection closed") && reason.contains("`security`"),
        "{reason}"
    );
    assert_ne!(error.kind(), ErrorKind::Bug);
}
