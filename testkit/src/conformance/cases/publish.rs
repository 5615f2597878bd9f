//! Publishing: confirmed or reported, in order, and nowhere else.

use std::sync::Arc;

use mq_core::{binder::Producer, error::Result};

use super::prelude::*;

pub(crate) fn one_message_arrives() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let mut reader = c.reader(&orders, "billing").await?;
        c.send(&orders, &["a"]).await?;
        ensure_eq!(reader.texts(1).await?, ["a"], "what was received");
        Ok(())
    })
}

pub(crate) fn messages_of_one_call_arrive_in_order() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let numbers = numbered(0..200);
        let messages: Vec<_> = numbers.iter().map(|one| keyed("k", one)).collect();
        let mut reader = c.reader(&orders, "billing").await?;
        c.publish(&orders, &messages).await?;
        ensure_eq!(reader.texts(200).await?, numbers, "the order of arrival");
        Ok(())
    })
}

pub(crate) fn overlapping_calls_are_stored_in_the_order_in_which_they_began() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let producer = c.producer(&orders).await?;
        let messages: Vec<_> = numbered(0..4).iter().map(|one| [keyed("k", one)]).collect();
        let calls = async {
            tokio::join!(
                producer.publish(&messages[0]),
                producer.publish(&messages[1]),
                producer.publish(&messages[2]),
                producer.publish(&messages[3]),
            )
        };
        c.within("the confirmations", Box::pin(calls)).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        ensure_eq!(
            reader.texts(4).await?,
            numbered(0..4),
            "the order of arrival"
        );
        Ok(())
    })
}

pub(crate) fn a_result_for_each_message() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let producer = c.producer(&orders).await?;
        for count in [0, 1, 2, 100] {
            let messages = vec![Message::new("x"); count];
            let results = c.within("the results", producer.publish(&messages)).await?;
            ensure_eq!(
                results.len(),
                count,
                "results of a call with {count} messages"
            );
            ensure!(
                results.iter().all(Result::is_ok),
                "a message was not stored: {results:?}"
            );
        }
        Ok(())
    })
}

pub(crate) fn concurrent_producers_lose_nothing() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned_if_possible("orders", 4).await?;
        let mut tasks = tokio::task::JoinSet::new();
        for producer in 0..4 {
            let (c, orders) = (c.clone(), orders.clone());
            tasks.spawn(async move {
                let texts = numbered(producer * 50..producer * 50 + 50);
                c.publish(&orders, &spread(&texts)).await
            });
        }
        while let Some(published) = tasks.join_next().await {
            published.map_err(|panic| Broken::new(panic.to_string()))??;
        }
        let mut reader = c.reader(&orders, "billing").await?;
        ensure_eq!(
            reader.sorted(200).await?,
            numbered(0..200),
            "what arrived of four producers"
        );
        Ok(())
    })
}

pub(crate) fn one_producer_serves_many_tasks() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let producer = c.producer(&orders).await?;
        let mut tasks = tokio::task::JoinSet::new();
        for text in numbered(0..50) {
            let producer = producer.clone();
            tasks.spawn(async move { producer.publish(&[plain(&text)]).await.remove(0) });
        }
        while let Some(published) = tasks.join_next().await {
            published.map_err(|panic| Broken::new(panic.to_string()))??;
        }
        let mut reader = c.reader(&orders, "billing").await?;
        ensure_eq!(
            reader.sorted(50).await?,
            numbered(0..50),
            "what arrived of fifty tasks"
        );
        Ok(())
    })
}

pub(crate) fn a_message_may_name_its_own_destination() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let other = c.ordered("other").await?;
        let messages = [plain("a"), plain("b").destination(&*other), plain("c")];
        c.publish(&orders, &messages).await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(2).await?,
            ["a", "c"],
            "what went the usual way"
        );
        ensure_eq!(
            c.reader(&other, "billing").await?.texts(1).await?,
            ["b"],
            "what named its destination"
        );
        Ok(())
    })
}

pub(crate) fn a_receipt_says_where_the_message_is() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let receipts = c.publish(&orders, &[plain("a"), plain("b")]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        for (receipt, record) in receipts.iter().zip(reader.take(2).await?) {
            ensure!(
                receipt.partition.is_none_or(|one| one == 0),
                "a wrong partition: {receipt:?}"
            );
            if !c.capabilities().settles_each() {
                ensure_eq!(
                    receipt.position,
                    Some(record.position),
                    "the position on the receipt"
                );
            }
        }
        let positions: Vec<_> = receipts.iter().map(|receipt| receipt.position).collect();
        ensure!(
            positions[0] < positions[1] || positions[0].is_none(),
            "positions do not grow: {positions:?}"
        );
        Ok(())
    })
}

pub(crate) fn a_closed_instance_publishes_nothing() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let other = c.connect().await?;
        let producer = other.producer(&ProducerSpec::new(&*orders)).await?;
        other.close().await?;
        let results = c
            .within("the result", producer.publish(&[plain("a")]))
            .await?;
        ensure_eq!(results.len(), 1, "results of a call with one message");
        for result in results {
            refused("publishing after `close`", result, &[ErrorKind::Closed])?;
        }
        c.send(&orders, &["b"]).await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(1).await?,
            ["b"],
            "what arrived"
        );
        Ok(())
    })
}

pub(crate) fn closing_a_producer_waits_for_what_is_on_its_way() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let producer: Arc<dyn Producer> = c.producer(&orders).await?;
        let messages = spread(&numbered(0..100));
        let both = async { tokio::join!(producer.publish(&messages), producer.close()) };
        let (results, closed) = c
            .within("the results and the close", Box::pin(both))
            .await?;
        closed?;
        for result in results {
            result?;
        }
        ensure_eq!(
            c.reader(&orders, "billing").await?.sorted(100).await?,
            numbered(0..100),
            "what arrived"
        );
        Ok(())
    })
}

pub(crate) fn a_dropped_call_leaves_the_producer_usable() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let producer = c.producer(&orders).await?;
        let dropped = [plain("dropped")];
        tokio::select! {
            biased;
            _ = producer.publish(&dropped) => {}
            () = std::future::ready(()) => {}
        }
        c.within("the result", producer.publish(&[plain("z")]))
            .await?
            .remove(0)?;
        let mut reader = c.reader(&orders, "billing").await?;
        // The dropped message may have been stored, and may come first or last.
        let first = reader.texts(1).await?;
        if first == ["dropped"] {
            ensure_eq!(
                reader.texts(1).await?,
                ["z"],
                "what came after the dropped message"
            );
        } else {
            ensure_eq!(first, ["z"], "what arrived");
        }
        Ok(())
    })
}

pub(crate) fn messages_of_many_calls_arrive_in_order() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let producer = c.producer(&orders).await?;
        for text in numbered(0..50) {
            c.within("the result", producer.publish(&[keyed("k", &text)]))
                .await?
                .remove(0)?;
        }
        let mut reader = c.reader(&orders, "billing").await?;
        ensure_eq!(
            reader.texts(50).await?,
            numbered(0..50),
            "the order of arrival"
        );
        Ok(())
    })
}
