//! Settling by position, lane by lane.

use bytes::Bytes;
use mq_core::{
    binder::{Action, Capability, RetryState, Settlement},
    error::ErrorKind,
};
use mq_memory::{MemoryBinder, MemoryBuilder};

use crate::kit::{
    Reader, all_lost, commit_to, failure, kept, keyed, lag, numbered, publish, text, texts,
};

fn positional() -> MemoryBuilder {
    MemoryBinder::builder().positional()
}

fn saving(reader: &Reader, position: u64, saved: &'static [u8]) -> Settlement {
    Settlement {
        action: Action::Commit {
            saved: Some(Bytes::from_static(saved)),
        },
        ..commit_to(&reader.lanes[0], position)
    }
}

#[tokio::test]
async fn a_group_goes_on_at_the_committed_position() {
    let binder = positional().build().unwrap();
    publish(&binder, "orders", &numbered(0..5)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(reader.lanes[0].position, Some(0));
    assert_eq!(texts(&reader.now().await).len(), 5);
    let commit = commit_to(&reader.lanes[0], 3);
    assert!(reader.settle_all(&[commit]).await.is_empty());
    assert_eq!(lag(&binder, "orders", "billing").await, 2);
    drop(reader);
    let mut again = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(again.lanes[0].position, Some(3));
    assert_eq!(texts(&again.now().await), ["3", "4"]);
}

#[tokio::test]
async fn what_is_saved_beside_a_position_comes_back() {
    let binder = positional().build().unwrap();
    publish(&binder, "orders", &numbered(0..2)).await;
    let reader = Reader::of(&binder, "orders", "billing").await;
    assert!(
        reader
            .settle_all(&[saving(&reader, 1, b"notes")])
            .await
            .is_empty()
    );
    drop(reader);
    let again = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(again.lanes[0].saved.as_deref(), Some(&b"notes"[..]));
    assert!(
        again
            .settle_all(&[commit_to(&again.lanes[0], 2)])
            .await
            .is_empty()
    );
    drop(again);
    let last = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(last.lanes[0].saved, None);
}

#[tokio::test]
async fn what_is_saved_has_the_declared_size() {
    let bounded = positional()
        .retry_state(RetryState::Bounded(4))
        .build()
        .unwrap();
    let reader = Reader::of(&bounded, "orders", "billing").await;
    assert!(
        reader
            .settle_all(&[saving(&reader, 0, b"four")])
            .await
            .is_empty()
    );
    let long = failure(reader.settle_all(&[saving(&reader, 0, b"fives")]).await);
    assert_eq!(long.kind(), ErrorKind::TooLarge);
    let none = positional().retry_state(RetryState::None).build().unwrap();
    let reader = Reader::of(&none, "orders", "billing").await;
    let error = failure(reader.settle_all(&[saving(&reader, 0, b"")]).await);
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn positions_beyond_the_end_are_refused() {
    let binder = positional().build().unwrap();
    publish(&binder, "orders", &[text("a")]).await;
    let reader = Reader::of(&binder, "orders", "billing").await;
    let error = failure(reader.settle_all(&[commit_to(&reader.lanes[0], 2)]).await);
    assert_eq!(error.kind(), ErrorKind::Rejected);
}

#[tokio::test]
async fn single_messages_are_not_settled() {
    let binder = positional().build().unwrap();
    publish(&binder, "orders", &[text("a")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(1).await;
    for action in [Action::Ack, crate::kit::release(1)] {
        let error = failure(reader.settle(&records[0], action).await);
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}

#[tokio::test]
async fn a_key_may_have_several_messages_out() {
    let binder = positional().build().unwrap();
    assert!(!binder_has(&binder, Capability::KeyOrder));
    publish(&binder, "orders", &[keyed("a", "1"), keyed("a", "2")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(texts(&reader.now().await), ["1", "2"]);
}

fn binder_has(binder: &MemoryBinder, capability: Capability) -> bool {
    mq_core::binder::Binder::capabilities(binder).has(capability)
}

#[tokio::test]
async fn committed_messages_make_way() {
    let binder = positional().retain(0).build().unwrap();
    publish(&binder, "orders", &numbered(0..4)).await;
    let reader = Reader::of(&binder, "orders", "billing").await;
    publish(&binder, "orders", &[text("4")]).await;
    assert!(
        reader
            .settle_all(&[commit_to(&reader.lanes[0], 3)])
            .await
            .is_empty()
    );
    assert_eq!(kept(&binder, "orders").await, ["3", "4"]);
}

#[tokio::test]
async fn a_lane_is_moved_to_a_position() {
    let binder = positional().build().unwrap();
    publish(&binder, "orders", &numbered(0..3)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(reader.next(3).await.len(), 3);
    let lane = reader.lanes[0].id;
    reader.consumer.seek(lane, 1).await.unwrap();
    assert_eq!(texts(&reader.now().await), ["1", "2"]);
    reader.consumer.seek(lane, u64::MAX).await.unwrap();
    assert!(reader.now().await.is_empty());
    assert_eq!(lag(&binder, "orders", "billing").await, 3);
}

#[tokio::test]
async fn a_commit_of_an_older_assignment_is_lost() {
    let binder = positional().build().unwrap();
    publish(&binder, "orders", &[text("a")]).await;
    let reader = Reader::of(&binder, "orders", "billing").await;
    let mut old = commit_to(&reader.lanes[0], 1);
    old.epoch = old.epoch.wrapping_sub(1);
    assert!(all_lost(&reader.settle_all(&[old]).await));
    assert_eq!(lag(&binder, "orders", "billing").await, 1);
}
