//! Transactions of the store in memory: claims and outbox rows together.

use std::time::Duration;

use bytes::Bytes;
use mq_core::{
    clock::Clock,
    error::ErrorKind,
    idempotency::{
        Begun, BegunKey, ClaimTerms, IdempotencyKey, IdempotencyStore, MemoryIdempotencyStore,
        Scope,
    },
    outbox::{MemoryOutbox, OutboxMessage},
};

use crate::broker::{message, rows};

fn key(name: &'static str) -> IdempotencyKey {
    IdempotencyKey::new(Bytes::from_static(name.as_bytes())).expect("a key")
}

fn stores() -> (MemoryIdempotencyStore, MemoryOutbox) {
    let outbox = MemoryOutbox::default();
    let store = MemoryIdempotencyStore::new(Clock::system()).with_outbox(outbox.clone());
    (store, outbox)
}

async fn begin(store: &MemoryIdempotencyStore, names: &[&'static str]) -> Begun {
    let scope = Scope::new("billing", "charge").expect("a scope");
    let keys: Vec<_> = names.iter().map(|name| key(name)).collect();
    let door = store.transactional().expect("transactions");
    let begun = door.begin(&scope, &keys, ClaimTerms::default()).await;
    begun.expect("begun")
}

fn output() -> [OutboxMessage; 1] {
    [message("A", 0)]
}

#[tokio::test(start_paused = true)]
async fn a_commit_makes_keys_done_and_rows_visible() {
    let (store, outbox) = stores();
    let begun = begin(&store, &["A", "B"]).await;
    assert_eq!(begun.keys, [BegunKey::Run, BegunKey::Run]);
    let mut transaction = begun.transaction.expect("a transaction");
    transaction.append(&output()).await.expect("appended");
    assert_eq!(rows(&outbox).await, 0);
    assert!(matches!(
        begin(&store, &["A"]).await.keys[..],
        [BegunKey::Busy { .. }]
    ));
    transaction.commit().await.expect("committed");
    assert_eq!(rows(&outbox).await, 1);
    let again = begin(&store, &["A", "B"]).await;
    assert_eq!(again.keys, [BegunKey::Done, BegunKey::Done]);
    assert!(again.transaction.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_rollback_leaves_nothing() {
    let (store, outbox) = stores();
    let mut transaction = begin(&store, &["A"])
        .await
        .transaction
        .expect("a transaction");
    transaction.append(&output()).await.expect("appended");
    transaction.rollback().await.expect("rolled back");
    assert_eq!(rows(&outbox).await, 0);
    drop(begin(&store, &["A"]).await.transaction.expect("dropped"));
    assert_eq!(begin(&store, &["A"]).await.keys, [BegunKey::Run]);
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_key_runs_again_after_the_commit() {
    let (store, _outbox) = stores();
    let mut transaction = begin(&store, &["A", "B"])
        .await
        .transaction
        .expect("a transaction");
    transaction.forget(&[key("A")]).await.expect("forgotten");
    transaction.commit().await.expect("committed");
    let again = begin(&store, &["A", "B"]).await;
    assert_eq!(again.keys, [BegunKey::Run, BegunKey::Done]);
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_has_lost_its_claim_commits_nothing() {
    let (store, outbox) = stores();
    let mut slow = begin(&store, &["A", "B"])
        .await
        .transaction
        .expect("a transaction");
    slow.append(&output()).await.expect("appended");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(begin(&store, &["B"]).await.keys, [BegunKey::Run]);
    let error = slow.commit().await.expect_err("lost");
    assert_eq!(
        (error.kind(), error.is_temporary()),
        (ErrorKind::Lost, false)
    );
    assert_eq!(rows(&outbox).await, 0);
    assert_eq!(begin(&store, &["A"]).await.keys, [BegunKey::Run]);
}

#[tokio::test(start_paused = true)]
async fn a_store_without_an_outbox_has_no_transactions() {
    assert!(MemoryIdempotencyStore::default().transactional().is_none());
}
