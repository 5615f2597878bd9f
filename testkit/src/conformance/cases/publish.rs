//! Publishing.

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
        let numbers: Vec<_> = (0..200).map(|number| number.to_string()).collect();
        let messages: Vec<_> = numbers
            .iter()
            .map(|one| Message::new(one.clone()).key("k"))
            .collect();
        let mut reader = c.reader(&orders, "billing").await?;
        c.publish(&orders, &messages).await?;
        ensure_eq!(reader.texts(200).await?, numbers, "the order of arrival");
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

pub(crate) fn a_closed_instance_publishes_nothing() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let other = c.connect().await?;
        let producer = other.producer(&ProducerSpec::new(&*orders)).await?;
        other.close().await?;
        let results = c
            .within("the result", producer.publish(&[Message::new("a")]))
            .await?;
        ensure_eq!(results.len(), 1, "results of a call with one message");
        for result in results {
            refused("publishing after `close`", result, &[ErrorKind::Closed])?;
        }
        Ok(())
    })
}
