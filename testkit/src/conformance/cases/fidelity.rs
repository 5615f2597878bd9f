//! What arrives is what was sent.

use mq_core::message::{HeaderValue, Headers};

use super::prelude::*;

/// Sends one message and takes it out again.
async fn travel(c: &Context, message: Message) -> Checked<Message> {
    let orders = c.destination("orders").await?;
    c.publish(&orders, &[message]).await?;
    let mut reader = c.reader(&orders, "billing").await?;
    let record = reader.next().await?;
    reader.done(std::slice::from_ref(&record)).await?;
    Ok(record.message)
}

/// The headers that are not the framework's.
fn own(headers: &Headers) -> Vec<(String, HeaderValue)> {
    let own = headers.iter().filter(|(name, _)| !name.starts_with("mq-"));
    own.map(|(name, value)| (name.to_owned(), value.clone()))
        .collect()
}

/// Sends these headers and compares what arrives.
async fn check_headers(c: &Context, headers: Headers) -> Checked {
    let expected = own(&headers);
    let arrived = travel(c, plain("x").headers(headers)).await?;
    ensure_eq!(own(arrived.as_headers()), expected, "the headers");
    Ok(())
}

pub(crate) fn payloads_arrive_byte_for_byte() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let every_byte: Vec<u8> = (0..=255).collect();
        for payload in [
            b"text".to_vec(),
            every_byte,
            "Zürich ☂".as_bytes().to_vec(),
            vec![0; 3],
        ] {
            c.publish(&orders, &[Message::new(payload.clone())]).await?;
            let record = reader.next().await?;
            ensure_eq!(record.message.as_bytes(), payload.as_slice(), "the payload");
            reader.done(&[record]).await?;
        }
        Ok(())
    })
}

pub(crate) fn an_empty_payload_is_not_a_tombstone() -> Case {
    Case::new(|c| async move {
        let arrived = travel(&c, plain("").key("k")).await?;
        ensure_eq!(
            arrived.as_payload().map(bytes::Bytes::len),
            Some(0),
            "the length of the payload"
        );
        Ok(())
    })
}

pub(crate) fn a_tombstone_arrives_as_one() -> Case {
    Case::new(|c| async move {
        let arrived = travel(&c, Message::tombstone().key("k")).await?;
        ensure!(
            arrived.as_payload().is_none(),
            "a payload came into being: {arrived:?}"
        );
        ensure_eq!(
            arrived.as_key().map(|key| key.to_vec()),
            Some(b"k".to_vec()),
            "the key"
        );
        Ok(())
    })
}

pub(crate) fn a_payload_of_a_mebibyte_arrives() -> Case {
    Case::new(|c| async move {
        let most = c
            .capabilities()
            .max_message
            .map_or(1 << 20, |most| (most / 2).min(1 << 20));
        let payload: Vec<u8> = (0..most).map(|at| (at % 251).to_le_bytes()[0]).collect();
        let arrived = travel(&c, Message::new(payload.clone())).await?;
        ensure!(
            arrived.as_bytes() == payload.as_slice(),
            "{} bytes differ",
            payload.len()
        );
        Ok(())
    })
}

pub(crate) fn keys_arrive_byte_for_byte() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let mut reader = c.reader(&orders, "billing").await?;
        for key in [
            b"k".to_vec(),
            vec![0, 255, 10],
            "Zürich ☂".as_bytes().to_vec(),
            vec![b'k'; 200],
        ] {
            c.publish(&orders, &[plain("x").key(key.clone())]).await?;
            let record = reader.next().await?;
            ensure_eq!(
                record.message.as_key().map(|key| key.to_vec()),
                Some(key),
                "the key"
            );
            reader.done(&[record]).await?;
        }
        Ok(())
    })
}

pub(crate) fn a_message_without_a_key_has_none() -> Case {
    Case::new(|c| async move {
        let arrived = travel(&c, plain("x")).await?;
        ensure!(
            arrived.as_key().is_none(),
            "a key came into being: {:?}",
            arrived.as_key()
        );
        Ok(())
    })
}

pub(crate) fn headers_keep_order_and_repetitions() -> Case {
    Case::new(|c| async move {
        let headers = [("b", "1"), ("a", "2"), ("b", "3"), ("c", "4")];
        check_headers(&c, headers.into_iter().collect()).await
    })
}

pub(crate) fn binary_header_values_arrive() -> Case {
    Case::new(|c| async move {
        let values = [
            ("zero", vec![0]),
            ("not-text", vec![255, 254, 0, 10, 13]),
            ("empty", vec![]),
        ];
        check_headers(&c, values.into_iter().collect()).await
    })
}

pub(crate) fn unicode_headers_arrive() -> Case {
    Case::new(|c| async move {
        let headers = [
            ("straße", "Zürich ☂"),
            ("plain", "日本語"),
            ("q", "\"quoted\" \\ =; ,"),
        ];
        check_headers(&c, headers.into_iter().collect()).await
    })
}

pub(crate) fn header_names_are_case_sensitive() -> Case {
    Case::new(|c| async move {
        let headers = [("name", "1"), ("Name", "2"), ("NAME", "3")];
        check_headers(&c, headers.into_iter().collect()).await
    })
}

pub(crate) fn a_header_of_64_kib_arrives() -> Case {
    Case::new(|c| async move {
        let value: Vec<u8> = (0..65_536_u32)
            .map(|at| (at % 251).to_le_bytes()[0])
            .collect();
        check_headers(&c, [("long", value)].into_iter().collect()).await
    })
}

pub(crate) fn a_hundred_headers_arrive() -> Case {
    Case::new(|c| async move {
        let headers = numbered(0..100)
            .into_iter()
            .map(|one| (format!("h{one}"), one));
        check_headers(&c, headers.collect()).await
    })
}

pub(crate) fn no_header_appears_that_nobody_wrote() -> Case {
    Case::new(|c| async move {
        let arrived = travel(&c, plain("x").key("k").id("7").content_type("text/plain")).await?;
        ensure_eq!(own(arrived.as_headers()), [], "headers");
        Ok(())
    })
}

pub(crate) fn headers_of_the_framework_arrive() -> Case {
    Case::new(|c| async move {
        let arrived = travel(
            &c,
            plain("x")
                .header("mq-attempt", "3")
                .header("mq-original-group", "g"),
        )
        .await?;
        let found = ["mq-attempt", "mq-original-group"]
            .map(|name| arrived.as_headers().text(name).map(str::to_owned));
        ensure_eq!(
            found,
            [Some("3".to_owned()), Some("g".to_owned())],
            "the headers"
        );
        Ok(())
    })
}

pub(crate) fn the_content_type_arrives() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let mut reader = c.reader(&orders, "billing").await?;
        for content_type in [
            "application/json",
            "text/plain; charset=utf-8",
            "application/vnd.shop.order+avro",
        ] {
            let sent = plain("x").content_type(content_type);
            c.publish(&orders, std::slice::from_ref(&sent)).await?;
            let record = reader.next().await?;
            ensure_eq!(
                record.message.as_content_type(),
                sent.as_content_type(),
                "the content type"
            );
            reader.done(&[record]).await?;
        }
        Ok(())
    })
}

pub(crate) fn a_message_without_a_content_type_has_none() -> Case {
    Case::new(|c| async move {
        let arrived = travel(&c, plain("x")).await?;
        ensure!(
            arrived.as_content_type().is_none(),
            "a content type came into being: {arrived:?}"
        );
        Ok(())
    })
}

pub(crate) fn the_id_arrives() -> Case {
    Case::new(|c| async move {
        let sent = plain("x").id("order-7/ü");
        let arrived = travel(&c, sent.clone()).await?;
        ensure_eq!(arrived.as_id(), sent.as_id(), "the id");
        Ok(())
    })
}

pub(crate) fn the_timestamp_arrives_to_the_millisecond() -> Case {
    Case::new(|c| async move {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let arrived = travel(&c, plain("x").timestamp(time)).await?;
        ensure_eq!(arrived.as_timestamp(), Some(time), "the timestamp");
        Ok(())
    })
}

pub(crate) fn correlation_and_reply_address_arrive() -> Case {
    Case::new(|c| async move {
        let arrived = travel(
            &c,
            plain("x")
                .correlation_id(vec![1_u8, 0, 255])
                .reply_to("replies"),
        )
        .await?;
        let properties = arrived.properties();
        ensure_eq!(
            properties.correlation_id.as_deref(),
            Some(&[1_u8, 0, 255][..]),
            "the correlation id"
        );
        ensure_eq!(
            properties.reply_to.as_deref(),
            Some("replies"),
            "the reply address"
        );
        Ok(())
    })
}

pub(crate) fn the_trace_context_arrives() -> Case {
    Case::new(|c| async move {
        let headers = [
            (
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ),
            ("tracestate", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
            ("baggage", "userId=alice,serverNode=DF%2028"),
        ];
        check_headers(&c, headers.into_iter().collect()).await
    })
}

pub(crate) fn every_group_gets_the_same_message() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        c.provide(&orders, "shipping").await?;
        let sent = keyed("k", "x")
            .header("h", vec![0, 255])
            .id("7")
            .content_type("text/plain");
        c.publish(&orders, &[sent]).await?;
        let mut seen = Vec::new();
        for group in ["billing", "shipping"] {
            let message = c.reader(&orders, group).await?.next().await?.message;
            let parts = (
                message.as_payload().cloned(),
                message.as_key().cloned(),
                own(message.as_headers()),
            );
            seen.push((
                parts,
                message.as_id().cloned(),
                message.as_content_type().cloned(),
            ));
        }
        ensure_eq!(seen[0], seen[1], "the message of the second group");
        Ok(())
    })
}

pub(crate) fn a_redelivered_message_is_unchanged() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let sent = keyed("k", "x")
            .header("h", vec![0, 255])
            .id("7")
            .content_type("text/plain");
        c.publish(&orders, &[sent]).await?;
        let first = c.reader(&orders, "billing").await?.next().await?.message;
        let second = c.reader(&orders, "billing").await?.next().await?.message;
        ensure_eq!(
            own(second.as_headers()),
            own(first.as_headers()),
            "the headers"
        );
        ensure_eq!(
            (second.as_payload(), second.as_key()),
            (first.as_payload(), first.as_key()),
            "payload and key"
        );
        ensure_eq!(
            (second.as_id(), second.as_content_type()),
            (first.as_id(), first.as_content_type()),
            "id and content type"
        );
        Ok(())
    })
}

pub(crate) fn a_message_has_an_id_that_redelivery_keeps() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        c.send(&orders, &["a"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let first = reader.next().await?;
        reader.close().await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let second = reader.next().await?;
        let ids = (first.message.as_id(), second.message.as_id());
        ensure_eq!(ids.1, ids.0, "the id of the second delivery");
        // Without an id of its own the framework makes one from destination, partition and position.
        ensure!(
            ids.0.is_some() || first.position == second.position,
            "neither id nor position is kept"
        );
        Ok(())
    })
    .needs(Capability::StableIds)
}
