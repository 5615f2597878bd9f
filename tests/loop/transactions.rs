//! `guarantee = "exactly_once"`: outputs and settlements are one step of the broker.

use mq::{binding::BindingState, memory::Refusal, prelude::*};

use crate::support::{
    Broker, Calls, app, keyed, millis, orders, pass, secs, start, until_eq, within,
};

const EXACTLY_ONCE: &str = "[bindings.orders.consumer]\nguarantee = 'exactly_once'\nretry = { attempts = 2, initial = '100ms', jitter = false }";

fn both() -> [Broker; 2] {
    [Broker::new(), Broker::positional(2)]
}

#[tokio::test(start_paused = true)]
async fn outputs_and_settlement_take_effect_together() {
    within(async {
        for broker in both() {
            let calls = Calls::new();
            let service = app(&broker, EXACTLY_ONCE).processor("orders", "invoices", calls.echo());
            let app = start(service).await;
            for text in ["a1", "b1", "a2"] {
                broker.send_keyed("orders", &[text]);
            }
            until_eq(|| broker.unsettled("orders"), 0).await;
            let mut invoices = broker.texts("invoices");
            invoices.sort();
            assert_eq!(invoices, ["a1", "a2", "b1"]);
            until_eq(|| orders(&app).unsettled(), 0).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_without_outputs_is_settled_in_a_step_too() {
    within(async {
        for broker in both() {
            let calls = Calls::new();
            let app = start(app(&broker, EXACTLY_ONCE).sink("orders", calls.succeed())).await;
            (0..20).for_each(|number: u32| broker.send("orders", &number.to_string()));
            until_eq(|| broker.unsettled("orders"), 0).await;
            until_eq(|| orders(&app).unsettled(), 0).await;
            assert_eq!(calls.len(), 20);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn kills_in_any_moment_leave_one_effect_each() {
    within(async {
        for broker in both() {
            let calls = Calls::new();
            (0..200).for_each(|number: u32| {
                broker.put(
                    "orders",
                    Message::new(number.to_string()).key((number % 7).to_string()),
                );
            });
            let handler = || {
                let calls = calls.clone();
                move |Text(text): Text| {
                    let calls = calls.clone();
                    async move {
                        calls.note(text.clone(), 1);
                        pass(millis(2)).await;
                        Keyed("all", Text(text))
                    }
                }
            };
            for round in 0..10 {
                let service = app(&broker, EXACTLY_ONCE).processor("orders", "invoices", handler());
                let app = start(service).await;
                if round % 2 == 0 {
                    broker.faults().withhold_confirm(1);
                }
                pass(millis(5 + round)).await;
                drop(app);
            }
            broker.faults().restore();
            let service = app(&broker, EXACTLY_ONCE).processor("orders", "invoices", handler());
            let _app = start(service).await;
            until_eq(|| broker.unsettled("orders"), 0).await;
            let invoices: Vec<u32> = broker
                .texts("invoices")
                .iter()
                .map(|text| text.parse().expect("a number"))
                .collect();
            for key in 0..7 {
                let of: Vec<u32> = invoices
                    .iter()
                    .copied()
                    .filter(|number| number % 7 == key)
                    .collect();
                let expected: Vec<u32> = (0..200).filter(|number| number % 7 == key).collect();
                assert_eq!(of, expected, "each once, in the order of its key");
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_step_that_fails_temporarily_is_carried_again_without_the_handler() {
    within(async {
        for broker in both() {
            let calls = Calls::new();
            let service = app(&broker, EXACTLY_ONCE).processor("orders", "invoices", calls.echo());
            let app = start(service).await;
            broker.send("orders", "A");
            broker
                .faults()
                .refuse_publish("invoices", 3, Refusal::Temporary);
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(
                (calls.len(), broker.texts("invoices")),
                (1, vec!["A".to_owned()])
            );
            assert_eq!(app.handle().readiness(), mq::binder::Health::Up);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_in_the_middle_of_steps_doubles_and_loses_nothing() {
    within(async {
        for broker in both() {
            let calls = Calls::new();
            let service = app(&broker, EXACTLY_ONCE).processor("orders", "invoices", calls.echo());
            let app = start(service).await;
            for round in 0..15 {
                for key in ["a", "b", "c"] {
                    broker.put("orders", keyed(key, format!("{key}{round:02}")));
                }
                pass(millis(round % 3)).await;
                broker.faults().lose_connection();
                pass(millis(200)).await;
                broker.faults().restore();
            }
            until_eq(|| broker.unsettled("orders"), 0).await;
            let mut invoices = broker.texts("invoices");
            invoices.sort();
            let expected: Vec<_> = ["a", "b", "c"]
                .iter()
                .flat_map(|key| (0..15).map(move |round| format!("{key}{round:02}")))
                .collect();
            assert_eq!(invoices, expected);
            until_eq(|| orders(&app).unsettled(), 0).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn lanes_that_are_lost_in_the_middle_of_steps_double_and_lose_nothing() {
    within(async {
        for broker in both() {
            let calls = Calls::new();
            let service = app(&broker, EXACTLY_ONCE).processor(
                "orders",
                "invoices",
                calls.handler(|text, _| Keyed("all", Text(text.to_owned()))),
            );
            let app = start(service).await;
            for round in 0..30_u32 {
                broker.put("orders", keyed("k", format!("{round:02}")));
                pass(millis(u64::from(round) % 3)).await;
                broker.faults().lose_lanes("orders");
            }
            until_eq(|| broker.unsettled("orders"), 0).await;
            let expected: Vec<_> = (0..30).map(|round| format!("{round:02}")).collect();
            assert_eq!(broker.texts("invoices"), expected);
            until_eq(|| orders(&app).unsettled(), 0).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_and_the_settlement_of_its_message_are_one_step() {
    within(async {
        for broker in both() {
            let calls = Calls::new();
            let app = start(app(&broker, EXACTLY_ONCE).sink("orders", calls.fail())).await;
            broker.put("orders", keyed("k", "A"));
            until_eq(|| broker.texts("orders.test.dlq"), vec!["A".to_owned()]).await;
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(
                (calls.len(), orders(&app).metrics().dead_letters.get()),
                (2, 1)
            );
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn discards_and_delays_work_beside_steps() {
    within(async {
        for broker in both() {
            let calls = Calls::new();
            let handler = calls.handler(|text, attempt| match (text, attempt) {
                ("gone", _) => Err(Failure::discard("cancelled")),
                ("late", 1) => Err(Failure::retry_after(secs(60), "busy")),
                (text, _) => Ok(Text(text.to_owned())),
            });
            let service = app(&broker, EXACTLY_ONCE).processor("orders", "invoices", handler);
            let app = start(service).await;
            for (key, text) in [("a", "gone"), ("b", "late"), ("c", "good")] {
                broker.put("orders", keyed(key, text));
            }
            until_eq(|| broker.unsettled("orders"), 0).await;
            let mut invoices = broker.texts("invoices");
            invoices.sort();
            assert_eq!(invoices, ["good", "late"]);
            until_eq(|| orders(&app).unsettled(), 0).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_output_that_is_too_large_for_the_binding_dead_letters_its_input() {
    within(async {
        for broker in both() {
            let calls = Calls::new();
            let settings =
                format!("{EXACTLY_ONCE}\n[bindings.invoices.producer]\nmax_payload = 10");
            let handler = calls.handler(|text, _| Text(text.repeat(2)));
            let service = app(&broker, &settings).processor("orders", "invoices", handler);
            let app = start(service).await;
            for text in ["small", "too large", "tiny"] {
                broker.put("orders", keyed("k", text));
            }
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(broker.texts("invoices"), ["smallsmall", "tinytiny"]);
            assert_eq!(broker.texts("orders.test.dlq"), ["too large"]);
            assert_eq!(orders(&app).state(), BindingState::Running);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_output_that_the_broker_refuses_for_good_loses_nothing() {
    within(async {
        for broker in both() {
            let calls = Calls::new();
            let service = app(&broker, EXACTLY_ONCE).processor("orders", "invoices", calls.echo());
            let app = start(service).await;
            broker.put("orders", keyed("k", "A"));
            broker
                .faults()
                .refuse_publish("invoices", 1, Refusal::Permanent);
            pass(secs(60)).await;
            let failed = matches!(orders(&app).state(), BindingState::Failed(_));
            let letters = broker.texts("orders.test.dlq").len();
            assert_eq!(broker.unsettled("orders") + letters, 1);
            assert!(failed || letters == 1, "{}", orders(&app).state());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn batches_are_settled_in_steps_with_their_outputs() {
    within(async {
        for broker in both() {
            let settings = format!("{EXACTLY_ONCE}\nbatch = {{ max = 10, wait = '10ms' }}");
            let handler = |batch: Batch<Text>| async move {
                batch
                    .iter()
                    .map(|item| Keyed("all", Text(item.payload.0.clone())))
                    .collect::<Vec<_>>()
            };
            let service = app(&broker, &settings).batch_processor("orders", "invoices", handler);
            let app = start(service).await;
            (0..95).for_each(|number: u32| broker.put("orders", keyed("k", number.to_string())));
            broker.faults().withhold_confirm(3);
            until_eq(|| broker.unsettled("orders"), 0).await;
            let expected: Vec<_> = (0..95).map(|number| number.to_string()).collect();
            assert_eq!(broker.texts("invoices"), expected);
            until_eq(|| orders(&app).unsettled(), 0).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_carries_the_last_step() {
    within(async {
        for broker in both() {
            let calls = Calls::new();
            calls.hold();
            let service = app(&broker, EXACTLY_ONCE).processor("orders", "invoices", calls.echo());
            let app = start(service).await;
            broker.put("orders", keyed("k", "A"));
            until_eq(|| calls.running(), 1).await;
            let stopping = tokio::spawn(app.stop());
            pass(secs(1)).await;
            calls.free();
            let report = stopping.await.expect("no panic").expect("it stops");
            assert_eq!(
                (report.drained.finished, broker.unsettled("orders")),
                (1, 0)
            );
            assert_eq!(broker.texts("invoices"), ["A"]);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn two_members_with_transactions_double_nothing_when_they_share_and_part() {
    within(async {
        let broker = Broker::positional(4);
        let calls = Calls::new();
        let handler = || {
            let calls = calls.clone();
            move |Text(text): Text| {
                let calls = calls.clone();
                async move {
                    calls.note(text.clone(), 1);
                    pass(millis(5)).await;
                    Keyed("all", Text(text))
                }
            }
        };
        let service = || app(&broker, EXACTLY_ONCE).processor("orders", "invoices", handler());
        (0..300).for_each(|number: u32| {
            broker.put(
                "orders",
                Message::new(number.to_string()).key(number.to_string()),
            );
        });
        let one = start(service()).await;
        pass(millis(40)).await;
        let two = start(service()).await;
        pass(millis(40)).await;
        drop(one);
        pass(millis(40)).await;
        let three = start(service()).await;
        pass(millis(40)).await;
        two.stop().await.expect("it stops");
        until_eq(|| broker.unsettled("orders"), 0).await;
        let mut invoices: Vec<u32> = broker
            .texts("invoices")
            .iter()
            .map(|text| text.parse().expect("a number"))
            .collect();
        invoices.sort_unstable();
        assert_eq!(invoices, (0..300).collect::<Vec<_>>());
        drop(three);
    })
    .await;
}
