//! Publishing: what is refused, unconfirmed, too large, or closed under the publisher.

use mq_core::error::Result;

pub(crate) use super::held_to::a_result_belongs_to_its_message;
use super::prelude::*;

pub(crate) fn a_message_that_is_too_large_is_refused_alone() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let most =
            usize::try_from(c.capabilities().max_message.unwrap_or_default()).unwrap_or_default();
        let producer = c.producer(&orders).await?;
        let messages = [plain("a"), Message::new(vec![0; most + 1]), plain("c")];
        let mut results = c.within("the results", producer.publish(&messages)).await?;
        ensure_eq!(results.len(), 3, "results of a call with three messages");
        ensure!(
            results[0].is_ok() && results[2].is_ok(),
            "the others suffer: {results:?}"
        );
        let refusal = results.swap_remove(1);
        ensure!(
            refusal.as_ref().is_err_and(|error| !error.is_temporary()),
            "repeating cannot help: {refusal:?}"
        );
        refused("a message over the limit", refusal, &[ErrorKind::TooLarge])?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(2).await?,
            ["a", "c"],
            "what arrived"
        );
        Ok(())
    })
    .need(Need::MaxMessage)
}

pub(crate) fn the_largest_message_arrives() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let most =
            usize::try_from(c.capabilities().max_message.unwrap_or_default()).unwrap_or_default();
        c.publish(&orders, &[Message::new(vec![7; most])]).await?;
        let record = c.reader(&orders, "billing").await?.next().await?;
        ensure_eq!(
            record.message.as_bytes().len(),
            most,
            "the length of the payload"
        );
        Ok(())
    })
    .need(Need::MaxMessage)
}

pub(crate) fn what_stands_behind_a_failed_message_of_its_key_fails_too() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let producer = c.producer(&orders).await?;
        let messages = [keyed("k", "k1"), keyed("k", "k2"), keyed("j", "j1")];
        c.order(Fault::RefusePublish, &orders).await?;
        let results = c.within("the results", producer.publish(&messages)).await?;
        let temporary = |result: &Result<_>| {
            result
                .as_ref()
                .is_err_and(mq_core::error::Error::is_temporary)
        };
        ensure!(
            temporary(&results[0]),
            "the refused message: {:?}",
            results[0]
        );
        ensure!(
            temporary(&results[1]),
            "the message behind it: {:?}",
            results[1]
        );
        ensure!(
            results[2].is_ok(),
            "the message of another key: {:?}",
            results[2]
        );
        c.publish(&orders, &messages[..2]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        ensure_eq!(
            reader.texts(3).await?,
            ["j1", "k1", "k2"],
            "what arrived after the repetition"
        );
        Ok(())
    })
    .fault(Fault::RefusePublish)
}

pub(crate) fn an_unconfirmed_message_is_an_error_that_may_pass() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let producer = c.producer(&orders).await?;
        c.order(Fault::LoseConfirm, &orders).await?;
        let result = c
            .within("the result", producer.publish(&[plain("a")]))
            .await?
            .remove(0);
        ensure!(
            result
                .as_ref()
                .is_err_and(mq_core::error::Error::is_temporary),
            "not confirmed, but {result:?}"
        );
        c.send(&orders, &["a", "z"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let mut found = reader.texts(2).await?;
        if found == ["a", "a"] {
            found = reader.texts(1).await?;
        }
        ensure_eq!(
            found.last().map(String::as_str),
            Some("z"),
            "the last message"
        );
        Ok(())
    })
    .fault(Fault::LoseConfirm)
}

pub(crate) fn nothing_is_stored_that_was_refused() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let producer = c.producer(&orders).await?;
        c.order(Fault::RefusePublish, &orders).await?;
        let result = c
            .within("the result", producer.publish(&[plain("a")]))
            .await?
            .remove(0);
        ensure!(result.is_err(), "refused, but {result:?}");
        c.send(&orders, &["z"]).await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(1).await?,
            ["z"],
            "the first message there"
        );
        Ok(())
    })
    .fault(Fault::RefusePublish)
}

pub(crate) fn a_message_to_an_unknown_destination_is_stored_or_refused() -> Case {
    Case::new(|c| async move {
        let nowhere = c.name("nowhere");
        c.clean_up(&nowhere);
        let result = match c.binder().producer(&ProducerSpec::new(&*nowhere)).await {
            Ok(producer) => c
                .within("the result", producer.publish(&[plain("a")]))
                .await?
                .remove(0),
            Err(error) => Err(error),
        };
        if result.is_ok() {
            let found = c.reader(&nowhere, "billing").await?.texts(1).await?;
            ensure_eq!(found, ["a"], "what was confirmed");
        }
        Ok(())
    })
}
