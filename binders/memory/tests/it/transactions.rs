//! Outputs and settlements that take effect together.

use std::time::Duration;

use mq_core::{
    binder::{Action, Binder, Capability, Transaction},
    error::ErrorKind,
    message::Message,
};
use mq_memory::{Full, Limit, MemoryBinder, Refusal};

use crate::kit::{
    Reader, commit_to, dead_letter, kept, lag, numbered, poll_once, publish, release, settlement,
    text, texts,
};

async fn open(reader: &mut Reader) -> Box<dyn Transaction> {
    reader.consumer.transaction().await.unwrap()
}

fn invoice(name: &str) -> Message {
    text(name).destination("invoices")
}

/// A reader with a message that is out.
async fn with_one(binder: &MemoryBinder) -> (Reader, mq_core::binder::Record) {
    publish(binder, "orders", &[text("a")]).await;
    let mut reader = Reader::of(binder, "orders", "billing").await;
    let record = reader.next(1).await.remove(0);
    (reader, record)
}

async fn is_kept(binder: &MemoryBinder, destination: &str) -> bool {
    let destinations = binder.admin().destinations().await.unwrap();
    let found = destinations
        .iter()
        .find(|found| &*found.name == destination);
    found.is_some_and(|found| found.messages != Some(0))
}

#[tokio::test]
async fn nothing_is_seen_before_the_commit_and_everything_after_it() {
    let binder = MemoryBinder::new();
    let (mut reader, record) = with_one(&binder).await;
    let mut step = open(&mut reader).await;
    step.publish(&[invoice("i1"), invoice("i2")]).await.unwrap();
    step.settle(&[settlement(&record, Action::Ack)])
        .await
        .unwrap();
    assert!(!is_kept(&binder, "invoices").await);
    assert_eq!(lag(&binder, "orders", "billing").await, 1);
    let receipts = step.commit().await.unwrap();
    assert_eq!(receipts.len(), 2);
    assert_eq!(kept(&binder, "invoices").await, ["i1", "i2"]);
    assert_eq!(lag(&binder, "orders", "billing").await, 0);
}

#[tokio::test]
async fn an_aborted_step_leaves_nothing() {
    let binder = MemoryBinder::new();
    let (mut reader, record) = with_one(&binder).await;
    let mut step = open(&mut reader).await;
    step.publish(&[invoice("i1")]).await.unwrap();
    step.settle(&[settlement(&record, Action::Ack)])
        .await
        .unwrap();
    step.abort().await.unwrap();
    assert!(step.commit().await.unwrap().is_empty());
    assert!(!is_kept(&binder, "invoices").await);
    reader.ack(&[record]).await;
}

#[tokio::test]
async fn a_dropped_transaction_is_aborted() {
    let binder = MemoryBinder::new();
    let (mut reader, record) = with_one(&binder).await;
    let mut step = open(&mut reader).await;
    step.publish(&[invoice("i1")]).await.unwrap();
    drop(step);
    assert!(!is_kept(&binder, "invoices").await);
    reader.ack(&[record]).await;
}

#[tokio::test]
async fn steps_follow_each_other_on_one_transaction() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &numbered(0..3)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(3).await;
    let mut step = open(&mut reader).await;
    for record in &records {
        step.publish(&[invoice(&texts(std::slice::from_ref(record))[0])])
            .await
            .unwrap();
        step.settle(&[settlement(record, Action::Ack)])
            .await
            .unwrap();
        assert_eq!(step.commit().await.unwrap().len(), 1);
    }
    assert_eq!(kept(&binder, "invoices").await, ["0", "1", "2"]);
}

#[tokio::test]
async fn a_lost_delivery_refuses_the_whole_step() {
    let binder = MemoryBinder::new();
    let (mut reader, record) = with_one(&binder).await;
    let mut step = open(&mut reader).await;
    step.publish(&[invoice("i1")]).await.unwrap();
    step.settle(&[settlement(&record, Action::Ack)])
        .await
        .unwrap();
    binder.faults().lose_lanes("orders");
    assert_eq!(step.commit().await.unwrap_err().kind(), ErrorKind::Lost);
    assert!(!is_kept(&binder, "invoices").await);
    assert_eq!(lag(&binder, "orders", "billing").await, 1);
}

#[tokio::test]
async fn a_consumer_that_has_left_is_fenced() {
    let binder = MemoryBinder::new();
    let (mut reader, _) = with_one(&binder).await;
    let mut step = open(&mut reader).await;
    step.publish(&[invoice("i1")]).await.unwrap();
    drop(reader);
    assert_eq!(step.commit().await.unwrap_err().kind(), ErrorKind::Lost);
    assert!(!is_kept(&binder, "invoices").await);
}

#[tokio::test]
async fn a_message_that_is_refused_refuses_the_whole_step() {
    let binder = MemoryBinder::builder().max_message(10).build().unwrap();
    let (mut reader, record) = with_one(&binder).await;
    let mut step = open(&mut reader).await;
    step.publish(&[invoice("i1"), invoice("longer than ten")])
        .await
        .unwrap();
    step.settle(&[settlement(&record, Action::Ack)])
        .await
        .unwrap();
    assert_eq!(step.commit().await.unwrap_err().kind(), ErrorKind::TooLarge);
    assert!(!is_kept(&binder, "invoices").await);
    assert_eq!(lag(&binder, "orders", "billing").await, 1);
}

#[tokio::test]
async fn a_step_to_which_something_could_not_be_added_must_be_aborted() {
    let binder = MemoryBinder::new();
    let (mut reader, _) = with_one(&binder).await;
    let mut step = open(&mut reader).await;
    step.publish(&[invoice("i1")]).await.unwrap();
    assert!(step.publish(&[text("nowhere")]).await.is_err());
    assert!(step.commit().await.is_err());
    assert!(!is_kept(&binder, "invoices").await);
    step.abort().await.unwrap();
    step.publish(&[invoice("i2")]).await.unwrap();
    step.commit().await.unwrap();
    assert_eq!(kept(&binder, "invoices").await, ["i2"]);
}

#[tokio::test]
async fn a_delivery_is_settled_once_in_a_step() {
    let binder = MemoryBinder::new();
    let (mut reader, record) = with_one(&binder).await;
    let mut step = open(&mut reader).await;
    let twice = [
        settlement(&record, Action::Ack),
        settlement(&record, release(1)),
    ];
    step.settle(&twice).await.unwrap();
    assert_eq!(step.commit().await.unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn releases_and_dead_letters_belong_to_the_step() {
    let binder = MemoryBinder::new();
    publish(&binder, "orders", &numbered(0..2)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let records = reader.next(2).await;
    let mut step = open(&mut reader).await;
    let settlements = [
        settlement(&records[0], release(2)),
        settlement(&records[1], dead_letter("broken")),
    ];
    step.settle(&settlements).await.unwrap();
    assert!(step.commit().await.unwrap().is_empty());
    assert_eq!(kept(&binder, "orders.billing.dlq").await, ["1"]);
    let again = reader.now().await;
    assert_eq!(
        (texts(&again), again[0].attempts),
        (vec!["0".to_owned()], 2)
    );
}

#[tokio::test]
async fn positions_are_committed_with_the_outputs() {
    let binder = MemoryBinder::builder().positional().build().unwrap();
    publish(&binder, "orders", &numbered(0..3)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(reader.next(3).await.len(), 3);
    let mut step = open(&mut reader).await;
    step.publish(&[invoice("i1")]).await.unwrap();
    step.settle(&[commit_to(&reader.lanes[0], 2)])
        .await
        .unwrap();
    step.commit().await.unwrap();
    assert_eq!(lag(&binder, "orders", "billing").await, 1);
    step.settle(&[commit_to(&reader.lanes[0], 99)])
        .await
        .unwrap();
    assert!(step.commit().await.is_err());
}

#[tokio::test]
async fn lost_acknowledgements_do_not_tear_a_step() {
    let binder = MemoryBinder::builder().positional().build().unwrap();
    publish(&binder, "orders", &[text("a")]).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(reader.next(1).await.len(), 1);
    let mut step = open(&mut reader).await;
    step.publish(&[invoice("i1")]).await.unwrap();
    step.settle(&[commit_to(&reader.lanes[0], 1)])
        .await
        .unwrap();
    binder.faults().duplicate_delivery(1);
    step.commit().await.unwrap();
    assert_eq!(kept(&binder, "invoices").await, ["i1"]);
    assert_eq!(lag(&binder, "orders", "billing").await, 0);
}

#[tokio::test]
async fn an_unconfirmed_commit_is_found_out_by_repeating_it() {
    let binder = MemoryBinder::new();
    let (mut reader, record) = with_one(&binder).await;
    let mut step = open(&mut reader).await;
    step.publish(&[invoice("i1")]).await.unwrap();
    step.settle(&[settlement(&record, Action::Ack)])
        .await
        .unwrap();
    binder.faults().withhold_confirm(1);
    assert!(step.commit().await.unwrap_err().is_temporary());
    assert_eq!(step.commit().await.unwrap().len(), 1);
    assert_eq!(kept(&binder, "invoices").await, ["i1"]);
}

#[tokio::test]
async fn a_refused_output_refuses_the_step_and_a_repetition_commits_it() {
    let binder = MemoryBinder::new();
    let (mut reader, record) = with_one(&binder).await;
    let mut step = open(&mut reader).await;
    step.publish(&[invoice("i1")]).await.unwrap();
    step.settle(&[settlement(&record, Action::Ack)])
        .await
        .unwrap();
    binder
        .faults()
        .refuse_publish("invoices", 1, Refusal::Temporary);
    assert!(step.commit().await.unwrap_err().is_temporary());
    assert_eq!(lag(&binder, "orders", "billing").await, 1);
    assert_eq!(step.commit().await.unwrap().len(), 1);
    assert_eq!(lag(&binder, "orders", "billing").await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_commit_waits_for_room_without_taking_effect() {
    let binder = MemoryBinder::builder()
        .limit(Limit::new(1, 1_000))
        .build()
        .unwrap();
    publish(&binder, "invoices", &[text("old")]).await;
    let mut printer = Reader::of(&binder, "invoices", "printer").await;
    let (mut reader, record) = with_one(&binder).await;
    let mut step = open(&mut reader).await;
    step.publish(&[invoice("i1")]).await.unwrap();
    step.settle(&[settlement(&record, Action::Ack)])
        .await
        .unwrap();
    assert!(poll_once(step.commit()).await.is_none());
    assert_eq!(lag(&binder, "orders", "billing").await, 1);
    let print = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let records = printer.next(1).await;
        printer.ack(&records).await;
    };
    let (receipts, ()) = tokio::join!(step.commit(), print);
    assert_eq!(receipts.unwrap().len(), 1);
    assert_eq!(kept(&binder, "invoices").await, ["i1"]);
}

#[tokio::test]
async fn a_step_uses_the_room_that_it_makes_itself() {
    for builder in [
        MemoryBinder::builder(),
        MemoryBinder::builder().positional(),
    ] {
        let builder = builder.limit(Limit::new(1, 1_000)).full(Full::Reject);
        let binder = builder.build().unwrap();
        let (mut reader, record) = with_one(&binder).await;
        let mut step = open(&mut reader).await;
        step.publish(&[text("b").destination("orders")])
            .await
            .unwrap();
        let done = if binder.capabilities().settles_each() {
            settlement(&record, Action::Ack)
        } else {
            commit_to(&reader.lanes[0], 1)
        };
        step.settle(&[done]).await.unwrap();
        assert_eq!(step.commit().await.unwrap().len(), 1);
        assert_eq!(kept(&binder, "orders").await, ["b"]);
    }
}

#[tokio::test]
async fn a_lane_that_is_committed_twice_in_a_step_makes_its_room_once() {
    let builder = MemoryBinder::builder()
        .limit(Limit::new(2, 1_000))
        .positional();
    let binder = builder.full(Full::Reject).build().unwrap();
    publish(&binder, "orders", &numbered(0..2)).await;
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    assert_eq!(reader.next(2).await.len(), 2);
    let mut step = open(&mut reader).await;
    let outputs = [
        text("b").destination("orders"),
        text("c").destination("orders"),
    ];
    step.publish(&outputs).await.unwrap();
    let commits = [
        commit_to(&reader.lanes[0], 1),
        commit_to(&reader.lanes[0], 1),
    ];
    step.settle(&commits).await.unwrap();
    assert_eq!(step.commit().await.unwrap_err().kind(), ErrorKind::Full);
    assert_eq!(lag(&binder, "orders", "billing").await, 2);
    step.settle(&[commit_to(&reader.lanes[0], 2)])
        .await
        .unwrap();
    assert_eq!(step.commit().await.unwrap().len(), 2);
    assert_eq!(kept(&binder, "orders").await, ["b", "c"]);
}

#[tokio::test]
async fn a_step_makes_no_room_that_another_group_needs() {
    let builder = MemoryBinder::builder().limit(Limit::new(1, 1_000));
    let binder = builder.full(Full::Reject).build().unwrap();
    let _audit = Reader::of(&binder, "orders", "audit").await;
    let (mut reader, record) = with_one(&binder).await;
    let mut step = open(&mut reader).await;
    step.publish(&[text("b").destination("orders")])
        .await
        .unwrap();
    step.settle(&[settlement(&record, Action::Ack)])
        .await
        .unwrap();
    assert_eq!(step.commit().await.unwrap_err().kind(), ErrorKind::Full);
    assert_eq!(lag(&binder, "orders", "billing").await, 1);
}

#[tokio::test]
async fn a_step_that_never_fits_is_refused() {
    let builder = MemoryBinder::builder().limit(Limit::new(2, 1_000));
    let binder = builder.full(Full::Block).build().unwrap();
    let (mut reader, _) = with_one(&binder).await;
    let mut step = open(&mut reader).await;
    step.publish(&[invoice("1"), invoice("2"), invoice("3")])
        .await
        .unwrap();
    assert_eq!(step.commit().await.unwrap_err().kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn transactions_may_be_switched_off() {
    let off = [Capability::Transactions];
    let binder = MemoryBinder::builder().without(&off).build().unwrap();
    let mut reader = Reader::of(&binder, "orders", "billing").await;
    let error = reader.consumer.transaction().await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
