//! Numbers of lanes are used again, and numbers of assignments are not.

use std::collections::BTreeSet;

use mq_core::binder::{AssignedLane, LaneId, Record, SettleError, Settlement};

use super::prelude::*;

/// An assignment as deliveries name it.
fn number(lane: &AssignedLane) -> (LaneId, u32) {
    (lane.id, lane.epoch)
}

/// No two of the assignments that a consumer was told of can be taken for each other.
fn ensure_distinct(reader: &Reader) -> Checked {
    let mut seen = BTreeSet::new();
    for lane in &reader.assignments {
        ensure!(
            seen.insert(number(lane)),
            "two assignments of a consumer have the number {} and the epoch {}: {:?}",
            lane.id.0,
            lane.epoch,
            reader.assignments
        );
    }
    Ok(())
}

/// These settlements are late: none takes effect.
async fn ensure_lost(reader: &mut Reader, late: &[Settlement]) -> Checked {
    let unsettled = reader.settle_all(late).await?;
    let mut answers = unsettled.iter().enumerate();
    let are_lost = unsettled.len() == late.len()
        && answers.all(|(index, one)| one.index == index && matches!(one.error, SettleError::Lost));
    ensure!(
        are_lost,
        "settlements of assignments that are over should be lost: {late:?} led to {unsettled:?}"
    );
    Ok(())
}

/// The ends of these records, said of every earlier assignment that had the number of their lane.
fn late_ends(reader: &mut Reader, records: &[Record]) -> Vec<Settlement> {
    let mut late = Vec::new();
    for end in reader.ends(records) {
        let before = reader.assignments.iter();
        let before = before.filter(|lane| lane.id == end.lane && lane.epoch != end.epoch);
        late.extend(before.map(|lane| Settlement {
            epoch: lane.epoch,
            ..end.clone()
        }));
    }
    late
}

pub(crate) fn a_late_settlement_does_not_count_for_another_lane_of_its_number() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned("orders", 6).await?;
        let mut members = c.members(&orders, "billing", 1).await?;
        members.join(c.reader(&orders, "billing").await?);
        members.lanes(&[3, 3]).await?;
        members.join(c.reader(&orders, "billing").await?);
        members.lanes(&[2, 2, 2]).await?;
        // Who leaves last has given lanes up twice, and got others for them.
        let first = members.leave(0).await?;
        ensure_distinct(&first)?;
        first.close().await?;
        members.lanes(&[2, 3, 3]).await?;
        members.join(c.reader(&orders, "billing").await?);
        members.lanes(&[2, 2, 2, 2]).await?;
        let third = members.leave(2).await?;
        ensure_distinct(&third)?;
        third.close().await?;
        members.lanes(&[2, 3, 2, 3]).await?;
        let mut second = members.leave(1).await?;
        ensure_distinct(&second)?;
        let sent = numbered(0..6);
        let message = |(partition, text): (u32, &String)| plain(text).partition(partition);
        let messages: Vec<_> = (0..).zip(&sent).map(message).collect();
        c.publish(&orders, &messages).await?;
        let records = second.take(3).await?;
        let late = late_ends(&mut second, &records);
        ensure_lost(&mut second, &late).await?;
        second.close().await?;
        ensure_eq!(members.texts(6).await?, sent, "what others got");
        Ok(())
    })
    .need(Need::Positional)
    .needs(Capability::Partitions)
    .deadline(Duration::from_secs(120))
}

pub(crate) fn lanes_that_are_lost_again_and_again_have_other_numbers_each_time() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let refunds = c.ordered("refunds").await?;
        c.send(&orders, &["o"]).await?;
        c.send(&refunds, &["r"]).await?;
        let mut spec = c.spec(&orders, "billing");
        spec.destinations.push(refunds.as_str().into());
        let mut reader = c.subscribe(c.binder(), &spec).await?;
        let mut records = reader.take(2).await?;
        for destination in [&orders, &refunds, &orders] {
            c.order(Fault::LoseLanes, destination).await?;
            records.extend(lose(&mut reader).await?);
            ensure_distinct(&reader)?;
        }
        let is_late = |record: &Record| {
            let mut lanes = reader.lanes.iter();
            lanes.all(|lane| number(lane) != (record.lane, record.epoch))
        };
        let (late, mut records): (Vec<_>, Vec<_>) = records.into_iter().partition(is_late);
        let late = reader.ends(&late);
        ensure_lost(&mut reader, &late).await?;
        records.extend(reader.take(2 - records.len()).await?);
        reader.done(&records).await?;
        let mut found = texts(&records);
        found.sort();
        ensure_eq!(found, ["o", "r"], "what came again");
        Ok(())
    })
    .fault(Fault::LoseLanes)
    .deadline(Duration::from_secs(120))
}

/// Waits until lanes were lost and both are there again; returns what came meanwhile.
async fn lose(reader: &mut Reader) -> Checked<Vec<Record>> {
    let (mut found, mut was_told) = (Vec::new(), false);
    while !was_told || reader.lanes.len() < 2 {
        let (event, records) = reader.event(1).await?;
        was_told |= matches!(event, Event::Lost { .. });
        found.extend(records);
    }
    Ok(found)
}
