//! A service on the binder: what cannot be is refused at the start, before the first connection.

use std::sync::Arc;

use mq_core::{clock::Clock, idempotency::MemoryIdempotencyStore};

use super::prelude::*;

/// The application is refused, and the problem names this word.
fn refused_at_start(c: &Context, settings: &str, word: &str) -> Checked {
    let store = Arc::new(MemoryIdempotencyStore::new(Clock::system()));
    let app = c
        .app(
            &[("orders", "unused"), ("invoices", "unused-too")],
            settings,
        )
        .store("seen", store);
    let planned = app
        .processor("orders", "invoices", Calls::new(c).echo())
        .build();
    match planned {
        Ok(_) => Err(Broken::new(format!(
            "the application is accepted, although: {settings}"
        ))),
        Err(problems) => {
            let text = problems.to_string();
            ensure!(
                text.contains(word),
                "the problem does not name `{word}`: {text}"
            );
            Ok(())
        }
    }
}

pub(crate) fn a_filter_is_refused() -> Case {
    Case::new(|c| async move { refused_at_start(&c, "filter = 'a = b'", "filter") })
        .lacks(Capability::Filter)
}

pub(crate) fn an_anonymous_group_is_refused() -> Case {
    Case::new(|c| async move { refused_at_start(&c, "[bindings.orders]\ngroup = 'none'", "group") })
        .lacks(Capability::AnonymousGroups)
}

pub(crate) fn a_start_at_a_position_is_refused() -> Case {
    Case::new(|c| async move { refused_at_start(&c, "start = { position = 7 }", "start") })
        .lacks(Capability::Seek)
}

pub(crate) fn exactly_once_is_refused() -> Case {
    Case::new(|c| async move { refused_at_start(&c, "guarantee = 'exactly_once'", "guarantee") })
        .lacks(Capability::Transactions)
}

pub(crate) fn order_by_partition_is_refused() -> Case {
    Case::new(|c| async move { refused_at_start(&c, "ordering = 'partition'", "ordering") })
        .lacks(Capability::Partitions)
}

pub(crate) fn order_by_key_is_refused() -> Case {
    Case::new(|c| async move { refused_at_start(&c, "ordering = 'key'", "ordering") })
        .lacks(Capability::Partitions)
        .lacks(Capability::KeyOrder)
}

pub(crate) fn giving_back_is_refused() -> Case {
    Case::new(|c| async move { refused_at_start(&c, "exhausted = 'requeue'", "exhausted") })
        .need(Need::Positional)
}

pub(crate) fn idempotency_by_id_is_refused() -> Case {
    Case::new(|c| async move { refused_at_start(&c, "idempotency = 'seen'", "idempotency") })
        .lacks(Capability::StableIds)
}

pub(crate) fn a_delay_longer_than_the_broker_waits_is_refused() -> Case {
    Case::new(|c| async move {
        let Some(limit) = c.capabilities().max_unsettled else {
            return Err(Broken::skip(
                "it does not limit how long a message stays unsettled",
            ));
        };
        let settings = format!(
            "ordering = 'key'\nretry = {{ delayed = ['{}s'] }}",
            limit.as_secs() + 1
        );
        refused_at_start(&c, &settings, "delayed")
    })
}

pub(crate) fn a_service_does_not_start_where_something_is_missing() -> Case {
    Case::new(|c| async move {
        let missing = c.name("missing");
        let app = c.app(&[("orders", &missing)], "provision = 'verify'");
        let starting = app
            .sink("orders", Calls::new(&c).succeed())
            .build()?
            .start();
        match c.within("the refusal", Box::pin(starting)).await? {
            Err(error) => {
                ensure!(
                    error.chain().contains(&missing),
                    "the refusal does not name it: {}",
                    error.chain()
                );
                Ok(())
            }
            Ok(service) => {
                let readiness = service.handle().readiness();
                drop(service);
                ensure!(
                    format!("{readiness:?}").contains(&missing),
                    "it has started, and says: {readiness:?}"
                );
                Ok(())
            }
        }
    })
}

pub(crate) fn a_service_makes_what_it_needs() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (c.name("orders"), c.name("invoices"));
        c.clean_up(&orders);
        c.clean_up(&invoices);
        let app = c.app(&[("orders", &orders), ("invoices", &invoices)], "");
        let service = c
            .start(app.processor("orders", "invoices", Calls::new(&c).echo()))
            .await?;
        let mut printer = c.reader(&invoices, "printing").await?;
        c.send(&orders, &["a"]).await?;
        ensure_eq!(printer.texts(1).await?, ["a"], "the output");
        service.stop().await.map(drop)
    })
}
