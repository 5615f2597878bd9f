//! What is known of a message that a group has begun with.

use crate::state::log::Entry;

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::state) enum Place {
    /// In line to be handed out again.
    Ready,
    /// Behind an earlier message of its key.
    Parked,
    /// With a consumer.
    Out,
    /// On its way to being settled: the journal has not said so yet.
    Settling,
    /// Waiting for its time.
    Delayed,
}

/// What else there is to say of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::state) enum Extra {
    /// Nothing.
    None,
    /// There is a [`Note`].
    Noted,
    /// The group has moved past it: it counts as settled, and is not handed out again.
    Past,
}

/// A message that the group has begun with and not settled.
#[derive(Clone, Copy, Debug)]
pub(in crate::state) struct Slot {
    /// The consumer that has it, while it is out.
    pub(in crate::state) owner: u32,
    pub(in crate::state) deliveries: u16,
    pub(in crate::state) place: Place,
    pub(in crate::state) extra: Extra,
}

impl Slot {
    pub(super) fn new(place: Place) -> Self {
        Self {
            owner: 0,
            deliveries: 0,
            place,
            extra: Extra::None,
        }
    }

    #[inline]
    pub(super) fn out(owner: u32) -> Self {
        Self {
            owner,
            deliveries: 1,
            ..Self::new(Place::Out)
        }
    }
}

/// What is recorded about a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) attempts: u32,
    pub(crate) deliveries: u32,
    /// Not to be handled before.
    pub(crate) due: u64,
    /// Whether a consumer holds it until then.
    pub(crate) is_held: bool,
    /// Processes that have ended while they had it.
    pub(crate) crashes: u32,
}

/// The message is not with this consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotYours;

/// A message that was chosen for a consumer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pick {
    pub(crate) position: u64,
    pub(crate) lsn: u64,
    pub(crate) len: u32,
    pub(crate) lane: u32,
    pub(crate) deliveries: u16,
    pub(crate) note: Option<Note>,
}

impl Pick {
    /// A message that is looked at, and not handed out.
    pub(crate) fn of(position: u64, entry: &Entry) -> Self {
        Self {
            position,
            lsn: entry.lsn.get(),
            len: entry.len,
            lane: 0,
            deliveries: 0,
            note: None,
        }
    }
}
