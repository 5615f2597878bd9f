//! What the clients count.

use std::time::Duration;

use mq_core::{binder::Binder, message::Message};

use crate::place::{connect, publish, server, settings, topic, until};

#[tokio::test(flavor = "multi_thread")]
async fn clients_count_when_they_are_told_to() {
    let Some(server) = server().await else { return };
    let mut counting = settings(server);
    counting.statistics = Duration::from_millis(100);
    let binder = connect(counting).await;
    let topic = topic(&binder, "statistics", 1).await;
    publish(&binder, &topic, &[Message::new("x"), Message::new("y")]).await;
    until("two messages were counted", async || {
        let all = binder.statistics();
        all.iter().any(|one| {
            one.role == "producer"
                && one.messages_sent >= 2
                && one.brokers.iter().any(|broker| broker.state == "UP")
        })
    })
    .await;
    binder.close().await.expect("closed");
    let quiet = connect(settings(server)).await;
    assert!(quiet.statistics().is_empty());
    quiet.close().await.expect("closed");
}
