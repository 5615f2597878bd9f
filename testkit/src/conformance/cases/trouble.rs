//! A service on the binder: connections, lanes and brokers that go away, and come back.

use mq_core::{binder::Health, binding::BindingState};

use super::{
    prelude::*,
    stopping::{handled, reach},
};

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

pub(crate) fn trouble_of_every_kind_loses_nothing() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (
            c.partitioned_if_possible("orders", 2).await?,
            c.destination("invoices").await?,
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
        let faults = [
            Fault::LoseConfirm,
            Fault::LoseAck,
            Fault::RefusePublish,
            Fault::LoseLanes,
            Fault::Cut,
        ];
        let possible: Vec<_> = faults
            .into_iter()
            .filter(|fault| c.subject().can(*fault))
            .collect();
        if possible.is_empty() {
            return Err(Broken::skip("the subject cannot make any trouble"));
        }
        for (round, fault) in possible.iter().cycle().take(10).enumerate() {
            reach(&c, &calls, 15 * round).await?;
            let destination = if *fault == Fault::RefusePublish {
                &invoices
            } else {
                &orders
            };
            c.order(*fault, destination).await?;
            if *fault == Fault::Cut {
                tokio::time::sleep(Duration::from_millis(2)).await;
                c.order(Fault::Mend, "").await?;
            }
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
    .deadline(Duration::from_secs(120))
}
