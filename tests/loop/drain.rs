//! Ending in order: what finishes, what is handed back, and what is reported.

use mq::{binder::Capability, prelude::*};
use tokio::time::Instant;

use crate::support::{
    Broker, Calls, app, at_once, keyed, millis, orders, pass, secs, start, until_eq, within,
};

#[tokio::test(start_paused = true)]
async fn a_drain_finishes_what_is_in_flight_and_hands_back_what_has_not_begun() {
    within(async {
        for broker in [Broker::new(), Broker::positional(1)] {
            let calls = Calls::new();
            calls.hold();
            let settings = "[bindings.orders.consumer]\nconcurrency = 2\nordering = 'none'";
            let app =
                start(app(&broker, settings).processor("orders", "invoices", calls.echo())).await;
            (0..10).for_each(|number: u32| broker.send("orders", &number.to_string()));
            until_eq(|| calls.running(), 2).await;
            let stopping = tokio::spawn(app.stop());
            at_once().await;
            calls.free();
            let report = stopping.await.expect("no panic").expect("it stops");
            let drained = report.drained;
            assert_eq!((drained.finished, drained.abandoned), (2, 0), "{report}");
            assert_eq!(broker.texts("invoices").len(), 2);
            assert_eq!((calls.len(), broker.unsettled("orders")), (2, 8));
            assert!(report.took < secs(1), "{report}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_with_its_deadline_and_what_is_abandoned_is_delivered_again() {
    within(async {
        for broker in [
            Broker::without(&[Capability::KeyOrder]),
            Broker::positional(1),
        ] {
            let calls = Calls::new();
            calls.hold();
            let settings = "app.drain = '3s'\n[bindings.orders.consumer]\ntimeout = 'none'";
            let service = || app(&broker, settings).sink("orders", calls.succeed());
            let app = start(service()).await;
            broker.put("orders", keyed("a", "a1"));
            broker.put("orders", keyed("a", "a2"));
            broker.put("orders", keyed("b", "b1"));
            until_eq(|| calls.running(), 2).await;
            let begin = Instant::now();
            let report = app.stop().await.expect("it stops");
            assert!(
                (secs(3)..secs(6)).contains(&begin.elapsed()),
                "{:?}",
                begin.elapsed()
            );
            assert_eq!(
                (report.drained.abandoned, report.drained.finished),
                (2, 0),
                "{report}"
            );
            assert_eq!(report.drained.handed_back, 1, "{report}");
            assert_eq!((calls.running(), broker.unsettled("orders")), (0, 3));
            calls.free();
            let _app = start(service()).await;
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(calls.attempts_of("a").len(), 3);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_retry_ends_with_the_drain_and_its_attempts_are_kept() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let settings = "[bindings.orders.consumer]\nretry = { attempts = 4, initial = '10m', max = '10m', jitter = false }";
        let service = || app(&broker, settings).sink("orders", calls.fail());
        let first = start(service()).await;
        broker.put("orders", keyed("k", "A"));
        until_eq(|| calls.len(), 1).await;
        pass(secs(1)).await;
        let begin = Instant::now();
        let report = first.stop().await.expect("it stops");
        assert!(begin.elapsed() < secs(1), "it does not wait for ten minutes");
        assert_eq!(report.drained.handed_back, 1, "{report}");
        let _second = start(service()).await;
        until_eq(|| broker.texts("orders.test.dlq").len(), 1).await;
        assert_eq!(calls.attempts(), ["A 1", "A 2", "A 3", "A 4"], "an orderly stop repeats no attempt");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_held_message_is_handed_back_with_its_due_time() {
    within(async {
        for broker in [Broker::new(), Broker::positional(1)] {
            let calls = Calls::new();
            let settings =
                "[bindings.orders.consumer]\nretry = { attempts = 1, delayed = ['10m'] }";
            let service = || app(&broker, settings).sink("orders", calls.fail());
            let first = start(service()).await;
            broker.put("orders", keyed("k", "A"));
            until_eq(|| calls.len(), 1).await;
            pass(secs(60)).await;
            first.stop().await.expect("it stops");
            let _second = start(service()).await;
            pass(secs(500)).await;
            assert_eq!(
                calls.attempts(),
                ["A 1"],
                "it is not due before ten minutes have passed"
            );
            until_eq(|| broker.texts("orders.test.dlq").len(), 1).await;
            assert_eq!(calls.attempts(), ["A 1", "A 2"]);
            assert!(
                (600_000..602_000).contains(&calls.waits()[0]),
                "{:?}",
                calls.waits()
            );
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn outputs_under_way_are_confirmed_and_their_inputs_settled_before_the_end() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let app = start(app(&broker, "").processor("orders", "invoices", calls.echo())).await;
        broker.hold_confirmations(true);
        ["A", "B"]
            .into_iter()
            .for_each(|order| broker.send("orders", order));
        until_eq(|| broker.texts("invoices").len(), 2).await;
        let stopping = tokio::spawn(app.stop());
        pass(secs(5)).await;
        assert!(broker.acked().is_empty() && !stopping.is_finished());
        broker.hold_confirmations(false);
        let report = stopping.await.expect("no panic").expect("it stops");
        assert_eq!((report.drained.finished, broker.acked().len()), (2, 2));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn outputs_that_are_never_confirmed_leave_their_inputs_to_be_delivered_again() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let settings = "app.drain = '2s'";
        let app = start(app(&broker, settings).processor("orders", "invoices", calls.echo())).await;
        broker.hold_confirmations(true);
        broker.send("orders", "A");
        until_eq(|| calls.len(), 1).await;
        let begin = Instant::now();
        let report = app.stop().await.expect("it stops");
        assert!(begin.elapsed() < secs(10), "{:?}", begin.elapsed());
        assert_eq!((broker.unsettled("orders"), broker.acked()), (1, vec![]));
        assert_eq!(report.drained.finished, 0, "it was not finished: {report}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_orderly_stop_repeats_nothing() {
    within(async {
        for broker in [Broker::new(), Broker::positional(3)] {
            let calls = Calls::new();
            let settings = "[bindings.orders.consumer]\nordering = 'none'\nconcurrency = 16";
            let handler = || {
                let calls = calls.clone();
                move |Text(text): Text| {
                    let calls = calls.clone();
                    async move {
                        let number: u64 = text.parse().expect("a number");
                        pass(millis(1 + number * 7 % 40)).await;
                        calls.note(text, 1);
                    }
                }
            };
            (0..400).for_each(|number: u32| {
                broker.put(
                    "orders",
                    Message::new(number.to_string()).key(number.to_string()),
                );
            });
            for round in 0..8 {
                let app = start(app(&broker, settings).sink("orders", handler())).await;
                pass(millis(60 + round)).await;
                app.stop().await.expect("it stops");
            }
            let app = start(app(&broker, settings).sink("orders", handler())).await;
            until_eq(|| broker.unsettled("orders"), 0).await;
            let mut numbers: Vec<u32> = calls
                .texts()
                .iter()
                .map(|text| text.parse().expect("a number"))
                .collect();
            numbers.sort_unstable();
            assert_eq!(numbers, (0..400).collect::<Vec<_>>(), "each once");
            assert_eq!(orders(&app).metrics().lost.get(), 0);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn kills_lose_nothing_and_repeat_no_more_than_what_was_not_settled() {
    within(async {
        for broker in [Broker::new(), Broker::positional(3)] {
            let calls = Calls::new();
            let handler = || {
                let calls = calls.clone();
                move |Text(text): Text| {
                    let calls = calls.clone();
                    async move {
                        pass(millis(3)).await;
                        calls.note(text.clone(), 1);
                        Keyed("all", Text(text))
                    }
                }
            };
            (0..300).for_each(|number: u32| {
                broker.put(
                    "orders",
                    Message::new(number.to_string()).key((number % 20).to_string()),
                );
            });
            for round in 0..8 {
                let app = start(app(&broker, "").processor("orders", "invoices", handler())).await;
                pass(millis(20 + round * 3)).await;
                drop(app);
            }
            let _app = start(app(&broker, "").processor("orders", "invoices", handler())).await;
            until_eq(|| broker.unsettled("orders"), 0).await;
            let mut firsts: Vec<String> = Vec::new();
            for text in broker.texts("invoices") {
                if !firsts.contains(&text) {
                    firsts.push(text);
                }
            }
            assert_eq!(firsts.len(), 300, "nothing is lost");
            for key in 0..20 {
                let of: Vec<u32> = firsts
                    .iter()
                    .map(|text| text.parse().expect("a number"))
                    .filter(|number: &u32| number % 20 == key)
                    .collect();
                assert!(of.is_sorted(), "first effects of key {key}: {of:?}");
            }
        }
    })
    .await;
}
