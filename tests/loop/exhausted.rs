//! What becomes of a message whose attempts are used up, and what a dead letter says.

use mq::{
    binder::{Action, Binder, Capability, Health},
    binding::{BindingState, Command},
    memory::Refusal,
    prelude::*,
};

use crate::support::{
    Broker, Calls, app, keyed, millis, now, orders, pass, secs, start, until, until_eq, within,
};

/// Settings with two attempts and this end.
fn two_attempts(more: &str) -> String {
    format!(
        "[bindings.orders.consumer]\nretry = {{ attempts = 2, initial = '1s', jitter = false }}\n{more}"
    )
}

#[tokio::test(start_paused = true)]
async fn exhausted_dead_letter_is_the_default_and_settles_the_message_after_the_letter() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let app = start(app(&broker, &two_attempts("")).sink("orders", calls.fail())).await;
        broker.put("orders", keyed("k", "A"));
        until_eq(|| broker.acked(), vec![0]).await;
        assert_eq!(calls.attempts(), ["A 1", "A 2"]);
        assert_eq!(broker.texts("orders.test.dlq"), ["A"]);
        assert_eq!(orders(&app).metrics().dead_letters.get(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn exhausted_stop_leaves_the_message_unsettled_and_says_why() {
    within(async {
        for broker in [Broker::new(), Broker::positional(1)] {
            let calls = Calls::new();
            let settings = two_attempts("exhausted = 'stop'");
            let app = start(app(&broker, &settings).sink("orders", calls.fail())).await;
            broker.put("orders", keyed("k", "A"));
            broker.put("orders", keyed("k", "B"));
            let state = orders(&app)
                .wait_for(|state| matches!(state, BindingState::Failed(_)))
                .await;
            assert!(state.to_string().contains("broken"), "{state}");
            assert!(state.to_string().contains("`orders`"), "{state}");
            assert!(matches!(app.handle().readiness(), Health::Down(_)));
            assert_eq!(broker.unsettled("orders"), 2, "nothing is lost");
            assert!(broker.texts("orders.test.dlq").is_empty());
            pass(secs(60)).await;
            assert_eq!(
                calls.attempts(),
                ["A 1", "A 2"],
                "nothing goes on behind it"
            );
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_stopped_begins_with_the_same_message_when_it_is_started() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let seen = calls.clone();
        let handler = calls.handler(move |_, _| match seen.len() {
            ..=2 => Err(Failure::retry("broken")),
            _ => Ok(()),
        });
        let settings = two_attempts("exhausted = 'stop'");
        let app = start(app(&broker, &settings).sink("orders", handler)).await;
        broker.put("orders", keyed("k", "A"));
        orders(&app)
            .wait_for(|state| matches!(state, BindingState::Failed(_)))
            .await;
        orders(&app)
            .command(Command::Start)
            .await
            .expect("it listens");
        until_eq(|| broker.unsettled("orders"), 0).await;
        assert_eq!(calls.texts(), ["A", "A", "A"]);
        assert_eq!(orders(&app).state(), BindingState::Running);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn exhausted_requeue_gives_the_message_back_until_it_succeeds() {
    within(async {
        for ordering in ["none", "key"] {
            let (broker, calls) = (Broker::new(), Calls::new());
            let seen = calls.clone();
            let handler = calls.handler(move |text, _| match (text, seen.len()) {
                ("A", ..=4) => Err(Failure::retry("broken")),
                _ => Ok(()),
            });
            let settings = two_attempts(&format!("exhausted = 'requeue'\nordering = '{ordering}'"));
            let app = start(app(&broker, &settings).sink("orders", handler)).await;
            broker.put("orders", keyed("k", "A"));
            broker.put("orders", keyed("k", "B"));
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(
                calls.texts(),
                ["A", "A", "A", "A", "A", "B"],
                "nobody passes it"
            );
            assert!(broker.texts("orders.test.dlq").is_empty());
            let released = broker.positions(|action| matches!(action, Action::Release { .. }));
            assert_eq!(
                released.is_empty(),
                ordering == "key",
                "with order it stays here"
            );
            assert_eq!(orders(&app).metrics().dead_letters.get(), 0);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_requeued_for_ever_is_no_busy_loop() {
    within(async {
        for broker in [
            Broker::new(),
            Broker::without(&[Capability::DelayedRedelivery]),
        ] {
            for ordering in ["none", "key"] {
                let calls = Calls::new();
                let settings =
                    two_attempts(&format!("exhausted = 'requeue'\nordering = '{ordering}'"));
                let _app = start(app(&broker, &settings).sink("orders", calls.fail())).await;
                broker.put("orders", keyed("k", "A"));
                pass(secs(60)).await;
                assert!(
                    (6..=14).contains(&calls.len()),
                    "{} calls in a minute",
                    calls.len()
                );
                now(broker.memory.admin().purge("orders")).expect("it is there");
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn exhausted_requeue_is_refused_on_a_positional_broker() {
    let broker = Broker::positional(1);
    let settings = two_attempts("exhausted = 'requeue'");
    let app = app(&broker, &settings).sink("orders", Calls::new().fail());
    let problems = app.build().expect_err("it cannot be kept").to_string();
    assert!(
        problems.contains("bindings.orders.consumer.exhausted"),
        "{problems}"
    );
}

#[tokio::test(start_paused = true)]
async fn exhausted_discard_settles_without_a_letter_and_counts() {
    within(async {
        for broker in [Broker::new(), Broker::positional(1)] {
            let calls = Calls::new();
            let settings = two_attempts("exhausted = 'discard'");
            let app = start(app(&broker, &settings).sink("orders", calls.fail())).await;
            broker.put("orders", keyed("k", "A"));
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(calls.len(), 2);
            assert!(broker.texts("orders.test.dlq").is_empty());
            assert_eq!(orders(&app).metrics().discarded.get(), 1);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_the_message_with_its_origin_its_failure_and_its_times() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let handler = calls.handler(|_, _| Err::<(), _>(Failure::retry("no rate").kind("NoRate")));
        let _app = start(app(&broker, &two_attempts("")).sink("orders", handler)).await;
        broker.send("orders", "first");
        let message = keyed("k", "A")
            .header("tenant", "x")
            .header("tenant", vec![0_u8, 255]);
        broker.put("orders", message.content_type("text/plain").id("order-1"));
        until_eq(|| broker.texts("orders.test.dlq").len(), 2).await;
        let letters = broker.published("orders.test.dlq");
        let letter = letters
            .iter()
            .find(|one| one.as_bytes() == b"A")
            .expect("the letter");
        assert_eq!(letter.as_key().map(|key| &key[..]), Some(&b"k"[..]));
        assert_eq!(letter.as_id(), Some(&"order-1".into()));
        let headers = letter.as_headers();
        let tenants: Vec<_> = headers
            .get_all("tenant")
            .map(|value| value.as_bytes().to_vec())
            .collect();
        assert_eq!(tenants, [b"x".to_vec(), vec![0, 255]]);
        for (name, value) in [
            ("mq-original-destination", "orders"),
            ("mq-original-partition", "0"),
            ("mq-original-position", "1"),
            ("mq-original-group", "test"),
            ("mq-attempt", "2"),
            ("mq-error-reason", "exhausted"),
            ("mq-error-type", "NoRate"),
            ("mq-error-message", "no rate"),
        ] {
            assert_eq!(headers.text(name), Some(value), "{name}");
        }
        let time = |name| headers.parse::<u64>(name).expect("milliseconds");
        let between = time("mq-error-last") - time("mq-error-first");
        assert!(
            (1_000..1_010).contains(&between),
            "{between} ms between the attempts"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_text_of_an_error_is_cut_so_that_failure_headers_stay_within_their_bound() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let handler = calls.handler(|_, _| Err::<(), _>(Failure::dead_letter("ü".repeat(100_000))));
        let _app = start(app(&broker, "").sink("orders", handler)).await;
        broker.send("orders", "A");
        until_eq(|| broker.texts("orders.test.dlq").len(), 1).await;
        let letters = broker.published("orders.test.dlq");
        let text = letters[0]
            .as_headers()
            .text("mq-error-message")
            .expect("valid text");
        assert!((4_096..=8_192).contains(&text.len()), "{}", text.len());
        assert!(text.chars().all(|character| character == 'ü'));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn dead_letters_go_where_the_settings_say_and_where_an_anonymous_group_has_its_own() {
    within(async {
        for (settings, letters) in [
            ("[bindings.orders]\ngroup = 'billing'", "orders.billing.dlq"),
            ("[bindings.orders]\ngroup = 'none'", "orders.dlq"),
            (
                "[bindings.orders.consumer]\ndead_letter = { destination = 'graveyard' }",
                "graveyard",
            ),
            (
                "[bindings.orders]\ndestination = 'shop.orders'",
                "shop.orders.test.dlq",
            ),
        ] {
            let (broker, calls) = (Broker::new(), Calls::new());
            let handler = calls.handler(|_, _| Err::<(), _>(Failure::dead_letter("no")));
            let app = start(app(&broker, settings).sink("orders", handler)).await;
            let from = if settings.contains("shop") {
                "shop.orders"
            } else {
                "orders"
            };
            broker.send(from, "A");
            until_eq(|| broker.texts(letters), vec!["A".to_owned()]).await;
            until_eq(|| orders(&app).unsettled(), 0).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_waits_to_be_published_survives_a_crash_with_its_message() {
    within(async {
        for broker in [Broker::new(), Broker::positional(1)] {
            let calls = Calls::new();
            let settings = two_attempts("");
            let service = || app(&broker, &settings).sink("orders", calls.fail());
            let crashing = start(service()).await;
            broker
                .faults()
                .refuse_publish("*.dlq", usize::MAX, Refusal::Temporary);
            broker
                .faults()
                .refuse_publish("orders.test.dlq", usize::MAX, Refusal::Temporary);
            broker.put("orders", keyed("k", "A"));
            until_eq(|| calls.len(), 2).await;
            pass(secs(300)).await;
            assert_eq!(broker.unsettled("orders"), 1);
            drop(crashing);
            broker.faults().restore();
            let _app = start(service()).await;
            until_eq(|| broker.texts("orders.test.dlq"), vec!["A".to_owned()]).await;
            until_eq(|| broker.unsettled("orders"), 0).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn while_dead_letters_cannot_be_published_other_messages_go_on() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let handler = calls.handler(|text, _| match text {
            "bad" => Err(Failure::dead_letter("no")),
            _ => Ok(()),
        });
        let _app = start(app(&broker, "").sink("orders", handler)).await;
        broker
            .faults()
            .refuse_publish("orders.test.dlq", usize::MAX, Refusal::Temporary);
        broker.put("orders", keyed("a", "bad"));
        pass(millis(500)).await;
        broker.put("orders", keyed("b", "good"));
        until("the other key goes on", || broker.acked() == [1]).await;
        assert_eq!(broker.unsettled("orders"), 1);
    })
    .await;
}
