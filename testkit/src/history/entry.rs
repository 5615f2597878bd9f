//! What a log holds: who was sent, seen or took effect, and where.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use mq_core::error::{Error, ErrorKind};
use xxhash_rust::xxh3::xxh3_128;

macro_rules! sixteen_bytes {
    ($(#[$docs:meta])* $name:ident) => {
        $(#[$docs])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// From sixteen bytes that are unique already: a UUID, a counter.
            #[must_use]
            pub const fn new(value: u128) -> Self {
                Self(value)
            }

            /// From a name of any length, by its XXH3 hash of 128 bits; two names never meet in practice.
            #[must_use]
            pub fn of(name: impl AsRef<[u8]>) -> Self {
                Self(xxh3_128(name.as_ref()))
            }

            /// The sixteen bytes.
            #[must_use]
            pub const fn to_u128(self) -> u128 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        /// Reads what `Display` writes: up to 32 hexadecimal digits; hyphens are skipped, so a UUID is one too.
        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                let digits: String = text.chars().filter(|c| *c != '-').collect();
                let value = Some(&digits).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
                let value = value.and_then(|digits| u128::from_str_radix(digits, 16).ok());
                value.map(Self).ok_or_else(|| {
                    Error::new(ErrorKind::Config, "not sixteen bytes in hexadecimal; give up to 32 digits")
                        .context("text", text)
                })
            }
        }
    };
}

sixteen_bytes! {
    /// Names one message, in every log.
    Id
}

sixteen_bytes! {
    /// Names what the messages are ordered by.
    Key
}

/// Where a message stands among those of its key.
///
/// The number rises within a key in the order of sending; gaps are fine.
/// Two senders of one key share its numbers, or make themselves part of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// The key.
    pub key: Key,
    /// The place within the key; of two equal ones neither comes first.
    pub sequence: u64,
}

/// Where the broker keeps a message, as far as it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The partition, shard or queue, by number.
    pub partition: u32,
    /// The offset or delivery number within it.
    pub position: u64,
}

/// What happened to a message. The order is that of a message's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum What {
    /// It is about to be sent: written before the send begins. With nothing more, its fate is unknown, and it may
    /// arrive or not.
    Sending = 1,
    /// The broker confirmed it: from here on it must not be lost.
    Confirmed = 2,
    /// A handler was given it: written before the handler works on it.
    Seen = 3,
    /// It took effect: written where the effect lands, or as the effect itself.
    Effect = 4,
}

impl What {
    /// From the number in a frame.
    pub(super) const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Sending),
            2 => Some(Self::Confirmed),
            3 => Some(Self::Seen),
            4 => Some(Self::Effect),
            _ => None,
        }
    }

    /// As a story tells it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Confirmed => "confirmed",
            Self::Seen => "seen",
            Self::Effect => "effect",
        }
    }
}

/// One line of a log.
///
/// ```
/// use mq_testkit::history::{Entry, Id, Key};
///
/// let sending = Entry::sending(Id::new(7)).keyed(Key::of("customer-1"), 3);
/// let seen = Entry::seen(Id::new(7)).at(0, 41);
/// assert_eq!(sending.id, seen.id);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// What happened.
    pub what: What,
    /// To which message.
    pub id: Id,
    /// Its key and place within it; only the sender's word counts.
    pub lane: Option<Lane>,
    /// Where the broker keeps it.
    pub place: Option<Place>,
}

impl Entry {
    /// It is about to be sent; written before the send begins, or a crash makes a phantom of it.
    #[must_use]
    pub const fn sending(id: Id) -> Self {
        Self::new(What::Sending, id)
    }

    /// The broker confirmed it.
    #[must_use]
    pub const fn confirmed(id: Id) -> Self {
        Self::new(What::Confirmed, id)
    }

    /// A handler was given it.
    #[must_use]
    pub const fn seen(id: Id) -> Self {
        Self::new(What::Seen, id)
    }

    /// It took effect.
    #[must_use]
    pub const fn effect(id: Id) -> Self {
        Self::new(What::Effect, id)
    }

    /// Any of the four.
    #[must_use]
    pub const fn new(what: What, id: Id) -> Self {
        Self {
            what,
            id,
            lane: None,
            place: None,
        }
    }

    /// Sets the key, and the place within it, which rises in the order of sending.
    #[must_use]
    pub const fn keyed(mut self, key: Key, sequence: u64) -> Self {
        self.lane = Some(Lane { key, sequence });
        self
    }

    /// Sets where the broker keeps it.
    #[must_use]
    pub const fn at(mut self, partition: u32, position: u64) -> Self {
        self.place = Some(Place {
            partition,
            position,
        });
        self
    }
}

/// One entry as it stands in a story: with its time and the process that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// By the clock of the machine that wrote it.
    pub time: SystemTime,
    /// The name of the log: the process and which start of it, such as `sink-2`.
    pub process: Arc<str>,
    /// What was written.
    pub entry: Entry,
}

/// One line: time, process, what, place, lane.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = humantime::format_rfc3339_nanos(self.time);
        write!(f, "{time} {} {}", self.process, self.entry.what.as_str())?;
        if let Some(Place {
            partition,
            position,
        }) = self.entry.place
        {
            write!(f, " at {partition}/{position}")?;
        }
        if let Some(Lane { key, sequence }) = self.entry.lane {
            write!(f, " key {key} sequence {sequence}")?;
        }
        Ok(())
    }
}
