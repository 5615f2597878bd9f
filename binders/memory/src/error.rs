//! The errors of this binder, classified once.

use std::fmt::Display;

use mq_core::error::{Error, ErrorKind};

/// What is switched off, or what the broker never had.
pub(crate) fn unsupported(what: &str) -> Error {
    let text = format!(
        "this binder has no {what}, as `without` or `positional` says; allow it there, or do without it"
    );
    Error::new(ErrorKind::Unsupported, text)
}

pub(crate) fn unsupported_settlement(what: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("this binder cannot settle by {what}"),
    )
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the binder is closed").fatal()
}

/// The connection is gone, on demand.
pub(crate) fn disconnected() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the connection to the broker is lost",
    )
    .temporary()
}

pub(crate) fn not_confirmed() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the broker has not confirmed in time",
    )
    .temporary()
}

pub(crate) fn unsettled() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the broker cannot settle at the moment",
    )
    .temporary()
}

pub(crate) fn no_destination(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, "there is no such destination").context("destination", name)
}

pub(crate) fn no_group(destination: &str, group: &str) -> Error {
    Error::new(ErrorKind::NotFound, "the destination has no such group")
        .context("destination", destination)
        .context("group", group)
}

pub(crate) fn no_partition(destination: &str, partition: u32, partitions: usize) -> Error {
    Error::new(
        ErrorKind::Rejected,
        "there is no such partition; partitions count from 0",
    )
    .context("destination", destination)
    .context("partition", partition)
    .context("partitions", partitions)
}

pub(crate) fn too_large(size: u64, limit: u64) -> Error {
    let text = "the message is larger than the binder accepts; raise `max_message` or send less";
    Error::new(ErrorKind::TooLarge, text)
        .context("bytes", size)
        .context("limit", limit)
}

pub(crate) fn no_message(destination: &str, partition: u32, position: u64) -> Error {
    Error::new(
        ErrorKind::NotFound,
        "there is no such message, or not any more",
    )
    .context("destination", destination)
    .context("partition", partition)
    .context("position", position)
}

pub(crate) fn deleted() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "a destination of the subscription was deleted",
    )
    .temporary()
}

pub(crate) fn lost() -> Error {
    Error::new(
        ErrorKind::Lost,
        "a delivery or lane of the transaction is somebody else's by now; nothing took effect",
    )
}

pub(crate) fn no_target() -> Error {
    config("a message of a transaction names no destination; set one with `Message::destination`")
}

pub(crate) fn broken_step() -> Error {
    config("something could not be added to the transaction; abort it, and begin again")
}

pub(crate) fn step_too_large(destination: &str) -> Error {
    let text = "the transaction holds more than the destination keeps; commit less at a time, or raise `limit`";
    Error::new(ErrorKind::TooLarge, text).context("destination", destination)
}

pub(crate) fn full(destination: &str) -> Error {
    Error::new(
        ErrorKind::Full,
        "the destination is full until a group has settled something",
    )
    .temporary()
    .context("destination", destination)
}

/// An earlier message of the key has failed in the same call.
pub(crate) fn behind_failed() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "an earlier message of the same key was not stored",
    )
    .temporary()
}

pub(crate) fn filter(text: &str) -> Error {
    let help =
        "this filter cannot be read; write one comparison such as `headers['type'] == 'refund'`";
    Error::new(ErrorKind::Config, help).context("filter", text)
}

pub(crate) fn config(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, text)
}

pub(crate) fn native(problem: impl Display) -> Error {
    let text = format!("the `native` table cannot be read: {problem}");
    Error::new(ErrorKind::Config, text)
}
