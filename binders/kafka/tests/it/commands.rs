//! What the loop asks of lanes that are gone, or are another partition's by now, or while the group is in motion.

use mq_core::{
    binder::{Action, Consumer, ConsumerSpec, LaneId, Settlement},
    error::ErrorKind,
    message::Message,
};
use mq_kafka::KafkaBinder;

use crate::{
    fetches::Fetches,
    server::{Reader, broker, connect, door, publish, settings, text, topic, until},
};

/// As a group that no other test disturbs.
fn spec(topic: &str) -> ConsumerSpec {
    ConsumerSpec::new(topic, Some(&format!("{topic}-billing")))
}

/// A lonely member of the topic's group with all of its partitions.
async fn lonely(binder: &KafkaBinder, topic: &str, partitions: usize) -> Reader {
    let mut reader = Reader::open(binder, &spec(topic)).await;
    while reader.lanes.len() < partitions {
        reader.event(1).await;
    }
    reader
}

/// Waits until a lane has been assigned with this epoch, whether the loop was told of it or not.
async fn assigned(consumer: &dyn Consumer, lane: LaneId, epoch: u32) {
    let settler = consumer.settler();
    let begin = Settlement {
        lane,
        position: 0,
        epoch,
        action: Action::Commit { saved: None },
    };
    until("the lane is assigned again", async || {
        let settled = settler.settle(std::slice::from_ref(&begin)).await;
        settled.unwrap().is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_of_a_lane_that_is_gone_is_not_done_to_who_has_its_number_now() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(settings(&address)).await;
    let orders = topic(&binder, "orders", 2).await;
    let mut first = lonely(&binder, &orders, 2).await;
    let last = first.lanes.iter().map(|lane| lane.epoch).max().unwrap();
    let (second, gone) = first.share(&binder, &spec(&orders)).await;
    let partition = second.lanes[0].lane.partition;
    second.consumer.close().await.unwrap();
    assert_eq!(gone.len(), 1);
    assigned(&*first.consumer, gone[0], last + 1).await;
    // The loop has not received yet that the number is in use again, so it means the assignment that is over.
    first.consumer.pause(&gone).await.unwrap();
    let sought = first.consumer.seek(gone[0], 1).await;
    let message = Message::new("read").partition(partition);
    publish(&binder, &orders, &[message]).await;
    assert_eq!(text(&first.take(1).await[0]), "read");
    let sought = sought.expect_err("it was not its lane");
    assert_eq!(sought.kind(), ErrorKind::Lost);
    // From now on it is.
    first.consumer.seek(gone[0], 0).await.unwrap();
    assert_eq!(text(&first.take(1).await[0]), "read");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_lanes_that_are_left_are_resumed_at_once() {
    let Some(address) = broker().await else {
        return;
    };
    let binder = connect(settings(&address)).await;
    let orders = topic(&binder, "orders", 4).await;
    let mut first = lonely(&binder, &orders, 4).await;
    let lanes: Vec<LaneId> = first.lanes.iter().map(|lane| lane.id).collect();
    first.consumer.pause(&lanes).await.unwrap();
    let (_second, gone) = first.share(&binder, &spec(&orders)).await;
    assert_eq!(gone.len(), 2);
    first.consumer.resume(&lanes).await.unwrap();
    let messages: Vec<_> = (0..4)
        .map(|partition| Message::new(partition.to_string()).partition(partition))
        .collect();
    publish(&binder, &orders, &messages).await;
    let found = first.take(2).await;
    let mut found: Vec<_> = found.iter().map(text).collect();
    found.sort();
    let left = first
        .lanes
        .iter()
        .map(|lane| lane.lane.partition.to_string());
    let mut left: Vec<_> = left.collect();
    left.sort();
    assert_eq!(found, left);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_while_the_group_is_in_motion_is_repeated() {
    let Some(door) = door().await else {
        return;
    };
    let fetches = Fetches::open(door.listen, door.upstream).await;
    let binder = connect(settings(&door.listen.to_string())).await;
    let orders = topic(&binder, "orders", 1).await;
    let mut reader = lonely(&binder, &orders, 1).await;
    publish(&binder, &orders, &[Message::new("a"), Message::new("b")]).await;
    let records = reader.take(2).await;
    // Once this is answered, that of where the group begins is too.
    assert!(reader.commit(&records[0]).await.is_empty());
    fetches.move_group(3);
    let unsettled = reader.commit(&records[1]).await;
    assert!(unsettled.is_empty(), "{unsettled:?}");
    assert_eq!(fetches.moving(), 0);
    reader.consumer.close().await.unwrap();
}
