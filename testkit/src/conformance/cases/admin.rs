//! Looking after destinations and groups.

use mq_core::binder::{Cursor, ReplayFrom};

use super::prelude::*;

/// What a group has before it comes to this.
async fn lag_becomes(c: &Context, orders: &str, expected: u64) -> Checked {
    let group = c.name("billing");
    c.until(format!("the lag is {expected}"), || async {
        Ok(c.binder().admin().lag(orders, &group).await?.messages == expected)
    })
    .await
}

/// Every page of a destination.
async fn browse(
    c: &Context,
    destination: &str,
    page: usize,
) -> Checked<Vec<mq_core::binder::Browsed>> {
    let (mut cursor, mut found) = (Cursor::default(), Vec::new());
    loop {
        let more = c
            .binder()
            .admin()
            .browse(destination, &mut cursor, page)
            .await?;
        ensure!(
            more.len() <= page,
            "a page of {} messages, at most {page} were asked for",
            more.len()
        );
        if more.is_empty() {
            return Ok(found);
        }
        found.extend(more);
    }
}

pub(crate) fn destinations_are_listed() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let refunds = c.destination("refunds").await?;
        let listed = optional(
            "listing destinations",
            c.binder().admin().destinations().await,
        )?;
        for name in [&orders, &refunds] {
            let found = listed.iter().filter(|one| *one.name == **name).count();
            ensure_eq!(found, 1, "entries of `{name}`");
        }
        ensure!(
            listed.iter().all(|one| one.partitions > 0),
            "a destination without partitions: {listed:?}"
        );
        Ok(())
    })
}

pub(crate) fn a_list_shows_partitions() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned("orders", 3).await?;
        let listed = optional(
            "listing destinations",
            c.binder().admin().destinations().await,
        )?;
        let found = listed
            .iter()
            .find(|one| *one.name == *orders)
            .map(|one| one.partitions);
        ensure_eq!(found, Some(3), "partitions");
        Ok(())
    })
    .needs(Capability::Partitions)
}

pub(crate) fn groups_are_listed_with_their_members() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        optional("listing groups", c.binder().admin().groups(&orders).await)?;
        let _first = c.members(&orders, "billing", 2).await?;
        c.reader(&orders, "shipping").await?.close().await?;
        let expected = [(c.name("billing"), Some(2)), (c.name("shipping"), Some(0))];
        c.until(format!("the groups are {expected:?}"), || async {
            let groups = c.binder().admin().groups(&orders).await?;
            let mut found: Vec<_> = groups
                .iter()
                .filter(|group| *group.name != c.name("shop"))
                .map(|group| (group.name.to_string(), group.members))
                .collect();
            found.sort();
            Ok(found == expected)
        })
        .await
    })
}

pub(crate) fn lag_counts_what_is_not_settled() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let mut reader = c.reader(&orders, "billing").await?;
        c.send(&orders, &["a", "b", "c"]).await?;
        lag_becomes(&c, &orders, 3).await?;
        let records = reader.take(2).await?;
        lag_becomes(&c, &orders, 3).await?;
        reader.done(&records).await?;
        lag_becomes(&c, &orders, 1).await?;
        reader.texts(1).await?;
        lag_becomes(&c, &orders, 0).await
    })
    .needs(Capability::Lag)
}

pub(crate) fn lag_is_counted_while_nobody_reads() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.reader(&orders, "billing").await?.close().await?;
        c.send(&orders, &["a", "b"]).await?;
        lag_becomes(&c, &orders, 2).await
    })
    .needs(Capability::Lag)
}

pub(crate) fn lag_counts_what_is_delayed() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let record = reader.next().await?;
        let delay = Action::Release {
            after: Duration::from_secs(600),
            attempts: 1,
        };
        ensure!(
            reader.settle(&record, delay).await?.is_ok(),
            "the delay did not take effect"
        );
        lag_becomes(&c, &orders, 1).await
    })
    .needs(Capability::Lag)
    .needs(Capability::DelayedRedelivery)
}

pub(crate) fn the_age_of_the_oldest_grows() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let _reader = c.reader(&orders, "billing").await?;
        c.send(&orders, &["a"]).await?;
        let group = c.name("billing");
        let first = c.binder().admin().lag(&orders, &group).await?.oldest;
        let Some(first) = first else {
            return Err(Broken::skip(
                "it does not tell the age of the oldest message",
            ));
        };
        c.until("the oldest message is older", || async {
            Ok(c.binder()
                .admin()
                .lag(&orders, &group)
                .await?
                .oldest
                .is_some_and(|age| age > first))
        })
        .await
    })
    .needs(Capability::Lag)
}

pub(crate) fn browsing_shows_everything_and_consumes_nothing() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let sent = ["a", "b", "c", "d", "e"];
        c.publish(
            &orders,
            &sent.map(|text| keyed("k", text).header("h", text)),
        )
        .await?;
        let shown = browse(&c, &orders, 2).await?;
        let found: Vec<_> = shown.iter().map(|one| one.message.as_bytes()).collect();
        ensure_eq!(found, sent.map(str::as_bytes), "what was shown");
        ensure!(
            shown
                .iter()
                .all(|one| one.message.as_headers().get("h").is_some()),
            "headers are missing: {shown:?}"
        );
        ensure_eq!(reader.texts(5).await?, sent, "what was received after that");
        Ok(())
    })
    .needs(Capability::Browse)
}

pub(crate) fn a_cursor_goes_on_with_what_is_new() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let _reader = c.reader(&orders, "billing").await?;
        let (admin, mut cursor) = (c.binder().admin(), Cursor::default());
        c.send(&orders, &["a"]).await?;
        ensure_eq!(
            admin.browse(&orders, &mut cursor, 10).await?.len(),
            1,
            "messages at first"
        );
        ensure_eq!(
            admin.browse(&orders, &mut cursor, 10).await?.len(),
            0,
            "messages at the end"
        );
        c.send(&orders, &["b"]).await?;
        let shown = admin.browse(&orders, &mut cursor, 10).await?;
        let found: Vec<_> = shown.iter().map(|one| one.message.as_bytes()).collect();
        ensure_eq!(found, [b"b"], "what was new");
        Ok(())
    })
    .needs(Capability::Browse)
}

pub(crate) fn a_message_that_is_marked_is_shown_as_handled() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let _reader = c.reader(&orders, "billing").await?;
        c.send(&orders, &["a", "b"]).await?;
        let first = browse(&c, &orders, 10).await?.remove(0);
        let marked = c
            .binder()
            .admin()
            .mark_handled(&orders, first.partition, first.position)
            .await;
        optional("marking messages", marked)?;
        let found: Vec<_> = browse(&c, &orders, 10)
            .await?
            .iter()
            .map(|one| one.handled)
            .collect();
        ensure_eq!(found, [true, false], "which messages are handled");
        Ok(())
    })
    .needs(Capability::Browse)
}

pub(crate) fn purging_removes_what_is_there() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.reader(&orders, "billing").await?.close().await?;
        c.send(&orders, &["a", "b", "c"]).await?;
        optional("purging", c.binder().admin().purge(&orders).await)?;
        c.send(&orders, &["new"]).await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(1).await?,
            ["new"],
            "what was left"
        );
        Ok(())
    })
}

pub(crate) fn a_deleted_destination_is_gone() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.reader(&orders, "billing").await?.close().await?;
        c.send(&orders, &["old"]).await?;
        optional("deleting", c.binder().admin().delete(&orders).await)?;
        c.until("the destination is not listed any more", || async {
            let listed = optional(
                "listing destinations",
                c.binder().admin().destinations().await,
            )?;
            Ok(!listed.iter().any(|one| *one.name == *orders))
        })
        .await?;
        c.ordered("orders").await?;
        let mut reader = c.reader(&orders, "billing").await?;
        c.send(&orders, &["new"]).await?;
        ensure_eq!(
            reader.texts(1).await?,
            ["new"],
            "what there is after it was made anew"
        );
        Ok(())
    })
}

pub(crate) fn what_is_not_there_is_not_found() -> Case {
    Case::new(|c| async move {
        let (admin, nowhere) = (c.binder().admin(), c.name("nowhere"));
        let kinds = [ErrorKind::NotFound, ErrorKind::Unsupported];
        refused(
            "the lag of nothing",
            admin.lag(&nowhere, "billing").await,
            &kinds,
        )?;
        refused(
            "browsing nothing",
            admin.browse(&nowhere, &mut Cursor::default(), 1).await,
            &kinds,
        )?;
        refused("purging nothing", admin.purge(&nowhere).await, &kinds)?;
        refused("deleting nothing", admin.delete(&nowhere).await, &kinds)?;
        refused(
            "moving a group of nothing",
            admin.seek(&nowhere, "billing", ReplayFrom::Earliest).await,
            &kinds,
        )
    })
}
