//! A message is acknowledged once everything that came of it is confirmed, and never before.

use mq::{
    binder::SettleError,
    binding::{BindingState, Command},
    error::{Error, ErrorKind},
    memory::Refusal,
    prelude::*,
};

use crate::support::{
    Broker, Calls, app, away, keyed, orders, pass, secs, start, text, until, until_eq, within,
};

/// A permanent error of the broker.
fn refused() -> Error {
    Error::new(ErrorKind::Rejected, "the broker takes no such message")
}

#[tokio::test(start_paused = true)]
async fn an_input_is_acknowledged_only_after_its_output_is_confirmed() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let app = start(app(&broker, "").processor("orders", "invoices", calls.echo())).await;
        broker.hold_confirmations(true);
        broker.send("orders", "A");
        pass(secs(60)).await;
        assert_eq!(calls.texts(), ["A"]);
        assert_eq!((broker.acked(), orders(&app).unsettled()), (vec![], 1));
        broker.hold_confirmations(false);
        until_eq(|| broker.acked(), vec![0]).await;
        assert_eq!(broker.texts("invoices"), ["A"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_input_with_outputs_on_two_bindings_waits_for_both() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let both = calls.handler(|order, _| {
            (
                Text(order.to_owned()),
                vec![Text("1".into()), Text("2".into())],
            )
        });
        let _app = start(app(&broker, "").processor("orders", ["invoices", "lines"], both)).await;
        broker
            .faults()
            .refuse_publish("lines", 4, Refusal::Temporary);
        broker.send("orders", "A");
        until_eq(|| broker.texts("invoices"), vec!["A".to_owned()]).await;
        assert!(broker.acked().is_empty());
        until_eq(|| broker.acked(), vec![0]).await;
        assert_eq!(
            broker.texts("invoices"),
            ["A"],
            "what is confirmed is not repeated"
        );
        assert_eq!(broker.texts("lines"), ["1", "2"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_publish_that_fails_temporarily_is_repeated_without_the_handler() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let app = start(app(&broker, "").processor("orders", "invoices", calls.echo())).await;
        broker
            .faults()
            .refuse_publish("invoices", 11, Refusal::Temporary);
        broker.send("orders", "A");
        until_eq(|| broker.acked(), vec![0]).await;
        let outlet = app.handle().outlets().get("invoices").expect("the output");
        assert_eq!(
            (calls.len(), outlet.metrics().publish_failures.get()),
            (1, 11)
        );
        assert_eq!(broker.texts("invoices"), ["A"]);
        assert_eq!(orders(&app).metrics().retries.get(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_repeated_publish_keeps_the_order_of_its_key() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let answer = |order: &str, _| Keyed(order[..1].to_owned(), Text(order.to_owned()));
        let app = app(&broker, "").processor("orders", "invoices", calls.handler(answer));
        let _app = start(app).await;
        let mut times = 0;
        broker.on_publish(move |_, message| {
            times += 1;
            (text(message) == "a1" && times < 40).then(away)
        });
        for order in ["a1", "b1", "a2", "b2", "a3"] {
            broker.put(
                "orders",
                keyed(if order.starts_with('a') { "a" } else { "b" }, order),
            );
        }
        until_eq(|| broker.acked().len(), 5).await;
        let invoices = broker.texts("invoices");
        let of = |key: char| {
            invoices
                .iter()
                .filter(|one| one.starts_with(key))
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (of('a'), of('b')),
            (
                vec!["a1".into(), "a2".into(), "a3".into()],
                vec!["b1".into(), "b2".into()]
            )
        );
        assert_eq!(calls.len(), 5);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_output_that_the_broker_refuses_for_good_dead_letters_its_input() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let _app = start(app(&broker, "").processor("orders", "invoices", calls.echo())).await;
        broker.on_publish(|destination, message| {
            (destination == "invoices" && text(message) == "B").then(refused)
        });
        ["A", "B", "C"]
            .into_iter()
            .for_each(|order| broker.send("orders", order));
        until_eq(|| broker.acked().len(), 3).await;
        assert_eq!(broker.texts("invoices"), ["A", "C"]);
        let letters = broker.published("orders.test.dlq");
        assert_eq!(letters.iter().map(text).collect::<Vec<_>>(), ["B"]);
        assert_eq!(
            letters[0].as_headers().text("mq-error-type"),
            Some("unpublishable")
        );
        assert_eq!(
            letters[0].as_headers().text("mq-error-reason"),
            Some("rejected")
        );
        assert_eq!(calls.len(), 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_output_of_several_that_is_too_large_dead_letters_the_input_once() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let answer =
            calls.handler(|_, _| vec![Text("ok".into()), Text("x".repeat(100)), Text("ok".into())]);
        let settings = "[bindings.invoices.producer]\nmax_payload = 99";
        let app = start(app(&broker, settings).processor("orders", "invoices", answer)).await;
        broker.send("orders", "A");
        until_eq(|| broker.acked(), vec![0]).await;
        assert_eq!(broker.texts("orders.test.dlq"), ["A"]);
        assert_eq!(orders(&app).metrics().dead_letters.get(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_cannot_be_published_now_leaves_the_message_unsettled_and_shows() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let answer = calls.handler(|_, _| Err::<(), _>(Failure::dead_letter("no")));
        let app = start(app(&broker, "").sink("orders", answer)).await;
        broker
            .faults()
            .refuse_publish("orders.test*", usize::MAX, Refusal::Temporary);
        broker.send("orders", "A");
        pass(secs(600)).await;
        assert_eq!((broker.acked(), orders(&app).unsettled()), (vec![], 1));
        let readiness = format!("{:?}", app.handle().readiness());
        assert!(
            readiness.contains("Degraded") && readiness.contains("the broker refuses"),
            "{readiness}"
        );
        broker.faults().restore();
        until_eq(|| broker.acked(), vec![0]).await;
        assert_eq!(broker.texts("orders.test.dlq"), ["A"]);
        pass(secs(1)).await;
        assert_eq!(app.handle().readiness(), mq::binder::Health::Up);
        assert_eq!(calls.len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_refused_for_good_stops_the_binding_and_keeps_the_message() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let answer = calls.handler(|_, _| Err::<(), _>(Failure::dead_letter("no")));
        let app = start(app(&broker, "").sink("orders", answer)).await;
        broker.on_publish(|_, _| Some(refused()));
        broker.send("orders", "A");
        let state = orders(&app)
            .wait_for(|state| matches!(state, BindingState::Failed(_)))
            .await;
        assert!(
            state.to_string().contains("takes no such message"),
            "{state}"
        );
        assert_eq!((broker.acked(), broker.unsettled("orders")), (vec![], 1));
        broker.on_publish(|_, _| None);
        orders(&app)
            .command(Command::Start)
            .await
            .expect("it listens");
        until_eq(|| broker.acked(), vec![0]).await;
        assert_eq!(broker.texts("orders.test.dlq"), ["A"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_settlement_that_fails_temporarily_is_repeated_without_the_handler() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let app = start(app(&broker, "").sink("orders", calls.succeed())).await;
        let mut left = 5;
        broker.on_settle(move |settlement| {
            left -= i32::from(left > 0 && settlement.position == 1);
            (settlement.position == 1 && left > 0).then(|| SettleError::Failed(away()))
        });
        broker.faults().fail_settle(2);
        ["A", "B", "C"]
            .into_iter()
            .for_each(|order| broker.send("orders", order));
        until_eq(|| broker.acked().len(), 3).await;
        assert_eq!(calls.texts(), ["A", "B", "C"]);
        assert_eq!(orders(&app).metrics().lost.get(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_settlement_that_comes_too_late_is_counted_and_nothing_waits_for_it() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let app = start(app(&broker, "").sink("orders", calls.succeed())).await;
        broker.on_settle(|settlement| (settlement.position == 0).then_some(SettleError::Lost));
        ["A", "B"]
            .into_iter()
            .for_each(|order| broker.send("orders", order));
        until_eq(|| broker.acked(), vec![1]).await;
        assert_eq!(orders(&app).metrics().lost.get(), 1);
        assert_eq!(orders(&app).unsettled(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_unsettled_messages_come_again_and_their_outputs_have_the_same_ids() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let service = || app(&broker, "").processor("orders", "invoices", calls.echo());
        let crashing = start(service()).await;
        broker.faults().fail_settle(usize::MAX);
        broker.send("orders", "A");
        until_eq(|| broker.texts("invoices").len(), 1).await;
        drop(crashing);
        broker.faults().restore();
        let _app = start(service()).await;
        until_eq(|| broker.acked(), vec![0]).await;
        let invoices = broker.published("invoices");
        assert_eq!((calls.len(), invoices.len()), (2, 2));
        assert!(invoices[0].as_id().is_some() && invoices[0].as_id() == invoices[1].as_id());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_producer_that_is_of_no_more_use_is_opened_anew() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let _app = start(app(&broker, "").processor("orders", "invoices", calls.echo())).await;
        let mut first = true;
        let gone = || Error::new(ErrorKind::Closed, "the channel is closed").fatal();
        broker.on_publish(move |_, _| std::mem::take(&mut first).then(gone));
        broker.send("orders", "A");
        until("the output is published", || {
            broker.texts("invoices") == ["A"]
        })
        .await;
        until_eq(|| broker.acked(), vec![0]).await;
        assert_eq!(calls.len(), 1);
    })
    .await;
}
