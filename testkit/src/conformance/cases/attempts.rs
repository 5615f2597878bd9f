//! Attempts, holds, deadlines and counts of single deliveries.

use super::{
    prelude::*,
    settle::{first_of, left, release},
};

pub(crate) fn attempts_come_back_with_the_message() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (mut reader, record) = first_of(&c, &orders, &["a"]).await?;
        ensure_eq!(record.attempts, 0, "failed attempts of a new message");
        for attempts in [1, 7] {
            let record = if attempts == 1 {
                record.clone()
            } else {
                reader.next().await?
            };
            let settled = reader.settle(&record, release(attempts)).await?;
            ensure!(
                settled.is_ok(),
                "the release did not take effect: {settled:?}"
            );
        }
        ensure_eq!(reader.next().await?.attempts, 7, "failed attempts");
        Ok(())
    })
    .need(Need::PerMessage)
    .need(Need::RecordsAttempts)
}

pub(crate) fn attempts_survive_the_instance() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a"]).await?;
        let other = c.connect().await?;
        let mut reader = c.subscribe(&other, &c.spec(&orders, "billing")).await?;
        let record = reader.next().await?;
        let settled = reader.settle(&record, release(4)).await?;
        ensure!(
            settled.is_ok(),
            "the release did not take effect: {settled:?}"
        );
        reader.close().await?;
        other.close().await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.next().await?.attempts,
            4,
            "failed attempts"
        );
        Ok(())
    })
    .need(Need::PerMessage)
    .need(Need::RecordsAttempts)
}

pub(crate) fn a_hold_is_remembered_for_whoever_comes_next() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (mut reader, record) = first_of(&c, &orders, &["a"]).await?;
        let due = SystemTime::UNIX_EPOCH + Duration::from_millis(4_000_000_000_123);
        let settled = reader
            .settle(&record, Action::Hold { due, attempts: 2 })
            .await?;
        ensure!(settled.is_ok(), "the hold did not take effect: {settled:?}");
        reader.close().await?;
        let record = c.reader(&orders, "billing").await?.next().await?;
        ensure_eq!(
            (record.attempts, record.due),
            (2, Some(due)),
            "attempts and time"
        );
        Ok(())
    })
    .need(Need::PerMessage)
    .need(Need::RecordsAttempts)
}

pub(crate) fn a_held_message_stays_with_its_consumer() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (mut reader, record) = first_of(&c, &orders, &["a"]).await?;
        let due = SystemTime::now() + Duration::from_secs(3_600);
        let settled = reader
            .settle(&record, Action::Hold { due, attempts: 1 })
            .await?;
        ensure!(settled.is_ok(), "the hold did not take effect: {settled:?}");
        c.send(&orders, &["b"]).await?;
        ensure_eq!(
            reader.texts(1).await?,
            ["b"],
            "what came while the first message was held"
        );
        reader.done(&[record]).await?;
        reader.close().await?;
        ensure_eq!(left(&c, &orders).await?, [""; 0], "what came again");
        Ok(())
    })
    .need(Need::PerMessage)
}

pub(crate) fn a_release_ends_a_hold() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (mut reader, record) = first_of(&c, &orders, &["a"]).await?;
        let due = SystemTime::now() + Duration::from_secs(3_600);
        for action in [Action::Hold { due, attempts: 1 }, release(3)] {
            let settled = reader.settle(&record, action).await?;
            ensure!(settled.is_ok(), "it did not take effect: {settled:?}");
        }
        let again = reader.next().await?;
        ensure_eq!(text(&again), "a", "what came again");
        ensure!(
            again.due.is_none(),
            "the time of the hold is still there: {:?}",
            again.due
        );
        Ok(())
    })
    .need(Need::PerMessage)
}

pub(crate) fn deliveries_are_counted() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (mut reader, record) = first_of(&c, &orders, &["a"]).await?;
        ensure_eq!(record.deliveries, Some(1), "deliveries at the first time");
        let settled = reader.settle(&record, release(1)).await?;
        ensure!(
            settled.is_ok(),
            "the release did not take effect: {settled:?}"
        );
        ensure_eq!(
            reader.next().await?.deliveries,
            Some(2),
            "deliveries at the second time"
        );
        reader.close().await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.next().await?.deliveries,
            Some(3),
            "deliveries after a crash"
        );
        Ok(())
    })
    .needs(Capability::DeliveryCount)
}

pub(crate) fn a_deadline_can_be_extended() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (mut reader, record) = first_of(&c, &orders, &["a"]).await?;
        let extended = reader
            .settle(&record, Action::Extend(Duration::from_secs(60)))
            .await?;
        ensure!(
            extended.is_ok(),
            "the extension did not take effect: {extended:?}"
        );
        reader.done(std::slice::from_ref(&record)).await?;
        let late = reader
            .settle(&record, Action::Extend(Duration::from_secs(60)))
            .await?;
        ensure!(late.is_err(), "a message that is done with was extended");
        reader.close().await?;
        ensure_eq!(left(&c, &orders).await?, [""; 0], "what came again");
        Ok(())
    })
    .needs(Capability::Extend)
}
