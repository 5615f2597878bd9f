//! What a binder does not declare it refuses, rather than doing something else.

use mq_core::{
    binder::{Cursor, DestinationPlan, ReplayFrom, SettleError},
    policy::{Provision, Start},
};

use super::prelude::*;

/// A message with a wish is refused; others of the call are not.
async fn wish(c: &Context, what: &str, message: Message) -> Checked {
    let orders = c.ordered("orders").await?;
    let producer = c.producer(&orders).await?;
    let mut results = c
        .within("the results", producer.publish(&[plain("a"), message]))
        .await?;
    ensure_eq!(results.len(), 2, "results");
    ensure!(
        results[0].is_ok(),
        "the message without a wish: {:?}",
        results[0]
    );
    unsupported(what, results.remove(1))?;
    ensure_eq!(
        c.reader(&orders, "billing").await?.texts(1).await?,
        ["a"],
        "what arrived"
    );
    Ok(())
}

/// An action is refused, and leaves the message where it is.
async fn action(c: &Context, what: &str, action: Action) -> Checked {
    let orders = c.ordered("orders").await?;
    c.send(&orders, &["a"]).await?;
    let mut reader = c.reader(&orders, "billing").await?;
    let record = reader.next().await?;
    match reader.settle(&record, action).await? {
        Err(SettleError::Failed(error)) => unsupported::<()>(what, Err(error))?,
        other => ensure!(
            false,
            "{what} should be refused as unsupported, but: {other:?}"
        ),
    }
    reader.done(&[record]).await?;
    reader.close().await?;
    c.send(&orders, &["b"]).await?;
    ensure_eq!(
        c.reader(&orders, "billing").await?.texts(1).await?,
        ["b"],
        "what was left"
    );
    Ok(())
}

pub(crate) fn a_filter() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let mut spec = c.spec(&orders, "billing");
        spec.filter = Some(c.subject().refunds().to_owned());
        unsupported(
            "a subscription with a filter",
            c.binder().consumer(&spec).await,
        )
    })
    .lacks(Capability::Filter)
}

pub(crate) fn an_anonymous_group() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let spec = ConsumerSpec::new(&*orders, None);
        unsupported(
            "a subscription without a group",
            c.binder().consumer(&spec).await,
        )
    })
    .lacks(Capability::AnonymousGroups)
}

pub(crate) fn a_start_at_a_time_or_position() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        for start in [Start::Time(SystemTime::now()), Start::Position(0)] {
            let mut spec = c.spec(&orders, "billing");
            spec.start = start;
            unsupported(
                "a start at a time or position",
                c.binder().consumer(&spec).await,
            )?;
        }
        Ok(())
    })
    .lacks(Capability::Seek)
}

pub(crate) fn a_move_of_a_lane() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let record = reader.next().await?;
        unsupported(
            "a move of a lane",
            reader.consumer.seek(record.lane, 0).await,
        )
    })
    .lacks(Capability::Seek)
}

pub(crate) fn a_move_of_a_group() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.reader(&orders, "billing").await?.close().await?;
        let moved = c
            .binder()
            .admin()
            .seek(&orders, &c.name("billing"), ReplayFrom::Earliest)
            .await;
        unsupported("a move of a group", moved)
    })
    .lacks(Capability::Seek)
}

pub(crate) fn several_partitions() -> Case {
    Case::new(|c| async move {
        let plan = [DestinationPlan::new(c.name("orders")).partitions(2)];
        unsupported(
            "a destination with two partitions",
            c.binder().provision(&plan, Provision::Create).await,
        )
    })
    .lacks(Capability::Partitions)
}

pub(crate) fn a_message_for_a_partition() -> Case {
    Case::new(
        |c| async move { wish(&c, "a message for partition 1", plain("b").partition(1)).await },
    )
    .lacks(Capability::Partitions)
}

pub(crate) fn a_message_that_is_due_later() -> Case {
    Case::new(|c| async move {
        let due = SystemTime::now() + Duration::from_secs(3_600);
        wish(
            &c,
            "a message that is due later",
            plain("b").deliver_at(due),
        )
        .await
    })
    .lacks(Capability::DelayedDelivery)
}

pub(crate) fn a_message_that_ends() -> Case {
    Case::new(|c| async move {
        let end = SystemTime::now() + Duration::from_secs(3_600);
        wish(&c, "a message that ends", plain("b").expires_at(end)).await
    })
    .lacks(Capability::Expiry)
}

pub(crate) fn a_message_with_a_priority() -> Case {
    Case::new(
        |c| async move { wish(&c, "a message with a priority", plain("b").priority(5)).await },
    )
    .lacks(Capability::Priority)
}

pub(crate) fn a_delayed_release() -> Case {
    Case::new(|c| async move {
        let later = Action::Release {
            after: Duration::from_secs(60),
            attempts: 1,
        };
        action(&c, "a delayed release", later).await
    })
    .lacks(Capability::DelayedRedelivery)
}

pub(crate) fn a_dead_letter_of_the_broker() -> Case {
    Case::new(|c| async move {
        let letter = Action::DeadLetter {
            reason: "broken".to_owned(),
        };
        action(&c, "a dead letter of the broker", letter).await
    })
    .lacks(Capability::DeadLetter)
}

pub(crate) fn an_extension() -> Case {
    Case::new(|c| async move {
        action(&c, "an extension", Action::Extend(Duration::from_secs(60))).await
    })
    .lacks(Capability::Extend)
}

pub(crate) fn a_transaction() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let mut reader = c.reader(&orders, "billing").await?;
        unsupported("a transaction", reader.consumer.transaction().await)
    })
    .lacks(Capability::Transactions)
}

pub(crate) fn browsing() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let browsed = c
            .binder()
            .admin()
            .browse(&orders, &mut Cursor::default(), 1)
            .await;
        unsupported("browsing", browsed)
    })
    .lacks(Capability::Browse)
}

pub(crate) fn lag() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let _reader = c.reader(&orders, "billing").await?;
        unsupported(
            "lag",
            c.binder().admin().lag(&orders, &c.name("billing")).await,
        )
    })
    .lacks(Capability::Lag)
}

pub(crate) fn a_count_of_deliveries() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a"]).await?;
        for _ in 0..2 {
            let mut reader = c.reader(&orders, "billing").await?;
            ensure_eq!(
                reader.next().await?.deliveries,
                None,
                "a count that is not declared"
            );
            reader.close().await?;
        }
        Ok(())
    })
    .lacks(Capability::DeliveryCount)
}

pub(crate) fn attempts_that_are_not_recorded() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let record = reader.next().await?;
        let release = Action::Release {
            after: Duration::ZERO,
            attempts: 4,
        };
        ensure!(
            reader.settle(&record, release).await?.is_ok(),
            "the release did not take effect"
        );
        let again = reader.next().await?;
        ensure_eq!(
            (again.attempts, again.due),
            (0, None),
            "what is said not to be recorded"
        );
        Ok(())
    })
    .need(Need::PerMessage)
    .need(Need::ForgetsAttempts)
}

pub(crate) fn notes_beside_a_position() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let lane = reader
            .lanes
            .first()
            .cloned()
            .ok_or_else(|| Broken::new("there is no lane"))?;
        let saved = Some(bytes::Bytes::from_static(b"notes"));
        let position = lane.position.unwrap_or_default();
        let commit = mq_core::binder::Settlement {
            lane: lane.id,
            position,
            epoch: lane.epoch,
            action: Action::Commit { saved },
        };
        let mut unsettled = reader.settle_all(&[commit]).await?;
        match unsettled.pop().map(|one| one.error) {
            Some(SettleError::Failed(error)) => {
                unsupported::<()>("notes beside a position", Err(error))
            }
            other => Err(Broken::new(format!(
                "notes beside a position should be refused, but: {other:?}"
            ))),
        }
    })
    .need(Need::Positional)
    .need(Need::ForgetsAttempts)
}

pub(crate) fn a_native_option_that_is_not_known() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let settings = "[binders.main]\nkind = 'x'\nno_binder_has_this_option = 1";
        let native = mq_core::config::Config::toml(settings)
            .settings()?
            .0
            .binders["main"]
            .rest
            .clone();
        let mut spec = c.spec(&orders, "billing");
        spec.native = native.clone();
        refused(
            "a subscription with an unknown option",
            c.binder().consumer(&spec).await,
            &[ErrorKind::Config],
        )?;
        let mut spec = ProducerSpec::new(&*orders);
        spec.native = native;
        refused(
            "a producer with an unknown option",
            c.binder().producer(&spec).await.map(drop),
            &[ErrorKind::Config],
        )
    })
}

pub(crate) fn a_subscription_to_nothing() -> Case {
    Case::new(|c| async move {
        let mut spec = c.spec("unused", "billing");
        spec.destinations.clear();
        refused(
            "a subscription to nothing",
            c.binder().consumer(&spec).await,
            &[ErrorKind::Config],
        )
    })
}
