//! Brokers that settle by position: what is committed, and what happens when partitions come and go.

use mq::{binder::Action, prelude::*};

use crate::support::{
    Broker, Calls, app, at_once, binding, millis, orders, pass, secs, start, until, until_eq,
    within,
};

const UNORDERED: &str = "[bindings.orders.consumer]\nordering = 'none'";

#[tokio::test(start_paused = true)]
async fn nothing_is_committed_beyond_the_lowest_unsettled_position() {
    within(async {
        let (broker, calls) = (Broker::positional(1), Calls::new());
        let slow = calls.clone();
        let handler = move |Text(text): Text| {
            let slow = slow.clone();
            async move {
                slow.note(text.clone(), 1);
                if text == "2" {
                    slow.pause().await;
                }
            }
        };
        calls.hold();
        let app = start(app(&broker, UNORDERED).sink("orders", handler)).await;
        (0..6).for_each(|number: u32| broker.send("orders", &number.to_string()));
        until_eq(|| calls.len(), 6).await;
        pass(secs(2)).await;
        assert_eq!(broker.commits().last(), Some(&2));
        assert_eq!(
            (broker.unsettled("orders"), orders(&app).unsettled()),
            (4, 1)
        );
        calls.free();
        until_eq(|| broker.commits().last().copied(), Some(6)).await;
        assert!(broker.commits().is_sorted());
        assert_eq!(broker.unsettled("orders"), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_settled_above_the_committed_position_is_not_repeated_after_a_crash() {
    within(async {
        let (broker, calls) = (Broker::positional(1), Calls::new());
        let handler = || {
            calls.handler(|text, attempt| match (text, attempt) {
                ("0", 1) => Err(Failure::retry("broken")),
                _ => Ok(()),
            })
        };
        let settings = "[bindings.orders.consumer]\nordering = 'key'\nretry = { attempts = 1, delayed = ['1m'] }";
        let crashing = start(app(&broker, settings).sink("orders", handler())).await;
        for text in ["0", "1", "2", "3"] {
            broker.send_keyed("orders", &[text]);
        }
        until_eq(|| calls.len(), 4).await;
        pass(secs(2)).await;
        assert_eq!(broker.commits().last(), Some(&0), "the first is held");
        drop(crashing);
        let app = start(app(&broker, settings).sink("orders", handler())).await;
        until_eq(|| broker.unsettled("orders"), 0).await;
        assert_eq!(calls.attempts(), ["0 1", "1 1", "2 1", "3 1", "0 2"]);
        assert_eq!(orders(&app).metrics().dead_letters.get(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn messages_that_were_all_settled_before_a_crash_are_committed_without_another_one() {
    for guarantee in ["at_least_once", "exactly_once"] {
        within(async {
            let (broker, calls) = (Broker::positional(1), Calls::new());
            broker.send_keyed("orders", &["0", "1", "2"]);
            // As the last commit before a crash leaves it where the lowest message is settled before the others come again:
            // version 1, one range, at no distance, of three positions, and nothing held.
            let saved = Bytes::from_static(&[1, 1, 0, 3, 0]);
            broker.commit("orders", 0, saved).await;
            assert_eq!(broker.unsettled("orders"), 3);
            let settings = format!("[bindings.orders.consumer]\nguarantee = '{guarantee}'");
            let service = app(&broker, &settings).sink("orders", calls.succeed());
            let _app = start(service).await;
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(calls.len(), 0, "{guarantee}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn intake_stops_before_more_is_settled_out_of_order_than_can_be_recorded() {
    within(async {
        let broker = Broker::of(|builder| {
            let state = mq::binder::RetryState::Bounded(64);
            builder.positional().retry_state(state)
        });
        let calls = Calls::new();
        let handler = calls.handler(|text, attempt| match (text.len(), attempt) {
            // Every second one waits for ten minutes.
            (2, 1) => Err(Failure::retry("broken")),
            _ => Ok(()),
        });
        let settings =
            "[bindings.orders.consumer]\nconcurrency = 1\nretry = { attempts = 1, delayed = ['10m'] }";
        let _app = start(app(&broker, settings).sink("orders", handler)).await;
        for number in 0_u8..100 {
            let key = char::from(33 + number).to_string();
            let text = if number % 2 == 0 { "x" } else { "xx" };
            broker.put("orders", Message::new(text).key(key));
            pass(millis(10)).await;
        }
        pass(secs(60)).await;
        assert!(calls.len() < 100, "{} messages were taken in", calls.len());
        let sizes: Vec<_> = broker.settlements().into_iter().map(|one| match one.action {
            Action::Commit { saved } => saved.map_or(0, |saved| saved.len()),
            other => panic!("a positional broker was told {other:?}"),
        }).collect();
        assert!(sizes.iter().all(|size| *size <= 64), "{sizes:?}");
        until_eq(|| broker.unsettled("orders"), 0).await;
        assert_eq!(calls.len(), 150);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_window_bounds_how_far_positions_run_ahead_of_one_that_is_not_settled() {
    within(async {
        let (broker, calls) = (Broker::positional(1), Calls::new());
        let handler = calls.handler(|text, attempt| match (text, attempt) {
            ("0", 1) => Err(Failure::retry("broken")),
            _ => Ok(()),
        });
        let settings = "[bindings.orders.consumer]\nwindow = { messages = 20 }\nretry = { attempts = 1, delayed = ['10m'] }";
        let _app = start(app(&broker, settings).sink("orders", handler)).await;
        (0..100).for_each(|number: u32| broker.put("orders", Message::new(number.to_string()).key(number.to_string())));
        pass(secs(60)).await;
        assert!((19..=22).contains(&calls.len()), "{} were handled", calls.len());
        until_eq(|| broker.unsettled("orders"), 0).await;
        assert_eq!(calls.len(), 101);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_second_member_takes_over_partitions_without_anything_being_repeated() {
    within(async {
        let broker = Broker::positional(4);
        let (first, second) = (Calls::new(), Calls::new());
        let slow = |calls: &Calls| {
            let calls = calls.clone();
            move |Text(text): Text| {
                let calls = calls.clone();
                async move {
                    calls.note(text, 1);
                    pass(millis(20)).await;
                }
            }
        };
        let one = start(app(&broker, "").sink("orders", slow(&first))).await;
        let put = |from: u32, to: u32| {
            (from..to).for_each(|number| {
                broker.put(
                    "orders",
                    Message::new(number.to_string()).key(number.to_string()),
                );
            });
        };
        put(0, 200);
        pass(millis(100)).await;
        let two = start(app(&broker, "").sink("orders", slow(&second))).await;
        put(200, 400);
        until_eq(|| broker.unsettled("orders"), 0).await;
        let mut all: Vec<u32> = [first.texts(), second.texts()]
            .concat()
            .iter()
            .map(|text| text.parse().expect("a number"))
            .collect();
        all.sort_unstable();
        assert_eq!(all, (0..400).collect::<Vec<_>>(), "each once");
        assert!(second.len() >= 100, "the second handled {}", second.len());
        for app in [&one, &two] {
            assert_eq!(orders(app).metrics().lost.get(), 0);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_member_that_leaves_in_order_hands_its_partitions_over_without_repeats() {
    within(async {
        let broker = Broker::positional(4);
        let (first, second) = (Calls::new(), Calls::new());
        let one = start(app(&broker, "").sink("orders", first.succeed())).await;
        let two = start(app(&broker, "").sink("orders", second.succeed())).await;
        let put = |from: u32, to: u32| {
            (from..to).for_each(|number| {
                broker.put(
                    "orders",
                    Message::new(number.to_string()).key(number.to_string()),
                );
            });
        };
        put(0, 100);
        until_eq(|| broker.unsettled("orders"), 0).await;
        one.stop().await.expect("it stops");
        put(100, 200);
        until_eq(|| broker.unsettled("orders"), 0).await;
        assert_eq!(first.len() + second.len(), 200);
        assert!(second.len() >= 100);
        drop(two);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_outlasts_the_revocation_is_handled_again_by_the_new_owner() {
    within(async {
        let broker =
            Broker::of(|builder| builder.positional().partitions(2).revoke_budget(secs(5)));
        let (first, second) = (Calls::new(), Calls::new());
        first.hold();
        let one = start(
            app(&broker, "[bindings.orders.consumer]\ntimeout = '10m'")
                .sink("orders", first.succeed()),
        )
        .await;
        for partition in 0..2 {
            broker.put(
                "orders",
                Message::new(partition.to_string()).partition(partition),
            );
        }
        until_eq(|| first.running(), 2).await;
        let _two = start(app(&broker, "").sink("orders", second.succeed())).await;
        until("the new owner has it", || second.len() == 1).await;
        let moved = second.texts()[0].clone();
        first.free();
        until_eq(|| broker.unsettled("orders"), 0).await;
        pass(secs(10)).await;
        assert_eq!(second.texts(), [moved]);
        assert_eq!(
            orders(&one).unsettled(),
            0,
            "the old owner has nothing left over"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn messages_of_lanes_that_were_lost_are_handled_again_and_cannot_be_settled_by_the_old_assignment()
 {
    within(async {
        for broker in [Broker::new(), Broker::positional(1)] {
            let calls = Calls::new();
            calls.hold();
            let app = start(app(&broker, "").sink("orders", calls.succeed())).await;
            broker.send_keyed("orders", &["a1", "a2"]);
            until_eq(|| calls.len(), 1).await;
            broker.faults().lose_lanes("orders");
            pass(secs(1)).await;
            calls.free();
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(calls.texts(), ["a1", "a1", "a2"], "at least once, in order");
            until_eq(|| orders(&app).unsettled(), 0).await;
            broker.send_keyed("orders", &["a3"]);
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(calls.len(), 4, "the binding goes on");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_comes_back_goes_on_where_it_was_committed() {
    within(async {
        let (broker, calls) = (Broker::positional(3), Calls::new());
        let app = start(app(&broker, "").sink("orders", calls.succeed())).await;
        for round in 0_usize..5 {
            for partition in 0..3 {
                broker.put(
                    "orders",
                    Message::new(format!("{partition}")).partition(partition),
                );
            }
            until_eq(|| broker.unsettled("orders"), 0).await;
            broker.faults().lose_lanes("orders");
            at_once().await;
            assert_eq!(calls.len(), (round + 1) * 3, "nothing is repeated");
        }
        assert_eq!(binding(&app, "orders").metrics().received.get(), 15);
    })
    .await;
}
