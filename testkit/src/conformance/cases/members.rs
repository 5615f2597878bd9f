//! Members of a group come and go.

use std::collections::BTreeSet;

use mq_core::binder::SettleError;

use super::prelude::*;

pub(crate) fn what_a_member_had_goes_to_another_when_it_leaves() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b"]).await?;
        let mut first = c.reader(&orders, "billing").await?;
        ensure_eq!(
            texts(&first.take(2).await?),
            ["a", "b"],
            "what the first member got"
        );
        let mut second = c.reader(&orders, "billing").await?;
        first.close().await?;
        ensure_eq!(
            second.texts(2).await?,
            ["a", "b"],
            "what the second member got"
        );
        Ok(())
    })
}

pub(crate) fn what_a_crashed_member_had_goes_to_another() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b"]).await?;
        let mut first = c.reader(&orders, "billing").await?;
        ensure_eq!(
            texts(&first.take(2).await?),
            ["a", "b"],
            "what the first member got"
        );
        drop(first);
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(2).await?,
            ["a", "b"],
            "what the second member got"
        );
        Ok(())
    })
}

pub(crate) fn what_a_member_settled_does_not_go_to_another() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b", "c"]).await?;
        let mut first = c.reader(&orders, "billing").await?;
        let records = first.take(3).await?;
        first.done(&records[..2]).await?;
        drop(first);
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(1).await?,
            ["c"],
            "what the second member got"
        );
        Ok(())
    })
}

pub(crate) fn members_that_come_and_go_lose_nothing() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned_if_possible("orders", 6).await?;
        let mut members = c.members(&orders, "billing", 2).await?;
        let mut seen = BTreeSet::new();
        for round in 0..4 {
            let sent = numbered(round * 50..round * 50 + 50);
            c.publish(&orders, &spread(&sent)).await?;
            members.join(c.reader(&orders, "billing").await?);
            members.leave(round as usize).await?.close().await?;
            let wanted = usize::try_from(round).unwrap_or_default() * 50 + 50;
            while seen.len() < wanted {
                seen.extend(members.texts(1).await?);
            }
        }
        ensure_eq!(
            seen.into_iter().collect::<Vec<_>>(),
            numbered(0..200),
            "what the members got together"
        );
        Ok(())
    })
    .deadline(Duration::from_secs(90))
}

pub(crate) fn partitions_are_shared_out() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned("orders", 4).await?;
        let mut members = c.members(&orders, "billing", 1).await?;
        members.lanes(&[4]).await?;
        members.join(c.reader(&orders, "billing").await?);
        members.lanes(&[2, 2]).await
    })
    .need(Need::Positional)
    .needs(Capability::Partitions)
    .deadline(Duration::from_secs(90))
}

pub(crate) fn partitions_of_a_member_that_leaves_are_taken_over() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned("orders", 4).await?;
        let mut members = c.members(&orders, "billing", 2).await?;
        members.lanes(&[2, 2]).await?;
        members.leave(0).await?.close().await?;
        members.lanes(&[2, 4]).await?;
        c.publish(&orders, &spread(&numbered(0..40))).await?;
        ensure_eq!(
            members.texts(40).await?,
            numbered(0..40),
            "what the rest of the group got"
        );
        Ok(())
    })
    .need(Need::Positional)
    .needs(Capability::Partitions)
    .deadline(Duration::from_secs(90))
}

pub(crate) fn a_member_too_many_waits_in_reserve() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let mut members = c.members(&orders, "billing", 2).await?;
        c.send(&orders, &["a"]).await?;
        let (busy, _) = members.arrivals(1).await?.remove(0);
        members.leave(busy).await?.close().await?;
        c.send(&orders, &["b"]).await?;
        ensure_eq!(
            members.arrivals(1).await?,
            [(1 - busy, "b".to_owned())],
            "who got the next message"
        );
        Ok(())
    })
    .deadline(Duration::from_secs(90))
}

pub(crate) fn a_lane_that_is_to_be_given_up_can_be_settled_until_then() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned("orders", 2).await?;
        let messages = [plain("a").partition(0), plain("b").partition(1)];
        let mut first = c.reader(&orders, "billing").await?;
        while first.lanes.len() < 2 {
            first.event(1).await?;
        }
        c.publish(&orders, &messages).await?;
        let records = first.take(2).await?;
        let mut members = c.members(&orders, "billing", 1).await?;
        loop {
            if let (Event::Revoking { lanes, .. }, _) = first.event(1).await? {
                first.done(&records).await?;
                first.let_go(&lanes).await?;
                break;
            }
        }
        members.lanes(&[1]).await?;
        members.join(first);
        c.publish(&orders, &[plain("c").partition(0), plain("d").partition(1)])
            .await?;
        ensure_eq!(
            members.texts(2).await?,
            ["c", "d"],
            "what came after the lane had moved"
        );
        Ok(())
    })
    .need(Need::Positional)
    .needs(Capability::Partitions)
    .deadline(Duration::from_secs(90))
}

pub(crate) fn lost_lanes_are_reported_and_come_back() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let old = reader.next().await?;
        c.order(Fault::LoseLanes, &orders).await?;
        let mut was_told = false;
        let again = loop {
            let (event, mut records) = reader.event(1).await?;
            was_told |= matches!(event, Event::Lost { .. });
            if let Some(record) = records.pop() {
                break record;
            }
        };
        ensure!(was_told, "the loss of the lane was not reported");
        ensure_eq!(text(&again), "a", "what came again");
        ensure!(
            again.epoch != old.epoch,
            "the number of the assignment is the old one: {}",
            old.epoch
        );
        let late = reader.ends(std::slice::from_ref(&old));
        let unsettled = reader.settle_all(&late).await?;
        ensure!(
            matches!(unsettled.as_slice(), [one] if matches!(one.error, SettleError::Lost)),
            "a settlement of the lost lane: {unsettled:?}"
        );
        reader.done(&[again]).await
    })
    .fault(Fault::LoseLanes)
}
