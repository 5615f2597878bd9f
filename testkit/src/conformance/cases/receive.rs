//! Receiving.

use mq_core::binder::Record;
use tokio::time::timeout;

pub(crate) use super::held_to::{
    a_receive_dropped_at_any_wait_loses_nothing, a_waiting_receive_does_not_hold_up_settling,
    who_does_not_receive_for_a_while_keeps_what_it_has,
};
use super::prelude::*;

pub(crate) fn the_first_event_is_an_assignment() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        c.send(&orders, &["a"]).await?;
        let mut consumer = c.binder().consumer(&c.spec(&orders, "billing")).await?;
        let mut records = Vec::new();
        let event = c
            .within("the first event", consumer.receive(&mut records, 10))
            .await??;
        ensure!(
            matches!(event, Event::Assigned(_)),
            "the first event is {event:?}"
        );
        ensure!(
            records.is_empty(),
            "records came with the assignment: {records:?}"
        );
        Ok(())
    })
}

pub(crate) fn no_more_is_handed_over_than_was_asked_for() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.publish(&orders, &spread(&numbered(0..20))).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let mut found = Vec::new();
        for max in [1, 2, 3].into_iter().cycle() {
            let records = reader.some(max).await?;
            found.extend(texts(&records));
            reader.done(&records).await?;
            if found.len() >= 20 {
                break;
            }
        }
        ensure_eq!(
            found,
            numbered(0..20),
            "what was handed over in small parts"
        );
        Ok(())
    })
}

pub(crate) fn records_are_appended_to_what_is_there() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let mut records = Vec::new();
        while records.len() < 2 {
            c.within("a record", reader.consumer.receive(&mut records, 1))
                .await??;
        }
        ensure_eq!(texts(&records), ["a", "b"], "the buffer");
        Ok(())
    })
}

pub(crate) fn a_dropped_receive_loses_nothing() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let (publisher, destination) = (c.clone(), orders.clone());
        let publishing = tokio::spawn(async move {
            for text in numbered(0..50) {
                publisher.publish(&destination, &[plain(&text)]).await?;
            }
            Ok::<_, Broken>(())
        });
        let (begin, mut records) = (Instant::now(), Vec::<Record>::new());
        while records.len() < 50 {
            ensure!(
                begin.elapsed() < c.patience(),
                "{} of 50 messages came",
                records.len()
            );
            // Drops the call again and again, also while messages arrive.
            let receiving = timeout(
                Duration::from_millis(1),
                reader.consumer.receive(&mut records, 7),
            );
            if let Ok(event) = receiving.await {
                event?;
            }
        }
        publishing
            .await
            .map_err(|panic| Broken::new(panic.to_string()))??;
        ensure_eq!(texts(&records), numbered(0..50), "what was received");
        Ok(())
    })
}

pub(crate) fn a_waiting_receive_is_woken_by_a_message() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let later = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            c.send(&orders, &["a"]).await
        };
        let (found, sent) = tokio::join!(reader.texts(1), later);
        sent?;
        ensure_eq!(found?, ["a"], "what was received");
        Ok(())
    })
}

pub(crate) fn receiving_and_settling_go_on_at_the_same_time() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned_if_possible("orders", 3).await?;
        c.publish(&orders, &spread(&numbered(0..100))).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let settler = reader.settler.clone();
        let (sender, mut queue) = tokio::sync::mpsc::channel::<Vec<_>>(100);
        let settling = tokio::spawn(async move {
            while let Some(settlements) = queue.recv().await {
                let unsettled = settler.settle(&settlements).await?;
                ensure!(unsettled.is_empty(), "not settled: {unsettled:?}");
            }
            Ok::<_, Broken>(())
        });
        let mut found = Vec::new();
        while found.len() < 100 {
            let records = reader.some(3).await?;
            found.extend(texts(&records));
            let ends = reader.ends(&records);
            sender
                .send(ends)
                .await
                .map_err(|_| Broken::new("settling has ended early"))?;
        }
        drop(sender);
        settling
            .await
            .map_err(|panic| Broken::new(panic.to_string()))??;
        found.sort();
        ensure_eq!(found, numbered(0..100), "what was received");
        reader.close().await?;
        c.publish(&orders, &[keyed("z", "z")]).await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(1).await?,
            ["z"],
            "what was left"
        );
        Ok(())
    })
}

pub(crate) fn the_window_bounds_what_is_unsettled() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        c.publish(&orders, &spread(&numbered(0..20))).await?;
        let mut spec = c.spec(&orders, "billing");
        spec.window = 3;
        let mut reader = c.subscribe(c.binder(), &spec).await?;
        let (mut unsettled, mut found) = (Vec::new(), 0);
        while found < 20 {
            if unsettled.is_empty() {
                unsettled = reader.some(10).await?;
                found += unsettled.len();
            }
            ensure!(
                unsettled.len() <= 3,
                "{} messages are unsettled, the window is 3",
                unsettled.len()
            );
            let record = unsettled.remove(0);
            reader.done(&[record]).await?;
        }
        Ok(())
    })
    .need(Need::PerMessage)
}

pub(crate) fn a_settlement_wakes_a_reader_whose_window_was_full() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b"]).await?;
        let mut spec = c.spec(&orders, "billing");
        spec.window = 1;
        let mut reader = c.subscribe(c.binder(), &spec).await?;
        let first = reader.next().await?;
        let (settler, end) = (reader.settler.clone(), settlement(&first, Action::Ack));
        let settling = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            settler.settle(&[end]).await
        };
        let (next, settled) = tokio::join!(reader.next(), settling);
        ensure!(settled?.is_empty(), "the settlement did not take effect");
        ensure_eq!(text(&next?), "b", "the next message");
        Ok(())
    })
    .need(Need::PerMessage)
}

pub(crate) fn closing_the_instance_ends_a_waiting_receive() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let other = c.connect().await?;
        let mut reader = c.subscribe(&other, &c.spec(&orders, "billing")).await?;
        let closing = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            other.close().await
        };
        let mut records = Vec::new();
        let receiving = async { tokio::join!(reader.consumer.receive(&mut records, 1), closing) };
        let (event, closed) = c
            .within("the end of `receive`", Box::pin(receiving))
            .await?;
        closed?;
        match event {
            Ok(Event::Ended(error)) => {
                refused::<()>("receiving after `close`", Err(error), &[ErrorKind::Closed])
            }
            other => refused("receiving after `close`", other, &[ErrorKind::Closed]),
        }
    })
}

pub(crate) fn a_paused_lane_is_silent_until_it_is_resumed() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned("orders", 2).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        while reader.lanes.len() < 2 {
            reader.event(1).await?;
        }
        let paused = reader
            .lanes
            .iter()
            .find(|lane| lane.lane.partition == 0)
            .map(|lane| lane.id);
        let paused = [paused.ok_or_else(|| Broken::new("there is no lane of partition 0"))?];
        optional("pausing of lanes", reader.consumer.pause(&paused).await)?;
        c.publish(
            &orders,
            &[plain("paused").partition(0), plain("b").partition(1)],
        )
        .await?;
        ensure_eq!(
            reader.texts(1).await?,
            ["b"],
            "what came while one lane was paused"
        );
        c.publish(&orders, &[plain("c").partition(1)]).await?;
        ensure_eq!(reader.texts(1).await?, ["c"], "what came after that");
        reader.consumer.resume(&paused).await?;
        ensure_eq!(
            reader.texts(1).await?,
            ["paused"],
            "what came after the lane was resumed"
        );
        Ok(())
    })
    .needs(Capability::Partitions)
}

pub(crate) fn what_was_handed_over_before_a_pause_can_be_settled() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let first = reader.next().await?;
        let lanes: Vec<_> = reader.lanes.iter().map(|lane| lane.id).collect();
        optional("pausing of lanes", reader.consumer.pause(&lanes).await)?;
        reader.done(&[first]).await?;
        reader.consumer.resume(&lanes).await?;
        ensure_eq!(reader.texts(1).await?, ["b"], "what came after the pause");
        Ok(())
    })
}

pub(crate) fn a_paused_reader_keeps_its_place_in_the_group() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let lanes: Vec<_> = reader.lanes.iter().map(|lane| lane.id).collect();
        optional("pausing of lanes", reader.consumer.pause(&lanes).await)?;
        c.send(&orders, &["a"]).await?;
        let silent = timeout(Duration::from_millis(200), reader.wait(1)).await;
        ensure!(
            silent.is_err(),
            "something came while all lanes were paused: {silent:?}"
        );
        reader.consumer.resume(&lanes).await?;
        ensure_eq!(reader.texts(1).await?, ["a"], "what came after the pause");
        Ok(())
    })
}
