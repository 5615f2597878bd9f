//! Instances: open, cut off, closed, and back again.

use mq_core::binder::{Health, RetryState};

use super::prelude::*;

/// Whether the instance says that it works.
fn is_up(binder: &std::sync::Arc<dyn mq_core::binder::Binder>) -> bool {
    !matches!(binder.health(), Health::Down(_))
}

pub(crate) fn an_open_instance_is_up() -> Case {
    Case::new(|c| async move {
        c.destination("orders").await?;
        c.until("health is up", || async {
            Ok(c.binder().health() == Health::Up)
        })
        .await
    })
}

pub(crate) fn a_closed_instance_is_down() -> Case {
    Case::new(|c| async move {
        let other = c.connect().await?;
        other.close().await?;
        ensure!(!is_up(&other), "it says that it is {:?}", other.health());
        ensure!(
            is_up(c.binder()),
            "another instance says that it is {:?}",
            c.binder().health()
        );
        Ok(())
    })
}

pub(crate) fn closing_twice_is_harmless() -> Case {
    Case::new(|c| async move {
        let other = c.connect().await?;
        let orders = c.destination("orders").await?;
        let _reader = c.subscribe(&other, &c.spec(&orders, "billing")).await?;
        for _ in 0..2 {
            c.within("the close", other.close()).await??;
        }
        Ok(())
    })
}

pub(crate) fn a_closed_instance_opens_nothing() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let other = c.connect().await?;
        other.close().await?;
        let subscribed = other.consumer(&c.spec(&orders, "billing")).await;
        refused(
            "subscribing after `close`",
            subscribed,
            &[ErrorKind::Closed],
        )?;
        let opened = other.producer(&ProducerSpec::new(&*orders)).await;
        refused(
            "opening a producer after `close`",
            opened.map(drop),
            &[ErrorKind::Closed],
        )
    })
}

pub(crate) fn closing_an_instance_gives_its_messages_back() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b"]).await?;
        let other = c.connect().await?;
        let mut reader = c.subscribe(&other, &c.spec(&orders, "billing")).await?;
        let records = reader.take(2).await?;
        reader.done(&records[..1]).await?;
        other.close().await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(1).await?,
            ["b"],
            "what came again"
        );
        Ok(())
    })
}

pub(crate) fn closing_an_instance_leaves_the_others() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let other = c.connect().await?;
        let _theirs = c.subscribe(&other, &c.spec(&orders, "shipping")).await?;
        other.close().await?;
        c.send(&orders, &["a"]).await?;
        ensure_eq!(reader.texts(1).await?, ["a"], "what arrived");
        Ok(())
    })
}

pub(crate) fn instances_on_one_broker_see_each_other() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let other = c.connect().await?;
        let mut reader = c.subscribe(&other, &c.spec(&orders, "billing")).await?;
        c.send(&orders, &["a"]).await?;
        ensure_eq!(reader.texts(1).await?, ["a"], "what another instance got");
        Ok(())
    })
}

pub(crate) fn a_consumer_can_be_opened_and_closed_again_and_again() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.publish(&orders, &spread(&numbered(0..5))).await?;
        for text in numbered(0..5) {
            let mut reader = c.reader(&orders, "billing").await?;
            ensure_eq!(reader.texts(1).await?, [text], "the next message");
            reader.close().await?;
        }
        Ok(())
    })
    .deadline(Duration::from_secs(60))
}

pub(crate) fn capabilities_do_not_contradict_each_other() -> Case {
    Case::new(|c| async move {
        let capabilities = c.capabilities();
        let single = [
            Capability::DelayedRedelivery,
            Capability::DeadLetter,
            Capability::Extend,
            Capability::KeyOrder,
        ];
        if !capabilities.settles_each() {
            let wrong: Vec<_> = single
                .into_iter()
                .filter(|one| capabilities.has(*one))
                .collect();
            ensure!(
                wrong.is_empty(),
                "a broker that only knows positions cannot have {wrong:?}"
            );
        }
        let is_bounded = matches!(capabilities.retry_state, RetryState::Bounded(_));
        ensure!(
            !is_bounded || !capabilities.settles_each(),
            "room beside a position, but there are no positions"
        );
        ensure!(
            capabilities.max_message != Some(0),
            "the largest message has no bytes"
        );
        let again = c.connect().await?;
        ensure_eq!(
            again.capabilities(),
            capabilities,
            "the capabilities of another instance"
        );
        Ok(())
    })
}

pub(crate) fn health_follows_the_connection() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let producer = c.producer(&orders).await?;
        c.order(Fault::Cut, "").await?;
        // A broken connection is found out by using it, at the latest.
        let unsent = [plain("a")];
        drop(c.within("the result", producer.publish(&unsent)).await?);
        c.until("health is down", || async { Ok(!is_up(c.binder())) })
            .await?;
        c.order(Fault::Mend, "").await?;
        c.until("health is up again", || async { Ok(is_up(c.binder())) })
            .await
    })
    .fault(Fault::Cut)
}

pub(crate) fn publishing_while_cut_off_fails_for_a_while() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let producer = c.producer(&orders).await?;
        c.order(Fault::Cut, "").await?;
        let result = c
            .within("the result", producer.publish(&[plain("a")]))
            .await?
            .remove(0);
        ensure!(
            result
                .as_ref()
                .is_err_and(mq_core::error::Error::is_temporary),
            "expected as temporary: {result:?}"
        );
        c.order(Fault::Mend, "").await?;
        c.until("the same producer publishes again", || async {
            Ok(producer.publish(&[plain("b")]).await.remove(0).is_ok())
        })
        .await?;
        let mut reader = c.reader(&orders, "billing").await?;
        while reader.texts(1).await? != ["b"] {}
        Ok(())
    })
    .fault(Fault::Cut)
}

pub(crate) fn subscribing_while_cut_off_fails_for_a_while() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.order(Fault::Cut, "").await?;
        let refusal = c
            .within(
                "the refusal",
                c.binder().consumer(&c.spec(&orders, "billing")),
            )
            .await?;
        ensure!(
            refusal
                .as_ref()
                .err()
                .is_some_and(mq_core::error::Error::is_temporary),
            "expected as temporary, but {:?}",
            refusal.err()
        );
        c.order(Fault::Mend, "").await?;
        c.until("a subscription is possible again", || async {
            Ok(c.binder()
                .consumer(&c.spec(&orders, "billing"))
                .await
                .is_ok())
        })
        .await
    })
    .fault(Fault::Cut)
}

pub(crate) fn what_was_unsettled_at_a_cut_comes_again() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b", "c"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let records = reader.take(3).await?;
        reader.done(&records[..1]).await?;
        let late = reader.ends(&records[1..2]);
        c.order(Fault::Cut, "").await?;
        let settled = c.within("the answer", reader.settler.settle(&late)).await?;
        ensure!(
            settled
                .as_ref()
                .map_or(true, |unsettled| !unsettled.is_empty()),
            "settled without a connection: {settled:?}"
        );
        c.order(Fault::Mend, "").await?;
        drop(reader);
        let mut again = c.until_subscribed(&orders, "billing").await?;
        let mut found = again.texts(1).await?;
        // A position may have been committed after all: a client sends it once that is possible, and tells nobody.
        let is_late = !c.capabilities().settles_each() && found == ["c"];
        if !is_late {
            ensure_eq!(found, ["b"], "what came again");
            found = again.texts(1).await?;
        }
        ensure_eq!(found, ["c"], "what nobody has settled");
        Ok(())
    })
    .fault(Fault::Cut)
}

pub(crate) fn a_cut_is_noticed_while_a_consumer_waits() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let mut reader = c.reader(&orders, "billing").await?;
        c.order(Fault::Cut, "").await?;
        let mut records = Vec::new();
        let event = c
            .within(
                "the end of the subscription",
                reader.consumer.receive(&mut records, 1),
            )
            .await?;
        let temporary = match &event {
            Ok(Event::Ended(error)) | Err(error) => error.is_temporary(),
            // A client that connects again by itself tells that its lanes are gone.
            Ok(Event::Lost { .. }) => true,
            Ok(_) => false,
        };
        ensure!(temporary, "expected as temporary: {event:?}");
        c.order(Fault::Mend, "").await
    })
    .fault(Fault::Cut)
}

/// A reader of an instance that was connected after the broker had started again.
///
/// An embedded broker takes its instances with it.
async fn restarted(c: &Context, orders: &str) -> Checked<Reader> {
    c.order(Fault::Restart, "").await?;
    let begin = Instant::now();
    loop {
        let broken = match c.connect().await {
            Ok(binder) => match c.subscribe(&binder, &c.spec(orders, "billing")).await {
                Ok(reader) => return Ok(reader),
                Err(broken) => broken,
            },
            Err(broken) => broken,
        };
        if begin.elapsed() > c.patience() {
            return Err(broken);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn messages_survive_a_restart_of_the_broker() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.publish(&orders, &spread(&numbered(0..50))).await?;
        let mut reader = restarted(&c, &orders).await?;
        ensure_eq!(reader.texts(50).await?, numbered(0..50), "what survived");
        Ok(())
    })
    .needs(Capability::Durable)
    .fault(Fault::Restart)
    .deadline(Duration::from_secs(120))
}

pub(crate) fn settlements_survive_a_restart_of_the_broker() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        ensure_eq!(reader.texts(1).await?, ["a"], "what was settled before");
        reader.close().await?;
        let mut again = restarted(&c, &orders).await?;
        ensure_eq!(again.texts(1).await?, ["b"], "what came after the restart");
        Ok(())
    })
    .needs(Capability::Durable)
    .fault(Fault::Restart)
    .deadline(Duration::from_secs(120))
}

pub(crate) fn a_delay_survives_a_restart_of_the_broker() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.reader(&orders, "billing").await?.close().await?;
        let due = SystemTime::now() + Duration::from_secs(2);
        c.publish(&orders, &[plain("a").deliver_at(due)]).await?;
        let mut reader = restarted(&c, &orders).await?;
        ensure_eq!(reader.texts(1).await?, ["a"], "what came after the restart");
        ensure!(
            SystemTime::now() + Duration::from_millis(1) >= due,
            "it was early"
        );
        Ok(())
    })
    .needs(Capability::Durable)
    .needs(Capability::DelayedDelivery)
    .fault(Fault::Restart)
    .deadline(Duration::from_secs(120))
}
