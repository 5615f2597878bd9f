//! Sources: what is confirmed, what is tried again, and how they end.

use std::{collections::VecDeque, time::Duration};

use mq::{
    Error, ErrorKind,
    binding::{BindingState, Command},
    memory::{Full, Limit, Refusal},
    prelude::*,
};

use crate::support::{Broker, Calls, app, millis, pass, secs, start, until, until_eq, within};

/// Gives out its items; a number is a failure that says so.
struct List {
    items: VecDeque<Result<&'static str, Failure>>,
    calls: Calls,
}

impl List {
    fn new(calls: &Calls, items: impl IntoIterator<Item = Result<&'static str, Failure>>) -> Self {
        Self {
            items: items.into_iter().collect(),
            calls: calls.clone(),
        }
    }
}

impl Source for List {
    type Output = Text;

    async fn next(&mut self) -> Result<Option<Text>, Failure> {
        self.calls.note("next", 1);
        match self.items.pop_front() {
            None => Ok(None),
            Some(item) => Ok(Some(Text(item?.to_owned()))),
        }
    }
}

fn source(app: &mq::RunningApp) -> mq::binding::BindingHandle {
    app.handle().sources().next().expect("a source").clone()
}

#[tokio::test(start_paused = true)]
async fn the_items_of_a_source_are_published_in_order_and_it_ends() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let items = ["A", "B", "C"].map(Ok);
        let app = start(app(&broker, "").source("orders", List::new(&calls, items))).await;
        until_eq(|| source(&app).state(), BindingState::Ended).await;
        assert_eq!(broker.texts("orders"), ["A", "B", "C"]);
        let ids: Vec<_> = broker
            .published("orders")
            .iter()
            .map(|one| one.as_id().cloned())
            .collect();
        assert!(ids.iter().all(Option::is_some) && ids[0] != ids[1]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_is_asked_again_after_a_second_or_the_delay_it_names() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let items = [
            Ok("A"),
            Err(Failure::retry("away")),
            Err(Failure::retry_after(secs(30), "busy")),
            Ok("B"),
        ];
        let app = start(app(&broker, "").source("orders", List::new(&calls, items))).await;
        until_eq(|| source(&app).state(), BindingState::Ended).await;
        assert_eq!(broker.texts("orders"), ["A", "B"]);
        let waits = calls.waits();
        assert!(
            (1_000..1_010).contains(&waits[1]) && (30_000..30_010).contains(&waits[2]),
            "{waits:?}"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_not_to_be_retried_ends_the_source_with_its_reason() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let items = [
            Ok("A"),
            Err(Failure::dead_letter("the file is broken")),
            Ok("B"),
        ];
        let app = start(app(&broker, "").source("orders", List::new(&calls, items))).await;
        let state = source(&app)
            .wait_for(|state| matches!(state, BindingState::Failed(_)))
            .await;
        assert!(state.to_string().contains("the file is broken"), "{state}");
        until_eq(|| broker.texts("orders"), vec!["A".to_owned()]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn items_are_published_until_they_are_confirmed_with_the_same_id() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        broker
            .faults()
            .refuse_publish("orders", 5, Refusal::Temporary);
        broker.faults().withhold_confirm(7);
        let items = ["A", "B"].map(Ok);
        let app = start(app(&broker, "").source("orders", List::new(&calls, items))).await;
        until_eq(|| source(&app).state(), BindingState::Ended).await;
        let mut published = broker.published("orders");
        assert!(
            published.len() > 2,
            "what was not confirmed is published again"
        );
        published.dedup_by_key(|message| message.as_id().cloned());
        let mut ids: Vec<_> = published
            .iter()
            .map(|one| format!("{:?}", one.as_id()))
            .collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn items_keep_their_order_when_they_are_published_again() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let mut times = 0;
        broker.on_publish(move |_, message| {
            times += 1;
            (times < 20 && message.as_bytes() == b"A").then(crate::support::away)
        });
        let items = ["A", "B", "C"].map(Ok);
        let service = app(&broker, "[bindings.orders.producer]\nkey = 'payload'")
            .source("orders", List::new(&calls, items));
        let Ok(planned) = service.build() else {
            return;
        };
        let app = planned.start().await.expect("it starts");
        until_eq(|| source(&app).state(), BindingState::Ended).await;
        assert_eq!(broker.texts("orders").len(), 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_refused_for_good_stops_the_source_and_says_why() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        broker.on_publish(|_, message| {
            (message.as_bytes() == b"B").then(|| Error::new(ErrorKind::Rejected, "not this one"))
        });
        let items = ["A", "B", "C"].map(Ok);
        let app = start(app(&broker, "").source("orders", List::new(&calls, items))).await;
        let state = source(&app)
            .wait_for(|state| matches!(state, BindingState::Failed(_)))
            .await;
        assert!(state.to_string().contains("not this one"), "{state}");
        let error = app
            .until_idle()
            .await
            .expect_err("it will not get on")
            .to_string();
        assert!(error.contains("not this one"), "{error}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_source_is_slowed_down_by_its_output() {
    within(async {
        let broker = Broker::of(|builder| builder.limit(Limit::new(10, 1 << 20)).full(Full::Block));
        let (calls, handled) = (Calls::new(), Calls::new());
        handled.hold();
        let settings = "[bindings.orders.consumer]\nconcurrency = 1\ntimeout = 'none'\nwindow = { messages = 1 }";
        let items = (0..1_000).map(|_| Ok("x"));
        let service = app(&broker, settings)
            .source("orders", List::new(&calls, items))
            .sink("orders", handled.succeed());
        let app = start(service).await;
        pass(secs(600)).await;
        assert!(
            calls.len() < 700,
            "{} items were asked for although nobody takes them",
            calls.len()
        );
        handled.free();
        until_eq(|| handled.len(), 1_000).await;
        app.until_idle().await.expect("it comes to rest");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_periodic_source_ticks_and_misses_no_beat_it_could_keep() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let seen = calls.clone();
        let tick = move || {
            let seen = seen.clone();
            async move {
                seen.note("tick", 1);
                Text(format!("tick {}", seen.len()))
            }
        };
        let app = start(app(&broker, "").source("ticks", every("10s", tick))).await;
        pass(Duration::from_millis(35_500)).await;
        assert_eq!(broker.texts("ticks"), ["tick 1", "tick 2", "tick 3"]);
        assert!(
            calls
                .waits()
                .iter()
                .all(|wait| (9_995..10_005).contains(wait)),
            "{:?}",
            calls.waits()
        );
        app.stop().await.expect("it stops");
        pass(secs(60)).await;
        assert_eq!(calls.len(), 3, "it stops with the application");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_periodic_source_that_fails_is_tried_again() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let seen = calls.clone();
        let tick = move || {
            let seen = seen.clone();
            async move {
                seen.note("tick", 1);
                if seen.len() == 1 {
                    Err(Failure::retry("away"))
                } else {
                    Ok(Text("tick".into()))
                }
            }
        };
        let _app = start(app(&broker, "").source("ticks", every("10s", tick))).await;
        until("the second", || broker.texts("ticks").len() == 1).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_source_publishes_nothing_until_it_is_resumed() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let seen = calls.clone();
        let tick = move || {
            let seen = seen.clone();
            async move {
                seen.note("tick", 1);
                Text("tick".into())
            }
        };
        let app = start(app(&broker, "").source("ticks", every("1s", tick))).await;
        pass(millis(2_500)).await;
        source(&app)
            .command(Command::Pause)
            .await
            .expect("it listens");
        pass(secs(30)).await;
        assert_eq!(broker.texts("ticks").len(), 2);
        source(&app)
            .command(Command::Resume)
            .await
            .expect("it listens");
        pass(secs(5)).await;
        assert!(broker.texts("ticks").len() > 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_source_has_given_out_is_published_before_the_application_ends() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        broker
            .faults()
            .refuse_publish("orders", 30, Refusal::Temporary);
        let items = ["A", "B", "C"].map(Ok);
        let app = start(app(&broker, "").source("orders", List::new(&calls, items))).await;
        until("all are given out", || calls.len() >= 3).await;
        app.stop().await.expect("it stops");
        let mut texts = broker.texts("orders");
        texts.sort();
        assert_eq!(texts, ["A", "B", "C"]);
    })
    .await;
}
