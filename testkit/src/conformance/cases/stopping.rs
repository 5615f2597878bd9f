//! A service on the binder: stopping, crashing, pausing, and a broker that goes away. Nothing is lost.

use mq_core::binding::{BindingState, Command};

use super::prelude::*;

/// Every text that was handled, once.
pub(super) fn handled(calls: &Calls) -> Vec<String> {
    let mut found = calls.texts();
    found.sort();
    found.dedup();
    found
}

/// Waits until so many different messages were handled.
pub(super) async fn reach(c: &Context, calls: &Calls, count: usize) -> Checked {
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
        let binding = service.orders()?;
        let (report, _) = tokio::join!(service.stop(), async {
            binding
                .wait_for(|state| *state == BindingState::Draining)
                .await;
            calls.free();
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
        let binding = service.orders()?;
        let (report, _) = tokio::join!(service.stop(), async {
            binding
                .wait_for(|state| *state == BindingState::Draining)
                .await;
            calls.let_go(1);
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
