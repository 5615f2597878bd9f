//! A service on the binder: one effect for each message, however often it arrives.

use std::sync::Arc;

use mq_core::{app::App, clock::Clock, idempotency::MemoryIdempotencyStore};

use super::prelude::*;

/// A service with a store that knows messages by this.
fn idempotent(
    c: &Context,
    bindings: &[(&str, &str)],
    store: &MemoryIdempotencyStore,
    key: &str,
) -> App {
    c.app(bindings, &format!("idempotency = {{ store = 'seen', key = '{key}' }}\nretry = {{ attempts = 2, initial = '1ms' }}"))
        .store("seen", Arc::new(store.clone()))
}

fn store() -> MemoryIdempotencyStore {
    MemoryIdempotencyStore::new(Clock::system())
}

const EXACTLY_ONCE: &str = "guarantee = 'exactly_once'\nretry = { attempts = 2, initial = '1ms' }";

/// The outputs, up to one that is sent now.
async fn outputs(c: &Context, invoices: &str, count: usize) -> Checked<Vec<String>> {
    let mut reader = c.until_subscribed(invoices, "printing").await?;
    let mut found = reader.texts(count).await?;
    c.send(invoices, &["end"]).await?;
    ensure_eq!(
        reader.texts(1).await?,
        ["end"],
        "what came behind {count} outputs"
    );
    found.sort();
    Ok(found)
}

pub(crate) fn a_message_that_is_published_twice_has_one_effect() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        calls.hold();
        let service = c
            .start(
                idempotent(&c, &[("orders", &orders)], &store(), "id")
                    .sink("orders", calls.succeed()),
            )
            .await?;
        c.publish(&orders, &[plain("a").id("7")]).await?;
        calls.reach(1).await?;
        let binding = service.orders()?;
        c.until("it is taken in", || async { Ok(binding.unsettled() == 1) })
            .await?;
        calls.free();
        c.until("it is settled", || async { Ok(binding.unsettled() == 0) })
            .await?;
        c.publish(&orders, &[plain("again").id("7"), plain("b").id("8")])
            .await?;
        calls.reach(2).await?;
        service.stop().await?;
        ensure_eq!(calls.texts(), ["a", "b"], "the calls");
        ensure_eq!(c.left(&orders).await?, [""; 0], "what is left of the input");
        Ok(())
    })
    .needs(Capability::StableIds)
}

pub(crate) fn a_message_is_known_by_a_header() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        calls.hold();
        let app = idempotent(&c, &[("orders", &orders)], &store(), "header:order");
        let service = c.start(app.sink("orders", calls.succeed())).await?;
        let order = |text: &str, number: &'static str| plain(text).header("order", number);
        c.publish(&orders, &[order("a", "7")]).await?;
        calls.reach(1).await?;
        let binding = service.orders()?;
        c.until("it is taken in", || async { Ok(binding.unsettled() == 1) })
            .await?;
        calls.free();
        c.until("it is settled", || async { Ok(binding.unsettled() == 0) })
            .await?;
        c.publish(&orders, &[order("again", "7"), order("b", "8")])
            .await?;
        calls.reach(2).await?;
        service.stop().await?;
        ensure_eq!(calls.texts(), ["a", "b"], "the calls");
        Ok(())
    })
}

pub(crate) fn a_message_that_is_delivered_twice_has_one_effect() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (c.ordered("orders").await?, c.ordered("invoices").await?);
        let calls = Calls::new(&c);
        calls.hold();
        let app = idempotent(
            &c,
            &[("orders", &orders), ("invoices", &invoices)],
            &store(),
            "header:order",
        );
        let service = c
            .start(app.processor("orders", "invoices", calls.echo()))
            .await?;
        c.publish(&orders, &[plain("a").header("order", "7")])
            .await?;
        calls.reach(1).await?;
        c.order(Fault::LoseAck, &orders).await?;
        calls.free();
        let binding = service.orders()?;
        c.until("it is known", || async {
            Ok(binding.metrics().duplicates.get() == 1)
        })
        .await?;
        ensure_eq!(outputs(&c, &invoices, 1).await?, ["a"], "the outputs");
        service.stop().await?;
        ensure_eq!(calls.attempts(), ["a#1"], "the calls");
        Ok(())
    })
    .fault(Fault::LoseAck)
}

pub(crate) fn a_message_is_known_after_a_restart_of_the_service() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (calls, store) = (Calls::new(&c), store());
        let app = || {
            idempotent(&c, &[("orders", &orders)], &store, "header:order")
                .sink("orders", calls.succeed())
        };
        let order = plain("a").header("order", "7");
        let service = c.start(app()).await?;
        c.publish(&orders, std::slice::from_ref(&order)).await?;
        calls.reach(1).await?;
        service.stop().await?;
        let service = c.start(app()).await?;
        c.publish(&orders, &[order]).await?;
        let binding = service.orders()?;
        c.until("it is known", || async {
            Ok(binding.metrics().duplicates.get() == 1)
        })
        .await?;
        service.stop().await?;
        ensure_eq!(calls.texts(), ["a"], "the calls");
        Ok(())
    })
}

pub(crate) fn outputs_and_settlement_are_one_step() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (c.ordered("orders").await?, c.ordered("invoices").await?);
        let app = c.app(
            &[("orders", &orders), ("invoices", &invoices)],
            EXACTLY_ONCE,
        );
        let service = c
            .start(app.processor("orders", "invoices", Calls::new(&c).echo()))
            .await?;
        c.publish(&orders, &spread(&numbered(0..50))).await?;
        ensure_eq!(
            outputs(&c, &invoices, 50).await?,
            numbered(0..50),
            "the outputs"
        );
        service.stop().await?;
        ensure_eq!(c.left(&orders).await?, [""; 0], "what is left of the input");
        Ok(())
    })
    .needs(Capability::Transactions)
}

pub(crate) fn a_step_that_was_not_confirmed_has_one_effect() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (c.ordered("orders").await?, c.ordered("invoices").await?);
        c.provide(&invoices, "early").await?;
        let calls = Calls::new(&c);
        calls.hold();
        let app = c.app(
            &[("orders", &orders), ("invoices", &invoices)],
            EXACTLY_ONCE,
        );
        let service = c
            .start(app.processor("orders", "invoices", calls.echo()))
            .await?;
        c.send(&orders, &["a"]).await?;
        calls.reach(1).await?;
        c.order(Fault::LoseConfirm, &invoices).await?;
        calls.free();
        let mut early = c.reader(&invoices, "early").await?;
        ensure_eq!(early.texts(1).await?, ["a"], "the first output");
        service.stop().await?;
        ensure_eq!(outputs(&c, &invoices, 1).await?, ["a"], "all outputs");
        ensure_eq!(c.left(&orders).await?, [""; 0], "what is left of the input");
        Ok(())
    })
    .needs(Capability::Transactions)
    .fault(Fault::LoseConfirm)
}

pub(crate) fn crashes_leave_one_effect_each() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (c.ordered("orders").await?, c.ordered("invoices").await?);
        c.publish(&orders, &spread(&numbered(0..150))).await?;
        let calls = Calls::new(&c);
        for goal in [20, 60, 150] {
            let app = c.app(
                &[("orders", &orders), ("invoices", &invoices)],
                EXACTLY_ONCE,
            );
            let service = c
                .start(app.processor("orders", "invoices", calls.echo()))
                .await?;
            calls.reach(goal).await?;
            if goal < 150 {
                drop(service);
                continue;
            }
            ensure_eq!(
                outputs(&c, &invoices, 150).await?,
                numbered(0..150),
                "the outputs"
            );
            service.stop().await?;
        }
        ensure_eq!(c.left(&orders).await?, [""; 0], "what is left of the input");
        Ok(())
    })
    .needs(Capability::Transactions)
    .deadline(Duration::from_secs(120))
}

pub(crate) fn lost_lanes_leave_one_effect_each() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (c.ordered("orders").await?, c.ordered("invoices").await?);
        c.publish(&orders, &spread(&numbered(0..100))).await?;
        let calls = Calls::new(&c);
        let app = c.app(
            &[("orders", &orders), ("invoices", &invoices)],
            EXACTLY_ONCE,
        );
        let service = c
            .start(app.processor("orders", "invoices", calls.echo()))
            .await?;
        for goal in [10, 40] {
            calls.reach(goal).await?;
            c.order(Fault::LoseLanes, &orders).await?;
        }
        ensure_eq!(
            outputs(&c, &invoices, 100).await?,
            numbered(0..100),
            "the outputs"
        );
        service.stop().await.map(drop)
    })
    .needs(Capability::Transactions)
    .fault(Fault::LoseLanes)
}

pub(crate) fn a_cut_leaves_one_effect_each() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (c.ordered("orders").await?, c.ordered("invoices").await?);
        c.publish(&orders, &spread(&numbered(0..100))).await?;
        let calls = Calls::new(&c);
        let app = c.app(
            &[("orders", &orders), ("invoices", &invoices)],
            EXACTLY_ONCE,
        );
        let service = c
            .start(app.processor("orders", "invoices", calls.echo()))
            .await?;
        calls.reach(30).await?;
        c.order(Fault::Cut, "").await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
        c.order(Fault::Mend, "").await?;
        ensure_eq!(
            outputs(&c, &invoices, 100).await?,
            numbered(0..100),
            "the outputs"
        );
        service.stop().await.map(drop)
    })
    .needs(Capability::Transactions)
    .fault(Fault::Cut)
}
