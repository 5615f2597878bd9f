//! The circuit breaker: while it is open nothing is fetched, and nothing counts as an attempt.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use mq::{binding::Command, prelude::*};
use tokio::time::Instant;

use crate::support::{
    Broker, Calls, app, at_once, millis, orders, pass, secs, start, until_eq, within,
};

const BREAKER: &str = "[bindings.orders.consumer]
concurrency = 1
retry = { attempts = 1000, initial = '10ms', max = '10ms', jitter = false }
circuit_breaker = { failures = 0.5, window = '30s', pause = '60s', minimum = 4 }
window = { messages = 10 }";

/// A handler whose helper is away as long as `away` says.
fn handler(
    calls: &Calls,
    away: &Arc<AtomicBool>,
) -> impl Fn(Text, Attempt) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>
+ Send
+ Sync
+ 'static {
    let away = away.clone();
    calls.handler(move |_, _| {
        if away.load(Relaxed) {
            Err(Failure::retry("away"))
        } else {
            Ok(())
        }
    })
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_calls_nobody_and_fetches_nothing_until_its_pause_is_over() {
    within(async {
        for broker in [Broker::new(), Broker::positional(1)] {
            let (calls, away) = (Calls::new(), Arc::new(AtomicBool::new(true)));
            let app = start(app(&broker, BREAKER).sink("orders", handler(&calls, &away))).await;
            (0..100).for_each(|number: u32| broker.send("orders", &number.to_string()));
            pass(secs(1)).await;
            let before = calls.len();
            assert!((4..=6).contains(&before), "{before} calls until it opened");
            assert!(
                orders(&app).unsettled() <= 10,
                "nothing is fetched beyond the window"
            );
            let received = orders(&app).metrics().received.get();
            pass(secs(55)).await;
            assert_eq!(
                (calls.len(), orders(&app).metrics().received.get()),
                (before, received)
            );
            pass(secs(10)).await;
            assert_eq!(calls.len(), before + 1, "one call tries");
            away.store(false, Relaxed);
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(orders(&app).metrics().dead_letters.get(), 0);
            assert_eq!(orders(&app).metrics().handled.get(), 100);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn bad_messages_do_not_open_the_circuit() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let seen = calls.clone();
        let handler = move |Json(number): Json<u32>| {
            let seen = seen.clone();
            async move {
                seen.note(number.to_string(), 1);
                if number % 2 == 0 {
                    Err(Failure::dead_letter("even"))
                } else {
                    Ok(())
                }
            }
        };
        let _app = start(app(&broker, BREAKER).sink("orders", handler)).await;
        for number in 0..50_u32 {
            broker.send("orders", &number.to_string());
            broker.send("orders", "not a number");
        }
        pass(secs(5)).await;
        assert_eq!(broker.unsettled("orders"), 0);
        assert_eq!(
            (calls.len(), broker.texts("orders.test.dlq").len()),
            (50, 75)
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_binding_with_an_open_circuit_stops_at_once() {
    within(async {
        for broker in [Broker::new(), Broker::positional(1)] {
            let (calls, away) = (Calls::new(), Arc::new(AtomicBool::new(true)));
            let app = start(app(&broker, BREAKER).sink("orders", handler(&calls, &away))).await;
            (0..20).for_each(|number: u32| broker.send("orders", &number.to_string()));
            pass(secs(5)).await;
            let begin = Instant::now();
            let report = app.stop().await.expect("it stops");
            assert!(
                begin.elapsed() < secs(2),
                "nothing is in a handler, but it took {:?}: {report}",
                begin.elapsed()
            );
            assert_eq!(
                (report.drained.abandoned, broker.unsettled("orders")),
                (0, 20)
            );
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_is_paused_with_an_open_circuit_begins_nothing_when_it_closes() {
    within(async {
        let broker = Broker::new();
        let (calls, away) = (Calls::new(), Arc::new(AtomicBool::new(true)));
        let app = start(app(&broker, BREAKER).sink("orders", handler(&calls, &away))).await;
        (0..20).for_each(|number: u32| broker.send("orders", &number.to_string()));
        pass(secs(5)).await;
        orders(&app)
            .command(Command::Pause)
            .await
            .expect("it listens");
        at_once().await;
        let before = calls.len();
        pass(secs(600)).await;
        assert_eq!(calls.len(), before);
        away.store(false, Relaxed);
        orders(&app)
            .command(Command::Resume)
            .await
            .expect("it listens");
        until_eq(|| broker.unsettled("orders"), 0).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_never_returns_ends_with_its_timeout() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let settings = format!("{BREAKER}\ntimeout = '1s'");
        let seen = calls.clone();
        let handler = move |Text(text): Text| {
            let seen = seen.clone();
            async move {
                seen.note(text, 1);
                match seen.len() {
                    ..=4 => Err(Failure::retry("away")),
                    5 => std::future::pending().await,
                    _ => Ok(()),
                }
            }
        };
        let _app = start(app(&broker, &settings).sink("orders", handler)).await;
        (0..10).for_each(|number: u32| broker.send("orders", &number.to_string()));
        until_eq(|| broker.unsettled("orders"), 0).await;
        assert_eq!(calls.len(), 15);
        pass(millis(1)).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_listener_has_a_circuit_too() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let settings = format!("{BREAKER}\nbatch = {{ max = 5, wait = '0s' }}");
        let away = Arc::new(AtomicBool::new(true));
        let (seen, gone) = (calls.clone(), away.clone());
        let handler = move |batch: Batch<Text>| {
            let (seen, gone) = (seen.clone(), gone.clone());
            async move {
                seen.note(batch.len().to_string(), 1);
                if gone.load(Relaxed) {
                    Err(Failure::retry("away"))
                } else {
                    Ok(())
                }
            }
        };
        let _app = start(app(&broker, &settings).batch_sink("orders", handler)).await;
        (0..10).for_each(|number: u32| broker.send("orders", &number.to_string()));
        pass(secs(30)).await;
        assert!(calls.len() <= 3, "{} calls", calls.len());
        away.store(false, Relaxed);
        until_eq(|| broker.unsettled("orders"), 0).await;
    })
    .await;
}
