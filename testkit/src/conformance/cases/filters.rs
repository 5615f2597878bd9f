//! Filters that the broker applies.

use super::prelude::*;

pub(crate) fn a_filter_lets_through_what_matches() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let mut spec = c.spec(&orders, "billing");
        spec.filter = Some(c.subject().refunds().to_owned());
        let mut reader = c.subscribe(c.binder(), &spec).await?;
        let messages = [
            plain("a").header("type", "sale"),
            plain("b").header("type", "refund"),
            plain("c"),
            plain("d").header("type", "refund"),
        ];
        c.publish(&orders, &messages).await?;
        ensure_eq!(reader.texts(2).await?, ["b", "d"], "what came through");
        Ok(())
    })
    .needs(Capability::Filter)
}

pub(crate) fn what_a_filter_passes_over_is_done_with() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let mut spec = c.spec(&orders, "billing");
        spec.filter = Some(c.subject().refunds().to_owned());
        let mut reader = c.subscribe(c.binder(), &spec).await?;
        let messages = [
            plain("a").header("type", "sale"),
            plain("b").header("type", "refund"),
        ];
        c.publish(&orders, &messages).await?;
        ensure_eq!(reader.texts(1).await?, ["b"], "what came through");
        let group = c.name("billing");
        c.until("nothing is left before the group", || async {
            Ok(c.binder().admin().lag(&orders, &group).await?.messages == 0)
        })
        .await
    })
    .needs(Capability::Filter)
    .needs(Capability::Lag)
}

pub(crate) fn a_filter_of_one_group_does_not_touch_another() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.provide(&orders, "shipping").await?;
        let mut spec = c.spec(&orders, "billing");
        spec.filter = Some(c.subject().refunds().to_owned());
        let mut filtered = c.subscribe(c.binder(), &spec).await?;
        c.publish(&orders, &[plain("a"), plain("b").header("type", "refund")])
            .await?;
        ensure_eq!(
            filtered.texts(1).await?,
            ["b"],
            "what came through the filter"
        );
        ensure_eq!(
            c.reader(&orders, "shipping").await?.texts(2).await?,
            ["a", "b"],
            "what the other group got"
        );
        Ok(())
    })
    .needs(Capability::Filter)
}

pub(crate) fn a_filter_that_cannot_be_read_is_refused() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let mut spec = c.spec(&orders, "billing");
        spec.filter = Some("((( not a filter".to_owned());
        refused(
            "a filter that cannot be read",
            c.binder().consumer(&spec).await,
            &[ErrorKind::Config],
        )
    })
    .needs(Capability::Filter)
}
