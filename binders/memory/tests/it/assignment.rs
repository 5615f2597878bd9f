//! Lanes that are assigned, revoked and lost; and lanes that are paused.

use std::{collections::BTreeSet, time::Duration};

use mq_core::{
    binder::{AssignedLane, ConsumerSpec, Event, LaneId},
    error::ErrorKind,
};
use mq_memory::MemoryBinder;
use tokio::time::advance;

use crate::kit::{
    Reader, all_lost, commit_to, numbered, partitions, poll_once, publish, text, texts,
};

const BUDGET: Duration = Duration::from_secs(10);

fn positional(partitions: u32) -> MemoryBinder {
    let builder = MemoryBinder::builder().positional().partitions(partitions);
    builder.revoke_budget(BUDGET).build().unwrap()
}

async fn assigned(reader: &mut Reader) -> Vec<AssignedLane> {
    match reader.event(1).await {
        (Event::Assigned(lanes), _) => lanes,
        (other, _) => panic!("an assignment is expected, not {other:?}"),
    }
}

async fn revoking(reader: &mut Reader) -> Vec<LaneId> {
    match reader.event(1).await {
        (Event::Revoking { lanes, budget }, _) => {
            assert_eq!(budget, BUDGET);
            lanes
        }
        (other, _) => panic!("a revocation is expected, not {other:?}"),
    }
}

async fn lost(reader: &mut Reader) -> Vec<LaneId> {
    match reader.event(1).await {
        (Event::Lost { lanes }, _) => lanes,
        (other, _) => panic!("a loss is expected, not {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_consumer_gets_half_when_the_first_lets_go() {
    let binder = positional(4);
    let mut first = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(partitions(&first.lanes), [0, 1, 2, 3]);
    let mut second = Reader::of(&binder, "orders", "billing").await;
    assert!(second.lanes.is_empty());
    let given_up = revoking(&mut first).await;
    assert_eq!(given_up.len(), 2);
    assert!(
        poll_once(second.consumer.receive(&mut Vec::new(), 1))
            .await
            .is_none()
    );
    first.consumer.released(&given_up).await.unwrap();
    let mut got = assigned(&mut second).await;
    while got.len() < 2 {
        got.extend(assigned(&mut second).await);
    }
    assert_eq!(partitions(&got), [2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_lane_can_be_settled_until_it_is_released() {
    let binder = positional(2);
    publish(&binder, "orders", &numbered(0..4)).await;
    let mut first = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(first.next(4).await.len(), 4);
    let mut second = Reader::of(&binder, "orders", "billing").await;
    let given_up = revoking(&mut first).await;
    let lane = first
        .lanes
        .iter()
        .find(|lane| given_up.contains(&lane.id))
        .unwrap();
    assert!(first.settle_all(&[commit_to(lane, 2)]).await.is_empty());
    first.consumer.released(&given_up).await.unwrap();
    assert!(all_lost(&first.settle_all(&[commit_to(lane, 2)]).await));
    let got = assigned(&mut second).await;
    assert_eq!(got[0].position, Some(2));
    assert!(second.now().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_revoked_lane_is_handed_over() {
    let binder = positional(2);
    let mut first = Reader::of(&binder, "orders", "billing").await;
    let second = Reader::of(&binder, "orders", "billing").await;
    revoking(&mut first).await;
    publish(
        &binder,
        "orders",
        &[text("kept").partition(0), text("moved").partition(1)],
    )
    .await;
    assert_eq!(texts(&first.now().await), ["kept"]);
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_let_go_in_time_loses_the_lanes() {
    let binder = positional(2);
    let mut first = Reader::of(&binder, "orders", "billing").await;
    let mut second = Reader::of(&binder, "orders", "billing").await;
    let given_up = revoking(&mut first).await;
    // Nobody but the one who waits notices that the time is up.
    assert_eq!(partitions(&assigned(&mut second).await), [1]);
    assert_eq!(lost(&mut first).await, given_up);
    let error = first.consumer.released(&given_up).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Lost);
}

#[tokio::test(start_paused = true)]
async fn settlements_after_the_deadline_are_lost() {
    let binder = positional(2);
    publish(&binder, "orders", &numbered(0..4)).await;
    let mut first = Reader::of(&binder, "orders", "billing").await;
    let _second = Reader::of(&binder, "orders", "billing").await;
    let given_up = revoking(&mut first).await;
    let lane = first
        .lanes
        .iter()
        .find(|lane| given_up.contains(&lane.id))
        .unwrap()
        .clone();
    advance(BUDGET).await;
    assert!(all_lost(&first.settle_all(&[commit_to(&lane, 2)]).await));
}

#[tokio::test(start_paused = true)]
async fn who_leaves_hands_over_at_once() {
    let binder = positional(4);
    let first = Reader::of(&binder, "orders", "billing").await;
    let mut second = Reader::of(&binder, "orders", "billing").await;
    drop(first);
    assert_eq!(partitions(&assigned(&mut second).await), [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn more_consumers_than_partitions_wait_in_reserve() {
    let binder = positional(1);
    let first = Reader::of(&binder, "orders", "billing").await;
    let mut second = Reader::of(&binder, "orders", "billing").await;
    publish(&binder, "orders", &[text("a")]).await;
    assert!(second.now().await.is_empty());
    drop(first);
    assert_eq!(assigned(&mut second).await.len(), 1);
    assert_eq!(texts(&second.now().await), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_new_assignment_has_a_new_number() {
    let binder = positional(1);
    let mut first = Reader::of(&binder, "orders", "billing").await;
    let old = first.lanes[0].epoch;
    binder.faults().lose_lanes("orders");
    lost(&mut first).await;
    assert_ne!(assigned(&mut first).await[0].epoch, old);
}

/// Lanes get numbers that others had: if assignments had them too, a late settlement of one partition could count for another.
#[tokio::test(start_paused = true)]
async fn no_two_assignments_have_the_same_number() {
    let binder = positional(2);
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let mut seen: BTreeSet<_> = reader.lanes.iter().map(|lane| lane.epoch).collect();
    assert_eq!(seen.len(), 2);
    for _ in 0..3 {
        binder.faults().lose_lanes("orders");
        lost(&mut reader).await;
        let lanes = assigned(&mut reader).await;
        assert!(lanes.iter().all(|lane| seen.insert(lane.epoch)));
    }
    assert_eq!(seen.len(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_of_several_destinations_shares_each_of_them() {
    let binder = positional(2);
    let mut spec = ConsumerSpec::new("orders", Some("billing"));
    spec.destinations.push("refunds".into());
    let mut first = Reader::new(&binder, &spec).await;
    assert_eq!(partitions(&first.lanes), [0, 0, 1, 1]);
    let mut second = Reader::of(&binder, "refunds", "billing").await;
    let given_up = revoking(&mut first).await;
    assert_eq!(given_up.len(), 1);
    first.consumer.released(&given_up).await.unwrap();
    let lanes = assigned(&mut second).await;
    assert_eq!(
        (&*lanes[0].lane.destination, lanes[0].lane.partition),
        ("refunds", 1)
    );
}

#[tokio::test]
async fn anonymous_consumers_share_nothing() {
    let binder = positional(2);
    let spec = ConsumerSpec::new("orders", None);
    let first = Reader::new(&binder, &spec).await;
    let second = Reader::new(&binder, &spec).await;
    assert_eq!((first.lanes.len(), second.lanes.len()), (2, 2));
}

#[tokio::test]
async fn a_paused_lane_is_silent_until_it_is_resumed() {
    for builder in [
        MemoryBinder::builder(),
        MemoryBinder::builder().positional(),
    ] {
        let binder = builder.partitions(2).build().unwrap();
        let mut reader = Reader::of(&binder, "orders", "billing").await;
        let lane = reader
            .lanes
            .iter()
            .find(|lane| lane.lane.partition == 0)
            .unwrap()
            .id;
        reader
            .consumer
            .pause(&[lane, lane, LaneId(99)])
            .await
            .unwrap();
        publish(
            &binder,
            "orders",
            &[text("a").partition(0), text("b").partition(1)],
        )
        .await;
        assert_eq!(texts(&reader.now().await), ["b"]);
        assert!(reader.now().await.is_empty());
        reader.consumer.resume(&[lane]).await.unwrap();
        assert_eq!(texts(&reader.now().await), ["a"]);
    }
}

#[tokio::test]
async fn what_was_handed_over_before_a_pause_can_be_settled() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &numbered(0..2)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(1).await;
    reader.consumer.pause(&[reader.lanes[0].id]).await.unwrap();
    reader.ack(&records).await;
    assert!(reader.now().await.is_empty());
}

#[tokio::test]
async fn another_consumer_reads_what_one_has_paused() {
    let binder = MemoryBinder::new();
    let mut first = Reader::of(&binder, "orders", "billing").await;
    let mut second = Reader::of(&binder, "orders", "billing").await;
    first.consumer.pause(&[first.lanes[0].id]).await.unwrap();
    publish(&binder, "orders", &[text("a")]).await;
    assert_eq!(texts(&second.now().await), ["a"]);
}
