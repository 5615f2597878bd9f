//! Groups: who gets which message.

use mq_core::policy::Start;

pub(crate) use super::held_to::a_group_keeps_a_message_while_nobody_reads;
use super::prelude::*;

/// A consumer of this group that begins there, if the group is new.
async fn starting(c: &Context, destination: &str, group: &str, start: Start) -> Checked<Reader> {
    let mut spec = c.spec(destination, group);
    spec.start = start;
    c.subscribe(c.binder(), &spec).await
}

pub(crate) fn every_group_gets_every_message() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let mut billing = c.reader(&orders, "billing").await?;
        let mut shipping = c.reader(&orders, "shipping").await?;
        c.send(&orders, &["a", "b", "c"]).await?;
        ensure_eq!(
            billing.sorted(3).await?,
            ["a", "b", "c"],
            "what the first group got"
        );
        ensure_eq!(
            shipping.sorted(3).await?,
            ["a", "b", "c"],
            "what the second group got"
        );
        Ok(())
    })
}

pub(crate) fn groups_do_not_disturb_each_other() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        for group in ["slow", "fast"] {
            c.provide(&orders, group).await?;
        }
        c.send(&orders, &["a", "b"]).await?;
        let unsettled = c.reader(&orders, "slow").await?.take(1).await?;
        ensure_eq!(texts(&unsettled), ["a"], "what the slow group got");
        ensure_eq!(
            c.reader(&orders, "fast").await?.texts(2).await?,
            ["a", "b"],
            "what the fast group got"
        );
        ensure_eq!(
            c.reader(&orders, "slow").await?.texts(2).await?,
            ["a", "b"],
            "what the slow group got later"
        );
        Ok(())
    })
}

pub(crate) fn one_group_name_on_two_destinations_is_two_groups() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let refunds = c.destination("refunds").await?;
        c.send(&orders, &["o"]).await?;
        c.send(&refunds, &["r"]).await?;
        let mut first = c.reader(&orders, "billing").await?;
        ensure_eq!(
            first.texts(1).await?,
            ["o"],
            "what came from the first destination"
        );
        first.close().await?;
        ensure_eq!(
            c.reader(&refunds, "billing").await?.texts(1).await?,
            ["r"],
            "what came from the second"
        );
        Ok(())
    })
}

pub(crate) fn members_of_a_group_share_without_duplicates() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned_if_possible("orders", 4).await?;
        let mut members = c.members(&orders, "billing", 2).await?;
        let sent = numbered(0..60);
        c.publish(&orders, &spread(&sent)).await?;
        ensure_eq!(
            members.texts(60).await?,
            sent,
            "what the members got together"
        );
        c.publish(&orders, &[keyed("z", "z")]).await?;
        ensure_eq!(members.texts(1).await?, ["z"], "what came after that");
        Ok(())
    })
}

pub(crate) fn a_group_goes_on_where_it_was() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b", "c"]).await?;
        let mut first = c.reader(&orders, "billing").await?;
        ensure_eq!(
            first.texts(2).await?,
            ["a", "b"],
            "what the first consumer got"
        );
        first.close().await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(1).await?,
            ["c"],
            "what the next consumer got"
        );
        Ok(())
    })
}

pub(crate) fn a_group_keeps_what_is_published_while_nobody_reads() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let mut first = c.reader(&orders, "billing").await?;
        c.send(&orders, &["a"]).await?;
        ensure_eq!(first.texts(1).await?, ["a"], "what the first consumer got");
        first.close().await?;
        c.send(&orders, &["b", "c"]).await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(2).await?,
            ["b", "c"],
            "what was kept"
        );
        Ok(())
    })
}

pub(crate) fn a_group_outlives_the_instance_that_made_it() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let other = c.connect().await?;
        let mut first = c.subscribe(&other, &c.spec(&orders, "billing")).await?;
        c.send(&orders, &["a"]).await?;
        ensure_eq!(first.texts(1).await?, ["a"], "what the first consumer got");
        other.close().await?;
        c.send(&orders, &["b"]).await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(1).await?,
            ["b"],
            "what was kept"
        );
        Ok(())
    })
}

pub(crate) fn a_group_made_beforehand_misses_nothing() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        for group in ["billing", "shipping"] {
            c.provide(&orders, group).await?;
        }
        c.send(&orders, &["a", "b"]).await?;
        for group in ["billing", "shipping"] {
            let found = c.reader(&orders, group).await?.texts(2).await?;
            ensure_eq!(found, ["a", "b"], "what `{group}` got");
        }
        Ok(())
    })
}

pub(crate) fn a_group_made_beforehand_misses_nothing_even_from_the_latest() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.provide(&orders, "billing").await?;
        c.send(&orders, &["a", "b"]).await?;
        let mut reader = starting(&c, &orders, "billing", Start::Latest).await?;
        ensure_eq!(
            reader.texts(2).await?,
            ["a", "b"],
            "what came after the group was made"
        );
        Ok(())
    })
}

pub(crate) fn a_late_group_begins_at_the_earliest() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        // Where a destination keeps nothing without a group, another group keeps it.
        let mut other = c.reader(&orders, "other").await?;
        c.send(&orders, &["a", "b"]).await?;
        let mut late = c.reader(&orders, "late").await?;
        c.send(&orders, &["c"]).await?;
        ensure_eq!(
            late.texts(3).await?,
            ["a", "b", "c"],
            "what the late group got"
        );
        ensure_eq!(
            other.texts(3).await?,
            ["a", "b", "c"],
            "what the other group got"
        );
        Ok(())
    })
    // A broker without a log keeps nothing for groups to come.
    .needs(Capability::Seek)
}

pub(crate) fn a_late_group_may_begin_at_the_latest() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["old"]).await?;
        let mut late = starting(&c, &orders, "late", Start::Latest).await?;
        c.send(&orders, &["new"]).await?;
        ensure_eq!(
            late.texts(1).await?,
            ["new"],
            "what the late group got first"
        );
        Ok(())
    })
}

pub(crate) fn a_start_does_not_move_a_known_group() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b"]).await?;
        let mut first = c.reader(&orders, "billing").await?;
        ensure_eq!(first.texts(1).await?, ["a"], "what the first consumer got");
        first.close().await?;
        let mut next = starting(&c, &orders, "billing", Start::Latest).await?;
        ensure_eq!(next.texts(1).await?, ["b"], "what the next consumer got");
        Ok(())
    })
}

pub(crate) fn a_group_may_begin_at_a_time() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["old"]).await?;
        // Brokers keep milliseconds: one message is to be older, one younger.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let time = SystemTime::now();
        tokio::time::sleep(Duration::from_millis(20)).await;
        c.send(&orders, &["new"]).await?;
        let mut late = starting(&c, &orders, "late", Start::Time(time)).await?;
        ensure_eq!(
            late.texts(1).await?,
            ["new"],
            "the first message since then"
        );
        Ok(())
    })
    .needs(Capability::Seek)
}

pub(crate) fn a_group_may_begin_at_a_position() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b", "c"]).await?;
        let positions: Vec<_> = c.reader(&orders, "other").await?.take(1).await?;
        let start = Start::Position(positions[0].position + 1);
        let mut late = starting(&c, &orders, "late", start).await?;
        ensure_eq!(
            late.texts(2).await?,
            ["b", "c"],
            "what came from the second position on"
        );
        Ok(())
    })
    .needs(Capability::Seek)
}

pub(crate) fn anonymous_readers_get_a_copy_each() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let mut first = c.anonymous(&orders).await?;
        let mut second = c.anonymous(&orders).await?;
        c.send(&orders, &["a"]).await?;
        ensure_eq!(first.texts(1).await?, ["a"], "what the first got");
        ensure_eq!(second.texts(1).await?, ["a"], "what the second got");
        Ok(())
    })
    .needs(Capability::AnonymousGroups)
}

pub(crate) fn an_anonymous_reader_gets_only_what_is_new() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["old"]).await?;
        let mut reader = c.anonymous(&orders).await?;
        c.send(&orders, &["new"]).await?;
        ensure_eq!(reader.texts(1).await?, ["new"], "the first message");
        Ok(())
    })
    .needs(Capability::AnonymousGroups)
}

pub(crate) fn an_anonymous_reader_that_left_misses_what_was_sent_meanwhile() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let mut first = c.anonymous(&orders).await?;
        c.send(&orders, &["a"]).await?;
        ensure_eq!(first.texts(1).await?, ["a"], "what came before it left");
        first.close().await?;
        c.send(&orders, &["missed"]).await?;
        let mut again = c.anonymous(&orders).await?;
        c.send(&orders, &["b"]).await?;
        ensure_eq!(
            again.texts(1).await?,
            ["b"],
            "what came first after it was back"
        );
        Ok(())
    })
    .needs(Capability::AnonymousGroups)
}

pub(crate) fn an_anonymous_group_leaves_nothing_behind() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let before = optional("listing groups", c.binder().admin().groups(&orders).await)?;
        c.anonymous(&orders).await?.close().await?;
        c.until("the anonymous group is gone", || async {
            Ok(c.binder().admin().groups(&orders).await?.len() == before.len())
        })
        .await
    })
    .needs(Capability::AnonymousGroups)
}

pub(crate) fn one_consumer_reads_several_destinations() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let refunds = c.ordered("refunds").await?;
        let mut spec = c.spec(&orders, "billing");
        spec.destinations.push(refunds.as_str().into());
        let mut reader = c.subscribe(c.binder(), &spec).await?;
        c.send(&orders, &["o"]).await?;
        c.send(&refunds, &["r"]).await?;
        for record in reader.take(2).await? {
            let lane = reader.lanes.iter().find(|lane| lane.id == record.lane);
            let from = lane.map(|lane| lane.lane.destination.to_string());
            let expected = if text(&record) == "o" {
                &orders
            } else {
                &refunds
            };
            ensure_eq!(
                from.as_ref(),
                Some(expected),
                "the destination of {:?}",
                text(&record)
            );
            reader.done(&[record]).await?;
        }
        Ok(())
    })
}

pub(crate) fn a_busy_destination_does_not_starve_another() -> Case {
    Case::new(|c| async move {
        let busy = c.ordered("busy").await?;
        let calm = c.ordered("calm").await?;
        let flood = vec![plain("busy"); 2_000];
        c.publish(&busy, &flood).await?;
        c.send(&calm, &["calm"]).await?;
        let mut spec = c.spec(&busy, "billing");
        spec.destinations.push(calm.as_str().into());
        let mut reader = c.subscribe(c.binder(), &spec).await?;
        let mut before = 0;
        loop {
            let records = reader.some(10).await?;
            reader.done(&records).await?;
            if texts(&records).contains(&"calm".to_owned()) {
                return Ok(());
            }
            before += records.len();
            ensure!(
                before < 1_990,
                "{before} messages of one destination came before one of another"
            );
        }
    })
}
