//! Records: what the journal's frames hold.
//!
//! Numbers are little-endian. Every record begins with its length in bytes and its kind; a published message is laid out so that it can
//! be read in place.

mod change;
mod codec;
mod fleeting;
mod message;
mod options;
mod read;

pub(crate) use change::{Change, LaneKey, ranges};
pub(crate) use codec::{mode, mode_code};
pub(crate) use fleeting::{FLEETING, is_fleeting, without_fleeting};
pub(crate) use message::{PublishHead, Target, decode, encode, is_intact, nanos, size, time};
pub(crate) use read::{Fields, Malformed};

use crate::journal::frame::u32_at;

/// Bytes before the fields of a record: length, checksum (messages only) and kind.
pub(crate) const PREFIX: usize = 9;

/// The kinds of records.
///
/// 20 to 24 are for half messages, 25 for moved messages.
pub(crate) mod kind {
    /// A message.
    pub(crate) const PUBLISH: u8 = 1;
    /// A group is done with messages.
    pub(crate) const ACK: u8 = 2;
    /// A message is to be handed out again.
    pub(crate) const RELEASE: u8 = 3;
    /// A consumer keeps a message until a time.
    pub(crate) const HOLD: u8 = 4;
    /// A destination exists from now on, or has these options.
    pub(crate) const DESTINATION: u8 = 5;
    /// A destination is gone.
    pub(crate) const DELETE: u8 = 6;
    /// A group exists from now on.
    pub(crate) const GROUP: u8 = 7;
    /// A group is gone.
    pub(crate) const FORGET: u8 = 8;
    /// A group reads on from a position.
    pub(crate) const SEEK: u8 = 9;
    /// Messages are removed.
    pub(crate) const PURGE: u8 = 10;
    /// A message needs no handling any more.
    pub(crate) const HANDLED: u8 = 11;
    /// Messages that every group has settled are not kept any longer.
    pub(crate) const TRIM: u8 = 12;
    /// A producer that numbers its messages.
    pub(crate) const PRODUCER: u8 = 13;
    /// How a group hands out.
    pub(crate) const MODE: u8 = 14;
    /// A group is done with everything before a position.
    pub(crate) const COMMIT: u8 = 15;
    /// A destination has other options.
    pub(crate) const OPTIONS: u8 = 16;
    /// The broker was opened.
    pub(crate) const BOOT: u8 = 17;
    /// A consumer begins with messages.
    pub(crate) const START: u8 = 18;
    /// The process before this one has ended.
    pub(crate) const ENDED: u8 = 19;
    /// The time of messages is up.
    pub(crate) const EXPIRE: u8 = 26;
    /// A producer's newest epoch.
    pub(crate) const EPOCH: u8 = 27;
}

/// The records of a frame's body, with the place of each.
pub(crate) fn records(body: &[u8]) -> impl Iterator<Item = Result<(usize, &[u8]), Malformed>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = body.get(at..)?;
        // Less than a record is padding.
        if rest.len() < PREFIX {
            return None;
        }
        let len = u32_at(rest, 0) as usize;
        let Some(record) = rest.get(..len).filter(|_| len >= PREFIX) else {
            at = body.len();
            return Some(Err(Malformed("a record is longer than its frame")));
        };
        let place = at;
        at += len;
        Some(Ok((place, record)))
    })
}
