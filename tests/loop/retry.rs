//! Attempts are counted exactly, waits are those of the policy, and nobody else is held up more than the order asks for.

use mq::{
    binder::{Action, Capability, RetryState},
    prelude::*,
};

use crate::support::{
    Broker, Calls, app, binding, keyed, millis, orders, pass, secs, start, until_eq, within,
};

/// Five attempts in place and two delayed ones.
const SEVEN: &str = "retry = { attempts = 5, initial = '100ms', factor = 2.0, max = '10s', jitter = false, delayed = ['1m', '10m'] }";

/// All seven calls with their waits on this broker.
async fn check_seven(broker: Broker, ordering: &str) -> Broker {
    let calls = Calls::new();
    let settings = format!("[bindings.orders.consumer]\nordering = '{ordering}'\n{SEVEN}");
    let app = start(app(&broker, &settings).sink("orders", calls.fail())).await;
    broker.put("orders", keyed("k", "A"));
    until_eq(|| broker.texts("orders.test.dlq"), vec!["A".to_owned()]).await;
    let attempts: Vec<u32> = calls.all().iter().map(|call| call.attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4, 5, 6, 7]);
    // A timer of the runtime may fire up to a millisecond late.
    let expected = [100, 200, 400, 800, 60_000, 600_000];
    for (wait, expected) in calls.waits().into_iter().zip(expected) {
        assert!(
            (expected..=expected + 5).contains(&wait),
            "{wait} for {expected}"
        );
    }
    let letter = &broker.published("orders.test.dlq")[0];
    assert_eq!(letter.as_headers().text("mq-attempt"), Some("7"));
    pass(secs(1)).await;
    assert_eq!(
        (broker.unsettled("orders"), orders(&app).unsettled()),
        (0, 0)
    );
    let metrics = orders(&app).metrics().snapshot();
    assert_eq!(
        (
            metrics.failed,
            metrics.retries,
            metrics.delayed,
            metrics.dead_letters
        ),
        (7, 4, 2, 1)
    );
    broker
}

#[tokio::test(start_paused = true)]
async fn five_attempts_and_two_delayed_ones_are_seven_calls_held_at_the_source() {
    within(async {
        let broker = check_seven(Broker::new(), "key").await;
        let holds = broker.positions(|action| {
            matches!(
                action,
                Action::Hold {
                    attempts: 5 | 6,
                    ..
                }
            )
        });
        assert_eq!(holds, [0, 0], "the broker has recorded both holds");
        assert!(
            broker
                .positions(|action| matches!(action, Action::Release { .. }))
                .is_empty()
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn five_attempts_and_two_delayed_ones_are_seven_calls_delayed_by_the_broker() {
    within(async {
        let broker = check_seven(Broker::new(), "none").await;
        let delays: Vec<_> = broker
            .settlements()
            .into_iter()
            .map(|settlement| settlement.action)
            .collect();
        let release = |seconds, attempts| Action::Release {
            after: secs(seconds),
            attempts,
        };
        assert_eq!(delays, [release(60, 5), release(600, 6), Action::Ack]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn five_attempts_and_two_delayed_ones_are_seven_calls_through_retry_destinations() {
    within(async {
        let broker = Broker::without(&[Capability::DelayedRedelivery]);
        let broker = check_seven(broker, "none").await;
        assert_eq!(broker.texts("orders.test.retry.1m"), ["A"]);
        assert_eq!(broker.texts("orders.test.retry.10m"), ["A"]);
        for retry in ["orders.test.retry.1m", "orders.test.retry.10m"] {
            assert_eq!(broker.unsettled(retry), 0);
        }
        let letter = &broker.published("orders.test.dlq")[0];
        let origin = [
            "mq-original-destination",
            "mq-original-partition",
            "mq-original-position",
        ];
        let origin =
            origin.map(|name| letter.as_headers().text(name).expect("is there").to_owned());
        assert_eq!(origin, ["orders", "0", "0"], "where it first came from");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn five_attempts_and_two_delayed_ones_are_seven_calls_on_a_positional_broker() {
    within(async {
        check_seven(Broker::positional(1), "key").await;
        check_seven(Broker::positional(1), "none").await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_with_jitter_is_never_longer_than_the_policy_says() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let settings =
            "[bindings.orders.consumer]\nretry = { attempts = 40, initial = '1s', max = '4s' }";
        let _app = start(app(&broker, settings).sink("orders", calls.fail())).await;
        broker.send("orders", "A");
        until_eq(|| calls.len(), 40).await;
        assert!(
            calls.waits().iter().all(|wait| *wait <= 4_001),
            "{:?}",
            calls.waits()
        );
        assert!(
            calls.waits().iter().any(|wait| *wait < 3_000),
            "{:?}",
            calls.waits()
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_for_its_retry_gives_its_permit_back() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let handler = calls.handler(|text, attempt| match (text, attempt) {
            ("A", 1) => Err(Failure::retry("broken")),
            _ => Ok(()),
        });
        let settings = "[bindings.orders.consumer]\nconcurrency = 1\nretry = { initial = '10s', jitter = false }";
        let _app = start(app(&broker, settings).sink("orders", handler)).await;
        ["a", "b", "c"].into_iter().for_each(|key| broker.put("orders", keyed(key, key.to_uppercase())));
        until_eq(|| broker.acked(), vec![1, 2]).await;
        assert_eq!(calls.attempts(), ["A 1", "B 1", "C 1"]);
        until_eq(|| broker.acked(), vec![1, 2, 0]).await;
        assert_eq!(calls.attempts_of("A"), ["A 1", "A 2"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_key_is_parked_while_its_head_is_retried_and_goes_on_in_order() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let handler = calls.handler(|text, attempt| match (text, attempt) {
            ("a1", 1..=4) => Err(Failure::retry("broken")),
            _ => Ok(()),
        });
        let settings = "[bindings.orders.consumer]\nretry = { attempts = 3, initial = '1s', jitter = false, delayed = ['1m', '10m'] }";
        let _app = start(app(&broker, settings).sink("orders", handler)).await;
        for text in ["a1", "b1", "a2", "b2", "a3"] {
            broker.put("orders", keyed(if text.starts_with('a') { "a" } else { "b" }, text));
        }
        pass(secs(600)).await;
        assert_eq!(broker.acked(), [1, 3], "the other key goes on, through the delayed attempts too");
        broker.put("orders", keyed("a", "a4"));
        until_eq(|| broker.acked(), vec![1, 3, 0, 2, 4, 5]).await;
        let of_a = calls.attempts_of("a");
        assert_eq!(of_a, ["a1 1", "a1 2", "a1 3", "a1 4", "a1 5", "a2 1", "a3 1", "a4 1"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_partition_is_parked_while_its_head_is_retried() {
    within(async {
        let calls = Calls::new();
        let broker = Broker::of(|builder| builder.partitions(2));
        let handler = calls.handler(|text, attempt| match (text, attempt) {
            ("p0 first", 1) => Err(Failure::retry("broken")),
            _ => Ok(()),
        });
        let settings = "[bindings.orders.consumer]\nordering = 'partition'\nretry = { initial = '5s', jitter = false }";
        let _app = start(app(&broker, settings).sink("orders", handler)).await;
        for text in ["p0 first", "p1 first", "p0 second", "p1 second"] {
            let partition = u32::from(text.starts_with("p1"));
            broker.put("orders", Message::new(text).partition(partition));
        }
        until_eq(|| calls.len(), 5).await;
        assert_eq!(calls.attempts_of("p0"), ["p0 first 1", "p0 first 2", "p0 second 1"]);
        assert_eq!(calls.attempts_of("p1"), ["p1 first 1", "p1 second 1"]);
        assert!(calls.texts()[3..].iter().all(|text| text.starts_with("p0")), "the other partition went on");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn messages_without_a_key_do_not_wait_for_each_other() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let handler = calls.handler(|text, attempt| match (text, attempt) {
            ("A", 1) => Err(Failure::retry("broken")),
            _ => Ok(()),
        });
        let settings = "[bindings.orders.consumer]\nretry = { initial = '5s', jitter = false }";
        let app = start(app(&broker, settings).sink("orders", handler)).await;
        ["A", "B"]
            .into_iter()
            .for_each(|text| broker.send("orders", text));
        until_eq(|| broker.acked(), vec![1, 0]).await;
        assert_eq!(orders(&app).metrics().keyless.get(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn attempts_that_the_broker_has_recorded_go_on_after_a_crash_when_they_are_due() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let settings = format!("[bindings.orders.consumer]\n{SEVEN}");
        let crashing = start(app(&broker, &settings).sink("orders", calls.fail())).await;
        broker.put("orders", keyed("k", "A"));
        until_eq(|| calls.len(), 6).await;
        pass(secs(200)).await;
        drop(crashing);
        let app = start(app(&broker, &settings).sink("orders", calls.fail())).await;
        pass(secs(390)).await;
        assert_eq!(
            (calls.len(), orders(&app).waiting()),
            (6, 1),
            "it is not due yet"
        );
        until_eq(|| broker.texts("orders.test.dlq").len(), 1).await;
        let last = calls.all().pop().expect("a call");
        assert_eq!(last.attempt, 7);
        assert!(
            (600_000..600_010).contains(calls.waits().last().expect("a wait")),
            "{:?}",
            calls.waits()
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn attempts_that_no_broker_records_begin_again_after_a_crash() {
    within(async {
        let calls = Calls::new();
        let broker = Broker::of(|builder| builder.retry_state(RetryState::None));
        let settings = format!("[bindings.orders.consumer]\n{SEVEN}");
        let planned = app(&broker, &settings)
            .sink("orders", calls.fail())
            .build()
            .expect("no mistakes");
        assert!(
            planned.table().rows()[0]
                .retry
                .contains("forgotten by a restart")
        );
        let crashing = planned.start().await.expect("starts");
        broker.put("orders", keyed("k", "A"));
        until_eq(|| calls.len(), 5).await;
        drop(crashing);
        let _app = start(app(&broker, &settings).sink("orders", calls.fail())).await;
        until_eq(|| broker.texts("orders.test.dlq").len(), 1).await;
        let attempts: Vec<u32> = calls.all().iter().map(|call| call.attempt).collect();
        assert_eq!(attempts, [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6, 7]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn attempts_in_a_retry_destination_go_on_after_a_crash() {
    within(async {
        let broker = Broker::without(&[Capability::DelayedRedelivery]);
        let calls = Calls::new();
        let settings = format!("[bindings.orders.consumer]\nordering = 'none'\n{SEVEN}");
        let crashing = start(app(&broker, &settings).sink("orders", calls.fail())).await;
        broker.send("orders", "A");
        until_eq(|| broker.texts("orders.test.retry.1m").len(), 1).await;
        pass(secs(30)).await;
        drop(crashing);
        let _app = start(app(&broker, &settings).sink("orders", calls.fail())).await;
        pass(secs(29)).await;
        assert_eq!(calls.len(), 5, "it is not due yet");
        until_eq(|| broker.texts("orders.test.dlq").len(), 1).await;
        let attempts: Vec<u32> = calls.all().iter().map(|call| call.attempt).collect();
        assert_eq!(attempts, [1, 2, 3, 4, 5, 6, 7]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_lane_of_a_retry_destination_rests_until_its_first_message_is_due() {
    within(async {
        let broker = Broker::without(&[Capability::DelayedRedelivery]);
        let calls = Calls::new();
        let settings = "[bindings.orders.consumer]\nordering = 'none'\nwindow = { messages = 10 }
            retry = { attempts = 1, delayed = ['10m'] }";
        let handler = calls.handler(|_, attempt| {
            if attempt == 1 {
                Err(Failure::retry("broken"))
            } else {
                Ok(())
            }
        });
        let app = start(app(&broker, settings).sink("orders", handler)).await;
        for _ in 0..100 {
            broker.send("orders", "A");
            pass(millis(100)).await;
        }
        until_eq(|| broker.texts("orders.test.retry.10m").len(), 100).await;
        assert!(
            orders(&app).unsettled() <= 10,
            "those that wait do not fill the window"
        );
        until_eq(|| calls.len(), 200).await;
        assert_eq!(orders(&app).metrics().dead_letters.get(), 0);
        let late = calls.all().into_iter().skip(100).zip(calls.all());
        assert!(
            late.into_iter()
                .all(|(second, first)| second.at - first.at >= 600_000),
            "none is early"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn retries_of_one_binding_do_not_hold_up_another() {
    within(async {
        let (broker, calls, other) = (Broker::new(), Calls::new(), Calls::new());
        let settings =
            "[bindings.orders.consumer]\nretry = { attempts = 1000, initial = '1ms', max = '1ms' }";
        let app = app(&broker, settings)
            .sink("orders", calls.fail())
            .sink("refunds", other.succeed());
        let app = start(app).await;
        broker.send("orders", "A");
        broker.send("refunds", "B");
        until_eq(|| other.len(), 1).await;
        assert_eq!(binding(&app, "refunds").unsettled(), 0);
    })
    .await;
}
