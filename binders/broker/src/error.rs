//! The errors of the broker, classified once.

use std::{fmt::Display, io, path::Path};

use mq_core::error::{Error, ErrorKind};

use crate::{format::FORMAT, options::GroupMode};

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the broker is closed").fatal()
}

pub(crate) fn poisoned(reason: &str) -> Error {
    let text = "the disk has failed, and what was written last may be lost; look at the disk, then open the broker again";
    Error::new(ErrorKind::Unavailable, text)
        .fatal()
        .context("cause", reason)
}

pub(crate) fn disk_full() -> Error {
    let text = "the disk is full; free space, or settle messages so that the journal can be cut";
    Error::new(ErrorKind::Full, text).temporary()
}

/// Publications are slowed, and too many wait.
pub(crate) fn disk_low() -> Error {
    let text = "the disk has little room left, and publications are slowed more than anybody should wait; free space, settle messages so that the journal can be cut, or lower `slow_below`";
    Error::new(ErrorKind::Full, text).temporary()
}

/// `socket` is where the holder can be asked, or why it cannot; nothing where nobody knows.
pub(crate) fn in_use(
    path: &Path,
    pid: Option<u32>,
    program: Option<&str>,
    socket: Option<Result<&str, &str>>,
) -> Error {
    let program = program.map_or_else(String::new, |program| format!(" (`{program}`)"));
    let holder = match pid {
        // In another container, processes have the same numbers.
        Some(pid) if pid == std::process::id() => {
            format!("process {pid}{program}, which is this one or one of another container,")
        }
        Some(pid) => format!("process {pid}{program}"),
        None => "another process, or another broker in this one,".to_owned(),
    };
    let served = match socket {
        Some(Ok(name)) => {
            let place = path.join(name);
            format!(" and answers at the socket `{}`", place.display())
        }
        Some(Err(reason)) => format!(" and serves no socket ({reason})"),
        None => String::new(),
    };
    let text = format!(
        "{holder} has the folder open{served}; a folder has one broker at a time, so close that one or choose another `path`"
    );
    Error::new(ErrorKind::Unavailable, text)
        .temporary()
        .context("path", path.display())
}

/// A message was on its way when its destination got more partitions.
pub(crate) fn has_changed(destination: &str) -> Error {
    let text = "the destination has just got more partitions; publish again";
    Error::new(ErrorKind::Unavailable, text)
        .temporary()
        .context("destination", destination)
}

/// Options that a destination cannot get any more.
pub(crate) fn cannot_change(destination: &str, text: &str) -> Error {
    Error::new(ErrorKind::Config, text).context("destination", destination)
}

/// Partitions cannot be added for the moment.
pub(crate) fn cannot_grow_yet(destination: &str, text: &str) -> Error {
    Error::new(ErrorKind::Unavailable, text)
        .temporary()
        .context("destination", destination)
}

/// What a later version has written is not damaged.
pub(crate) fn newer(file: &str, format: u32) -> Error {
    let text = format!(
        "`{file}` was written by a newer version: it has format {format}, and this version reads up to {FORMAT}; upgrade this program, or open another folder"
    );
    Error::new(ErrorKind::Unavailable, text)
        .fatal()
        .context("file", file)
}

pub(crate) fn io(what: &'static str, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{what} failed")).source(error)
}

pub(crate) fn damaged(file: &str, offset: u64) -> Error {
    let text = "a part of the journal that was durable cannot be read; put the file back from a copy, or open with `repair = true`, which goes on without what is lost and says how much that is";
    Error::new(ErrorKind::Unavailable, text)
        .fatal()
        .context("file", file)
        .context("offset", offset)
}

pub(crate) fn malformed(what: impl Display) -> Error {
    let text = format!(
        "the journal holds something that this version cannot read: {what}; open it with the version that wrote it"
    );
    Error::new(ErrorKind::Unavailable, text).fatal()
}

pub(crate) fn unreadable(lsn: u64) -> Error {
    let text = "a message cannot be read from the journal; put the file back from a copy, or remove the message";
    Error::new(ErrorKind::Unavailable, text).context("lsn", lsn)
}

pub(crate) fn no_destination(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, "there is no such destination").context("destination", name)
}

pub(crate) fn no_group(destination: &str, group: &str) -> Error {
    Error::new(ErrorKind::NotFound, "the destination has no such group")
        .context("destination", destination)
        .context("group", group)
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

pub(crate) fn no_partition(destination: &str, partition: u32, partitions: u32) -> Error {
    Error::new(
        ErrorKind::Rejected,
        "there is no such partition; partitions count from 0",
    )
    .context("destination", destination)
    .context("partition", partition)
    .context("partitions", partitions)
}

pub(crate) fn too_large(size: u64, limit: u64) -> Error {
    let text = "the message is larger than the broker accepts; raise `max_message` or send less";
    Error::new(ErrorKind::TooLarge, text)
        .context("bytes", size)
        .context("limit", limit)
}

pub(crate) fn step_too_large(size: u64, limit: u64) -> Error {
    let text = "the messages are too much for one frame of the journal; publish fewer at a time, or raise `segment`";
    Error::new(ErrorKind::TooLarge, text)
        .context("bytes", size)
        .context("limit", limit)
}

pub(crate) fn full(destination: &str) -> Error {
    Error::new(
        ErrorKind::Full,
        "the destination is full until a group has settled something",
    )
    .temporary()
    .context("destination", destination)
}

/// A message is not settled that is older than its destination keeps.
pub(crate) fn overdue(destination: &str) -> Error {
    let text = "the destination holds a message that is older than its `max_age` and not settled; settle or purge it, or raise `max_age`";
    Error::new(ErrorKind::Full, text)
        .temporary()
        .context("destination", destination)
}

pub(crate) fn numbered_in_memory(destination: &str) -> Error {
    let text = "the destination is in memory, so that its messages are lost with the process, and their numbers would not be; publish without numbers, or give it another durability";
    Error::new(ErrorKind::Unsupported, text).context("destination", destination)
}

/// The publisher has another owner by now.
pub(crate) fn fenced() -> Error {
    let text = "somebody else has opened the publisher since, and what this one publishes is not stored any more; stop this one, or open the publisher again with `Broker::publisher`, which fences the other";
    Error::new(ErrorKind::Lost, text).fatal()
}

/// An earlier message of the key, or of the publisher, has failed in the same call.
pub(crate) fn behind_failed(whose: &str) -> Error {
    let text = format!("an earlier message of the same {whose} was not stored");
    Error::new(ErrorKind::Unavailable, text).temporary()
}

pub(crate) fn unsupported(what: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("the embedded broker has no {what} yet; do without it, or use another binder"),
    )
}

pub(crate) fn deleted() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "a destination of the subscription was deleted",
    )
    .temporary()
}

/// The group of a subscription hands out differently from now on.
pub(crate) fn changed() -> Error {
    let text = "the mode of the subscription's group was changed; subscribe again";
    Error::new(ErrorKind::Unavailable, text).temporary()
}

pub(crate) fn other_mode(
    destination: &str,
    group: &str,
    found: GroupMode,
    wanted: GroupMode,
) -> Error {
    let text = format!(
        "the group has mode `{found}`, and `{wanted}` is asked for; ask for what it has, or change it with `Broker::change_group`"
    );
    Error::new(ErrorKind::Config, text)
        .context("destination", destination)
        .context("group", group)
}

pub(crate) fn no_lease(destination: &str, group: &str) -> Error {
    let text = "a group of mode `log` knows nothing of single messages, so there are no leases; leave `lease` away, or use another mode";
    Error::new(ErrorKind::Config, text)
        .context("destination", destination)
        .context("group", group)
}

/// Something was asked for a single message of a group that reads a log.
pub(crate) fn in_log() -> Error {
    let text = "a group of mode `log` has a position and knows nothing of single messages; acknowledge, or use another mode";
    Error::new(ErrorKind::Unsupported, text)
}

pub(crate) fn saved_too_large(size: usize) -> Error {
    let text = "the notes beside a position are larger than the broker keeps; save less";
    Error::new(ErrorKind::TooLarge, text)
        .context("bytes", size)
        .context("limit", crate::engine::MAX_SAVED)
}

pub(crate) fn lost() -> Error {
    Error::new(
        ErrorKind::Lost,
        "a delivery of the transaction is somebody else's by now; nothing took effect",
    )
}

pub(crate) fn config(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, text)
}

pub(crate) fn bug(text: &str) -> Error {
    Error::new(ErrorKind::Bug, text)
}

/// A request or reply of another version of the socket's protocol.
pub(crate) fn other_protocol(found: u64, own: u64) -> Error {
    let text = format!(
        "the other side of the socket speaks version {found} of the protocol, and this one version {own}; use the same version of the program on both sides"
    );
    Error::new(ErrorKind::Unsupported, text)
}

pub(crate) fn request_too_long(limit: usize) -> Error {
    let text = format!("a request has at most {limit} bytes; write a shorter line");
    Error::new(ErrorKind::TooLarge, text)
}

/// What kinds of errors are called on the socket.
const KINDS: [(ErrorKind, &str); 12] = [
    (ErrorKind::Config, "config"),
    (ErrorKind::Unavailable, "unavailable"),
    (ErrorKind::NotFound, "not_found"),
    (ErrorKind::Unauthorized, "unauthorized"),
    (ErrorKind::TooLarge, "too_large"),
    (ErrorKind::Unsupported, "unsupported"),
    (ErrorKind::Lost, "lost"),
    (ErrorKind::Codec, "codec"),
    (ErrorKind::Rejected, "rejected"),
    (ErrorKind::Full, "full"),
    (ErrorKind::Closed, "closed"),
    (ErrorKind::Bug, "bug"),
];

/// What a kind is called.
pub(crate) fn kind_name(kind: ErrorKind) -> &'static str {
    let mut kinds = KINDS.iter();
    kinds
        .find(|(one, _)| *one == kind)
        .map_or("unavailable", |(_, name)| name)
}

/// The kind that is called so.
pub(crate) fn kind_of(name: &str) -> ErrorKind {
    let mut kinds = KINDS.iter();
    kinds
        .find(|(_, one)| *one == name)
        .map_or(ErrorKind::Unavailable, |(kind, _)| *kind)
}

pub(crate) fn native(problem: impl Display) -> Error {
    let text = format!("the `native` table cannot be read: {problem}");
    Error::new(ErrorKind::Config, text)
}
