//! Looking after destinations and groups.

use std::time::Duration;

use mq_core::{
    binder::{Action, Binder, Cursor, Event, ReplayFrom},
    error::ErrorKind,
};
use mq_memory::MemoryBinder;
use tokio::time::advance;

use crate::kit::{
    Reader, all_lost, epoch, kept, keyed, lag, numbered, publish, release, text, texts,
    virtual_binder,
};

#[tokio::test]
async fn destinations_are_listed_by_name_with_what_they_keep() {
    let binder = MemoryBinder::builder().partitions(2).build().unwrap();
    publish(&binder, "b", &[text("12345")]).await;
    publish(&binder, "a", &numbered(0..3)).await;
    let list = binder.admin().destinations().await.unwrap();
    let names: Vec<_> = list
        .iter()
        .map(|info| (&*info.name, info.partitions, info.messages))
        .collect();
    assert_eq!(names, [("a", 2, Some(3)), ("b", 2, Some(1))]);
    assert_eq!(list[1].bytes, Some(5));
}

#[tokio::test]
async fn groups_are_listed_with_their_consumers() {
    let binder = MemoryBinder::new();
    let _first = Reader::of(&binder, "orders", "billing").await;
    let _second = Reader::of(&binder, "orders", "billing").await;
    drop(Reader::of(&binder, "orders", "audit").await);
    let groups = binder.admin().groups("orders").await.unwrap();
    let groups: Vec<_> = groups
        .iter()
        .map(|group| (&*group.name, group.members))
        .collect();
    assert_eq!(groups, [("audit", Some(0)), ("billing", Some(2))]);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let binder = MemoryBinder::new();
    let admin = binder.admin();
    publish(&binder, "orders", &[text("a")]).await;
    let kinds = [
        admin.groups("none").await.err().map(|error| error.kind()),
        admin
            .lag("orders", "none")
            .await
            .err()
            .map(|error| error.kind()),
        admin.purge("none").await.err().map(|error| error.kind()),
        admin.delete("none").await.err().map(|error| error.kind()),
        admin
            .mark_handled("orders", 0, 7)
            .await
            .err()
            .map(|error| error.kind()),
        admin
            .seek("orders", "none", ReplayFrom::Earliest)
            .await
            .err()
            .map(|error| error.kind()),
    ];
    assert_eq!(kinds, [Some(ErrorKind::NotFound); 6]);
    assert!(admin.mark_handled("orders", 7, 0).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn lag_counts_what_is_waiting_delayed_and_in_flight() {
    let binder = virtual_binder();
    publish(&binder, "orders", &numbered(0..5)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(3).await;
    reader.ack(&records[1..2]).await;
    let delayed = crate::kit::release_after(Duration::from_secs(60), 1);
    assert!(reader.settle(&records[2], delayed).await.is_empty());
    advance(Duration::from_secs(7)).await;
    let lag = binder.admin().lag("orders", "billing").await.unwrap();
    assert_eq!(
        (lag.messages, lag.oldest),
        (4, Some(Duration::from_secs(7)))
    );
    reader.ack(&records[..1]).await;
    publish(&binder, "orders", &[text("5")]).await;
    let all = reader.now().await;
    reader.ack(&all).await;
    let lag = binder.admin().lag("orders", "billing").await.unwrap();
    assert_eq!(lag.messages, 1);
}

#[tokio::test]
async fn browsing_goes_on_at_the_cursor_and_consumes_nothing() {
    let binder = MemoryBinder::builder().partitions(2).build().unwrap();
    publish(&binder, "orders", &numbered(0..5)).await;
    let mut cursor = Cursor::default();
    let mut seen = Vec::new();
    loop {
        let page = binder
            .admin()
            .browse("orders", &mut cursor, 2)
            .await
            .unwrap();
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        seen.extend(page.iter().map(|shown| (shown.partition, shown.position)));
    }
    assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]);
    publish(&binder, "orders", &[text("5")]).await;
    assert_eq!(
        binder
            .admin()
            .browse("orders", &mut cursor, 9)
            .await
            .unwrap()
            .len(),
        1
    );
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(reader.next(6).await.len(), 6);
}

#[tokio::test]
async fn browsing_begins_where_the_cursor_says() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &numbered(0..5)).await;
    let mut cursor = Cursor(vec![3]);
    let page = binder
        .admin()
        .browse("orders", &mut cursor, 1)
        .await
        .unwrap();
    assert_eq!(
        (page[0].position, page[0].message.as_bytes()),
        (3, &b"3"[..])
    );
    let mut beyond = Cursor(vec![u64::MAX, 7, 7]);
    assert!(
        binder
            .admin()
            .browse("orders", &mut beyond, 1)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_handled_message_is_not_delivered_any_more() {
    let binder = MemoryBinder::new();
    publish(
        &binder,
        "letters",
        &[keyed("k", "a"), keyed("k", "b"), text("c")],
    )
    .await;
    binder.admin().mark_handled("letters", 0, 0).await.unwrap();
    let shown = binder
        .admin()
        .browse("letters", &mut Cursor::default(), 9)
        .await
        .unwrap();
    assert_eq!(
        shown.iter().map(|shown| shown.handled).collect::<Vec<_>>(),
        [true, false, false]
    );
    let mut reader = Reader::of(&binder, "letters", "mending").await;
    let records = reader.now().await;
    assert_eq!(texts(&records), ["b", "c"]);
    reader.ack(&records).await;
    assert_eq!(lag(&binder, "letters", "mending").await, 0);
}

#[tokio::test]
async fn purging_removes_everything_but_what_is_out() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &numbered(0..5)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(2).await;
    assert_eq!(binder.admin().purge("orders").await.unwrap(), 5);
    assert!(reader.now().await.is_empty());
    reader.ack(&records[..1]).await;
    assert!(reader.settle(&records[1], release(1)).await.is_empty());
    assert!(reader.now().await.is_empty());
    assert_eq!(lag(&binder, "orders", "billing").await, 0);
    publish(&binder, "orders", &[text("new")]).await;
    let records = reader.now().await;
    assert_eq!(
        (texts(&records), records[0].position),
        (vec!["new".to_owned()], 5)
    );
}

#[tokio::test(start_paused = true)]
async fn deleting_ends_subscriptions() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &[text("a")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(1).await;
    binder.admin().delete("orders").await.unwrap();
    assert!(all_lost(&reader.settle(&records[0], Action::Ack).await));
    assert!(
        matches!(reader.event(1).await.0, Event::Ended(error) if error.kind() == ErrorKind::NotFound)
    );
    assert!(binder.admin().destinations().await.unwrap().is_empty());
    // Made anew, nothing is left of the old one.
    let mut again = Reader::of(&binder, "orders", "billing").await;
    assert!(again.now().await.is_empty());
    drop(reader);
    publish(&binder, "orders", &[text("b")]).await;
    assert_eq!(texts(&again.now().await), ["b"]);
}

#[tokio::test]
async fn a_group_reads_again_from_the_earliest() {
    for builder in [
        MemoryBinder::builder(),
        MemoryBinder::builder().positional(),
    ] {
        let binder = builder.build().unwrap();
        publish(&binder, "orders", &numbered(0..3)).await;
        let mut reader = Reader::of(&binder, "orders", "billing").await;
        let records = reader.next(3).await;
        if !binder.capabilities().settles_each() {
            let commit = crate::kit::commit_to(&reader.lanes[0], 3);
            assert!(reader.settle_all(&[commit]).await.is_empty());
        } else {
            reader.ack(&records).await;
        }
        assert_eq!(lag(&binder, "orders", "billing").await, 0);
        drop(reader);
        binder
            .admin()
            .seek("orders", "billing", ReplayFrom::Earliest)
            .await
            .unwrap();
        let mut again = Reader::of(&binder, "orders", "billing").await;
        assert_eq!(texts(&again.now().await), ["0", "1", "2"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_is_moved_to_a_time_a_position_and_the_end() {
    let binder = virtual_binder();
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    for number in 0..4 {
        publish(&binder, "orders", &[text(number.to_string())]).await;
        advance(Duration::from_secs(10)).await;
    }
    let records = reader.next(4).await;
    reader.ack(&records).await;
    for (from, expected) in [
        (ReplayFrom::Time(epoch(1_000_020)), vec!["2", "3"]),
        (ReplayFrom::Position(1), vec!["1", "2", "3"]),
        (ReplayFrom::Latest, vec![]),
        (ReplayFrom::Position(u64::MAX), vec![]),
        (ReplayFrom::Position(3), vec!["3"]),
    ] {
        binder
            .admin()
            .seek("orders", "billing", from)
            .await
            .unwrap();
        let records = reader.now().await;
        assert_eq!(texts(&records), expected, "{from:?}");
        reader.ack(&records).await;
    }
}

#[tokio::test]
async fn a_replay_keeps_the_order_of_keys_and_what_is_out() {
    let binder = MemoryBinder::new();
    publish(
        &binder,
        "orders",
        &[keyed("a", "a1"), keyed("a", "a2"), keyed("a", "a3")],
    )
    .await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let first = reader.now().await;
    reader.ack(&first).await;
    let second = reader.now().await;
    assert_eq!(texts(&second), ["a2"]);
    binder
        .admin()
        .seek("orders", "billing", ReplayFrom::Earliest)
        .await
        .unwrap();
    assert!(reader.now().await.is_empty());
    reader.ack(&second).await;
    for expected in ["a1", "a3"] {
        let records = reader.now().await;
        assert_eq!(texts(&records), [expected]);
        reader.ack(&records).await;
    }
}

#[tokio::test]
async fn a_lane_is_moved_by_its_consumer() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &numbered(0..4)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(2).await;
    let lane = reader.lanes[0].id;
    reader.consumer.seek(lane, 3).await.unwrap();
    assert_eq!(texts(&reader.now().await), ["3"]);
    reader.ack(&records).await;
    reader.consumer.seek(lane, 1).await.unwrap();
    assert_eq!(texts(&reader.now().await), ["1", "2"]);
    assert!(
        reader
            .consumer
            .seek(mq_core::binder::LaneId(9), 0)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_replay_hands_out_what_is_still_kept() {
    let binder = MemoryBinder::builder().retain(2).build().unwrap();
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    for message in numbered(0..5) {
        publish(&binder, "orders", &[message]).await;
        let records = reader.next(1).await;
        reader.ack(&records).await;
    }
    publish(&binder, "orders", &[text("5")]).await;
    assert_eq!(kept(&binder, "orders").await, ["4", "5"]);
    binder
        .admin()
        .seek("orders", "billing", ReplayFrom::Position(0))
        .await
        .unwrap();
    assert_eq!(texts(&reader.now().await), ["4", "5"]);
}
