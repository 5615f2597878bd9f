//! How much is kept, and what happens then.

use std::time::Duration;

use mq_core::error::ErrorKind;
use mq_memory::{Full, Limit, MemoryBinder, MemoryBuilder};

use crate::kit::{Reader, kept, keyed, lag, numbered, poll_once, producer, publish, text, texts};

fn limited(messages: u64) -> MemoryBuilder {
    MemoryBinder::builder().limit(Limit::new(messages, 1_000))
}

#[tokio::test(start_paused = true)]
async fn a_publisher_waits_until_there_is_room() {
    let binder = limited(2).build().unwrap();
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let sender = producer(&binder, "orders").await;
    let task = tokio::spawn(async move { sender.publish(&numbered(0..5)).await });
    for expected in 0..5 {
        let records = reader.next(1).await;
        assert_eq!(texts(&records), [expected.to_string()]);
        assert!(lag(&binder, "orders", "billing").await <= 2);
        reader.ack(&records).await;
    }
    assert!(task.await.unwrap().iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_destination_without_groups_keeps_everything_and_then_blocks() {
    let binder = limited(2).build().unwrap();
    let sender = producer(&binder, "orders").await;
    assert!(poll_once(sender.publish(&numbered(0..3))).await.is_none());
    assert_eq!(kept(&binder, "orders").await, ["0", "1"]);
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_are_stored_in_their_order() {
    let binder = limited(1).build().unwrap();
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let sender = producer(&binder, "orders").await;
    let mut tasks = Vec::new();
    for number in 0..5 {
        let sender = sender.clone();
        tasks.push(tokio::spawn(async move {
            sender.publish(&[text(number.to_string())]).await
        }));
        tokio::task::yield_now().await;
    }
    for expected in 0..5 {
        let records = reader.next(1).await;
        assert_eq!(texts(&records), [expected.to_string()]);
        reader.ack(&records).await;
    }
    for task in tasks {
        assert!(task.await.unwrap()[0].is_ok());
    }
}

#[tokio::test]
async fn a_dropped_publication_does_not_hold_up_the_next() {
    let binder = limited(1).build().unwrap();
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let sender = producer(&binder, "orders").await;
    assert!(poll_once(sender.publish(&numbered(0..2))).await.is_none());
    let records = reader.next(1).await;
    reader.ack(&records).await;
    assert!(sender.publish(&[text("next")]).await[0].is_ok());
}

#[tokio::test]
async fn too_much_is_rejected_where_that_was_asked_for() {
    let binder = limited(2).full(Full::Reject).build().unwrap();
    let sender = producer(&binder, "orders").await;
    let results = sender
        .publish(&[
            keyed("a", "1"),
            keyed("b", "2"),
            keyed("a", "3"),
            keyed("a", "4"),
        ])
        .await;
    let stored: Vec<_> = results.iter().map(Result::is_ok).collect();
    assert_eq!(stored, [true, true, false, false]);
    let error = results[2].as_ref().unwrap_err();
    assert!(error.is_temporary() && error.kind() == ErrorKind::Full);
}

#[tokio::test]
async fn the_oldest_goes_where_that_was_asked_for() {
    let binder = limited(3).full(Full::DropOldest).build().unwrap();
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    publish(&binder, "orders", &numbered(0..10)).await;
    assert_eq!(lag(&binder, "orders", "billing").await, 3);
    assert_eq!(texts(&reader.now().await), ["7", "8", "9"]);
}

#[tokio::test]
async fn dropped_messages_leave_every_line_they_were_in() {
    let binder = limited(4).full(Full::DropOldest).build().unwrap();
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    publish(
        &binder,
        "orders",
        &[
            keyed("a", "a1"),
            keyed("a", "a2"),
            keyed("a", "a3"),
            keyed("a", "a4"),
        ],
    )
    .await;
    let first = reader.now().await;
    assert_eq!(texts(&first), ["a1"]);
    // The one that is out goes, then the first two of those that wait behind it.
    publish(&binder, "orders", &[text("x"), text("y"), text("z")]).await;
    assert_eq!(texts(&reader.now().await), ["x", "y", "z"]);
    publish(&binder, "orders", &[keyed("a", "a5")]).await;
    reader.ack(&first).await;
    assert_eq!(texts(&reader.now().await), ["a5"]);
}

#[tokio::test]
async fn the_last_in_a_line_may_be_dropped_and_the_line_goes_on() {
    let binder = limited(2).full(Full::DropOldest).build().unwrap();
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    publish(&binder, "orders", &[keyed("a", "a1"), keyed("a", "a2")]).await;
    let first = reader.now().await;
    publish(&binder, "orders", &[text("x"), text("y")]).await;
    let others = reader.now().await;
    reader.ack(&others).await;
    publish(&binder, "orders", &[keyed("a", "a3")]).await;
    assert!(reader.now().await.is_empty());
    reader.ack(&first).await;
    let last = reader.now().await;
    assert_eq!(texts(&last), ["a3"]);
    reader.ack(&last).await;
    assert_eq!(lag(&binder, "orders", "billing").await, 0);
}

#[tokio::test]
async fn settled_messages_make_way_for_new_ones() {
    let binder = limited(3).full(Full::Reject).build().unwrap();
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    for round in 0..5 {
        let results = producer(&binder, "orders")
            .await
            .publish(&numbered(0..3))
            .await;
        assert!(results.iter().all(Result::is_ok), "round {round}");
        let records = reader.next(3).await;
        reader.ack(&records).await;
    }
    assert_eq!(kept(&binder, "orders").await.len(), 3);
}

#[tokio::test]
async fn bytes_are_limited_too() {
    let builder = MemoryBinder::builder().limit(Limit::new(100, 10));
    let binder = builder.full(Full::Reject).build().unwrap();
    let sender = producer(&binder, "orders").await;
    let results = sender
        .publish(&[keyed("ab", "cdefgh"), text("xyz"), text("xy")])
        .await;
    let kinds: Vec<_> = results
        .iter()
        .map(|result| result.as_ref().err().map(mq_core::error::Error::kind))
        .collect();
    assert_eq!(kinds, [None, Some(ErrorKind::Full), None]);
}

#[tokio::test]
async fn a_message_that_never_fits_is_refused_at_once() {
    let builder = MemoryBinder::builder().limit(Limit::new(100, 10));
    let binder = builder.max_message(5).build().unwrap();
    let sender = producer(&binder, "orders").await;
    for message in [
        text("123456"),
        keyed("123", "456"),
        text("1").header("name", "value"),
    ] {
        let results = sender.publish(&[message]).await;
        let error = results[0].as_ref().unwrap_err();
        assert!(!error.is_temporary() && error.kind() == ErrorKind::TooLarge);
    }
    assert!(sender.publish(&[text("12345")]).await[0].is_ok());
}

#[tokio::test(start_paused = true)]
async fn closing_frees_publishers_that_wait() {
    let binder = limited(1).build().unwrap();
    let sender = producer(&binder, "orders").await;
    let closer = binder.clone();
    let task = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        mq_core::binder::Binder::close(&closer).await
    });
    let results = sender.publish(&numbered(0..2)).await;
    assert!(results[0].is_ok());
    assert_eq!(results[1].as_ref().unwrap_err().kind(), ErrorKind::Closed);
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_straggler_keeps_nothing_else() {
    let binder = MemoryBinder::builder().retain(0).build().unwrap();
    publish(&binder, "orders", &numbered(0..1)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let straggler = reader.next(1).await;
    for _ in 0..50 {
        publish(&binder, "orders", &numbered(0..100)).await;
        let records = reader.next(100).await;
        reader.ack(&records).await;
    }
    publish(&binder, "orders", &[text("last")]).await;
    assert_eq!(kept(&binder, "orders").await, ["0", "last"]);
    reader.ack(&straggler).await;
    assert_eq!(kept(&binder, "orders").await, ["last"]);
}
