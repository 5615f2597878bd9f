//! Facts about the delivery.

use bytes::Bytes;

use super::{Extract, Preparation};
use crate::{
    error::Result,
    message::{Headers, MessageId},
    outcome::Failure,
};

/// The message's key; a message without a key fails and goes to the dead letters. Take `Delivery` where it may be absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(pub Bytes);

/// The number of this attempt, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt(pub u32);

/// The message's id, its own or derived from its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id(pub MessageId);

/// The destination that the message was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination(pub String);

macro_rules! fact {
    ($name:ty, |$delivery:ident| $value:expr) => {
        #[diagnostic::do_not_recommend]
        impl Extract for $name {
            type Prepared = ();

            fn prepare(_: &mut Preparation<'_>) -> Result<()> {
                Ok(())
            }

            at_once!(|(), $delivery| $value);
        }
    };
}

fact!(Headers, |delivery| Ok(delivery.headers().clone()));
fact!(Attempt, |delivery| Ok(Self(delivery.attempt())));
fact!(Id, |delivery| Ok(Self(delivery.id())));
fact!(Destination, |delivery| Ok(Self(
    delivery.destination().to_owned()
)));
fact!(Key, |delivery| {
    let key = delivery.message().as_key().cloned();
    key.map(Self)
        .ok_or_else(|| Failure::dead_letter("message has no key").kind("no-key"))
});
