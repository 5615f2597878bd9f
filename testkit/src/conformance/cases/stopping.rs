//! A service on the binder: stopping, crashing, pausing, and a broker that goes away. Nothing is lost.

use mq_core::{
    binder::Health,
    binding::{BindingState, Command},
};

use super::prelude::*;

/// Every text that was handled, once.
fn handled(calls: &Calls) -> Vec<String> {
    let mut found = calls.texts();
    found.sort();
    found.dedup();
    found
}

/// Waits until so many different messages were handled.
async fn reach(c: &Context, calls: &Calls, count: usize) -> Checked {
    c.until(format!("{count} messages are handled"), || async {
        Ok(handled(calls).len() >= count)
    })
    .await
}

pub(crate) fn a_stop_finishes_what_is_in_flight() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (c.ordered("orders").await?, c.ordered("invoices").await?);
        let calls = Calls::new(&c);
        calls.hold();
        let app = c.app(&[("orders", &orders), ("invoices", &invoices)], "");
        let service = c
            .start(app.processor("orders", "invoices", calls.echo()))
            .await?;
        c.send(&orders, &["a"]).await?;
        calls.reach(1).await?;
        let free = calls.clone();
        let (report, ()) = tokio::join!(service.stop(), async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            free.free();
        });
        ensure_eq!(report?.drained.finished, 1, "messages that were finished");
        ensure_eq!(
            c.reader(&invoices, "printing").await?.texts(1).await?,
            ["a"],
            "the output"
        );
        ensure_eq!(c.left(&orders).await?, [""; 0], "what is left of the input");
        Ok(())
    })
}

pub(crate) fn a_stop_hands_back_what_has_not_begun() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        calls.hold();
        let app = c.app(&[("orders", &orders)], "concurrency = 1\nordering = 'none'");
        let service = c.start(app.sink("orders", calls.succeed())).await?;
        c.send(&orders, &["a", "b", "c"]).await?;
        calls.reach(1).await?;
        let free = calls.clone();
        let (report, ()) = tokio::join!(service.stop(), async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            free.let_go(1);
        });
        report?;
        ensure_eq!(calls.texts(), ["a"], "the calls");
        ensure_eq!(
            c.left(&orders).await?,
            ["b", "c"],
            "what is left of the input"
        );
        Ok(())
    })
}

pub(crate) fn stopping_in_the_middle_loses_and_repeats_nothing() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.publish(&orders, &spread(&numbered(0..150))).await?;
        let calls = Calls::new(&c);
        for goal in [20, 60, 150] {
            let app = c.app(&[("orders", &orders)], "concurrency = 4");
            let service = c.start(app.sink("orders", calls.succeed())).await?;
            calls.reach(goal).await?;
            service.stop().await?;
        }
        let mut found = calls.texts();
        found.sort();
        ensure_eq!(found, numbered(0..150), "the calls");
        Ok(())
    })
    .deadline(Duration::from_secs(60))
}

pub(crate) fn crashing_in_the_middle_loses_nothing() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned_if_possible("orders", 2).await?;
        c.publish(&orders, &spread(&numbered(0..150))).await?;
        let calls = Calls::new(&c);
        for goal in [20, 60, 150] {
            let app = c.app(&[("orders", &orders)], "concurrency = 4");
            let service = c.start(app.sink("orders", calls.succeed())).await?;
            reach(&c, &calls, goal).await?;
            drop(service);
        }
        ensure_eq!(handled(&calls), numbered(0..150), "what was handled");
        Ok(())
    })
    .deadline(Duration::from_secs(120))
}

pub(crate) fn a_crash_in_a_handler_delivers_again() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        calls.hold();
        let service = c
            .start(
                c.app(&[("orders", &orders)], "")
                    .sink("orders", calls.succeed()),
            )
            .await?;
        c.send(&orders, &["a"]).await?;
        calls.reach(1).await?;
        drop(service);
        ensure_eq!(
            c.reader(&orders, "shop").await?.texts(1).await?,
            ["a"],
            "what came again"
        );
        Ok(())
    })
}

pub(crate) fn a_paused_binding_takes_nothing_in() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let service = c
            .start(
                c.app(&[("orders", &orders)], "")
                    .sink("orders", calls.succeed()),
            )
            .await?;
        let binding = service.orders()?;
        c.send(&orders, &["a"]).await?;
        calls.reach(1).await?;
        binding.command(Command::Pause).await?;
        c.within(
            "the pause",
            binding.wait_for(|state| *state == BindingState::Paused),
        )
        .await?;
        c.send(&orders, &["b"]).await?;
        tokio::time::sleep(Duration::from_millis(150)).await;
        ensure_eq!(calls.texts(), ["a"], "calls before the binding goes on");
        binding.command(Command::Resume).await?;
        calls.reach(2).await?;
        service.stop().await?;
        ensure_eq!(calls.texts(), ["a", "b"], "the calls");
        Ok(())
    })
}

pub(crate) fn a_stopped_binding_goes_on_where_it_was() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let service = c
            .start(
                c.app(&[("orders", &orders)], "")
                    .sink("orders", calls.succeed()),
            )
            .await?;
        let binding = service.orders()?;
        c.send(&orders, &["a"]).await?;
        calls.reach(1).await?;
        binding.command(Command::Stop).await?;
        c.within(
            "the stop",
            binding.wait_for(|state| *state == BindingState::Stopped),
        )
        .await?;
        c.send(&orders, &["b"]).await?;
        binding.command(Command::Start).await?;
        calls.reach(2).await?;
        service.stop().await?;
        ensure_eq!(calls.texts(), ["a", "b"], "the calls");
        Ok(())
    })
}

pub(crate) fn a_service_goes_on_after_a_cut() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let service = c
            .start(
                c.app(&[("orders", &orders)], "")
                    .sink("orders", calls.succeed()),
            )
            .await?;
        c.send(&orders, &["a"]).await?;
        reach(&c, &calls, 1).await?;
        c.order(Fault::Cut, "").await?;
        let (binding, down) = (service.orders()?, |state: &_| {
            matches!(state, BindingState::Down(_))
        });
        c.within("the end of the connection", binding.wait_for(down))
            .await?;
        ensure!(
            matches!(service.handle().readiness(), Health::Down(_)),
            "it is ready without a connection"
        );
        c.order(Fault::Mend, "").await?;
        c.within(
            "the new connection",
            binding.wait_for(|state| *state == BindingState::Running),
        )
        .await?;
        c.send(&orders, &["b"]).await?;
        reach(&c, &calls, 2).await?;
        service.stop().await.map(drop)
    })
    .fault(Fault::Cut)
}

pub(crate) fn a_service_waits_for_a_broker_that_is_away_at_its_start() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a"]).await?;
        let calls = Calls::new(&c);
        c.order(Fault::Cut, "").await?;
        let starting = c.start(
            c.app(&[("orders", &orders)], "")
                .sink("orders", calls.succeed()),
        );
        let mending = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            c.order(Fault::Mend, "").await
        };
        let (service, mended) = tokio::join!(starting, mending);
        mended?;
        let service = service?;
        reach(&c, &calls, 1).await?;
        service.stop().await.map(drop)
    })
    .fault(Fault::Cut)
}

pub(crate) fn cuts_in_the_middle_lose_nothing() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (
            c.partitioned_if_possible("orders", 2).await?,
            c.ordered("invoices").await?,
        );
        let calls = Calls::new(&c);
        c.publish(&orders, &spread(&numbered(0..200))).await?;
        let app = c.app(
            &[("orders", &orders), ("invoices", &invoices)],
            "concurrency = 4",
        );
        let service = c
            .start(app.processor("orders", "invoices", calls.echo()))
            .await?;
        for goal in [40, 80, 120] {
            reach(&c, &calls, goal).await?;
            c.order(Fault::Cut, "").await?;
            tokio::time::sleep(Duration::from_millis(5)).await;
            c.order(Fault::Mend, "").await?;
        }
        let mut reader = c.until_subscribed(&invoices, "printing").await?;
        let mut found = std::collections::BTreeSet::new();
        while found.len() < 200 {
            found.extend(reader.texts(1).await?);
        }
        service.stop().await?;
        ensure_eq!(
            found.into_iter().collect::<Vec<_>>(),
            numbered(0..200),
            "the outputs"
        );
        Ok(())
    })
    .fault(Fault::Cut)
    .deadline(Duration::from_secs(120))
}

pub(crate) fn a_service_goes_on_after_its_lanes_were_lost() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned_if_possible("orders", 2).await?;
        let calls = Calls::new(&c);
        c.publish(&orders, &spread(&numbered(0..100))).await?;
        let app = c.app(&[("orders", &orders)], "concurrency = 4");
        let service = c.start(app.sink("orders", calls.succeed())).await?;
        for goal in [20, 50] {
            reach(&c, &calls, goal).await?;
            c.order(Fault::LoseLanes, &orders).await?;
        }
        reach(&c, &calls, 100).await?;
        service.stop().await?;
        ensure_eq!(handled(&calls), numbered(0..100), "what was handled");
        Ok(())
    })
    .fault(Fault::LoseLanes)
}

pub(crate) fn services_that_come_and_go_lose_nothing() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned_if_possible("orders", 4).await?;
        let calls = Calls::new(&c);
        let start = || async {
            c.start(
                c.app(&[("orders", &orders)], "concurrency = 4")
                    .sink("orders", calls.succeed()),
            )
            .await
        };
        let mut running = start().await?;
        for round in 0..4_u32 {
            c.publish(&orders, &spread(&numbered(round * 40..round * 40 + 40)))
                .await?;
            let next = start().await?;
            std::mem::replace(&mut running, next).stop().await?;
        }
        reach(&c, &calls, 160).await?;
        running.stop().await?;
        ensure_eq!(handled(&calls), numbered(0..160), "what was handled");
        Ok(())
    })
    .deadline(Duration::from_secs(180))
}

pub(crate) fn a_service_goes_on_after_a_restart_of_the_broker() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let service = c
            .start(
                c.app(&[("orders", &orders)], "")
                    .sink("orders", calls.succeed()),
            )
            .await?;
        c.send(&orders, &["a"]).await?;
        reach(&c, &calls, 1).await?;
        c.order(Fault::Restart, "").await?;
        c.until("it is possible to publish", || async {
            Ok(c.send(&orders, &["b"]).await.is_ok())
        })
        .await?;
        reach(&c, &calls, 2).await?;
        service.stop().await.map(drop)
    })
    .needs(Capability::Durable)
    .fault(Fault::Restart)
    .need(Need::Server)
    .deadline(Duration::from_secs(120))
}
