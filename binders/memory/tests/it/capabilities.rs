//! Capabilities that are switched off, to be like a weaker broker.

use mq_core::{
    binder::{Action, Binder, Capability, ConsumerSpec, Cursor, ReplayFrom, RetryState},
    error::ErrorKind,
};
use mq_memory::{Limit, MemoryBinder};

use crate::kit::{
    Reader, dead_letter, epoch, failure, keyed, producer, publish, release, release_after, table,
    text, texts,
};

fn without(capability: Capability) -> MemoryBinder {
    let builder = MemoryBinder::builder().without(&[capability]);
    builder.build().unwrap()
}

async fn reader_with_one(binder: &MemoryBinder) -> (Reader, mq_core::binder::Record) {
    publish(binder, "orders", &[text("a")]).await;
    let mut reader = Reader::of(binder, "orders", "billing").await;
    let record = reader.next(1).await.remove(0);
    (reader, record)
}

#[tokio::test]
async fn everything_but_durability_is_there_by_default() {
    let binder = MemoryBinder::new();
    for capability in Capability::ALL {
        let has = binder.capabilities().has(capability);
        assert_eq!(has, capability != Capability::Durable, "{capability}");
    }
    assert_eq!(binder.capabilities().retry_state, RetryState::Full);
}

#[tokio::test]
async fn what_is_switched_off_is_not_declared() {
    for capability in Capability::ALL {
        assert!(
            !without(capability).capabilities().has(capability),
            "{capability}"
        );
    }
}

#[tokio::test]
async fn actions_that_are_switched_off_fail_and_leave_the_message() {
    let minute = std::time::Duration::from_secs(60);
    for (capability, action) in [
        (Capability::DelayedRedelivery, release_after(minute, 1)),
        (Capability::DeadLetter, dead_letter("broken")),
        (Capability::Extend, Action::Extend(minute)),
    ] {
        let binder = without(capability);
        let (reader, record) = reader_with_one(&binder).await;
        let error = failure(reader.settle(&record, action).await);
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{capability}");
        reader.ack(&[record]).await;
    }
}

#[tokio::test]
async fn subscriptions_that_are_switched_off_are_refused() {
    let mut filtered = ConsumerSpec::new("orders", Some("billing"));
    filtered.filter = Some("a = b".to_owned());
    for (capability, spec) in [
        (Capability::Filter, filtered),
        (
            Capability::AnonymousGroups,
            ConsumerSpec::new("orders", None),
        ),
    ] {
        let refused = without(capability).consumer(&spec).await;
        assert_eq!(
            refused.err().unwrap().kind(),
            ErrorKind::Unsupported,
            "{capability}"
        );
    }
}

#[tokio::test]
async fn administration_that_is_switched_off_is_refused() {
    let kinds = [
        without(Capability::Lag).admin().lag("a", "b").await.err(),
        without(Capability::Browse)
            .admin()
            .browse("a", &mut Cursor::default(), 1)
            .await
            .err(),
        without(Capability::Seek)
            .admin()
            .seek("a", "b", ReplayFrom::Latest)
            .await
            .err(),
    ];
    for error in kinds {
        assert_eq!(error.unwrap().kind(), ErrorKind::Unsupported);
    }
}

#[tokio::test]
async fn a_lane_cannot_be_moved_without_seek() {
    let binder = without(Capability::Seek);
    let (mut reader, _) = reader_with_one(&binder).await;
    let lane = reader.lanes[0].id;
    let error = reader.consumer.seek(lane, 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn without_key_order_messages_of_a_key_overlap() {
    let binder = without(Capability::KeyOrder);
    publish(&binder, "orders", &[keyed("a", "1"), keyed("a", "2")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(texts(&reader.now().await), ["1", "2"]);
}

#[tokio::test]
async fn without_a_count_deliveries_are_not_numbered() {
    let binder = without(Capability::DeliveryCount);
    let (mut reader, record) = reader_with_one(&binder).await;
    assert_eq!(record.deliveries, None);
    assert!(reader.settle(&record, release(1)).await.is_empty());
    assert_eq!(reader.next(1).await[0].deliveries, None);
}

#[tokio::test]
async fn without_retry_state_attempts_begin_again() {
    let builder = MemoryBinder::builder().retry_state(RetryState::None);
    let binder = builder.build().unwrap();
    let (mut reader, record) = reader_with_one(&binder).await;
    let hold = Action::Hold {
        due: epoch(9),
        attempts: 4,
    };
    assert!(reader.settle(&record, hold).await.is_empty());
    assert!(reader.settle(&record, release(4)).await.is_empty());
    let again = reader.next(1).await;
    assert_eq!((again[0].attempts, again[0].due), (0, None));
}

#[tokio::test]
async fn without_partitions_there_is_one() {
    let binder = without(Capability::Partitions);
    let sender = producer(&binder, "orders").await;
    let results = sender
        .publish(&[text("a").partition(0), text("b").partition(1)])
        .await;
    assert!(results[0].is_ok());
    assert_eq!(
        results[1].as_ref().unwrap_err().kind(),
        ErrorKind::Unsupported
    );
}

#[tokio::test]
async fn settings_that_contradict_each_other_are_refused_together() {
    let builder = MemoryBinder::builder()
        .partitions(0)
        .limit(Limit::new(0, 0));
    let error = builder.max_message(0).build().unwrap_err();
    for key in ["partitions", "limit.messages", "limit.bytes", "max_message"] {
        assert!(error.message().contains(key), "{key}: {error}");
    }
    assert!(
        MemoryBinder::builder()
            .partitions(u32::MAX)
            .build()
            .is_err()
    );
    let split = MemoryBinder::builder()
        .partitions(2)
        .without(&[Capability::Partitions]);
    assert!(split.build().is_err());
}

#[tokio::test]
async fn a_native_table_with_a_mistake_is_refused() {
    let binder = MemoryBinder::new();
    let mut spec = ConsumerSpec::new("orders", Some("billing"));
    spec.native = table("dead_leter = 'x'");
    let error = binder.consumer(&spec).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("dead_leter"));
}

#[tokio::test]
async fn a_consumer_needs_a_destination() {
    let mut spec = ConsumerSpec::new("orders", Some("billing"));
    spec.destinations.clear();
    let error = MemoryBinder::new().consumer(&spec).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
}
