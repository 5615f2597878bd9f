//! What a handler decides for a message that failed.

use mq::{
    binder::{Action, Capability},
    prelude::*,
};

use crate::support::{
    Broker, Calls, app, keyed, millis, orders, pass, secs, start, until_eq, within,
};

/// Sends one message to a handler that fails once with this, then succeeds; returns the broker and the calls.
async fn check(
    settings: &str,
    broker: Broker,
    failure: fn() -> Failure,
) -> (Broker, Calls, mq::RunningApp) {
    let calls = Calls::new();
    let handler =
        calls.handler(move |_, attempt| if attempt == 1 { Err(failure()) } else { Ok(()) });
    let app = start(app(&broker, settings).sink("orders", handler)).await;
    broker.put("orders", keyed("k", "A"));
    until_eq(|| broker.unsettled("orders"), 0).await;
    (broker, calls, app)
}

#[tokio::test(start_paused = true)]
async fn dead_letter_means_at_once() {
    within(async {
        let (broker, calls, _app) = check("", Broker::new(), || {
            Failure::dead_letter("no such country")
        })
        .await;
        assert_eq!(calls.len(), 1);
        let letters = broker.published("orders.test.dlq");
        assert_eq!(
            letters[0].as_headers().text("mq-error-reason"),
            Some("rejected")
        );
        assert_eq!(
            letters[0].as_headers().text("mq-error-message"),
            Some("no such country")
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn discard_settles_and_counts_and_publishes_nothing() {
    within(async {
        let (broker, calls, app) = check("", Broker::new(), || Failure::discard("cancelled")).await;
        assert_eq!(
            (calls.len(), orders(&app).metrics().discarded.get()),
            (1, 1)
        );
        assert_eq!(broker.positions(|action| *action == Action::Discard), [0]);
        assert!(broker.texts("orders.test.dlq").is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_short_delay_is_waited_out_in_place() {
    within(async {
        let (broker, calls, app) =
            check("", Broker::new(), || Failure::retry_after(secs(2), "busy")).await;
        assert_eq!(calls.attempts(), ["A 1", "A 2"]);
        assert!(
            (2_000..2_005).contains(&calls.waits()[0]),
            "{:?}",
            calls.waits()
        );
        assert_eq!(
            (
                broker.settlements().len(),
                orders(&app).metrics().retries.get()
            ),
            (1, 1)
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_long_delay_is_kept_by_the_broker_where_there_is_no_order() {
    within(async {
        let settings = "[bindings.orders.consumer]\nordering = 'none'";
        let (broker, calls, app) = check(settings, Broker::new(), || {
            Failure::retry_after(secs(30), "busy")
        })
        .await;
        assert_eq!(calls.attempts(), ["A 1", "A 2"]);
        let first = &broker.settlements()[0].action;
        assert_eq!(
            *first,
            Action::Release {
                after: secs(30),
                attempts: 1
            }
        );
        assert_eq!(orders(&app).metrics().delayed.get(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_long_delay_is_held_at_the_source_where_there_is_order_or_no_other_place() {
    within(async {
        for (settings, broker) in [
            ("", Broker::new()),
            (
                "[bindings.orders.consumer]\nordering = 'none'",
                Broker::without(&[Capability::DelayedRedelivery]),
            ),
        ] {
            let (broker, calls, _app) =
                check(settings, broker, || Failure::retry_after(secs(30), "busy")).await;
            assert_eq!(calls.attempts(), ["A 1", "A 2"]);
            assert!(
                (30_000..30_005).contains(&calls.waits()[0]),
                "{:?}",
                calls.waits()
            );
            assert_eq!(
                broker.positions(|action| matches!(action, Action::Hold { attempts: 1, .. })),
                [0]
            );
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_delay_of_the_handlers_own_is_within_the_attempts() {
    within(async {
        for ordering in ["key", "none"] {
            let (broker, calls) = (Broker::new(), Calls::new());
            let handler = calls.handler(|_, attempt| {
                let wait = if attempt == 2 { secs(60) } else { millis(10) };
                Err::<(), _>(Failure::retry_after(wait, "busy"))
            });
            let settings = format!(
                "[bindings.orders.consumer]\nordering = '{ordering}'\nretry = {{ attempts = 4 }}"
            );
            let _app = start(app(&broker, &settings).sink("orders", handler)).await;
            broker.put("orders", keyed("k", "A"));
            until_eq(|| broker.texts("orders.test.dlq").len(), 1).await;
            assert_eq!(calls.attempts(), ["A 1", "A 2", "A 3", "A 4"]);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_put_off_comes_back_without_an_attempt_counted() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let seen = calls.clone();
        let handler = calls.handler(move |_, _| match seen.len() {
            ..10 => Err(Failure::defer(secs(7), "overloaded")),
            _ => Ok(()),
        });
        let app = start(app(&broker, "").sink("orders", handler)).await;
        broker.put("orders", keyed("k", "A"));
        until_eq(|| broker.acked(), vec![0]).await;
        assert_eq!(calls.attempts(), ["A 1"; 10]);
        assert!(
            calls
                .waits()
                .iter()
                .all(|wait| (7_000..7_005).contains(wait)),
            "{:?}",
            calls.waits()
        );
        assert_eq!(
            (
                orders(&app).metrics().deferred.get(),
                orders(&app).metrics().retries.get()
            ),
            (9, 0)
        );
    })
    .await;
}

fn read() -> std::io::Result<()> {
    Err(std::io::Error::other("disk away"))
}

#[tokio::test(start_paused = true)]
async fn any_error_of_the_standard_library_means_retry() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let handler = calls.handler(|_, _| -> Result<(), Failure> { Ok(read()?) });
        let _app = start(app(&broker, "").sink("orders", handler)).await;
        broker.send("orders", "A");
        until_eq(|| broker.texts("orders.test.dlq").len(), 1).await;
        assert_eq!(calls.attempts(), ["A 1", "A 2", "A 3"]);
        let letters = broker.published("orders.test.dlq");
        assert_eq!(
            letters[0].as_headers().text("mq-error-message"),
            Some("disk away")
        );
        assert_eq!(
            letters[0].as_headers().text("mq-error-reason"),
            Some("exhausted")
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_attempt_returned_is_not_published() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let handler = calls.handler(|text, attempt| match attempt {
            1 => Err(Failure::retry("broken")),
            _ => Ok(vec![Text(format!("{text} {attempt}"))]),
        });
        let _app = start(app(&broker, "").processor("orders", "invoices", handler)).await;
        broker.send("orders", "A");
        until_eq(|| broker.acked(), vec![0]).await;
        pass(secs(60)).await;
        assert_eq!(broker.texts("invoices"), ["A 2"]);
    })
    .await;
}
