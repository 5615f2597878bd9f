//! Which messages are handled one after the other, and which at the same time.

use mq::prelude::*;

use crate::support::{
    Broker, Calls, app, at_once, keyed, millis, orders, pass, secs, start, until, until_eq, within,
};

fn settings(ordering: &str, concurrency: usize) -> String {
    format!("[bindings.orders.consumer]\nordering = '{ordering}'\nconcurrency = {concurrency}")
}

#[tokio::test(start_paused = true)]
async fn without_order_as_many_run_at_once_as_the_concurrency_says() {
    within(async {
        for broker in [Broker::new(), Broker::positional(1)] {
            let calls = Calls::new();
            calls.hold();
            let app = app(&broker, &settings("none", 3)).sink("orders", calls.succeed());
            let app = start(app).await;
            ["1", "2", "3", "4", "5", "6", "7"]
                .into_iter()
                .for_each(|text| broker.send("orders", text));
            at_once().await;
            assert_eq!((calls.running(), orders(&app).in_flight()), (3, 3));
            calls.let_go(1);
            at_once().await;
            assert_eq!(calls.texts().len(), 4, "a place that is free is filled");
            calls.free();
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!((calls.len(), calls.most()), (7, 3));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn with_key_order_one_message_of_a_key_runs_at_a_time_and_keys_run_side_by_side() {
    within(async {
        for broker in [Broker::new(), Broker::positional(1), Broker::positional(4)] {
            let calls = Calls::new();
            calls.hold();
            let app = app(&broker, &settings("key", 8)).sink("orders", calls.succeed());
            let _app = start(app).await;
            broker.send_keyed("orders", &["a1", "a2", "b1", "b2", "a3", "c1"]);
            at_once().await;
            let mut first = calls.texts();
            first.sort();
            assert_eq!(first, ["a1", "b1", "c1"]);
            calls.free();
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(calls.attempts_of("a"), ["a1 1", "a2 1", "a3 1"]);
            assert_eq!(calls.attempts_of("b"), ["b1 1", "b2 1"]);
            assert_eq!(calls.most(), 3);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_waiting_take_no_place_of_those_that_can_run() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        calls.hold();
        let _app = start(app(&broker, &settings("key", 2)).sink("orders", calls.succeed())).await;
        let mut many: Vec<String> = (0..50).map(|number| format!("a{number}")).collect();
        many.push("b0".into());
        broker.send_keyed(
            "orders",
            &many.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        at_once().await;
        assert_eq!(calls.texts(), ["a0", "b0"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn with_partition_order_a_partition_is_handled_in_order_and_partitions_side_by_side() {
    within(async {
        for broker in [
            Broker::of(|builder| builder.partitions(3)),
            Broker::positional(3),
        ] {
            let calls = Calls::new();
            calls.hold();
            let app = app(&broker, &settings("partition", 8)).sink("orders", calls.succeed());
            let _app = start(app).await;
            for number in 0..4 {
                for partition in 0..3 {
                    let text = format!("{partition}-{number}");
                    broker.put("orders", Message::new(text).partition(partition));
                }
            }
            at_once().await;
            let mut first = calls.texts();
            first.sort();
            assert_eq!(first, ["0-0", "1-0", "2-0"]);
            calls.free();
            until_eq(|| broker.unsettled("orders"), 0).await;
            for partition in ["0", "1", "2"] {
                let expected: Vec<_> = (0..4)
                    .map(|number| format!("{partition}-{number} 1"))
                    .collect();
                assert_eq!(calls.attempts_of(partition), expected);
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn order_is_kept_by_a_concurrency_of_one_without_any_setting() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let _app = start(app(&broker, &settings("none", 1)).sink("orders", calls.succeed())).await;
        let texts: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        texts.iter().for_each(|text| broker.send("orders", text));
        until_eq(|| broker.unsettled("orders"), 0).await;
        assert_eq!((calls.texts(), calls.most()), (texts, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn outputs_of_a_key_are_published_in_the_order_of_their_inputs() {
    within(async {
        for broker in [Broker::new(), Broker::positional(2)] {
            let calls = Calls::new();
            // The first of each key takes longest.
            let handler = |Text(text): Text| async move {
                let wait = 100_u64.saturating_sub(text[1..].parse::<u64>().unwrap_or(0) * 10);
                pass(millis(wait)).await;
                Keyed(text[..1].to_owned(), Text(text))
            };
            let app = app(&broker, &settings("key", 8)).processor("orders", "invoices", handler);
            let _app = start(app).await;
            for number in 0..10 {
                for key in ["a", "b", "c"] {
                    broker.put("orders", keyed(key, format!("{key}{number}")));
                }
            }
            until_eq(|| broker.unsettled("orders"), 0).await;
            let invoices = broker.texts("invoices");
            for key in ["a", "b", "c"] {
                let of: Vec<_> = invoices
                    .iter()
                    .filter(|text| text.starts_with(key))
                    .collect();
                let expected: Vec<_> = (0..10).map(|number| format!("{key}{number}")).collect();
                assert_eq!(of, expected.iter().collect::<Vec<_>>());
            }
            drop(calls);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_without_a_key_waits_for_nobody_and_is_counted() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        calls.hold();
        let app = start(app(&broker, &settings("key", 8)).sink("orders", calls.succeed())).await;
        broker.put("orders", keyed("k", "A"));
        ["B", "C"]
            .into_iter()
            .for_each(|text| broker.send("orders", text));
        at_once().await;
        assert_eq!(calls.running(), 3);
        assert_eq!(orders(&app).metrics().keyless.get(), 2);
        calls.free();
        until_eq(|| broker.unsettled("orders"), 0).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_key_stays_parked_through_a_crash_where_its_hold_is_recorded() {
    within(async {
        for broker in [Broker::new(), Broker::positional(1)] {
            let calls = Calls::new();
            let handler = || {
                calls.handler(|text, attempt| match (text, attempt) {
                    ("a1", 1) => Err(Failure::retry("broken")),
                    _ => Ok(()),
                })
            };
            let settings =
                "[bindings.orders.consumer]\nretry = { attempts = 1, delayed = ['10m'] }";
            let crashing = start(app(&broker, settings).sink("orders", handler())).await;
            broker.send_keyed("orders", &["a1", "a2", "b1"]);
            until("the first has failed and the other key is done", || {
                calls.len() == 2
            })
            .await;
            pass(secs(60)).await;
            drop(crashing);
            let _app = start(app(&broker, settings).sink("orders", handler())).await;
            pass(secs(500)).await;
            assert_eq!(
                calls.attempts_of("a"),
                ["a1 1"],
                "it is not due, and nobody passes it"
            );
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(calls.attempts_of("a"), ["a1 1", "a1 2", "a2 1"]);
            assert_eq!(
                calls.attempts_of("b"),
                ["b1 1"],
                "what is settled is not repeated"
            );
        }
    })
    .await;
}
