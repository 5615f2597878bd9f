//! What snapshots leave behind.

use mq_broker::{Broker, BrokerOptions, Subscribe};
use mq_core::message::Message;

fn names(folder: &std::path::Path, suffix: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(suffix)).collect();
    names.sort();
    names
}

/// A service that is started again and again for a moment leaves no more behind than one that runs on.
#[tokio::test]
async fn many_short_lives_keep_two_snapshots_and_the_segments_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = BrokerOptions::default();
    options.segment = 64 << 10;
    options.max_message = 16 << 10;
    options.destinations.retain = 0;
    for _ in 0..12 {
        let broker = Broker::open_with(folder.path(), options.clone())
            .await
            .unwrap();
        let wanted = Subscribe::to("orders").group("billing");
        let mut billing = broker.subscribe(&wanted).await.unwrap();
        let messages = vec![Message::new(vec![7; 8 << 10]); 10];
        let results = broker.publish("orders", &messages).await;
        assert!(results.iter().all(Result::is_ok));
        let mut seen = 0;
        while seen < messages.len() {
            let delivered = billing.receive(10).await.unwrap();
            billing.ack(&delivered).await.unwrap();
            seen += delivered.len();
        }
        broker.close().await.unwrap();
    }
    assert_eq!(names(folder.path(), ".snapshot").len(), 2);
    let journal = names(folder.path(), ".journal");
    assert!(journal.len() <= 6, "{journal:?}");
}

/// Publishes and settles so much that old segments are cut, and says what is still there of each destination.
async fn kept_after_a_long_time(retain: u64) -> Option<u64> {
    let folder = tempfile::tempdir().unwrap();
    let mut options = BrokerOptions::default();
    options.segment = 64 << 10;
    options.max_message = 16 << 10;
    options.destinations.retain = retain;
    let broker = Broker::open_with(folder.path(), options).await.unwrap();
    let wanted = Subscribe::to("orders").group("billing");
    let mut billing = broker.subscribe(&wanted).await.unwrap();
    for _ in 0..60 {
        let message = Message::new(vec![7; 8 << 10]);
        broker
            .publish("orders", &[message])
            .await
            .remove(0)
            .unwrap();
        billing.receive(1).await.unwrap()[0].ack().await.unwrap();
    }
    for _ in 0..4 {
        broker.checkpoint().unwrap();
    }
    broker.destinations()[0].messages
}

#[tokio::test]
async fn replays_make_way_for_disk_space_unless_they_are_to_stay_for_ever() {
    assert!(kept_after_a_long_time(50).await < Some(50));
    assert_eq!(kept_after_a_long_time(i64::MAX as u64).await, Some(60));
}
