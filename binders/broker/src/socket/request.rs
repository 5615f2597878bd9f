//! What can be asked.

use std::time::SystemTime;

use mq_core::{
    binder::ReplayFrom,
    error::{Error, Result},
    units,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::VERSION;
use crate::error;

/// What a second process asks the broker of a folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Request {
    /// Who has the folder, and how it is: `{"pid", "version", "format", "room", "free", "failure"}`.
    Status {},
    /// Every destination: `[{"name", "partitions", "messages", "bytes", "published"}]`.
    Destinations {},
    /// The groups of a destination that have a name: `[{"name", "members"}]`.
    Groups {
        /// The destination.
        destination: String,
    },
    /// How much a group has before it: `{"messages", "oldest_ms"}`.
    Lag {
        /// The destination.
        destination: String,
        /// The group.
        group: String,
    },
    /// A look at messages without consuming them: `{"messages", "cursor"}`.
    ///
    /// Bytes are `{"text"}` where they are UTF-8, and `{"base64"}` otherwise.
    Browse {
        /// The destination.
        destination: String,
        /// What the reply before this one has said; empty is the beginning.
        #[serde(default)]
        cursor: Vec<u64>,
        /// So many messages, 1 to 100; 10 by default. There are fewer where they are large.
        #[serde(default = "max")]
        max: usize,
        /// So many bytes of each payload, 0 to 16 MiB; 4 KiB by default.
        #[serde(default = "bytes")]
        bytes: usize,
    },
    /// No group gets this message any more.
    Handled {
        /// The destination.
        destination: String,
        /// The partition.
        partition: u32,
        /// The position there.
        position: u64,
    },
    /// Removes every message of a destination: `{"removed"}`.
    Purge {
        /// The destination.
        destination: String,
    },
    /// The group reads on from another place.
    Replay {
        /// The destination.
        destination: String,
        /// The group.
        group: String,
        /// The place.
        from: ReadFrom,
    },
}

/// Where a group reads on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReadFrom {
    /// The earliest message that is kept.
    Earliest,
    /// Behind the newest message.
    Latest,
    /// This position of every partition.
    Position(u64),
    /// The first message at or after this time, as in RFC 3339.
    Time(#[serde(with = "units::timestamp")] SystemTime),
}

impl From<&ReadFrom> for ReplayFrom {
    fn from(from: &ReadFrom) -> Self {
        match from {
            ReadFrom::Earliest => Self::Earliest,
            ReadFrom::Latest => Self::Latest,
            ReadFrom::Position(position) => Self::Position(*position),
            ReadFrom::Time(time) => Self::Time(*time),
        }
    }
}

fn max() -> usize {
    10
}

fn bytes() -> usize {
    4 << 10
}

/// The largest numbers of [`Request::Browse`].
pub(super) const MOST: (usize, usize) = (100, 16 << 20);

impl Request {
    /// Reads a line.
    pub(super) fn read(line: &[u8]) -> Result<Self> {
        let value: Value = serde_json::from_slice(line).map_err(bad)?;
        let Value::Object(mut fields) = value else {
            return Err(bad("a request is an object"));
        };
        match fields.remove("v").as_ref().and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(other) => return Err(error::other_protocol(other, VERSION)),
            None => return Err(bad("`v`, the version of the protocol, is missing")),
        }
        serde_json::from_value(Value::Object(fields)).map_err(bad)
    }

    /// The same as a line.
    pub(super) fn line(&self) -> Result<Vec<u8>> {
        let mut value = serde_json::to_value(self).map_err(bad)?;
        value["v"] = VERSION.into();
        let mut line = serde_json::to_vec(&value).map_err(bad)?;
        line.push(b'\n');
        Ok(line)
    }
}

fn bad(problem: impl std::fmt::Display) -> Error {
    error::config(format!(
        "the request cannot be read: {problem}; write one line, for example `{{\"v\":1,\"do\":\"destinations\"}}`"
    ))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn every_request_comes_back_from_its_line() {
        let destination = || "orders".to_owned();
        let froms = [
            ReadFrom::Earliest,
            ReadFrom::Latest,
            ReadFrom::Position(7),
            ReadFrom::Time(UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
        ];
        let replays = froms.into_iter().map(|from| Request::Replay {
            destination: destination(),
            group: "billing".into(),
            from,
        });
        let browse = Request::Browse {
            destination: destination(),
            cursor: vec![1, u64::MAX],
            max: 5,
            bytes: 9,
        };
        let all = [Request::Status {}, Request::Destinations {}, browse];
        for request in all.into_iter().chain(replays) {
            let line = request.line().unwrap();
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            assert_eq!(Request::read(&line).unwrap(), request);
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_with_an_example() {
        for (line, said) in [
            (&b"{"[..], "EOF"),
            (b"\xff\xfe", "expected value"),
            (b"[]", "an object"),
            (br#"{"do":"status"}"#, "`v`"),
            (br#"{"v":2,"do":"status"}"#, "version 2"),
            (br#"{"v":1}"#, "`do`"),
            (br#"{"v":1,"do":"format"}"#, "`format`"),
            (br#"{"v":1,"do":"status","x":1}"#, "`x`"),
            (br#"{"v":1,"do":"lag","destination":"orders"}"#, "`group`"),
            (br#"{"v":1,"do":"browse","destination":5}"#, "string"),
        ] {
            let error = Request::read(line).unwrap_err();
            assert!(error.message().contains(said), "{error}");
        }
    }
}
