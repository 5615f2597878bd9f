//! The outbox in memory by itself.

use std::time::Duration;

use mq_core::{
    clock::Clock,
    error::ErrorKind,
    outbox::{Fetch, MemoryOutbox, OutboxRow, OutboxStore, PartitionLease, RelayId, RowFailure},
};

use crate::broker::{OUTPUT, append, id, message, message_for};

const LEASE: Duration = Duration::from_secs(15);

async fn leases(store: &MemoryOutbox) -> Vec<PartitionLease> {
    let relay = RelayId::unique("test");
    store.lease(&relay, &[], LEASE).await.expect("leased").held
}

fn fetch<'a>(leases: &'a [PartitionLease]) -> Fetch<'a> {
    Fetch {
        output: OUTPUT,
        leases,
        skip: &[],
        rows: 100,
        bytes: usize::MAX,
    }
}

fn ids(rows: &[OutboxRow]) -> Vec<String> {
    let id = |row: &OutboxRow| row.message.message.as_id().map(ToString::to_string);
    rows.iter().filter_map(id).collect()
}

#[tokio::test(start_paused = true)]
async fn a_fetch_reads_rows_in_order_within_its_bounds() {
    let store = MemoryOutbox::default();
    append(&store, &["A", "B"], 0..3).await;
    let other = message_for("other", "A", 0);
    store.append(&[other]).await.expect("appended");
    let held = leases(&store).await;
    let all = store.fetch(fetch(&held)).await.expect("rows");
    assert_eq!(all.len(), 6);
    assert!(all.is_sorted_by_key(|row| row.id));

    let few = Fetch {
        rows: 2,
        ..fetch(&held)
    };
    let few = store.fetch(few).await.expect("rows");
    assert_eq!(ids(&few), [id("A", 0), id("B", 0)]);
    // A payload and a key of one byte each.
    let small = Fetch {
        bytes: 3,
        ..fetch(&held)
    };
    assert_eq!(store.fetch(small).await.expect("rows").len(), 2);
    let skip = [all[0].key];
    let rest = Fetch {
        skip: &skip,
        ..fetch(&held)
    };
    let rest = store.fetch(rest).await.expect("rows");
    assert_eq!(ids(&rest), [id("B", 0), id("B", 1), id("B", 2)]);
    assert!(store.fetch(fetch(&[])).await.expect("rows").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failed_row_says_how_long_it_waits() {
    let store = MemoryOutbox::default();
    append(&store, &["A"], 0..1).await;
    let held = leases(&store).await;
    let row = store.fetch(fetch(&held)).await.expect("rows").remove(0);
    let failure = RowFailure {
        row: row.id,
        attempts: 1,
        after: Duration::from_secs(10),
        reason: "no".into(),
    };
    store.failed(&held, &[failure]).await.expect("marked");
    tokio::time::advance(Duration::from_secs(4)).await;
    let row = store.fetch(fetch(&held)).await.expect("rows").remove(0);
    assert_eq!((row.attempts, row.wait), (1, Duration::from_secs(6)));
}

#[tokio::test(start_paused = true)]
async fn a_full_outbox_refuses_and_has_room_again() {
    let store = MemoryOutbox::new(Clock::system()).limit(2);
    append(&store, &["A"], 0..1).await;
    let mut open = store.begin();
    open.append(&[message("B", 0)]).expect("appended");
    let error = store.append(&[message("C", 0)]).await.expect_err("full");
    assert_eq!(
        (error.kind(), error.is_temporary()),
        (ErrorKind::Full, true)
    );
    drop(open);
    store.append(&[message("C", 0)]).await.expect("room");
    let held = leases(&store).await;
    let rows = store.fetch(fetch(&held)).await.expect("rows");
    let first = [rows[0].id];
    store.published(&held, &first).await.expect("marked");
    store.append(&[message("D", 0)]).await.expect("room");
}

#[tokio::test(start_paused = true)]
async fn stats_tell_the_age_of_the_oldest_row() {
    let store = MemoryOutbox::default();
    assert_eq!(store.stats().await.expect("stats").oldest, None);
    append(&store, &["A"], 0..1).await;
    tokio::time::advance(Duration::from_secs(7)).await;
    append(&store, &["A"], 1..2).await;
    let stats = store.stats().await.expect("stats");
    assert_eq!(
        (stats.rows, stats.oldest),
        (2, Some(Duration::from_secs(7)))
    );
    assert_eq!(stats.outputs, [OUTPUT.into()]);
}
