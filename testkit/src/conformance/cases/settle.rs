//! What becomes of deliveries.

use mq_core::binder::{LaneId, Record, SettleError, Settlement};

pub(crate) use super::held_to::what_is_below_a_settled_message_comes_again;
use super::prelude::*;

/// A release at once, after so many failed attempts.
pub(super) fn release(attempts: u32) -> Action {
    Action::Release {
        after: Duration::ZERO,
        attempts,
    }
}

/// A reader of a destination with these texts, and the first record.
pub(super) async fn first_of(
    c: &Context,
    orders: &str,
    sent: &[&str],
) -> Checked<(Reader, Record)> {
    c.send(orders, sent).await?;
    let mut reader = c.reader(orders, "billing").await?;
    let record = reader.next().await?;
    Ok((reader, record))
}

/// What the group has left, the last of which is a message that is sent now.
pub(super) async fn left(c: &Context, orders: &str) -> Checked<Vec<String>> {
    c.send(orders, &["end"]).await?;
    let mut reader = c.reader(orders, "billing").await?;
    let mut found = Vec::new();
    while found.last().is_none_or(|last| last != "end") {
        found.extend(reader.texts(1).await?);
    }
    found.pop();
    Ok(found)
}

pub(crate) fn an_acknowledged_message_does_not_come_again() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (mut reader, record) = first_of(&c, &orders, &["a"]).await?;
        reader.done(&[record]).await?;
        reader.close().await?;
        ensure_eq!(left(&c, &orders).await?, [""; 0], "what came again");
        Ok(())
    })
}

pub(crate) fn an_acknowledgement_holds_when_the_consumer_crashes() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (mut reader, record) = first_of(&c, &orders, &["a"]).await?;
        reader.done(&[record]).await?;
        drop(reader);
        ensure_eq!(left(&c, &orders).await?, [""; 0], "what came again");
        Ok(())
    })
}

pub(crate) fn an_unsettled_message_comes_again() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (reader, _) = first_of(&c, &orders, &["a"]).await?;
        reader.close().await?;
        ensure_eq!(left(&c, &orders).await?, ["a"], "what came again");
        Ok(())
    })
}

pub(crate) fn a_hundred_messages_are_settled_in_one_call() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.publish(&orders, &spread(&numbered(0..100))).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let records = reader.take(100).await?;
        reader.done(&records).await?;
        reader.close().await?;
        ensure_eq!(left(&c, &orders).await?, [""; 0], "what came again");
        Ok(())
    })
}

pub(crate) fn settling_nothing_is_no_error() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let unsettled = reader.settle_all(&[]).await?;
        ensure!(unsettled.is_empty(), "of nothing was left: {unsettled:?}");
        Ok(())
    })
}

pub(crate) fn messages_are_settled_in_any_order() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b", "c", "d"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let records = reader.take(4).await?;
        for index in [2, 0, 3] {
            reader.done(&records[index..=index]).await?;
        }
        reader.close().await?;
        ensure_eq!(left(&c, &orders).await?, ["b"], "what came again");
        Ok(())
    })
    .need(Need::PerMessage)
}

pub(crate) fn a_released_message_comes_again() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (mut reader, record) = first_of(&c, &orders, &["a"]).await?;
        let settled = reader.settle(&record, release(1)).await?;
        ensure!(
            settled.is_ok(),
            "the release did not take effect: {settled:?}"
        );
        ensure_eq!(reader.texts(1).await?, ["a"], "what came again");
        reader.close().await?;
        ensure_eq!(left(&c, &orders).await?, [""; 0], "what came a third time");
        Ok(())
    })
    .need(Need::PerMessage)
}

pub(crate) fn a_discarded_message_does_not_come_again() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (mut reader, record) = first_of(&c, &orders, &["a"]).await?;
        let settled = reader.settle(&record, Action::Discard).await?;
        ensure!(
            settled.is_ok(),
            "the discard did not take effect: {settled:?}"
        );
        reader.close().await?;
        ensure_eq!(left(&c, &orders).await?, [""; 0], "what came again");
        Ok(())
    })
    .need(Need::PerMessage)
}

pub(crate) fn a_second_settlement_is_harmless() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (mut reader, record) = first_of(&c, &orders, &["a", "b"]).await?;
        let ends = reader.ends(std::slice::from_ref(&record));
        for _ in 0..2 {
            // Whether the second time is answered as lost or as done is the binder's.
            reader.settle_all(&ends).await?;
        }
        reader.close().await?;
        ensure_eq!(left(&c, &orders).await?, ["b"], "what was left");
        Ok(())
    })
}

pub(crate) fn a_release_after_an_acknowledgement_is_refused() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (mut reader, record) = first_of(&c, &orders, &["a", "b"]).await?;
        reader.done(std::slice::from_ref(&record)).await?;
        let settled = reader.settle(&record, release(1)).await?;
        ensure!(settled.is_err(), "a message that is done with was released");
        reader.close().await?;
        ensure_eq!(left(&c, &orders).await?, ["b"], "what was left");
        Ok(())
    })
    .need(Need::PerMessage)
}

pub(crate) fn a_settlement_of_an_unknown_lane_is_refused() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (mut reader, record) = first_of(&c, &orders, &["a"]).await?;
        let ends = reader.ends(std::slice::from_ref(&record));
        let foreign: Vec<_> = ends
            .into_iter()
            .map(|end| Settlement {
                lane: LaneId(4_000),
                ..end
            })
            .collect();
        let unsettled = reader.settle_all(&foreign).await?;
        ensure_eq!(unsettled.len(), 1, "refused settlements");
        reader.close().await?;
        ensure_eq!(left(&c, &orders).await?, ["a"], "what was left");
        Ok(())
    })
}

pub(crate) fn a_settlement_of_an_older_assignment_is_lost() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (mut reader, record) = first_of(&c, &orders, &["a"]).await?;
        let ends = reader.ends(std::slice::from_ref(&record));
        let old: Vec<_> = ends
            .into_iter()
            .map(|end| Settlement {
                epoch: end.epoch.wrapping_sub(1),
                ..end
            })
            .collect();
        let unsettled = reader.settle_all(&old).await?;
        ensure!(
            matches!(unsettled.as_slice(), [one] if matches!(one.error, SettleError::Lost)),
            "expected as lost: {unsettled:?}"
        );
        reader.close().await?;
        ensure_eq!(left(&c, &orders).await?, ["a"], "what was left");
        Ok(())
    })
}

pub(crate) fn a_settlement_after_the_close_takes_no_effect() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (mut reader, record) = first_of(&c, &orders, &["a"]).await?;
        let (settler, ends) = (reader.settler.clone(), reader.ends(&[record]));
        reader.close().await?;
        let late = c.within("the answer", settler.settle(&ends)).await?;
        ensure!(
            late.as_ref().map_or(true, |unsettled| unsettled.len() == 1),
            "it seems to have taken effect: {late:?}"
        );
        ensure_eq!(left(&c, &orders).await?, ["a"], "what was left");
        Ok(())
    })
}

pub(crate) fn a_stale_settlement_does_not_touch_the_new_owner() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (mut first, record) = first_of(&c, &orders, &["a"]).await?;
        let (settler, ends) = (first.settler.clone(), first.ends(&[record]));
        first.close().await?;
        let mut second = c.reader(&orders, "billing").await?;
        let owned = second.next().await?;
        // The stale acknowledgement is refused; the message stays the second consumer's, and comes again when that one crashes.
        drop(c.within("the answer", settler.settle(&ends)).await?);
        ensure_eq!(text(&owned), "a", "what the second consumer got");
        drop(second);
        ensure_eq!(left(&c, &orders).await?, ["a"], "what was left");
        Ok(())
    })
}

pub(crate) fn what_fails_in_a_call_is_named_and_the_rest_takes_effect() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let records = reader.take(2).await?;
        let mut ends = reader.ends(&records[..1]);
        let foreign = Settlement {
            lane: LaneId(4_000),
            ..ends[0].clone()
        };
        ends.insert(0, foreign);
        let unsettled = reader.settle_all(&ends).await?;
        let indices: Vec<_> = unsettled.iter().map(|one| one.index).collect();
        ensure_eq!(indices, [0], "the indices that were refused");
        reader.close().await?;
        ensure_eq!(left(&c, &orders).await?, ["b"], "what was left");
        Ok(())
    })
}

pub(crate) fn a_lost_acknowledgement_means_another_delivery() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let (mut reader, record) = first_of(&c, &orders, &["a"]).await?;
        c.order(Fault::LoseAck, &orders).await?;
        reader.done(&[record]).await?;
        ensure_eq!(reader.texts(1).await?, ["a"], "what came again");
        reader.close().await?;
        ensure_eq!(left(&c, &orders).await?, [""; 0], "what came a third time");
        Ok(())
    })
    .fault(Fault::LoseAck)
}
