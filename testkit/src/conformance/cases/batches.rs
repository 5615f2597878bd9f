//! A service on the binder: batches.

use mq_core::{
    extract::{Batch, Text},
    message::names,
    outcome::Failure,
};

use super::prelude::*;

/// The texts of a batch.
fn texts_of(batch: &Batch<Text>) -> Vec<String> {
    batch.iter().map(|item| item.payload.0.clone()).collect()
}

pub(crate) fn batches_contain_everything_once() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let seen = calls.clone();
        let listener = move |batch: Batch<Text>| {
            let seen = seen.clone();
            async move {
                texts_of(&batch)
                    .into_iter()
                    .for_each(|text| seen.note(text, u32::try_from(batch.len()).unwrap_or(0)));
            }
        };
        let app = c.app(
            &[("orders", &orders)],
            "ordering = 'none'\nbatch = { max = 10, wait = '20ms' }",
        );
        let service = c.start(app.batch_sink("orders", listener)).await?;
        c.publish(&orders, &spread(&numbered(0..95))).await?;
        calls.reach(95).await?;
        service.stop().await?;
        ensure!(
            calls.all().iter().all(|call| call.attempt <= 10),
            "a batch is too large: {:?}",
            calls.attempts()
        );
        let mut found = calls.texts();
        found.sort();
        ensure_eq!(found, numbered(0..95), "what was handled");
        ensure_eq!(c.left(&orders).await?, [""; 0], "what is left of the input");
        Ok(())
    })
}

pub(crate) fn only_items_that_failed_are_tried_again() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let seen = calls.clone();
        let listener = move |batch: Batch<Text>| {
            let results: Vec<Result<(), Failure>> = batch
                .iter()
                .map(|item| {
                    seen.note(item.payload.0.clone(), item.delivery.attempt());
                    match (&*item.payload.0, item.delivery.attempt()) {
                        ("b", 1) => Err(Failure::retry("not yet")),
                        _ => Ok(()),
                    }
                })
                .collect();
            async move { batch.outcomes(results) }
        };
        let settings = "ordering = 'none'\nbatch = { max = 3, wait = '100ms' }\nretry = { attempts = 2, initial = '1ms' }";
        let service = c
            .start(
                c.app(&[("orders", &orders)], settings)
                    .batch_sink("orders", listener),
            )
            .await?;
        c.send(&orders, &["a", "b", "c"]).await?;
        calls.reach(4).await?;
        service.stop().await?;
        let mut found = calls.attempts();
        found.sort();
        ensure_eq!(found, ["a#1", "b#1", "b#2", "c#1"], "the calls");
        Ok(())
    })
}

pub(crate) fn an_undecodable_item_fails_alone() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let letters = c.dead_letters(&orders);
        let calls = Calls::new(&c);
        let seen = calls.clone();
        let listener = move |batch: Batch<mq_core::extract::Json<u32>>| {
            batch
                .values()
                .for_each(|number| seen.note(number.to_string(), 1));
            async {}
        };
        let settings = "ordering = 'none'\nbatch = { max = 3, wait = '100ms' }";
        let service = c
            .start(
                c.app(&[("orders", &orders)], settings)
                    .batch_sink("orders", listener),
            )
            .await?;
        c.send(&orders, &["1", "not a number", "3"]).await?;
        let letter = c.reader(&letters, "mending").await?.next().await?;
        calls.reach(2).await?;
        service.stop().await?;
        ensure_eq!(
            letter.message.as_headers().text(names::ERROR_REASON),
            Some("undecodable"),
            "the reason"
        );
        let mut found = calls.texts();
        found.sort();
        ensure_eq!(found, ["1", "3"], "what was handled");
        Ok(())
    })
}
