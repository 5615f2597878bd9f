//! Claims in memory: leases, fencing, windows, bounds, concurrency.

use std::{sync::Arc, time::Duration};

use mq_core::{
    clock::Clock,
    error::ErrorKind,
    idempotency::{
        Claim, ClaimResult, Claimed, IdempotencyKey, IdempotencyStore, MemoryIdempotencyStore,
        Scope,
    },
};
use tokio::time::advance;

const LEASE: Duration = Duration::from_secs(60);
const WINDOW: Duration = Duration::from_secs(3600);

fn store() -> MemoryIdempotencyStore {
    MemoryIdempotencyStore::new(Clock::system())
}

fn scope() -> Scope {
    Scope::new("billing", "bill").expect("a scope")
}

fn key(name: &str) -> IdempotencyKey {
    IdempotencyKey::new(name.to_owned().into()).expect("a key")
}

async fn claim(store: &dyn IdempotencyStore, name: &str) -> Claimed {
    let answers = store.claim(&scope(), &[key(name)], LEASE).await;
    answers.expect("claimed").remove(0)
}

async fn run(store: &dyn IdempotencyStore, name: &str) -> Claim {
    match claim(store, name).await {
        Claimed::Run(claim) => claim,
        other => panic!("{name} is {other:?}"),
    }
}

async fn complete(store: &dyn IdempotencyStore, claim: &Claim) -> ClaimResult {
    let claims = std::slice::from_ref(claim);
    let answers = store.complete(&scope(), claims, WINDOW).await;
    answers.expect("completed").remove(0)
}

async fn renew(store: &dyn IdempotencyStore, claim: &Claim) -> ClaimResult {
    let claims = std::slice::from_ref(claim);
    let answers = store.renew(&scope(), claims, LEASE).await;
    answers.expect("renewed").remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_key_runs_once_and_is_done_until_its_window_ends() {
    let store = store();
    let first = run(&store, "A").await;
    assert_eq!(claim(&store, "A").await, Claimed::Busy { wait: LEASE });
    assert_eq!(complete(&store, &first).await, ClaimResult::Applied);
    advance(WINDOW - Duration::from_millis(1)).await;
    assert_eq!(claim(&store, "A").await, Claimed::Done);
    advance(Duration::from_millis(1)).await;
    run(&store, "A").await;
}

#[tokio::test(start_paused = true)]
async fn scopes_and_keys_do_not_touch_each_other() {
    let store = store();
    run(&store, "A").await;
    run(&store, "a").await;
    let other = Scope::new("billing", "audit").expect("a scope");
    let answers = store.claim(&other, &[key("A")], LEASE).await;
    assert!(matches!(answers.expect("claimed")[..], [Claimed::Run(_)]));
}

#[tokio::test(start_paused = true)]
async fn busy_says_how_long_the_claim_still_holds() {
    let store = store();
    let first = run(&store, "A").await;
    advance(Duration::from_secs(20)).await;
    let wait = Duration::from_secs(40);
    assert_eq!(claim(&store, "A").await, Claimed::Busy { wait });
    assert_eq!(renew(&store, &first).await, ClaimResult::Applied);
    assert_eq!(claim(&store, "A").await, Claimed::Busy { wait: LEASE });
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_was_taken_over_is_fenced() {
    let store = store();
    let slow = run(&store, "A").await;
    advance(LEASE).await;
    let second = run(&store, "A").await;
    assert_ne!(slow.token, second.token);
    assert_eq!(renew(&store, &slow).await, ClaimResult::Lost);
    assert_eq!(complete(&store, &slow).await, ClaimResult::Lost);
    store.release(&scope(), &[slow]).await.expect("released");
    assert_eq!(claim(&store, "A").await, Claimed::Busy { wait: LEASE });
    assert_eq!(complete(&store, &second).await, ClaimResult::Applied);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_not_used_again_after_a_release() {
    let store = store();
    let slow = run(&store, "A").await;
    advance(LEASE).await;
    let second = run(&store, "A").await;
    store.release(&scope(), &[second]).await.expect("released");
    run(&store, "A").await;
    assert_eq!(complete(&store, &slow).await, ClaimResult::Lost);
}

#[tokio::test(start_paused = true)]
async fn a_slow_claimant_completes_what_nobody_has_taken_over() {
    let store = store();
    let slow = run(&store, "A").await;
    advance(LEASE * 10).await;
    store.purge(100).await.expect("purged");
    assert_eq!(complete(&store, &slow).await, ClaimResult::Applied);
    assert_eq!(claim(&store, "A").await, Claimed::Done);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_completion_gives_the_same_answer_and_moves_no_window() {
    let store = store();
    let first = run(&store, "A").await;
    assert_eq!(complete(&store, &first).await, ClaimResult::Applied);
    advance(WINDOW / 2).await;
    assert_eq!(complete(&store, &first).await, ClaimResult::Applied);
    advance(WINDOW / 2).await;
    run(&store, "A").await;
}

#[tokio::test(start_paused = true)]
async fn a_released_key_can_be_claimed_at_once_and_its_claim_is_gone() {
    let store = store();
    let first = run(&store, "A").await;
    let claims = std::slice::from_ref(&first);
    store.release(&scope(), claims).await.expect("released");
    assert_eq!(complete(&store, &first).await, ClaimResult::Lost);
    assert_eq!(renew(&store, &first).await, ClaimResult::Lost);
    run(&store, "A").await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_answers_in_order_and_runs_a_repeated_key_once() {
    let store = store();
    let done = run(&store, "done").await;
    complete(&store, &done).await;
    run(&store, "busy").await;
    let keys = ["new", "done", "busy", "new"].map(key);
    let answers = store.claim(&scope(), &keys, LEASE).await.expect("claimed");
    assert!(matches!(
        answers[..],
        [
            Claimed::Run(_),
            Claimed::Done,
            Claimed::Busy { .. },
            Claimed::Busy { .. }
        ]
    ));
}

#[tokio::test(start_paused = true)]
async fn memory_is_given_back_when_windows_and_claims_end() {
    let store = store();
    for number in 0..100 {
        let claim = run(&store, &format!("done{number}")).await;
        complete(&store, &claim).await;
    }
    run(&store, "abandoned").await;
    let released = run(&store, "released").await;
    store
        .release(&scope(), &[released])
        .await
        .expect("released");
    assert_eq!(store.purge(1000).await.expect("purged"), 0);
    advance(WINDOW + LEASE).await;
    assert_eq!(store.purge(60).await.expect("purged"), 60);
    assert_eq!(store.purge(1000).await.expect("purged"), 42);
    assert!(store.is_empty());
}

#[tokio::test(start_paused = true)]
async fn claiming_shrinks_a_store_that_nobody_purges() {
    let store = store();
    for _ in 0..20 {
        let claim = run(&store, &format!("{:?}", store.len())).await;
        complete(&store, &claim).await;
    }
    advance(WINDOW).await;
    run(&store, "next").await;
    run(&store, "last").await;
    assert_eq!(store.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_full_store_refuses_new_keys_and_forgets_none() {
    let store = store().limit(2);
    let first = run(&store, "A").await;
    complete(&store, &first).await;
    run(&store, "B").await;
    let error = store.claim(&scope(), &[key("A"), key("C")], LEASE).await;
    let error = error.expect_err("full");
    assert_eq!(
        (error.kind(), error.is_temporary()),
        (ErrorKind::Full, true)
    );
    assert_eq!(claim(&store, "A").await, Claimed::Done);
    advance(WINDOW).await;
    run(&store, "C").await;
}

#[test]
fn of_a_thousand_concurrent_claims_exactly_one_runs() {
    let store = Arc::new(store());
    let threads: Vec<_> = (0..8)
        .map(|_| claims_in_thread(store.clone(), 125))
        .collect();
    let runs: usize = threads
        .into_iter()
        .map(|thread| thread.join().expect("a thread"))
        .sum();
    assert_eq!(runs, 1);
}

fn claims_in_thread(
    store: Arc<MemoryIdempotencyStore>,
    times: usize,
) -> std::thread::JoinHandle<usize> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(async {
            let mut runs = 0;
            for _ in 0..times {
                runs += usize::from(matches!(claim(&*store, "A").await, Claimed::Run(_)));
            }
            runs
        })
    })
}
