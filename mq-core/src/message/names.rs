//! Names of the headers that the framework writes; everything else is the user's.

/// The message's id, where the broker has no place of its own for it.
pub const ID: &str = "mq-id";
/// The key, where the broker has no place of its own for it.
pub const KEY: &str = "mq-key";
/// Relates a reply to its request, where the broker has no place of its own for it.
pub const CORRELATION_ID: &str = "mq-correlation-id";
/// Where a reply is to go, where the broker has no place of its own for it.
pub const REPLY_TO: &str = "mq-reply-to";
/// When the message expires, in milliseconds since the Unix epoch, where the broker has no place of its own for it.
pub const EXPIRES: &str = "mq-expires";
/// How many attempts have failed so far.
pub const ATTEMPT: &str = "mq-attempt";
/// When the next attempt is due, in milliseconds since the Unix epoch.
pub const DUE: &str = "mq-due";
/// When the first attempt failed, in milliseconds since the Unix epoch.
pub const FIRST_FAILURE: &str = "mq-error-first";
/// When the last attempt failed, in milliseconds since the Unix epoch.
pub const LAST_FAILURE: &str = "mq-error-last";
/// The type of the last error.
pub const ERROR_TYPE: &str = "mq-error-type";
/// The text of the last error, bounded.
pub const ERROR_MESSAGE: &str = "mq-error-message";
/// Why the message was given up: `undecodable`, `exhausted`, `rejected`, `expired`, `too-large`, `no-key`.
pub const ERROR_REASON: &str = "mq-error-reason";
/// The destination that a retried or dead message was first read from.
pub const ORIGINAL_DESTINATION: &str = "mq-original-destination";
/// Its partition there.
pub const ORIGINAL_PARTITION: &str = "mq-original-partition";
/// Its position there.
pub const ORIGINAL_POSITION: &str = "mq-original-position";
/// The group in which it failed.
pub const ORIGINAL_GROUP: &str = "mq-original-group";
/// The only group that a replayed message is meant for.
pub const ONLY_GROUP: &str = "mq-only-group";
/// How often a dead letter was replayed.
pub const REPLAYS: &str = "mq-replays";
/// W3C trace context, level 1.
pub const TRACEPARENT: &str = "traceparent";
/// W3C trace context, level 1.
pub const TRACESTATE: &str = "tracestate";
/// W3C baggage.
pub const BAGGAGE: &str = "baggage";
