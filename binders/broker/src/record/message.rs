//! A published message as a record.
//!
//! | at | bytes | |
//! |---:|---:|---|
//! | 0 | 4 | length of the record |
//! | 4 | 4 | CRC-32C of everything behind it |
//! | 8 | 1 | kind |
//! | 9 | 1 | marks: payload, key, due time, end, timestamp |
//! | 10 | 1 | content type: none, JSON, text, bytes, in the extras |
//! | 11 | 1 | priority, 255 where there is none |
//! | 12 | 4 | destination |
//! | 16 | 4 | partition |
//! | 20 | 4 | length of the key |
//! | 24 | 4 | length of the extras |
//! | 28 | 4 | the producer's epoch |
//! | 32 | 8 | hash of the key, 0 without one |
//! | 40 | 8 | timestamp, nanoseconds since the Unix epoch |
//! | 48 | 8 | not to be delivered before |
//! | 56 | 8 | not to be handled after |
//! | 64 | 8 | producer, 0 without one |
//! | 72 | 8 | the producer's number of the message |
//! | 80 | | key, extras, payload |
//!
//! The extras are fields of one byte (which), four bytes (length) and the value, in order.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use mq_core::message::{ContentType, HeaderValue, Headers, Message, MessageId, Properties};

use super::{
    kind,
    read::{Fields, Malformed},
};
use crate::journal::frame::{u32_at, u64_at};

/// Bytes before key, extras and payload.
const HEAD: usize = 80;

const PAYLOAD: u8 = 1;
const KEY: u8 = 2;
const DUE: u8 = 4;
const END: u8 = 8;
const STAMP: u8 = 16;

const CONTENT_TYPE: u8 = 1;
const ID: u8 = 2;
const CORRELATION: u8 = 3;
const REPLY_TO: u8 = 4;
/// A header: the value is the name's length (4 bytes), the name, the value.
const HEADER: u8 = 5;

const NO_PRIORITY: u8 = u8::MAX;

/// Where a message goes, and as whose.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Target {
    pub(crate) destination: u32,
    pub(crate) partition: u32,
    /// The hash of its key; 0 without one.
    pub(crate) key: u64,
    /// 0 without one.
    pub(crate) producer: u64,
    pub(crate) sequence: u64,
    /// Which opening of the producer it is of; 0 before format 3.
    pub(crate) epoch: u32,
}

/// What the state needs to know of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PublishHead {
    pub(crate) target: Target,
    pub(crate) due: Option<u64>,
    /// When its time is up.
    pub(crate) end: Option<u64>,
    pub(crate) len: u32,
}

impl PublishHead {
    /// Reads the head of a record of the kind [`kind::PUBLISH`].
    #[inline]
    pub(crate) fn read(record: &[u8]) -> Result<Self, Malformed> {
        let head = head(record)?;
        let due = u64_at(head, 48);
        Ok(Self {
            target: Target {
                destination: u32_at(head, 12),
                partition: u32_at(head, 16),
                key: u64_at(head, 32),
                producer: u64_at(head, 64),
                sequence: u64_at(head, 72),
                epoch: u32_at(head, 28),
            },
            due: (head[9] & DUE != 0).then_some(due),
            end: (head[9] & END != 0).then(|| u64_at(head, 56)),
            len: u32_at(head, 0),
        })
    }
}

fn head(record: &[u8]) -> Result<&[u8], Malformed> {
    record
        .get(..HEAD)
        .ok_or(Malformed("a message is shorter than its head"))
}

/// Whether the record is the one that was written.
pub(crate) fn is_intact(record: &[u8]) -> bool {
    record.len() >= HEAD
        && u32_at(record, 0) as usize == record.len()
        && u32_at(record, 4) == crc32c::crc32c(&record[8..])
}

/// Nanoseconds since the Unix epoch; times before it count as it, and none is later than the year 2554.
pub(crate) fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The time so many nanoseconds after the Unix epoch.
pub(crate) fn time(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

/// Bytes that the record of a message takes at most.
pub(crate) fn size(message: &Message) -> usize {
    let extras = if message.is_plain() {
        0
    } else {
        message.as_headers().size() + message.as_headers().len() * 9 + 64 + {
            let properties = message.properties();
            properties.correlation_id.as_ref().map_or(0, Bytes::len)
                + properties.reply_to.as_ref().map_or(0, |to| to.len())
        }
    };
    let id = match message.as_id() {
        Some(MessageId::Text(text)) => text.len() + 5,
        Some(MessageId::Derived(_)) => 37,
        None => 0,
    };
    let content = message
        .as_content_type()
        .map_or(0, |kind| kind.as_str().len() + 5);
    HEAD + message.size() + extras + id + content
}

/// Appends a message.
pub(crate) fn encode(buffer: &mut Vec<u8>, message: &Message, target: &Target) {
    let start = buffer.len();
    buffer.reserve(size(message));
    buffer.extend_from_slice(&[0; HEAD]);
    if let Some(key) = message.as_key() {
        buffer.extend_from_slice(key);
    }
    let extras = buffer.len();
    let content = write_content_type(buffer, message);
    write_extras(buffer, message);
    let extras = buffer.len() - extras;
    buffer.extend_from_slice(message.as_bytes());
    let properties = message.properties();
    let mut head = [0; HEAD];
    head[8] = kind::PUBLISH;
    head[9] = marks(message);
    head[10] = content;
    head[11] = properties.priority.unwrap_or(NO_PRIORITY);
    head[12..16].copy_from_slice(&target.destination.to_le_bytes());
    head[16..20].copy_from_slice(&target.partition.to_le_bytes());
    let key = message.as_key().map_or(0, Bytes::len);
    head[20..24].copy_from_slice(&narrow(key).to_le_bytes());
    head[24..28].copy_from_slice(&narrow(extras).to_le_bytes());
    head[28..32].copy_from_slice(&target.epoch.to_le_bytes());
    head[32..40].copy_from_slice(&target.key.to_le_bytes());
    let times = [
        message.as_timestamp(),
        properties.deliver_at,
        properties.expires_at,
    ];
    for (time, place) in times.into_iter().zip([40, 48, 56]) {
        let time = time.map_or(0, nanos);
        head[place..place + 8].copy_from_slice(&time.to_le_bytes());
    }
    head[64..72].copy_from_slice(&target.producer.to_le_bytes());
    head[72..80].copy_from_slice(&target.sequence.to_le_bytes());
    head[0..4].copy_from_slice(&narrow(buffer.len() - start).to_le_bytes());
    let record = &mut buffer[start..];
    record[..HEAD].copy_from_slice(&head);
    let crc = crc32c::crc32c(&record[8..]);
    record[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// Lengths were checked against the largest message before.
fn narrow(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn marks(message: &Message) -> u8 {
    let properties = message.properties();
    let marks = [
        (message.as_payload().is_some(), PAYLOAD),
        (message.as_key().is_some(), KEY),
        (properties.deliver_at.is_some(), DUE),
        (properties.expires_at.is_some(), END),
        (message.as_timestamp().is_some(), STAMP),
    ];
    marks
        .into_iter()
        .filter_map(|(is, mark)| is.then_some(mark))
        .sum()
}

const OTHER: u8 = 4;

fn write_content_type(buffer: &mut Vec<u8>, message: &Message) -> u8 {
    let Some(content) = message.as_content_type() else {
        return 0;
    };
    let known = [ContentType::JSON, ContentType::TEXT, ContentType::BYTES];
    match (1..).zip(&known).find(|(_, known)| *known == content) {
        Some((number, _)) => number,
        None => {
            field(buffer, CONTENT_TYPE, &[content.as_str().as_bytes()]);
            OTHER
        }
    }
}

fn write_extras(buffer: &mut Vec<u8>, message: &Message) {
    if let Some(id) = message.as_id() {
        field(buffer, ID, &[&id.to_bytes()]);
    }
    if message.is_plain() {
        return;
    }
    let properties = message.properties();
    if let Some(id) = &properties.correlation_id {
        field(buffer, CORRELATION, &[id]);
    }
    if let Some(to) = &properties.reply_to {
        field(buffer, REPLY_TO, &[to.as_bytes()]);
    }
    for (name, value) in message.as_headers().iter() {
        let len = narrow(name.len()).to_le_bytes();
        field(buffer, HEADER, &[&len, name.as_bytes(), value.as_bytes()]);
    }
}

fn field(buffer: &mut Vec<u8>, which: u8, parts: &[&[u8]]) {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    buffer.push(which);
    buffer.extend_from_slice(&narrow(len).to_le_bytes());
    for part in parts {
        buffer.extend_from_slice(part);
    }
}

/// The message in a record; payload, key and values are parts of the record's own bytes.
pub(crate) fn decode(record: &Bytes) -> Result<Message, Malformed> {
    let head = head(record)?;
    let key = HEAD + u32_at(head, 20) as usize;
    let extras = key + u32_at(head, 24) as usize;
    if extras > record.len() {
        return Err(Malformed("a message is shorter than its parts"));
    }
    let marks = head[9];
    let payload = (marks & PAYLOAD != 0).then(|| record.slice(extras..));
    let mut message = begin(payload, head[10]);
    if marks & KEY != 0 {
        message = message.key(record.slice(HEAD..key));
    }
    if marks & STAMP != 0 {
        message = message.timestamp(time(u64_at(head, 40)));
    }
    if marks & (DUE | END) != 0 || head[11] != NO_PRIORITY {
        read_wishes(head, message.properties_mut());
    }
    if extras > key {
        message = read_extras(record, key, extras, message)?;
    }
    Ok(message)
}

/// A message with what nearly every one has.
fn begin(payload: Option<Bytes>, content: u8) -> Message {
    let content = match content {
        1 => ContentType::JSON,
        2 => ContentType::TEXT,
        3 => ContentType::BYTES,
        _ => return payload.map_or_else(Message::tombstone, Message::new),
    };
    match payload {
        Some(payload) => Message::of_type(payload, content),
        None => Message::tombstone().content_type(content),
    }
}

fn read_wishes(head: &[u8], properties: &mut Properties) {
    let marks = head[9];
    properties.deliver_at = (marks & DUE != 0).then(|| time(u64_at(head, 48)));
    properties.expires_at = (marks & END != 0).then(|| time(u64_at(head, 56)));
    properties.priority = (head[11] != NO_PRIORITY).then_some(head[11]);
}

fn read_extras(
    record: &Bytes,
    from: usize,
    to: usize,
    mut message: Message,
) -> Result<Message, Malformed> {
    let mut headers = Headers::new();
    let mut fields = Fields(&record[from..to]);
    while !fields.is_empty() {
        let which = fields.u8()?;
        let value = fields.long()?;
        match which {
            CONTENT_TYPE => message = message.content_type(text(value)?),
            ID => message = message.id(MessageId::from_text(record.slice_ref(value))),
            CORRELATION => message = message.correlation_id(record.slice_ref(value)),
            REPLY_TO => message = message.reply_to(text(value)?),
            HEADER => {
                let mut fields = Fields(value);
                let name = text(fields.long()?)?.to_owned();
                let value = HeaderValue::from(record.slice_ref(fields.0));
                headers.append(Cow::Owned(name), value);
            }
            _ => return Err(Malformed("a message has a field of a later version")),
        }
    }
    Ok(if headers.is_empty() {
        message
    } else {
        message.headers(headers)
    })
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed("a text of a message is not UTF-8"))
}

#[cfg(test)]
mod tests;
