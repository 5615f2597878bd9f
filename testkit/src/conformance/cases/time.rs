//! Delays, expiry and priorities.

use super::prelude::*;

const DELAY: Duration = Duration::from_millis(200);

/// Brokers keep milliseconds.
fn in_millis(time: SystemTime) -> u128 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis())
}

/// The text of the next message, settled; one of `dues` must not come before its time.
///
/// Nothing is said about what comes first: a busy machine may sleep through all of it.
async fn arrivals(reader: &mut Reader, dues: &[(&str, SystemTime)]) -> Checked<Vec<String>> {
    let found = reader.texts(1).await?;
    let now = SystemTime::now();
    for (text, due) in dues {
        let is_early = found.iter().any(|one| one == text) && in_millis(now) < in_millis(*due);
        ensure!(
            !is_early,
            "`{text}` is early by {:?}",
            due.duration_since(now)
        );
    }
    Ok(found)
}

pub(crate) fn a_delayed_message_is_not_early_and_arrives() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let due = SystemTime::now() + DELAY;
        c.publish(&orders, &[plain("later").deliver_at(due), plain("now")])
            .await?;
        let mut found = arrivals(&mut reader, &[("later", due)]).await?;
        found.extend(arrivals(&mut reader, &[("later", due)]).await?);
        found.sort();
        ensure_eq!(found, ["later", "now"], "what arrived");
        Ok(())
    })
    .needs(Capability::DelayedDelivery)
}

pub(crate) fn delays_of_different_length_end_in_their_order() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let now = SystemTime::now();
        let dues = [("long", now + 2 * DELAY), ("short", now + DELAY / 2)];
        let messages = dues.map(|(text, due)| plain(text).deliver_at(due));
        c.publish(&orders, &messages).await?;
        let mut found = arrivals(&mut reader, &dues).await?;
        found.extend(arrivals(&mut reader, &dues).await?);
        found.sort();
        ensure_eq!(found, ["long", "short"], "what arrived");
        Ok(())
    })
    .needs(Capability::DelayedDelivery)
}

pub(crate) fn a_time_in_the_past_delays_nothing() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let past = SystemTime::now() - Duration::from_secs(3_600);
        c.publish(&orders, &[plain("a").deliver_at(past)]).await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(1).await?,
            ["a"],
            "what arrived"
        );
        Ok(())
    })
    .needs(Capability::DelayedDelivery)
}

pub(crate) fn a_delayed_message_waits_while_nobody_reads() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.reader(&orders, "billing").await?.close().await?;
        let due = SystemTime::now() + DELAY;
        c.publish(&orders, &[plain("later").deliver_at(due)])
            .await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(1).await?,
            ["later"],
            "what arrived"
        );
        ensure!(
            in_millis(SystemTime::now()) >= in_millis(due),
            "it was early"
        );
        Ok(())
    })
    .needs(Capability::DelayedDelivery)
}

pub(crate) fn a_delayed_release_is_not_early_and_comes_again() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let record = reader.next().await?;
        let due = SystemTime::now() + DELAY;
        let later = Action::Release {
            after: DELAY,
            attempts: 1,
        };
        let settled = reader.settle(&record, later).await?;
        ensure!(
            settled.is_ok(),
            "the delay did not take effect: {settled:?}"
        );
        let mut found = arrivals(&mut reader, &[("a", due)]).await?;
        found.extend(arrivals(&mut reader, &[("a", due)]).await?);
        found.sort();
        ensure_eq!(found, ["a", "b"], "what arrived");
        Ok(())
    })
    .needs(Capability::DelayedRedelivery)
}

pub(crate) fn a_delayed_release_outlives_the_instance() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a"]).await?;
        let other = c.connect().await?;
        let mut reader = c.subscribe(&other, &c.spec(&orders, "billing")).await?;
        let record = reader.next().await?;
        let begin = Instant::now();
        let settled = reader
            .settle(
                &record,
                Action::Release {
                    after: DELAY,
                    attempts: 1,
                },
            )
            .await?;
        ensure!(
            settled.is_ok(),
            "the delay did not take effect: {settled:?}"
        );
        reader.close().await?;
        other.close().await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(1).await?,
            ["a"],
            "what came again"
        );
        ensure!(
            begin.elapsed() >= DELAY,
            "it was early: after {:?}",
            begin.elapsed()
        );
        Ok(())
    })
    .needs(Capability::DelayedRedelivery)
}

pub(crate) fn the_end_of_a_message_arrives_with_it() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let end = SystemTime::now() + Duration::from_secs(3_600);
        c.publish(&orders, &[plain("a").expires_at(end), plain("b")])
            .await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let found = reader
            .next()
            .await?
            .message
            .properties()
            .expires_at
            .map(in_millis);
        ensure_eq!(found, Some(in_millis(end)), "the end in milliseconds");
        let none = reader.next().await?.message.properties().expires_at;
        ensure!(none.is_none(), "an end came into being: {none:?}");
        Ok(())
    })
    .needs(Capability::Expiry)
}

pub(crate) fn a_higher_priority_comes_first() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        // Where messages go to a group's own queue, the group has to be there.
        c.reader(&orders, "billing").await?.close().await?;
        let priorities = [
            ("none", None),
            ("low", Some(1)),
            ("high", Some(9)),
            ("middle", Some(5)),
        ];
        let messages = priorities.map(|(text, priority)| match priority {
            Some(priority) => plain(text).priority(priority),
            None => plain(text),
        });
        c.publish(&orders, &messages).await?;
        let mut spec = c.spec(&orders, "billing");
        spec.window = 1;
        let mut reader = c.subscribe(c.binder(), &spec).await?;
        ensure_eq!(
            reader.texts(4).await?,
            ["high", "middle", "low", "none"],
            "the order of arrival"
        );
        Ok(())
    })
    .needs(Capability::Priority)
}

pub(crate) fn the_priority_arrives_with_its_message() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.publish(&orders, &[plain("a").priority(7)]).await?;
        let record = c.reader(&orders, "billing").await?.next().await?;
        ensure_eq!(
            record.message.properties().priority,
            Some(7),
            "the priority"
        );
        Ok(())
    })
    .needs(Capability::Priority)
}

pub(crate) fn a_priority_out_of_range_is_refused() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let producer = c.producer(&orders).await?;
        let result = c
            .within("the result", producer.publish(&[plain("a").priority(10)]))
            .await?
            .remove(0);
        refused(
            "priority 10",
            result,
            &[ErrorKind::Rejected, ErrorKind::Config],
        )
    })
    .needs(Capability::Priority)
}
