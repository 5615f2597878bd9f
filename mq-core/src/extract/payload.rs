//! Payloads: JSON, text, bytes, or whatever the content type says.

use std::{
    future::Future,
    ops::{Deref, DerefMut},
};

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::{Extract, Preparation};
use crate::{
    codec::{Codecs, Undecodable, json},
    error::Result,
    message::{ContentType, Message},
    outcome::{Decision, Failure},
};

/// A payload, as batches hand it over.
pub trait PayloadValue: Extract {
    /// Whether [`read`](Self::read) makes it; then the payloads of a batch are read without a look at their deliveries.
    const FROM_MESSAGE: bool = false;

    /// What is inside.
    type Value: Send;

    /// Reads it from a message, as [`extract`](Extract::extract) would. Only called where [`FROM_MESSAGE`](Self::FROM_MESSAGE) says
    /// so.
    ///
    /// # Errors
    /// The failure is the outcome of the attempt for this message.
    fn read(prepared: &Self::Prepared, message: &Message) -> Result<Self, Failure> {
        let _ = (prepared, message);
        Err(Failure::retry("this payload is not read from the message alone").kind("parameter"))
    }

    /// The value inside.
    fn value(&self) -> &Self::Value;

    /// The value itself.
    fn into_value(self) -> Self::Value;
}

/// A value that a payload can be read into: all that implement `serde::Deserialize` and own what they hold.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a payload",
    label = "`{Self}` does not implement `serde::Deserialize`",
    note = "derive `serde::Deserialize`: `#[derive(serde::Deserialize)]` before `{Self}`, which owns what it holds",
    note = "types of other crates have it where their feature `serde` is on"
)]
pub trait Decode: DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> Decode for T {}

/// A JSON payload. As a return value, a message with a JSON payload.
///
/// A message without a content type is taken for JSON; another content type, a tombstone or bad JSON is *undecodable*: the message
/// goes to the dead letters at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Json<T>(pub T);

/// A UTF-8 text payload, of any content type. As a return value, a `text/plain` message.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(pub String);

/// A payload read by the codec of its content type. As a return value, a JSON message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Payload<T>(pub T);

/// Payloads that are read from the message alone, one at a time or many.
macro_rules! from_message {
    (|$prepared:pat_param, $message:pat_param| $value:expr) => {
        const FROM_MESSAGE: bool = true;

        #[inline(always)]
        fn read($prepared: &Self::Prepared, $message: &Message) -> Result<Self, Failure> {
            $value
        }
    };
}

macro_rules! wrapper {
    ($name:ident <$t:ident> , $inner:ty, $read:path) => {
        impl<$t> Deref for $name<$t> {
            type Target = $inner;
            fn deref(&self) -> &$inner {
                &self.0
            }
        }

        impl<$t> DerefMut for $name<$t> {
            fn deref_mut(&mut self) -> &mut $inner {
                &mut self.0
            }
        }

        impl<$t: Decode + Send> PayloadValue for $name<$t> {
            type Value = $inner;

            from_message!(|prepared, message| $read(prepared, message).map(Self));

            fn value(&self) -> &$inner {
                &self.0
            }
            fn into_value(self) -> $inner {
                self.0
            }
        }
    };
}

wrapper!(Json<T>, T, read_json);
wrapper!(Payload<T>, T, read_payload);

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl PayloadValue for Text {
    type Value = String;

    from_message!(|(), message| read_text(message).map(Self));

    fn value(&self) -> &String {
        &self.0
    }
    fn into_value(self) -> String {
        self.0
    }
}

impl PayloadValue for Bytes {
    type Value = Self;

    from_message!(|(), message| some(message).cloned());

    fn value(&self) -> &Self {
        self
    }
    fn into_value(self) -> Self {
        self
    }
}

impl<T: Decode + Send> Extract for Json<T> {
    const PAYLOAD: bool = true;
    type Prepared = ();

    fn prepare(_: &mut Preparation<'_>) -> Result<()> {
        Ok(())
    }

    at_once!(|(), delivery| Self::read(&(), delivery.message()));
}

#[inline(always)]
fn read_json<T: Decode>((): &(), message: &Message) -> Result<T, Failure> {
    if !message.is_json() {
        return Err(not_typed_json(message));
    }
    json(some(message)?).map_err(not_json)
}

#[cold]
fn not_typed_json(message: &Message) -> Failure {
    let found = message.as_content_type();
    wrong_type("application/json", found.unwrap_or(&ContentType::BYTES))
}

#[cold]
fn not_json(error: serde_json::Error) -> Failure {
    bad("payload is not the JSON expected", error)
}

impl<T: Decode + Send> Extract for Payload<T> {
    const PAYLOAD: bool = true;
    type Prepared = Codecs;

    fn prepare(start: &mut Preparation<'_>) -> Result<Codecs> {
        Ok(start.codecs().clone())
    }

    at_once!(|codecs, delivery| Self::read(codecs, delivery.message()));
}

fn read_payload<T: Decode>(codecs: &Codecs, message: &Message) -> Result<T, Failure> {
    let codec = codecs
        .find(message.as_content_type())
        .map_err(|error| undecodable(&error))?;
    let mut value = None;
    let read = codec.decode(some(message)?, &mut |deserializer| {
        value = Some(erased_serde::deserialize(deserializer)?);
        Ok(())
    });
    read.map_err(|error| bad("payload cannot be decoded", error))?;
    value.ok_or_else(|| undecodable(&Undecodable::new("the codec has read no value")))
}

#[diagnostic::do_not_recommend]
impl Extract for Text {
    const PAYLOAD: bool = true;
    type Prepared = ();

    fn prepare(_: &mut Preparation<'_>) -> Result<()> {
        Ok(())
    }

    at_once!(|(), delivery| Self::read(&(), delivery.message()));
}

#[diagnostic::do_not_recommend]
impl Extract for Bytes {
    const PAYLOAD: bool = true;
    type Prepared = ();

    fn prepare(_: &mut Preparation<'_>) -> Result<()> {
        Ok(())
    }

    at_once!(|(), delivery| Self::read(&(), delivery.message()));
}

fn read_text(message: &Message) -> Result<String, Failure> {
    let text = std::str::from_utf8(some(message)?);
    text.map(str::to_owned)
        .map_err(|error| bad("payload is not UTF-8 text", error))
}

#[inline(always)]
fn some(message: &Message) -> Result<&Bytes, Failure> {
    message.as_payload().ok_or_else(absent)
}

#[cold]
fn absent() -> Failure {
    undecodable(&Undecodable::new(
        "message has no payload (a tombstone); take `Option<…>` to see tombstones",
    ))
}

#[cold]
fn wrong_type(wanted: &str, found: &ContentType) -> Failure {
    undecodable(&Undecodable::new(format!(
        "content type is `{found}`, not `{wanted}`"
    )))
}

fn bad(what: &str, error: impl std::fmt::Display) -> Failure {
    undecodable(&Undecodable::new(format!("{what}: {error}")))
}

/// A failure that is never retried.
pub(crate) fn undecodable(error: &Undecodable) -> Failure {
    Failure::retry(error.to_string())
        .decide(Decision::DeadLetter)
        .kind("undecodable")
}
