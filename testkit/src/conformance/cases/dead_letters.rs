//! Dead letters that the broker moves by itself.

use mq_core::message::names;

use super::prelude::*;

/// Has the first message of a group moved; returns where dead letters go.
async fn bury(c: &Context, orders: &str, reader: &mut Reader) -> Checked<String> {
    let letters = format!("{orders}.{}.dlq", c.name("billing"));
    c.expect_letters(&letters);
    c.provide_for_letters().await?;
    let record = reader.next().await?;
    let settled = reader
        .settle(
            &record,
            Action::DeadLetter {
                reason: "broken".into(),
            },
        )
        .await?;
    ensure!(settled.is_ok(), "it was not moved: {settled:?}");
    Ok(letters)
}

pub(crate) fn a_dead_letter_is_moved_with_everything() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let sent = keyed("k", "a")
            .header("mine", vec![0, 255])
            .content_type("text/plain");
        c.publish(&orders, std::slice::from_ref(&sent)).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let letters = bury(&c, &orders, &mut reader).await?;
        let letter = c.reader(&letters, "mending").await?.next().await?.message;
        ensure_eq!(
            (letter.as_payload(), letter.as_key()),
            (sent.as_payload(), sent.as_key()),
            "payload and key"
        );
        ensure_eq!(
            letter.as_headers().get("mine"),
            sent.as_headers().get("mine"),
            "its own header"
        );
        ensure_eq!(
            letter.as_content_type(),
            sent.as_content_type(),
            "the content type"
        );
        let group = c.name("billing");
        let origin = [
            (names::ORIGINAL_DESTINATION, &*orders),
            (names::ORIGINAL_GROUP, &*group),
            (names::ERROR_REASON, "broken"),
        ];
        for (name, value) in origin {
            ensure_eq!(
                letter.as_headers().text(name),
                Some(value),
                "header `{name}`"
            );
        }
        Ok(())
    })
    .needs(Capability::DeadLetter)
}

pub(crate) fn a_dead_letter_is_done_with_at_its_source() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        c.send(&orders, &["a", "b"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        bury(&c, &orders, &mut reader).await?;
        reader.close().await?;
        ensure_eq!(
            c.reader(&orders, "billing").await?.texts(1).await?,
            ["b"],
            "what was left"
        );
        Ok(())
    })
    .needs(Capability::DeadLetter)
}

pub(crate) fn a_dead_letter_of_one_group_stays_with_the_other() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let mut other = c.reader(&orders, "shipping").await?;
        c.send(&orders, &["a"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        bury(&c, &orders, &mut reader).await?;
        ensure_eq!(other.texts(1).await?, ["a"], "what the other group got");
        Ok(())
    })
    .needs(Capability::DeadLetter)
}
