//! The broker is away, at the start or later.

use mq::{
    binder::Health,
    binding::{BindingState, Command},
    prelude::*,
};
use tokio::time::Instant;

use crate::support::{
    Broker, Calls, app, at_once, keyed, millis, orders, pass, secs, start, until, until_eq, within,
};

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_shown_and_the_subscription_is_restored() {
    within(async {
        for broker in [Broker::new(), Broker::positional(2)] {
            let calls = Calls::new();
            let app = start(app(&broker, "").processor("orders", "invoices", calls.echo())).await;
            broker.send("orders", "A");
            until_eq(|| broker.unsettled("orders"), 0).await;
            broker.faults().lose_connection();
            let state = orders(&app)
                .wait_for(|state| matches!(state, BindingState::Down(_)))
                .await;
            assert!(state.to_string().contains("connection"), "{state}");
            assert!(matches!(app.handle().readiness(), Health::Down(_)));
            pass(secs(120)).await;
            broker.faults().restore();
            broker.send("orders", "B");
            until_eq(
                || broker.texts("invoices"),
                vec!["A".to_owned(), "B".to_owned()],
            )
            .await;
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(app.handle().readiness(), Health::Up);
            assert_eq!(
                (calls.len(), orders(&app).metrics().reconnects.get()),
                (2, 1)
            );
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn attempts_to_reconnect_are_spread_out_with_a_bound() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let app = start(app(&broker, "").sink("orders", calls.succeed())).await;
        broker.faults().lose_connection();
        let before = orders(&app).metrics().reconnects.get();
        pass(secs(3600)).await;
        broker.faults().restore();
        let begin = Instant::now();
        until_eq(|| orders(&app).state(), BindingState::Running).await;
        assert!(
            begin.elapsed() <= secs(16),
            "the longest pause is 15 s: {:?}",
            begin.elapsed()
        );
        assert_eq!(orders(&app).metrics().reconnects.get(), before + 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_away_at_the_start_is_waited_for() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        broker.faults().lose_connection();
        let planned = app(&broker, "")
            .sink("orders", calls.succeed())
            .build()
            .expect("no mistakes");
        let starting = tokio::spawn(planned.start());
        pass(secs(300)).await;
        assert!(
            !starting.is_finished(),
            "no crash and no start without a broker"
        );
        broker.faults().restore();
        let app = starting.await.expect("no panic").expect("it starts");
        broker.send("orders", "A");
        until_eq(|| broker.unsettled("orders"), 0).await;
        assert_eq!(
            (calls.texts(), app.handle().readiness()),
            (vec!["A".to_owned()], Health::Up)
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_was_in_flight_when_the_connection_broke_is_handled_again_after_it() {
    within(async {
        for broker in [Broker::new(), Broker::positional(1)] {
            let calls = Calls::new();
            calls.hold();
            let app = start(app(&broker, "").processor("orders", "invoices", calls.echo())).await;
            broker.put("orders", keyed("a", "a1"));
            broker.put("orders", keyed("a", "a2"));
            until_eq(|| calls.running(), 1).await;
            broker.faults().lose_connection();
            pass(secs(1)).await;
            calls.free();
            pass(secs(1)).await;
            broker.faults().restore();
            until_eq(|| broker.unsettled("orders"), 0).await;
            let texts = calls.texts();
            assert_eq!(
                texts.iter().filter(|text| *text == "a1").count(),
                2,
                "{texts:?}"
            );
            let invoices = broker.published("invoices");
            let firsts: Vec<_> = invoices.iter().map(|one| one.as_id().cloned()).collect();
            assert!(invoices.len() >= 2, "nothing is lost");
            assert_eq!(
                broker.texts("invoices").last().map(String::as_str),
                Some("a2")
            );
            assert!(firsts.iter().all(Option::is_some));
            assert_eq!(orders(&app).unsettled(), 0);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_runs_on_after_the_loss_does_not_keep_the_binding_from_reconnecting_for_ever()
 {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        calls.hold();
        let settings = "app.drain = '5s'\n[bindings.orders.consumer]\ntimeout = 'none'";
        let app = start(app(&broker, settings).sink("orders", calls.succeed())).await;
        broker.send("orders", "A");
        until_eq(|| calls.running(), 1).await;
        broker.faults().lose_connection();
        at_once().await;
        broker.faults().restore();
        pass(secs(10)).await;
        assert_eq!(orders(&app).state(), BindingState::Running);
        calls.free();
        until_eq(|| broker.unsettled("orders"), 0).await;
        assert_eq!(calls.texts(), ["A", "A"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn attempts_before_a_lost_connection_count_after_it_where_they_are_recorded() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let settings =
            "[bindings.orders.consumer]\nretry = { attempts = 1, delayed = ['1m', '1m'] }";
        let _app = start(app(&broker, settings).sink("orders", calls.fail())).await;
        broker.put("orders", keyed("k", "A"));
        until_eq(|| calls.len(), 2).await;
        broker.faults().lose_connection();
        pass(secs(5)).await;
        broker.faults().restore();
        until_eq(|| broker.texts("orders.test.dlq").len(), 1).await;
        assert_eq!(calls.attempts(), ["A 1", "A 2", "A 3"]);
        assert!(
            (60_000..62_000).contains(&calls.waits()[1]),
            "{:?}",
            calls.waits()
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn many_short_losses_lose_nothing_and_keep_the_order_of_first_effects() {
    within(async {
        for broker in [Broker::new(), Broker::positional(2)] {
            let calls = Calls::new();
            let slow = calls.clone();
            let handler = move |Text(text): Text| {
                let calls = slow.clone();
                async move {
                    pass(millis(2)).await;
                    calls.note(text.clone(), 1);
                    Keyed(text[..1].to_owned(), Text(text))
                }
            };
            let _app = start(app(&broker, "").processor("orders", "invoices", handler)).await;
            for round in 0..20 {
                for key in ["a", "b", "c"] {
                    broker.put("orders", keyed(key, format!("{key}{round:02}")));
                }
                pass(millis(1 + round % 4)).await;
                broker.faults().lose_connection();
                pass(millis(300)).await;
                broker.faults().restore();
            }
            until_eq(|| broker.unsettled("orders"), 0).await;
            let invoices = broker.texts("invoices");
            for key in ["a", "b", "c"] {
                let mut of: Vec<_> = invoices
                    .iter()
                    .filter(|text| text.starts_with(key))
                    .cloned()
                    .collect();
                let mut seen = std::collections::BTreeSet::new();
                of.retain(|text| seen.insert(text.clone()));
                let expected: Vec<_> = (0..20).map(|round| format!("{key}{round:02}")).collect();
                assert_eq!(of, expected);
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_binding_can_be_stopped_while_the_broker_is_away() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let app = start(app(&broker, "").sink("orders", calls.succeed())).await;
        broker.faults().lose_connection();
        orders(&app)
            .wait_for(|state| matches!(state, BindingState::Down(_)))
            .await;
        orders(&app)
            .command(Command::Stop)
            .await
            .expect("it listens");
        until_eq(|| orders(&app).state(), BindingState::Stopped).await;
        orders(&app)
            .command(Command::Start)
            .await
            .expect("it listens");
        orders(&app)
            .wait_for(|state| matches!(state, BindingState::Down(_)))
            .await;
        let begin = Instant::now();
        app.stop()
            .await
            .expect("it stops although the broker is away");
        assert!(begin.elapsed() < secs(30), "{:?}", begin.elapsed());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn not_receiving_for_minutes_is_harmless() {
    within(async {
        for broker in [Broker::new(), Broker::positional(2)] {
            let calls = Calls::new();
            calls.hold();
            let settings = "[bindings.orders.consumer]\nconcurrency = 1\ntimeout = 'none'\nwindow = { messages = 1 }";
            let app = start(app(&broker, settings).sink("orders", calls.succeed())).await;
            ["A", "B", "C"].into_iter().for_each(|text| broker.send("orders", text));
            until_eq(|| calls.running(), 1).await;
            pass(secs(3600)).await;
            calls.free();
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(calls.len(), 3, "nothing was repeated");
            assert_eq!((broker.subscriptions(), orders(&app).metrics().lost.get()), (1, 0));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_is_deleted_is_subscribed_again_when_it_is_back() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let app = start(app(&broker, "").sink("orders", calls.succeed())).await;
        use mq::binder::Binder;
        crate::support::now(broker.memory.admin().delete("orders")).expect("it is there");
        pass(secs(1)).await;
        broker.send("orders", "A");
        until("it is handled", || calls.len() == 1).await;
        assert_eq!(orders(&app).state(), BindingState::Running);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_broker_is_only_slow() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let _app = start(app(&broker, "").processor("orders", "invoices", calls.echo())).await;
        (0..200).for_each(|number: u32| broker.send("orders", &number.to_string()));
        broker.faults().slow(millis(700));
        until_eq(|| broker.unsettled("orders"), 0).await;
        assert_eq!((calls.len(), broker.texts("invoices").len()), (200, 200));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn confirmations_that_do_not_come_have_their_outputs_published_again_with_the_same_id() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let _app = start(app(&broker, "").processor("orders", "invoices", calls.echo())).await;
        broker.send("orders", "A");
        broker.faults().withhold_confirm(2);
        until_eq(|| broker.acked(), vec![0]).await;
        let invoices = broker.published("invoices");
        assert_eq!((calls.len(), invoices.len()), (1, 3));
        assert!(
            invoices
                .iter()
                .all(|one| one.as_id() == invoices[0].as_id() && one.as_id().is_some())
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_the_broker_loses_has_its_message_delivered_again() {
    within(async {
        for broker in [Broker::new(), Broker::positional(1)] {
            let calls = Calls::new();
            let _app = start(app(&broker, "").sink("orders", calls.succeed())).await;
            broker.faults().duplicate_delivery(1);
            broker.send("orders", "A");
            until_eq(|| calls.len(), 2).await;
            until_eq(|| broker.unsettled("orders"), 0).await;
        }
    })
    .await;
}
