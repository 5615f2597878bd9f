//! Settlements of single messages.

use std::time::Duration;

use mq_core::{
    binder::{Action, ConsumerSpec},
    error::ErrorKind,
    message::names,
};
use mq_memory::{Limit, MemoryBinder};

use crate::kit::{
    Reader, all_lost, commit_to, dead_letter, epoch, failure, kept, lag, numbered, publish,
    release, settlement, table, text, texts,
};

#[tokio::test]
async fn messages_are_settled_in_any_order() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &numbered(0..4)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(4).await;
    for index in [2, 0, 3] {
        reader.ack(&records[index..=index]).await;
    }
    assert_eq!(lag(&binder, "orders", "billing").await, 1);
    drop(reader);
    let mut again = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(texts(&again.now().await), ["1"]);
}

#[tokio::test]
async fn a_released_message_comes_again_with_its_attempts() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[text("a")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(1).await;
    assert_eq!((records[0].attempts, records[0].deliveries), (0, Some(1)));
    assert!(reader.settle(&records[0], release(3)).await.is_empty());
    let records = reader.next(1).await;
    assert_eq!((records[0].attempts, records[0].deliveries), (3, Some(2)));
}

#[tokio::test]
async fn a_released_message_may_go_to_another_consumer() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[text("a")]).await;
    let mut first = Reader::of(&binder, "orders", "billing").await;
    let mut second = Reader::of(&binder, "orders", "billing").await;
    let records = first.next(1).await;
    assert!(first.settle(&records[0], release(1)).await.is_empty());
    let again = second.next(1).await;
    assert_eq!(again[0].attempts, 1);
    assert!(all_lost(&first.settle(&records[0], Action::Ack).await));
    second.ack(&again).await;
}

#[tokio::test]
async fn a_discarded_message_is_gone() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[text("a")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(1).await;
    assert!(reader.settle(&records[0], Action::Discard).await.is_empty());
    assert_eq!(lag(&binder, "orders", "billing").await, 0);
}

#[tokio::test]
async fn a_hold_is_remembered_for_whoever_comes_next() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[text("a")]).await;
    let mut first = Reader::of(&binder, "orders", "billing").await;
    let records = first.next(1).await;
    let hold = Action::Hold {
        due: epoch(5),
        attempts: 2,
    };
    assert!(first.settle(&records[0], hold).await.is_empty());
    assert!(first.now().await.is_empty());
    drop(first);
    let mut second = Reader::of(&binder, "orders", "billing").await;
    let records = second.next(1).await;
    assert_eq!((records[0].attempts, records[0].due), (2, Some(epoch(5))));
    second.ack(&records).await;
    assert_eq!(lag(&binder, "orders", "billing").await, 0);
}

#[tokio::test]
async fn a_release_ends_a_hold() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[text("a")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(1).await;
    let hold = Action::Hold {
        due: epoch(5),
        attempts: 2,
    };
    let both = [
        settlement(&records[0], hold),
        settlement(&records[0], release(3)),
    ];
    assert!(reader.settle_all(&both).await.is_empty());
    let records = reader.next(1).await;
    assert_eq!((records[0].attempts, records[0].due), (3, None));
}

#[tokio::test]
async fn only_a_message_that_is_out_is_extended() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[text("a")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(1).await;
    let extend = || Action::Extend(Duration::MAX);
    assert!(reader.settle(&records[0], extend()).await.is_empty());
    reader.ack(&records).await;
    assert!(all_lost(&reader.settle(&records[0], extend()).await));
}

#[tokio::test]
async fn a_dead_letter_is_moved_with_its_origin() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[text("a").header("mine", "1")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(1).await;
    assert!(
        reader
            .settle(&records[0], dead_letter("broken"))
            .await
            .is_empty()
    );
    assert_eq!(lag(&binder, "orders", "billing").await, 0);
    let mut letters = Reader::of(&binder, "orders.billing.dlq", "mending").await;
    let letter = letters.next(1).await.remove(0).message;
    for (name, value) in [
        ("mine", "1"),
        (names::ORIGINAL_DESTINATION, "orders"),
        (names::ORIGINAL_GROUP, "billing"),
        (names::ERROR_REASON, "broken"),
    ] {
        assert_eq!(letter.as_headers().text(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn dead_letters_go_where_the_native_table_says() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[text("a")]).await;
    let mut spec = ConsumerSpec::new("orders", Some("billing"));
    spec.native = table("dead_letter = 'graveyard'");
    let mut reader = Reader::new(&binder, &spec).await;
    let records = reader.next(1).await;
    assert!(
        reader
            .settle(&records[0], dead_letter("broken"))
            .await
            .is_empty()
    );
    assert_eq!(kept(&binder, "graveyard").await, ["a"]);
}

#[tokio::test]
async fn a_dead_letter_for_which_there_is_no_room_stays_where_it_is() {
    let builder = MemoryBinder::builder().limit(Limit::new(1, 1_000_000));
    let binder = builder.build().unwrap();
    publish(&binder, "orders.billing.dlq", &[text("full")]).await;
    publish(&binder, "orders", &[text("a")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(1).await;
    let error = failure(reader.settle(&records[0], dead_letter("broken")).await);
    assert!(error.is_temporary() && error.kind() == ErrorKind::Full);
    reader.ack(&records).await;
}

#[tokio::test]
async fn positions_are_not_committed_where_messages_are_settled() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[text("a")]).await;
    let reader = Reader::of(&binder, "orders", "billing").await;
    let unsettled = reader.settle_all(&[commit_to(&reader.lanes[0], 1)]).await;
    assert_eq!(failure(unsettled).kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn what_fails_in_a_call_is_named_and_the_rest_takes_effect() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &numbered(0..3)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(3).await;
    reader.ack(&records[1..2]).await;
    let mut foreign = settlement(&records[0], Action::Ack);
    foreign.lane.0 = 77;
    let all = [
        foreign,
        settlement(&records[0], Action::Ack),
        settlement(&records[1], Action::Ack),
        settlement(&records[2], Action::Ack),
    ];
    let unsettled = reader.settle_all(&all).await;
    let indexes: Vec<_> = unsettled.iter().map(|one| one.index).collect();
    assert_eq!(indexes, [0, 2]);
    assert!(all_lost(&unsettled));
    assert_eq!(lag(&binder, "orders", "billing").await, 0);
}

#[tokio::test]
async fn settling_a_deep_backlog_backwards_keeps_count() {
    let binder = MemoryBinder::builder().retain(0).build().unwrap();
    publish(&binder, "orders", &numbered(0..9_000)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let mut records = reader.next(9_000).await;
    records.reverse();
    for chunk in records.chunks(1_000) {
        reader.ack(chunk).await;
    }
    assert_eq!(lag(&binder, "orders", "billing").await, 0);
    publish(&binder, "orders", &[text("last")]).await;
    assert_eq!(kept(&binder, "orders").await, ["last"]);
}
