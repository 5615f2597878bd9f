//! Cases that a broken binder has asked for.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use mq_core::binder::Record;
use tokio::time::timeout;

use super::prelude::*;

pub(crate) fn a_result_belongs_to_its_message() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let producer = c.producer(&orders).await?;
        c.order(Fault::RefusePublish, &orders).await?;
        let messages = [plain("a"), plain("b")];
        let results = c.within("the results", producer.publish(&messages)).await?;
        ensure_eq!(results.len(), 2, "results of a call with two messages");
        ensure!(
            results[0].is_err() && results[1].is_ok(),
            "the first message was refused, and the second was not: {results:?}"
        );
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(1).await?,
            ["b"],
            "what arrived"
        );
        Ok(())
    })
    .fault(Fault::RefusePublish)
}

pub(crate) fn a_waiting_receive_does_not_hold_up_settling() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let record = reader.next().await?;
        let (settler, ends) = (reader.settler.clone(), reader.ends(&[record]));
        let settling = async {
            // By then the other half waits.
            tokio::time::sleep(Duration::from_millis(20)).await;
            settler.settle(&ends).await
        };
        let settled = tokio::select! {
            settled = c.within("the answer", settling) => settled??,
            event = reader.wait(1) => return Err(Broken::new(format!("something came though all was out: {event:?}"))),
        };
        ensure!(settled.is_empty(), "it did not take effect: {settled:?}");
        Ok(())
    })
}

pub(crate) fn a_group_keeps_a_message_while_nobody_reads() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.provide(&orders, "billing").await?;
        c.send(&orders, &["a"]).await?;
        let record = c.reader(&orders, "billing").await?.next().await?;
        ensure_eq!(text(&record), "a", "what was kept");
        Ok(())
    })
}

pub(crate) fn a_receive_dropped_at_any_wait_loses_nothing() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let sent = numbered(0..20);
        c.publish(&orders, &spread(&sent)).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let (begin, mut records) = (Instant::now(), Vec::<Record>::new());
        for most in [1, 2, 3, 4].into_iter().cycle() {
            if records.len() >= sent.len() {
                break;
            }
            ensure!(
                begin.elapsed() < c.patience(),
                "{} of 20 messages came",
                records.len()
            );
            let receiving = reader.consumer.receive(&mut records, 3);
            if let Ok(Some(event)) = timeout(c.patience(), polls(most, receiving)).await {
                event?;
            }
            tokio::task::yield_now().await;
        }
        ensure_eq!(texts(&records), sent, "what was received");
        Ok(())
    })
}

pub(crate) fn what_is_below_a_settled_message_comes_again() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b", "c"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let records = reader.take(3).await?;
        reader.done(&records[2..]).await?;
        reader.close().await?;
        let again = c.reader(&orders, "billing").await?.next().await?;
        ensure_eq!(text(&again), "a", "what came again");
        Ok(())
    })
    .need(Need::PerMessage)
}

pub(crate) fn who_does_not_receive_for_a_while_keeps_what_it_has() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let record = reader.next().await?;
        // Longer than heartbeats usually are apart, and not longer than a run of the suite can bear.
        tokio::time::sleep(Duration::from_secs(1)).await;
        reader.done(&[record]).await?;
        c.send(&orders, &["b"]).await?;
        ensure_eq!(reader.texts(1).await?, ["b"], "what came after that");
        Ok(())
    })
}

/// The result of a future, if it has one after so many polls; it is dropped where it waits then.
async fn polls<T>(most: u32, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut left) = (pin!(future), most);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => {
            left -= 1;
            if left == 0 {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        }
    })
    .await
}
