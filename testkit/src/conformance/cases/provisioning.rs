//! Creating and verifying destinations and groups.

use mq_core::{binder::DestinationPlan, policy::Provision};

use super::prelude::*;

pub(crate) fn what_is_missing_is_made_once() -> Case {
    Case::new(|c| async move {
        let orders = c.name("orders");
        c.clean_up(&orders);
        let plan = [DestinationPlan::new(&*orders).group(c.name("billing"))];
        let first = c.binder().provision(&plan, Provision::Create).await?;
        ensure!(
            first.created.contains(&orders),
            "the report names what was made: {first:?}"
        );
        let again = c.binder().provision(&plan, Provision::Create).await?;
        ensure!(
            again.created.is_empty() && again.drift.is_empty(),
            "the second time: {again:?}"
        );
        c.send(&orders, &["a"]).await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(1).await?,
            ["a"],
            "what arrived"
        );
        Ok(())
    })
}

pub(crate) fn what_is_there_keeps_its_messages() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.reader(&orders, "billing").await?.close().await?;
        c.send(&orders, &["a"]).await?;
        let plan = [DestinationPlan::new(&*orders).group(c.name("billing"))];
        c.connect()
            .await?
            .provision(&plan, Provision::Create)
            .await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(1).await?,
            ["a"],
            "what was left"
        );
        Ok(())
    })
}

pub(crate) fn a_difference_is_reported_and_left() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned("orders", 2).await?;
        let plan = [DestinationPlan::new(&*orders).partitions(3)];
        let report = c.binder().provision(&plan, Provision::Create).await?;
        let drift: Vec<_> = report
            .drift
            .iter()
            .map(|one| (&*one.destination, one.what, &*one.wanted, &*one.found))
            .collect();
        ensure_eq!(
            drift,
            [(&*orders, "partitions", "3", "2")],
            "the differences"
        );
        let mut reader = c.reader(&orders, "billing").await?;
        while reader.lanes.len() < 2 {
            reader.event(1).await?;
        }
        c.publish(&orders, &[plain("a").partition(1)]).await?;
        ensure_eq!(reader.texts(1).await?, ["a"], "what arrived");
        Ok(())
    })
    .needs(Capability::Partitions)
}

pub(crate) fn verifying_names_everything_that_is_missing() -> Case {
    Case::new(|c| async move {
        let (orders, refunds) = (c.name("orders"), c.name("refunds"));
        let plan = [
            DestinationPlan::new(&*orders),
            DestinationPlan::new(&*refunds),
        ];
        match c.binder().provision(&plan, Provision::Verify).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let text = error.to_string();
                ensure!(
                    text.contains(&orders) && text.contains(&refunds),
                    "not all is named: {text}"
                );
                Ok(())
            }
            other => refused("verifying what is missing", other, &[ErrorKind::NotFound]),
        }
    })
}

pub(crate) fn verifying_makes_nothing() -> Case {
    Case::new(|c| async move {
        let plan = [DestinationPlan::new(c.name("orders"))];
        for _ in 0..2 {
            let verified = c.binder().provision(&plan, Provision::Verify).await;
            refused(
                "verifying what is missing",
                verified,
                &[ErrorKind::NotFound],
            )?;
        }
        Ok(())
    })
}

pub(crate) fn verifying_a_missing_group_is_refused() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let group = c.name("audit");
        let plan = [DestinationPlan::new(&*orders).group(&*group)];
        match c.binder().provision(&plan, Provision::Verify).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                ensure!(
                    error.to_string().contains(&group),
                    "the group is not named: {error}"
                );
                Ok(())
            }
            other => refused("verifying a missing group", other, &[ErrorKind::NotFound]),
        }
    })
}

pub(crate) fn verifying_what_is_there_is_quiet() -> Case {
    Case::new(|c| async move {
        let orders = c.name("orders");
        c.clean_up(&orders);
        let plan = [DestinationPlan::new(&*orders).group(c.name("billing"))];
        c.binder().provision(&plan, Provision::Create).await?;
        let report = c.binder().provision(&plan, Provision::Verify).await?;
        ensure!(
            report.created.is_empty() && report.drift.is_empty(),
            "the report: {report:?}"
        );
        Ok(())
    })
}

pub(crate) fn verifying_a_difference_is_refused() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned("orders", 2).await?;
        let plan = [DestinationPlan::new(&*orders).partitions(3)];
        let verified = c.binder().provision(&plan, Provision::Verify).await;
        refused(
            "verifying another number of partitions",
            verified,
            &[ErrorKind::Config],
        )
    })
    .needs(Capability::Partitions)
}

pub(crate) fn nothing_is_touched_where_that_is_asked_for() -> Case {
    Case::new(|c| async move {
        let plan = [DestinationPlan::new(c.name("orders")).group(c.name("billing"))];
        let report = c.binder().provision(&plan, Provision::None).await?;
        ensure!(
            report.created.is_empty() && report.drift.is_empty(),
            "the report: {report:?}"
        );
        let verified = c.binder().provision(&plan, Provision::Verify).await;
        refused(
            "verifying what should not have been made",
            verified,
            &[ErrorKind::NotFound],
        )
    })
}

pub(crate) fn no_partitions_are_refused() -> Case {
    Case::new(|c| async move {
        let plan = [DestinationPlan::new(c.name("orders")).partitions(0)];
        let made = c.binder().provision(&plan, Provision::Create).await;
        refused(
            "a destination without partitions",
            made,
            &[ErrorKind::Config, ErrorKind::Rejected],
        )
    })
}
