//! Order within a key, through redelivery too.

use super::prelude::*;

fn release(after: Duration) -> Action {
    Action::Release { after, attempts: 1 }
}

pub(crate) fn a_key_keeps_its_order_through_a_new_consumer() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned_if_possible("orders", 2).await?;
        let messages = ["k1", "k2", "k3"].map(|text| keyed("k", text));
        c.publish(&orders, &messages).await?;
        let mut first = c.reader(&orders, "billing").await?;
        ensure_eq!(first.texts(1).await?, ["k1"], "what the first consumer got");
        ensure_eq!(text(&first.next().await?), "k2", "what it had unsettled");
        first.close().await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(2).await?,
            ["k2", "k3"],
            "what the next consumer got"
        );
        Ok(())
    })
}

pub(crate) fn a_released_message_comes_before_the_rest_of_its_key() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let messages = ["k1", "k2"].map(|text| keyed("k", text));
        c.publish(&orders, &messages).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let record = reader.next().await?;
        let settled = reader.settle(&record, release(Duration::ZERO)).await?;
        ensure!(
            settled.is_ok(),
            "the release did not take effect: {settled:?}"
        );
        ensure_eq!(
            reader.texts(2).await?,
            ["k1", "k2"],
            "what came after the release"
        );
        Ok(())
    })
    .need(Need::PerMessage)
    .needs(Capability::KeyOrder)
}

pub(crate) fn a_key_waits_while_its_head_is_out_and_others_go_on() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let messages = [
            keyed("k", "k1"),
            keyed("k", "k2"),
            keyed("j", "j1"),
            plain("none"),
        ];
        c.publish(&orders, &messages).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let records = reader.take(3).await?;
        let mut found = texts(&records);
        found.sort();
        ensure_eq!(found, ["j1", "k1", "none"], "what is out at once");
        let head = records.iter().find(|record| text(record) == "k1").cloned();
        reader.done(&head.into_iter().collect::<Vec<_>>()).await?;
        ensure_eq!(
            reader.texts(1).await?,
            ["k2"],
            "what followed the head of the key"
        );
        Ok(())
    })
    .need(Need::PerMessage)
    .needs(Capability::KeyOrder)
}

pub(crate) fn a_key_is_with_one_member_at_a_time() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let mut first = c.reader(&orders, "billing").await?;
        c.publish(&orders, &[keyed("k", "k1")]).await?;
        let head = first.next().await?;
        c.publish(&orders, &[keyed("k", "k2"), keyed("j", "j1")])
            .await?;
        let mut second = c.reader(&orders, "billing").await?;
        ensure_eq!(second.texts(1).await?, ["j1"], "what another member got");
        first.done(&[head]).await?;
        first.close().await?;
        ensure_eq!(
            second.texts(1).await?,
            ["k2"],
            "what it got when the key was free"
        );
        Ok(())
    })
    .need(Need::PerMessage)
    .needs(Capability::KeyOrder)
}

pub(crate) fn a_delayed_message_keeps_its_key_waiting() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let messages = [keyed("k", "k1"), keyed("k", "k2"), keyed("j", "j1")];
        c.publish(&orders, &messages).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let records = reader.take(2).await?;
        let delay = Duration::from_millis(200);
        let begin = Instant::now();
        for record in &records {
            if text(record) == "k1" {
                let settled = reader.settle(record, release(delay)).await?;
                ensure!(
                    settled.is_ok(),
                    "the delay did not take effect: {settled:?}"
                );
            } else {
                reader.done(std::slice::from_ref(record)).await?;
            }
        }
        let again = reader.next().await?;
        ensure_eq!(text(&again), "k1", "what came first of the key");
        ensure!(
            begin.elapsed() >= delay,
            "it was early: after {:?}",
            begin.elapsed()
        );
        reader.done(&[again]).await?;
        ensure_eq!(reader.texts(1).await?, ["k2"], "what came behind it");
        Ok(())
    })
    .need(Need::PerMessage)
    .needs(Capability::KeyOrder)
    .needs(Capability::DelayedRedelivery)
}

pub(crate) fn keys_keep_their_order_while_members_come_and_go() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned_if_possible("orders", 4).await?;
        let mut members = c.members(&orders, "billing", 2).await?;
        let mut arrivals = Vec::new();
        for round in 0..3_u32 {
            let texts = (0..40).map(|one| (format!("k{}", one % 4), format!("{round}{one:02}")));
            let messages: Vec<_> = texts
                .map(|(key, text)| keyed(&key, &text).header("key", key))
                .collect();
            c.publish(&orders, &messages).await?;
            arrivals.extend(members.arrivals(40).await?);
            members.join(c.reader(&orders, "billing").await?);
            members.leave(round as usize).await?.close().await?;
        }
        for key in 0..4 {
            let number = |text: &str| text[1..].parse::<u32>().unwrap_or_default();
            let of_key = arrivals.iter().filter(|(_, text)| number(text) % 4 == key);
            let found: Vec<_> = of_key.map(|(_, text)| text.clone()).collect();
            ensure!(found.is_sorted(), "the order of key k{key}: {found:?}");
        }
        Ok(())
    })
    .need(Need::Any(&[Capability::KeyOrder, Capability::Partitions]))
    .deadline(Duration::from_secs(90))
}
