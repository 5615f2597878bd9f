//! Partitions: which message goes where.

use std::collections::{BTreeMap, BTreeSet};

use mq_core::binder::Record;

use super::prelude::*;

/// The partition that a record came from.
fn partition_of(reader: &Reader, record: &Record) -> Checked<u32> {
    let lane = reader.lanes.iter().find(|lane| lane.id == record.lane);
    let lane = lane.ok_or_else(|| {
        Broken::new(format!(
            "a record of a lane that was not assigned: {record:?}"
        ))
    })?;
    Ok(lane.lane.partition)
}

pub(crate) fn an_explicit_partition_is_kept() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned("orders", 3).await?;
        let messages: Vec<_> = (0..3)
            .map(|one| keyed("k", &one.to_string()).partition(one))
            .collect();
        let receipts = c.publish(&orders, &messages).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        for _ in 0..3 {
            let record = reader.next().await?;
            ensure_eq!(
                partition_of(&reader, &record)?.to_string(),
                text(&record),
                "the partition"
            );
            reader.done(&[record]).await?;
        }
        let partitions: Vec<_> = receipts.iter().map(|receipt| receipt.partition).collect();
        ensure_eq!(
            partitions,
            [Some(0), Some(1), Some(2)],
            "the partitions on the receipts"
        );
        Ok(())
    })
    .needs(Capability::Partitions)
}

pub(crate) fn a_key_always_goes_to_the_same_partition() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned("orders", 4).await?;
        let keys = numbered(0..20);
        let again = c.connect().await?;
        let producer = again.producer(&ProducerSpec::new(&*orders)).await?;
        for _ in 0..2 {
            c.publish(&orders, &spread(&keys)).await?;
            for result in producer.publish(&spread(&keys)).await {
                result?;
            }
        }
        let mut reader = c.reader(&orders, "billing").await?;
        let mut places: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        for _ in 0..80 {
            let record = reader.next().await?;
            let partition = partition_of(&reader, &record)?;
            places.entry(text(&record)).or_default().insert(partition);
            reader.done(&[record]).await?;
        }
        let torn: Vec<_> = places
            .iter()
            .filter(|(_, places)| places.len() > 1)
            .collect();
        ensure!(torn.is_empty(), "keys in several partitions: {torn:?}");
        Ok(())
    })
    .needs(Capability::Partitions)
}

pub(crate) fn keys_are_spread_over_the_partitions() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned("orders", 4).await?;
        let receipts = c.publish(&orders, &spread(&numbered(0..200))).await?;
        let used: BTreeSet<_> = receipts
            .iter()
            .filter_map(|receipt| receipt.partition)
            .collect();
        ensure_eq!(used.len(), 4, "partitions that 200 keys use");
        Ok(())
    })
    .needs(Capability::Partitions)
}

pub(crate) fn a_partition_that_is_not_there_is_refused() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned("orders", 2).await?;
        let producer = c.producer(&orders).await?;
        let messages = [plain("a").partition(1), plain("b").partition(2)];
        let results = c.within("the results", producer.publish(&messages)).await?;
        ensure!(results[0].is_ok(), "partition 1 of 2: {:?}", results[0]);
        ensure!(
            results[1]
                .as_ref()
                .is_err_and(|error| !error.is_temporary()),
            "partition 2 of 2: {:?}",
            results[1]
        );
        Ok(())
    })
    .needs(Capability::Partitions)
}

pub(crate) fn an_assignment_names_every_partition() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned("orders", 4).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        while reader.lanes.len() < 4 {
            reader.event(1).await?;
        }
        let found: BTreeSet<_> = reader
            .lanes
            .iter()
            .map(|lane| lane.lane.partition)
            .collect();
        ensure_eq!(
            found,
            BTreeSet::from([0, 1, 2, 3]),
            "the partitions of a lonely consumer"
        );
        let ids: BTreeSet<_> = reader.lanes.iter().map(|lane| lane.id).collect();
        ensure_eq!(ids.len(), 4, "different numbers of lanes");
        ensure!(
            reader
                .lanes
                .iter()
                .all(|lane| *lane.lane.destination == *orders),
            "the destination: {:?}",
            reader.lanes
        );
        Ok(())
    })
    .needs(Capability::Partitions)
}

pub(crate) fn each_partition_keeps_its_order() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned("orders", 3).await?;
        let messages: Vec<_> = (0..90)
            .map(|one| plain(&format!("{one:03}")).partition(one % 3))
            .collect();
        c.publish(&orders, &messages).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let mut last: BTreeMap<u32, String> = BTreeMap::new();
        for _ in 0..90 {
            let record = reader.next().await?;
            let (partition, text) = (partition_of(&reader, &record)?, text(&record));
            let before = last.insert(partition, text.clone());
            ensure!(
                before.as_ref().is_none_or(|before| *before < text),
                "partition {partition}: {text} after {before:?}"
            );
            reader.done(&[record]).await?;
        }
        Ok(())
    })
    .needs(Capability::Partitions)
}
