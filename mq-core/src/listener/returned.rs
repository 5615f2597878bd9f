//! What a listener may return.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;

use super::Replies;
use crate::{
    codec::encode_exact,
    extract::{Json, Payload, Text},
    message::{HeaderValue, Message, Plain},
    outcome::{Failure, IntoFailure, Outcome},
};

/// A value that a payload can be made of: all that implement `serde::Serialize`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written into a payload",
    label = "`{Self}` does not implement `serde::Serialize`",
    note = "derive `serde::Serialize`: `#[derive(serde::Serialize)]` before `{Self}`",
    note = "types of other crates have it where their feature `serde` is on"
)]
pub trait Encode: Serialize {}

#[diagnostic::do_not_recommend]
impl<T: Serialize> Encode for T {}

/// A value that is one message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "cannot be published",
    note = "return `Json(value)`, `Text(…)`, `Bytes`, `Message`, `Keyed(key, …)` or `WithHeaders(…)`"
)]
pub trait IntoMessage: Sized {
    /// The message.
    ///
    /// # Errors
    /// The value cannot be encoded; the input goes to the dead letters.
    fn into_message(self) -> Result<Message, Failure>;
}

/// A value for one output: a message, an `Option`, a `Vec`, or [`Each`] of an iterator.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot go to an output",
    label = "not an output",
    note = "return `Json(value)` or another message, an `Option` or `Vec` of one, or `Each(iterator)`"
)]
pub trait Reply {
    /// Adds the messages for output number `output`.
    ///
    /// # Errors
    /// A value cannot be encoded.
    fn reply(self, output: u16, replies: &mut Replies) -> Result<(), Failure>;
}

/// What a listener may return: nothing, outputs, an [`Outcome`], or a `Result` of these.
#[diagnostic::on_unimplemented(
    message = "a listener or source cannot return `{Self}`",
    label = "neither an output nor an outcome",
    note = "to publish it, return `Json(value)`, `Text(…)`, `Bytes` or `Message`, or an `Option`, `Vec` or tuple of these",
    note = "to say what became of the message, return `Outcome`, or `Result<_, E>` where `E` derives `mq::Failure`",
    note = "return `()` if there is nothing to say"
)]
pub trait Returned {
    /// How many outputs it feeds.
    const OUTPUTS: u16;

    /// Adds the outputs and says what became of the message.
    fn returned(self, replies: &mut Replies) -> Outcome;
}

/// A message with this key: `Keyed(order.customer, Json(order))`.
#[derive(Clone, Debug)]
pub struct Keyed<K, M>(pub K, pub M);

/// A message with these headers added: `WithHeaders([("x-tenant", "a")], Json(order))`.
#[derive(Clone, Debug)]
pub struct WithHeaders<H, M>(pub H, pub M);

/// Each message of an iterator.
#[derive(Clone, Debug)]
pub struct Each<I>(pub I);

#[inline]
fn json<T: Serialize>(value: &T) -> Result<Plain, Failure> {
    let payload = encode_exact(|buffer| serde_json::to_writer(buffer, value));
    payload.map(Plain::json).map_err(unencodable)
}

#[cold]
#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn unencodable(error: serde_json::Error) -> Failure {
    Failure::dead_letter(format!("cannot encode the reply as JSON: {error}")).kind("unencodable")
}

impl<T: Encode> IntoMessage for Json<T> {
    fn into_message(self) -> Result<Message, Failure> {
        json(&self.0).map(Message::from)
    }
}

impl<T: Encode> IntoMessage for Payload<T> {
    fn into_message(self) -> Result<Message, Failure> {
        json(&self.0).map(Message::from)
    }
}

impl IntoMessage for Text {
    fn into_message(self) -> Result<Message, Failure> {
        Ok(Plain::text(self.0).into())
    }
}

impl IntoMessage for Bytes {
    fn into_message(self) -> Result<Message, Failure> {
        Ok(Plain::bytes(self).into())
    }
}

impl IntoMessage for Message {
    fn into_message(self) -> Result<Message, Failure> {
        Ok(self)
    }
}

impl<K: ToString, M: IntoMessage> IntoMessage for Keyed<K, M> {
    fn into_message(self) -> Result<Message, Failure> {
        Ok(self.1.into_message()?.key(self.0.to_string()))
    }
}

impl<H, N, V, M> IntoMessage for WithHeaders<H, M>
where
    H: IntoIterator<Item = (N, V)>,
    N: Into<Cow<'static, str>>,
    V: Into<HeaderValue>,
    M: IntoMessage,
{
    fn into_message(self) -> Result<Message, Failure> {
        let mut message = self.1.into_message()?;
        for (name, value) in self.0 {
            message.headers_mut().append(name, value);
        }
        Ok(message)
    }
}

/// Messages are replies, and replies alone are returned to output 0.
macro_rules! reply {
    ($([$($generics:tt)*] $type:ty { |$value:ident, $output:ident, $replies:ident| $body:expr })*) => {$(
        impl<$($generics)*> Reply for $type {
            fn reply(self, $output: u16, $replies: &mut Replies) -> Result<(), Failure> {
                let $value = self;
                $body
            }
        }

        impl<$($generics)*> Returned for $type {
            const OUTPUTS: u16 = 1;

            fn returned(self, replies: &mut Replies) -> Outcome {
                self.reply(0, replies).map_or_else(Outcome::Failed, |()| Outcome::Ack)
            }
        }
    )*};
}

#[inline(always)]
#[expect(clippy::unnecessary_wraps, reason = "as other replies are added")]
fn one_plain(plain: Plain, output: u16, replies: &mut Replies) -> Result<(), Failure> {
    replies.push_plain(output, plain);
    Ok(())
}

fn one(message: impl IntoMessage, output: u16, replies: &mut Replies) -> Result<(), Failure> {
    replies.push(output, message.into_message()?);
    Ok(())
}

reply! {
    [T: Encode] Json<T> { |value, output, replies| one_plain(json(&value.0)?, output, replies) }
    [T: Encode] Payload<T> { |value, output, replies| one_plain(json(&value.0)?, output, replies) }
    [] Text { |value, output, replies| one_plain(Plain::text(value.0), output, replies) }
    [] Bytes { |value, output, replies| one_plain(Plain::bytes(value), output, replies) }
    [] Message { |value, output, replies| one(value, output, replies) }
    [K: ToString, M: IntoMessage] Keyed<K, M> { |value, output, replies| one(value, output, replies) }
    [H: IntoIterator<Item = (N, V)>, N: Into<Cow<'static, str>>, V: Into<HeaderValue>, M: IntoMessage]
        WithHeaders<H, M> { |value, output, replies| one(value, output, replies) }
    [M: IntoMessage] Option<M> { |value, output, replies| value.map_or(Ok(()), |message| one(message, output, replies)) }
    [M: IntoMessage] Vec<M> { |value, output, replies| value.into_iter().try_for_each(|message| one(message, output, replies)) }
    [I: IntoIterator<Item: IntoMessage>] Each<I> {
        |value, output, replies| value.0.into_iter().try_for_each(|message| one(message, output, replies))
    }
}

impl Returned for () {
    const OUTPUTS: u16 = 0;

    fn returned(self, _: &mut Replies) -> Outcome {
        Outcome::Ack
    }
}

impl Returned for Outcome {
    const OUTPUTS: u16 = 0;

    fn returned(self, _: &mut Replies) -> Outcome {
        self
    }
}

impl<R: Returned, E: IntoFailure> Returned for Result<R, E> {
    const OUTPUTS: u16 = R::OUTPUTS;

    fn returned(self, replies: &mut Replies) -> Outcome {
        match self {
            Ok(value) => value.returned(replies),
            Err(error) => Outcome::Failed(error.into_failure()),
        }
    }
}

macro_rules! tuple {
    ($count:literal: $($name:ident $index:tt),*) => {
        impl<$($name: Reply),*> Returned for ($($name,)*) {
            const OUTPUTS: u16 = $count;

            fn returned(self, replies: &mut Replies) -> Outcome {
                $(if let Err(failure) = self.$index.reply($index, replies) {
                    return Outcome::Failed(failure);
                })*
                Outcome::Ack
            }
        }
    };
}

tuple!(2: A 0, B 1);
tuple!(3: A 0, B 1, C 2);
tuple!(4: A 0, B 1, C 2, D 3);

#[cfg(test)]
mod tests {
    use super::*;

    fn replies(value: impl Returned) -> (Outcome, Vec<(u16, String)>) {
        let mut replies = Replies::default();
        let outcome = value.returned(&mut replies);
        let text = |staged: crate::binder::Staged| {
            (
                staged.output.0,
                String::from_utf8_lossy(staged.message.as_bytes()).into_owned(),
            )
        };
        (outcome, replies.drain().map(text).collect())
    }

    #[test]
    fn options_filter_vectors_split_and_tuples_go_to_their_outputs() {
        assert_eq!(replies(None::<Json<u8>>).1, []);
        assert_eq!(
            replies(vec![Json(1), Json(2)]).1,
            [(0, "1".into()), (0, "2".into())]
        );
        let both = (Some(Json(1)), vec![Text("a".into()), Text("b".into())]);
        assert_eq!(
            replies(both).1,
            [(0, "1".into()), (1, "a".into()), (1, "b".into())]
        );
        assert_eq!(replies(Each((1..=2).map(Json))).1.len(), 2);
    }

    #[test]
    fn an_error_is_the_outcome_and_a_value_that_cannot_be_encoded_is_rejected() {
        let (outcome, published) = replies(Err::<Json<u8>, _>(Failure::discard("no")));
        assert!(!outcome.is_ack());
        assert!(published.is_empty());
        let map = std::collections::HashMap::from([(vec![1], 2)]);
        assert!(
            matches!(replies(Json(map)).0, Outcome::Failed(failure) if failure.error_type() == "unencodable")
        );
    }
}
