//! Files that are not what was written.

use std::{fs, path::PathBuf};

use mq_broker::{Broker, BrokerOptions, Subscribe};
use mq_core::message::Message;

/// A folder with one message, and the file that it is in.
async fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    assert!(broker.publish("orders", &[Message::new("a")]).await[0].is_ok());
    drop(broker);
    let file = folder.path().join(format!("{:020}.journal", 0));
    (folder, file)
}

async fn repaired(folder: &tempfile::TempDir) -> Broker {
    let mut options = BrokerOptions::default();
    options.repair = true;
    Broker::open_with(folder.path(), options).await.unwrap()
}

#[tokio::test]
async fn a_segment_without_its_header_is_damage_and_not_an_empty_folder() {
    let (folder, file) = folder().await;
    let sound = fs::read(&file).unwrap();
    for place in [3, 20, 40] {
        let mut bytes = sound.clone();
        bytes[place] ^= 1;
        fs::write(&file, &bytes).unwrap();
        let error = Broker::open(folder.path()).await.unwrap_err();
        assert!(error.message().contains("repair = true"), "{error}");
        assert_eq!(fs::read(&file).unwrap(), bytes, "it is left as it is");
    }
    fs::write(&file, &sound).unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    assert_eq!(broker.destinations()[0].messages, Some(1));
}

#[tokio::test]
async fn a_repair_goes_on_without_what_is_lost() {
    let (folder, file) = folder().await;
    let mut bytes = fs::read(&file).unwrap();
    bytes[20] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let broker = repaired(&folder).await;
    assert!(broker.publish("orders", &[Message::new("b")]).await[0].is_ok());
    drop(broker);
    let broker = Broker::open(folder.path()).await.unwrap();
    let wanted = Subscribe::to("orders").group("billing");
    let mut billing = broker.subscribe(&wanted).await.unwrap();
    assert_eq!(
        billing.receive(1).await.unwrap()[0].message().as_bytes(),
        b"b"
    );
}

#[tokio::test]
async fn a_segment_that_was_not_begun_is_no_damage() {
    let (folder, _) = folder().await;
    for (name, bytes) in [("67108864", vec![]), ("134217728", vec![0; 4_096])] {
        fs::write(folder.path().join(format!("{name:0>20}.journal")), bytes).unwrap();
    }
    let broker = Broker::open(folder.path()).await.unwrap();
    assert_eq!(broker.destinations()[0].messages, Some(1));
}
