//! Steering a binding while it runs.

use mq::{
    binder::Health,
    binding::{BindingState, Command},
};

use crate::support::{
    Broker, Calls, app, at_once, binding, keyed, millis, orders, pass, secs, start, until_eq,
    within,
};

async fn told(app: &mq::RunningApp, command: Command) {
    orders(app).command(command).await.expect("it listens");
    at_once().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_binding_takes_nothing_in_and_goes_on_when_it_is_resumed() {
    within(async {
        for broker in [Broker::new(), Broker::positional(2)] {
            let calls = Calls::new();
            let app = start(app(&broker, "").sink("orders", calls.succeed())).await;
            told(&app, Command::Pause).await;
            assert_eq!(orders(&app).state(), BindingState::Paused);
            (0..50).for_each(|number: u32| broker.send("orders", &number.to_string()));
            pass(secs(600)).await;
            // What was asked for before the pause may still arrive, but is not handled.
            assert_eq!((calls.len(), broker.unsettled("orders")), (0, 50));
            told(&app, Command::Resume).await;
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(
                (calls.len(), orders(&app).state()),
                (50, BindingState::Running)
            );
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_finishes_while_the_binding_is_paused() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        calls.hold();
        let app = start(app(&broker, "").processor("orders", "invoices", calls.echo())).await;
        broker.send("orders", "A");
        until_eq(|| calls.running(), 1).await;
        told(&app, Command::Pause).await;
        calls.free();
        until_eq(|| broker.acked(), vec![0]).await;
        assert_eq!(broker.texts("invoices"), ["A"]);
        assert_eq!(orders(&app).state(), BindingState::Paused);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_becomes_due_while_the_binding_is_paused_waits_for_the_resume() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let settings =
            "[bindings.orders.consumer]\nretry = { attempts = 2, initial = '5s', jitter = false }";
        let app = start(app(&broker, settings).sink("orders", calls.fail())).await;
        broker.put("orders", keyed("k", "A"));
        until_eq(|| calls.len(), 1).await;
        told(&app, Command::Pause).await;
        pass(secs(60)).await;
        assert_eq!((calls.len(), orders(&app).unsettled()), (1, 1));
        told(&app, Command::Resume).await;
        until_eq(|| broker.texts("orders.test.dlq").len(), 1).await;
        assert_eq!(calls.attempts(), ["A 1", "A 2"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_binding_stays_paused_through_a_lost_connection() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let app = start(app(&broker, "").sink("orders", calls.succeed())).await;
        told(&app, Command::Pause).await;
        broker.faults().lose_connection();
        pass(secs(5)).await;
        broker.faults().restore();
        until_eq(|| orders(&app).state(), BindingState::Paused).await;
        broker.send("orders", "A");
        pass(secs(60)).await;
        assert_eq!(calls.len(), 0);
        told(&app, Command::Resume).await;
        until_eq(|| broker.unsettled("orders"), 0).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stopped_binding_leaves_its_group_and_takes_up_where_it_was_when_it_is_started() {
    within(async {
        for broker in [Broker::new(), Broker::positional(2)] {
            let (calls, other) = (Calls::new(), Calls::new());
            let service = app(&broker, "")
                .sink("orders", calls.succeed())
                .sink("refunds", other.succeed());
            let app = start(service).await;
            broker.send("orders", "A");
            until_eq(|| broker.unsettled("orders"), 0).await;
            told(&app, Command::Stop).await;
            until_eq(|| orders(&app).state(), BindingState::Stopped).await;
            broker.send("orders", "B");
            broker.send("refunds", "R");
            pass(secs(60)).await;
            assert_eq!(calls.texts(), ["A"]);
            assert_eq!(other.texts(), ["R"], "other bindings go on");
            told(&app, Command::Start).await;
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(calls.texts(), ["A", "B"], "nothing is repeated");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_binding_can_be_stopped_and_is_still_paused_when_it_is_started() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let app = start(app(&broker, "").sink("orders", calls.succeed())).await;
        broker.send("orders", "A");
        until_eq(|| broker.unsettled("orders"), 0).await;
        for command in [Command::Pause, Command::Stop, Command::Start] {
            told(&app, command).await;
        }
        until_eq(|| orders(&app).state(), BindingState::Paused).await;
        broker.send("orders", "B");
        pass(secs(60)).await;
        assert_eq!(calls.texts(), ["A"]);
        told(&app, Command::Resume).await;
        until_eq(|| calls.len(), 2).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_concurrency_changes_while_messages_flow() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        calls.hold();
        let settings = "[bindings.orders.consumer]\nconcurrency = 2";
        let app = start(app(&broker, settings).sink("orders", calls.succeed())).await;
        (0..40).for_each(|number: u32| broker.send("orders", &number.to_string()));
        at_once().await;
        assert_eq!(calls.running(), 2);
        told(&app, Command::Concurrency(5)).await;
        assert_eq!(calls.running(), 5);
        told(&app, Command::Concurrency(1)).await;
        calls.let_go(4);
        at_once().await;
        assert_eq!(
            calls.running(),
            1,
            "those that run finish, and no new ones begin before"
        );
        calls.let_go(3);
        at_once().await;
        assert_eq!((calls.running(), calls.len()), (1, 8));
        calls.free();
        until_eq(|| broker.unsettled("orders"), 0).await;
        assert_eq!(calls.most(), 5);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_concurrency_stays_through_stop_and_start_and_reconnect() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let app = start(app(&broker, "").sink("orders", calls.succeed())).await;
        told(&app, Command::Concurrency(2)).await;
        told(&app, Command::Stop).await;
        told(&app, Command::Start).await;
        broker.faults().lose_connection();
        pass(secs(1)).await;
        broker.faults().restore();
        until_eq(|| orders(&app).state(), BindingState::Running).await;
        calls.hold();
        (0..10).for_each(|number: u32| broker.send("orders", &number.to_string()));
        at_once().await;
        assert_eq!(calls.running(), 2);
        calls.free();
        until_eq(|| broker.unsettled("orders"), 0).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_concurrency_of_zero_is_taken_as_one() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let app = start(app(&broker, "").sink("orders", calls.succeed())).await;
        told(&app, Command::Stop).await;
        told(&app, Command::Concurrency(0)).await;
        told(&app, Command::Start).await;
        broker.send("orders", "A");
        until_eq(|| broker.unsettled("orders"), 0).await;
        told(&app, Command::Concurrency(0)).await;
        broker.send("orders", "B");
        until_eq(|| broker.unsettled("orders"), 0).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn commands_may_come_in_any_order_and_often() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let app = start(app(&broker, "").sink("orders", calls.succeed())).await;
        let all = [
            Command::Pause,
            Command::Stop,
            Command::Resume,
            Command::Start,
            Command::Concurrency(3),
        ];
        for round in 0..50_usize {
            broker.send("orders", &round.to_string());
            let command = all[(round * 7 + round / 3) % all.len()];
            orders(&app).command(command).await.expect("it listens");
            pass(millis(round as u64 % 3)).await;
        }
        told(&app, Command::Start).await;
        told(&app, Command::Resume).await;
        until_eq(|| broker.unsettled("orders"), 0).await;
        let mut numbers: Vec<usize> = calls
            .texts()
            .iter()
            .map(|text| text.parse().expect("a number"))
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..50).collect::<Vec<_>>(), "each once");
        assert_eq!(app.handle().readiness(), Health::Up);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_is_not_enabled_is_not_there() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let settings = "[bindings.orders.consumer]\nenabled = false";
        let service = app(&broker, settings)
            .sink("orders", calls.succeed())
            .sink("refunds", calls.succeed());
        let app = start(service).await;
        broker.send("orders", "A");
        broker.send("refunds", "R");
        until_eq(|| broker.unsettled("refunds"), 0).await;
        assert_eq!(calls.texts(), ["R"]);
        assert!(app.handle().binding("orders").is_none());
        assert_eq!(binding(&app, "refunds").state(), BindingState::Running);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_command_to_an_application_that_has_stopped_says_so() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let app = start(app(&broker, "").sink("orders", calls.succeed())).await;
        let orders = orders(&app);
        app.stop().await.expect("it stops");
        let error = orders
            .command(Command::Pause)
            .await
            .expect_err("it has ended");
        assert!(error.to_string().contains("ended"), "{error}");
        assert_eq!(orders.state(), BindingState::Stopped);
    })
    .await;
}
