//! Messages that wait for their time.

use std::time::Duration;

use tokio::time::{Instant, advance};

use crate::kit::{Reader, epoch, keyed, lag, publish, release_after, text, texts, virtual_binder};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_delayed_release_comes_when_it_is_due_and_not_before() {
    let binder = virtual_binder();
    publish(&binder, "orders", &[text("a")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(1).await;
    assert!(
        reader
            .settle(&records[0], release_after(MINUTE, 1))
            .await
            .is_empty()
    );
    let start = Instant::now();
    advance(MINUTE - Duration::from_millis(2)).await;
    assert!(reader.now().await.is_empty());
    assert_eq!(reader.next(1).await[0].attempts, 1);
    assert!(start.elapsed() >= MINUTE && start.elapsed() < MINUTE * 2);
}

#[tokio::test(start_paused = true)]
async fn delays_are_kept_without_any_consumer() {
    let binder = virtual_binder();
    publish(&binder, "orders", &[text("a")]).await;
    let mut first = Reader::of(&binder, "orders", "billing").await;
    let records = first.next(1).await;
    assert!(
        first
            .settle(&records[0], release_after(MINUTE, 1))
            .await
            .is_empty()
    );
    drop(first);
    let mut second = Reader::of(&binder, "orders", "billing").await;
    assert!(second.now().await.is_empty());
    assert_eq!(lag(&binder, "orders", "billing").await, 1);
    advance(MINUTE).await;
    assert_eq!(texts(&second.now().await), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_message_holds_up_its_key_and_nothing_else() {
    let binder = virtual_binder();
    publish(
        &binder,
        "orders",
        &[keyed("a", "a1"), keyed("a", "a2"), keyed("b", "b1")],
    )
    .await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(2).await;
    assert!(
        reader
            .settle(&records[0], release_after(MINUTE, 1))
            .await
            .is_empty()
    );
    publish(&binder, "orders", &[keyed("a", "a3"), text("x")]).await;
    assert_eq!(texts(&reader.now().await), ["x"]);
    for expected in ["a1", "a2", "a3"] {
        let records = reader.next(1).await;
        assert_eq!(texts(&records), [expected]);
        reader.ack(&records).await;
    }
}

#[tokio::test(start_paused = true)]
async fn due_messages_come_in_the_order_of_their_times() {
    let binder = virtual_binder();
    publish(&binder, "orders", &[text("a"), text("b"), text("c")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(3).await;
    for (record, wait) in records.iter().zip([30, 10, 20]) {
        let after = release_after(Duration::from_secs(wait), 1);
        assert!(reader.settle(record, after).await.is_empty());
    }
    assert_eq!(texts(&reader.next(2).await), ["b", "c"]);
    assert_eq!(texts(&reader.next(1).await), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn an_endless_delay_is_no_overflow() {
    let binder = virtual_binder();
    publish(&binder, "orders", &[text("a")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(1).await;
    let after = release_after(Duration::MAX, 1);
    assert!(reader.settle(&records[0], after).await.is_empty());
    assert!(reader.now().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_message_is_not_delivered_before_its_time() {
    let binder = virtual_binder();
    let later = text("later").deliver_at(epoch(1_000_060));
    publish(&binder, "orders", &[later, text("now")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(texts(&reader.now().await), ["now"]);
    let start = Instant::now();
    let records = reader.next(1).await;
    assert_eq!(
        (texts(&records), records[0].deliveries),
        (vec!["later".to_owned()], Some(1))
    );
    assert!(start.elapsed() >= MINUTE);
}

#[tokio::test(start_paused = true)]
async fn every_group_waits_for_the_time_of_a_message() {
    let binder = virtual_binder();
    let mut first = Reader::of(&binder, "orders", "billing").await;
    publish(&binder, "orders", &[text("a").deliver_at(epoch(1_000_060))]).await;
    assert!(first.now().await.is_empty());
    advance(MINUTE).await;
    let mut second = Reader::of(&binder, "orders", "audit").await;
    assert_eq!(texts(&first.now().await), ["a"]);
    assert_eq!(texts(&second.now().await), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_time_that_has_passed_delays_nothing() {
    let binder = virtual_binder();
    publish(&binder, "orders", &[text("a").deliver_at(epoch(1))]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(texts(&reader.now().await), ["a"]);
}
