//! What is answered.

use base64::{Engine, engine::general_purpose::STANDARD};
use mq_core::{
    binder::Cursor,
    error::{Error, ErrorStatus, Result},
};
use serde_json::{Value, json};

use super::{
    VERSION,
    request::{MOST, Request},
};
use crate::{
    broker::{Broker, Browsed},
    error,
    format::FORMAT,
};

/// A reply to [`Request::Browse`] ends when it has so many bytes of payload.
const REPLY: usize = 1 << 20;

/// The reply to a line.
pub(super) async fn reply(broker: &Broker, line: &[u8]) -> Vec<u8> {
    let answered = match Request::read(line) {
        Ok(request) => answer(broker, request).await,
        Err(error) => Err(error),
    };
    let mut reply = match answered {
        Ok(answer) => json!({"v": VERSION, "ok": answer}),
        Err(error) => refusal(&error),
    }
    .to_string()
    .into_bytes();
    reply.push(b'\n');
    reply
}

/// A reply that something did not work.
pub(super) fn refusal(error: &Error) -> Value {
    let status = match error.status() {
        ErrorStatus::Temporary => "temporary",
        ErrorStatus::Permanent => "permanent",
        ErrorStatus::Fatal => "fatal",
    };
    let kind = error::kind_name(error.kind());
    json!({"v": VERSION, "error": {"kind": kind, "status": status, "message": error.message()}})
}

async fn answer(broker: &Broker, request: Request) -> Result<Value> {
    Ok(match request {
        Request::Status {} => status(broker),
        Request::Destinations {} => destinations(broker),
        Request::Groups { destination } => {
            let groups = broker.groups(&destination)?.into_iter();
            groups
                .map(|group| json!({"name": &*group.name, "members": group.members}))
                .collect()
        }
        Request::Lag { destination, group } => {
            let lag = broker.lag(&destination, &group)?;
            let oldest = lag.oldest.map(|age| age.as_millis() as u64);
            json!({"messages": lag.messages, "oldest_ms": oldest})
        }
        Request::Browse {
            destination,
            cursor,
            max,
            bytes,
        } => browse(broker, &destination, Cursor(cursor), max, bytes).await?,
        Request::Handled {
            destination,
            partition,
            position,
        } => {
            let handled = broker.mark_handled(&destination, partition, position);
            handled.await?;
            json!({})
        }
        Request::Purge { destination } => json!({"removed": broker.purge(&destination).await?}),
        Request::Replay {
            destination,
            group,
            from,
        } => {
            broker.seek(&destination, &group, (&from).into()).await?;
            json!({})
        }
    })
}

fn status(broker: &Broker) -> Value {
    let failure = broker.check().err().map(|error| error.chain());
    json!({
        "pid": std::process::id(),
        "version": env!("CARGO_PKG_VERSION"),
        "format": FORMAT,
        "room": broker.disk_room().name(),
        "free": broker.disk_free(),
        "failure": failure,
    })
}

fn destinations(broker: &Broker) -> Value {
    let all = broker.destinations().into_iter();
    all.map(|one| {
        json!({
            "name": &*one.name,
            "partitions": one.partitions,
            "messages": one.messages,
            "bytes": one.bytes,
            "published": one.published,
        })
    })
    .collect()
}

/// Messages are read one by one: large ones are not in memory together.
async fn browse(
    broker: &Broker,
    destination: &str,
    mut cursor: Cursor,
    max: usize,
    bytes: usize,
) -> Result<Value> {
    if !(1..=MOST.0).contains(&max) || bytes > MOST.1 {
        let text = "a look at messages is at 1 to 100 of them, and at up to 16 MiB of each; change `max` or `bytes`";
        return Err(error::config(text));
    }
    let (mut messages, mut size) = (Vec::new(), 0);
    while messages.len() < max && size < REPLY {
        let one = broker.browse(destination, &mut cursor, 1).await?;
        let Some(one) = one.first() else { break };
        size += one.message.as_bytes().len().min(bytes) + one.message.as_headers().size();
        messages.push(show(one, bytes));
    }
    Ok(json!({"messages": messages, "cursor": cursor.0}))
}

fn show(one: &Browsed, bytes: usize) -> Value {
    let message = &one.message;
    let payload = message.as_payload();
    let part = payload.map(|payload| text(&payload[..payload.len().min(bytes)]));
    let headers = message.as_headers().iter();
    let headers: Vec<Value> = headers
        .map(|(name, value)| json!([name, text(value.as_bytes())]))
        .collect();
    json!({
        "partition": one.partition,
        "position": one.position,
        "handled": one.handled,
        "key": message.as_key().map(|key| text(key)),
        "headers": headers,
        "size": payload.map(bytes::Bytes::len),
        "payload": part,
    })
}

fn text(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!({"text": text}),
        Err(_) => json!({"base64": STANDARD.encode(bytes)}),
    }
}
