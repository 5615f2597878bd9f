//! Batches: how they are gathered, and one outcome for each item.

use mq::{listener::Outcomes, prelude::*};

use crate::support::{
    Broker, Calls, app, at_once, keyed, millis, orders, pass, secs, start, until, until_eq, within,
};

/// The payloads of a batch.
fn texts(batch: &Batch<Text>) -> Vec<String> {
    batch.iter().map(|item| item.payload.0.clone()).collect()
}

/// A batch listener that notes what it gets, as `A B C`, and answers what `answer` says for each item and its attempt.
fn each(
    calls: &Calls,
    answer: impl Fn(&str, u32) -> Result<(), Failure> + Clone + Send + Sync + 'static,
) -> impl Fn(Batch<Text>) -> std::pin::Pin<Box<dyn Future<Output = Outcomes> + Send>>
+ Send
+ Sync
+ 'static {
    let calls = calls.clone();
    move |batch| {
        let (calls, answer) = (calls.clone(), answer.clone());
        Box::pin(async move {
            calls.note(texts(&batch).join(" "), 1);
            calls.pause().await;
            let results: Vec<_> = batch
                .iter()
                .map(|item| answer(&item.payload.0, item.delivery.attempt()))
                .collect();
            batch.outcomes(results)
        })
    }
}

fn settings(ordering: &str, more: &str) -> String {
    format!(
        "[bindings.orders.consumer]\nordering = '{ordering}'\nbatch = {{ max = 4, wait = '50ms' }}\nretry = {{ attempts = 3, initial = '1s', jitter = false }}\n{more}"
    )
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_full_or_as_old_as_the_wait_says() {
    within(async {
        for broker in [Broker::new(), Broker::positional(1)] {
            let calls = Calls::new();
            let app = app(&broker, &settings("none", ""))
                .batch_sink("orders", each(&calls, |_, _| Ok(())));
            let _app = start(app).await;
            "ABCDEF"
                .chars()
                .for_each(|text| broker.send("orders", &text.to_string()));
            at_once().await;
            assert_eq!(calls.texts(), ["A B C D"], "a full batch waits for nobody");
            pass(millis(30)).await;
            assert_eq!(calls.len(), 1);
            broker.send("orders", "G");
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(calls.texts(), ["A B C D", "E F G"]);
            let at = calls.all()[1].at;
            assert!(
                (49..=55).contains(&at),
                "the wait begins with the first of the batch: {at} ms"
            );
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn only_the_items_that_failed_are_handled_again() {
    within(async {
        for broker in [Broker::new(), Broker::positional(1)] {
            let calls = Calls::new();
            let answer = |text: &str, attempt| match (text, attempt) {
                ("B", 1) | ("D", 1..=2) => Err(Failure::retry("broken")),
                _ => Ok(()),
            };
            let app =
                app(&broker, &settings("none", "")).batch_sink("orders", each(&calls, answer));
            let app = start(app).await;
            ["A", "B", "C", "D"]
                .into_iter()
                .for_each(|text| broker.send("orders", text));
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(calls.texts(), ["A B C D", "B D", "D"]);
            assert_eq!(orders(&app).metrics().retries.get(), 3);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn batches_that_are_handled_without_a_pause_are_judged_each_on_its_own() {
    within(async {
        for broker in [Broker::new(), Broker::positional(1)] {
            let calls = Calls::new();
            let answer = |text: &str, attempt| match (text, attempt) {
                ("F", 1) => panic!("at once"),
                ("K", 1) => Err(Failure::retry("broken")),
                _ => Ok(()),
            };
            let app =
                app(&broker, &settings("none", "")).batch_sink("orders", each(&calls, answer));
            "ABCDEFGHIJKL"
                .chars()
                .for_each(|text| broker.send("orders", &text.to_string()));
            let app = start(app).await;
            until_eq(|| broker.unsettled("orders"), 0).await;
            let expected = ["A B C D", "E F G H", "I J K L", "E F G H", "K"];
            assert_eq!(calls.texts(), expected);
            let metrics = orders(&app).metrics().snapshot();
            assert_eq!((metrics.handled, metrics.panics), (12, 4));
            assert_eq!(orders(&app).metrics().retries.get(), 5);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn each_item_has_its_own_decision() {
    within(async {
        for broker in [Broker::new(), Broker::positional(1)] {
            let calls = Calls::new();
            let answer = |text: &str, _| match text {
                "dead" => Err(Failure::dead_letter("no").kind("Dead")),
                "gone" => Err(Failure::discard("cancelled")),
                "never" => Err(Failure::retry("broken")),
                _ => Ok(()),
            };
            let app =
                app(&broker, &settings("none", "")).batch_sink("orders", each(&calls, answer));
            let app = start(app).await;
            ["dead", "gone", "good", "never"]
                .into_iter()
                .for_each(|text| broker.send("orders", text));
            until_eq(|| broker.unsettled("orders"), 0).await;
            let letters = broker.published("orders.test.dlq");
            let facts: Vec<_> = letters
                .iter()
                .map(|letter| {
                    let header = |name| letter.as_headers().text(name).unwrap_or_default();
                    (
                        crate::support::text(letter),
                        header("mq-error-reason"),
                        header("mq-attempt"),
                    )
                })
                .collect();
            assert_eq!(
                facts,
                [
                    ("dead".into(), "rejected", "1"),
                    ("never".into(), "exhausted", "3")
                ]
            );
            assert_eq!(orders(&app).metrics().discarded.get(), 1);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_whole_batch_counts_for_each_of_its_items() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let seen = calls.clone();
        let handler = move |batch: Batch<Text>| {
            let seen = seen.clone();
            async move {
                seen.note(
                    texts(&batch).join(" "),
                    batch
                        .iter()
                        .next()
                        .map_or(0, |item| item.delivery.attempt()),
                );
                Err::<(), Failure>(Failure::retry("the search is away"))
            }
        };
        let app = start(app(&broker, &settings("none", "")).batch_sink("orders", handler)).await;
        ["A", "B", "C", "D"]
            .into_iter()
            .for_each(|text| broker.send("orders", text));
        until_eq(|| broker.texts("orders.test.dlq").len(), 4).await;
        assert_eq!(calls.attempts(), ["A B C D 1", "A B C D 2", "A B C D 3"]);
        assert_eq!(orders(&app).metrics().dead_letters.get(), 4);
        until_eq(|| broker.unsettled("orders"), 0).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_item_holds_back_the_later_ones_of_its_key_only() {
    within(async {
        for broker in [
            Broker::without(&[mq::binder::Capability::KeyOrder]),
            Broker::positional(1),
        ] {
            let calls = Calls::new();
            let answer = |text: &str, attempt| match (text, attempt) {
                ("a1", 1) => Err(Failure::retry("broken")),
                _ => Ok(()),
            };
            let app = app(&broker, &settings("key", "")).batch_sink("orders", each(&calls, answer));
            let _app = start(app).await;
            broker.send_keyed("orders", &["a1", "b1", "a2", "b2"]);
            pass(millis(500)).await;
            assert_eq!(calls.len(), 1);
            broker.send_keyed("orders", &["a3", "b3"]);
            until_eq(|| broker.unsettled("orders"), 0).await;
            let all = calls.texts();
            assert_eq!(all[0], "a1 b1 a2 b2");
            let later: Vec<&str> = all[1..].iter().flat_map(|batch| batch.split(' ')).collect();
            let of = |key: &str| {
                later
                    .iter()
                    .copied()
                    .filter(|text| text.starts_with(key))
                    .collect::<Vec<_>>()
            };
            assert_eq!(
                of("a"),
                ["a1", "a2", "a3"],
                "what came after the failure is handled again, in order"
            );
            assert_eq!(of("b"), ["b3"]);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn outputs_of_a_whole_batch_are_confirmed_before_any_of_it_is_settled() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let seen = calls.clone();
        let handler = move |batch: Batch<Text>| {
            let seen = seen.clone();
            async move {
                seen.note(texts(&batch).join(" "), 1);
                vec![Text(format!("{} orders", batch.len()))]
            }
        };
        let service =
            app(&broker, &settings("none", "")).batch_processor("orders", "totals", handler);
        let _app = start(service).await;
        broker.hold_confirmations(true);
        ["A", "B", "C", "D"]
            .into_iter()
            .for_each(|text| broker.send("orders", text));
        pass(secs(5)).await;
        assert!(broker.acked().is_empty() && calls.len() == 1);
        broker.hold_confirmations(false);
        until_eq(|| broker.acked().len(), 4).await;
        assert_eq!(broker.texts("totals"), ["4 orders"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_output_of_a_whole_batch_that_is_refused_for_good_stops_the_binding_and_loses_nothing()
{
    within(async {
        let broker = Broker::new();
        let handler = |batch: Batch<Text>| async move { vec![Text("x".repeat(batch.len() * 100))] };
        let more = "[bindings.totals.producer]\nmax_payload = 99";
        let service =
            app(&broker, &settings("none", more)).batch_processor("orders", "totals", handler);
        let app = start(service).await;
        ["A", "B", "C", "D"]
            .into_iter()
            .for_each(|text| broker.send("orders", text));
        until("it ends", || {
            matches!(orders(&app).state(), mq::binding::BindingState::Failed(_))
                || broker.unsettled("orders") == 0
        })
        .await;
        assert_eq!(
            broker.unsettled("orders") + broker.texts("orders.test.dlq").len(),
            4
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn as_many_outcomes_as_items_or_the_batch_has_failed() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let seen = calls.clone();
        let handler = move |batch: Batch<Text>| {
            let seen = seen.clone();
            async move {
                seen.note(texts(&batch).join(" "), 1);
                batch.outcomes(vec![Ok::<(), Failure>(())])
            }
        };
        let _app = start(app(&broker, &settings("none", "")).batch_sink("orders", handler)).await;
        ["A", "B", "C", "D"]
            .into_iter()
            .for_each(|text| broker.send("orders", text));
        until_eq(|| broker.texts("orders.test.dlq").len(), 4).await;
        assert_eq!(calls.len(), 3);
        let letter = &broker.published("orders.test.dlq")[0];
        assert_eq!(letter.as_headers().text("mq-error-type"), Some("outcomes"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_listener_that_panics_or_never_returns_has_failed() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let seen = calls.clone();
        let handler = move |batch: Batch<Text>| {
            let seen = seen.clone();
            async move {
                seen.note(texts(&batch).join(" "), 1);
                match seen.len() {
                    1 => panic!("the first time"),
                    2 => std::future::pending().await,
                    _ => {}
                }
            }
        };
        let service =
            app(&broker, &settings("none", "timeout = '5s'")).batch_sink("orders", handler);
        let app = start(service).await;
        ["A", "B", "C", "D"]
            .into_iter()
            .for_each(|text| broker.send("orders", text));
        until_eq(|| broker.unsettled("orders"), 0).await;
        assert_eq!(calls.texts(), ["A B C D"; 3]);
        let metrics = orders(&app).metrics().snapshot();
        assert_eq!((metrics.dead_letters, metrics.handled), (0, 4));
        assert!(metrics.panics > 0 && metrics.timeouts > 0, "{metrics:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_takes_a_batch_that_is_not_full_as_it_is_or_hands_it_back() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let settings = "[bindings.orders.consumer]\nbatch = { max = 100, wait = '10m' }";
        let app =
            start(app(&broker, settings).batch_sink("orders", each(&calls, |_, _| Ok(())))).await;
        ["A", "B"]
            .into_iter()
            .for_each(|text| broker.put("orders", keyed("k", text)));
        pass(secs(1)).await;
        let report = app.stop().await.expect("it stops");
        assert!(report.took < secs(1), "{report}");
        assert_eq!(broker.unsettled("orders") + broker.acked().len(), 2);
        assert_eq!(report.drained.abandoned, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn delayed_attempts_of_items_are_counted_as_those_of_single_messages() {
    within(async {
        for broker in [
            Broker::new(),
            Broker::without(&[mq::binder::Capability::DelayedRedelivery]),
            Broker::positional(1),
        ] {
            for ordering in ["none", "key"] {
                let calls = Calls::new();
                let seen = calls.clone();
                let handler = move |batch: Batch<Text>| {
                    let seen = seen.clone();
                    async move {
                        batch.iter().for_each(|item| seen.note(item.payload.0.clone(), item.delivery.attempt()));
                        batch.outcomes(batch.iter().map(|_| Err::<(), _>(Failure::retry("broken"))).collect::<Vec<_>>())
                    }
                };
                let settings = format!("[bindings.orders.consumer]\nordering = '{ordering}'\nretry = {{ attempts = 2, initial = '1s', jitter = false, delayed = ['1m'] }}");
                let before = broker.texts("orders.test.dlq").len();
                let app = start(app(&broker, &settings).batch_sink("orders", handler)).await;
                broker.put("orders", keyed("k", "A"));
                until_eq(|| broker.texts("orders.test.dlq").len(), before + 1).await;
                assert_eq!(calls.attempts(), ["A 1", "A 2", "A 3"], "{ordering}");
                app.stop().await.expect("it stops");
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn no_batch_begins_before_the_one_before_it_is_judged() {
    within(async {
        let brokers = || {
            [
                Broker::without(&[mq::binder::Capability::KeyOrder]),
                Broker::positional(1),
            ]
        };
        for (broker, waits) in brokers()
            .into_iter()
            .zip([0, 0])
            .chain(brokers().into_iter().zip([5, 5]))
        {
            let calls = Calls::new();
            let seen = calls.clone();
            let handler = move |batch: Batch<Text>| {
                let seen = seen.clone();
                async move {
                    if waits > 0 {
                        pass(millis(waits)).await;
                    }
                    seen.note(texts(&batch).join(" "), 1);
                    let answer = |item: mq::extract::BatchItem<&Text>| match (
                        item.payload.0.as_str(),
                        item.delivery.attempt(),
                    ) {
                        ("a1", 1) => Err(Failure::retry("broken")),
                        _ => Ok(()),
                    };
                    batch.outcomes(batch.iter().map(answer).collect::<Vec<_>>())
                }
            };
            let service = app(&broker, &settings("key", "")).batch_sink("orders", handler);
            broker.send_keyed("orders", &["a1", "b1", "a2", "b2", "a3", "b3", "a4", "b4"]);
            let _app = start(service).await;
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(
                calls.texts()[..2],
                ["a1 b1 a2 b2".to_owned(), "b3 b4".to_owned()]
            );
            assert_eq!(calls.texts().last().map(String::as_str), Some("a2 a3 a4"));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nothing_passes_a_message_of_its_key_that_was_held_before_a_crash() {
    within(async {
        for broker in [Broker::new(), Broker::positional(1)] {
            let calls = Calls::new();
            let settings = "[bindings.orders.consumer]\nordering = 'key'\nbatch = { max = 10, wait = '10ms' }\nretry = { attempts = 1, delayed = ['1m'] }";
            let service = || {
                let handler = each(&calls, |text, attempt| match (text, attempt) {
                    ("a0", 1) => Err(Failure::retry("broken")),
                    _ => Ok(()),
                });
                app(&broker, settings).batch_sink("orders", handler)
            };
            let crashing = start(service()).await;
            broker.send_keyed("orders", &["a0", "a1", "b0"]);
            pass(secs(5)).await;
            drop(crashing);
            let _app = start(service()).await;
            pass(secs(5)).await;
            broker.send_keyed("orders", &["a2", "b1"]);
            until_eq(|| broker.unsettled("orders"), 0).await;
            let texts = calls.texts().join(" ");
            let of_a: Vec<_> = texts
                .split(' ')
                .filter(|text| text.starts_with('a'))
                .collect();
            // The first batch may have had both.
            assert!(of_a.ends_with(&["a0", "a1", "a2"]), "{texts}");
            assert!(matches!(of_a[..], ["a0", "a0", ..] | ["a0", "a1", "a0", ..]), "{texts}");
        }
    })
    .await;
}
