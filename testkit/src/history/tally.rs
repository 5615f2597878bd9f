//! The first pass: all that is known of one message, and what follows from it alone.

use super::checker::Goal;
use super::entry::{Id, Key, Lane, What};
use super::frame::{Stamped, get, put};
use super::sorter::Record;
use super::verdict::{Verdict, Verdicts};

/// Sixteen bytes that need no alignment of sixteen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Packed([u64; 2]);

impl Packed {
    pub(super) const fn new(value: u128) -> Self {
        Self([(value >> 64) as u64, value as u64])
    }

    pub(super) const fn to_u128(self) -> u128 {
        ((self.0[0] as u128) << 64) | self.0[1] as u128
    }
}

/// When something happened, among all the logs; no two entries have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    pub(super) nanos: u64,
    pub(super) log: u32,
}

/// An entry, as it is sorted: by id, then by what happened, then by time. 56 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sight {
    id: Packed,
    what: What,
    nanos: u64,
    log: u32,
    keyed: bool,
    key: Packed,
    sequence: u64,
}

impl Sight {
    pub(super) fn new(log: u32, stamped: &Stamped) -> Self {
        let entry = &stamped.entry;
        let lane = entry.lane;
        Self {
            id: Packed::new(entry.id.to_u128()),
            what: entry.what,
            keyed: lane.is_some(),
            log,
            nanos: stamped.nanos,
            key: Packed::new(lane.map_or(0, |lane| lane.key.to_u128())),
            sequence: lane.map_or(0, |lane| lane.sequence),
        }
    }

    pub(super) const fn id(&self) -> Id {
        Id::new(self.id.to_u128())
    }

    const fn moment(&self) -> Moment {
        Moment {
            nanos: self.nanos,
            log: self.log,
        }
    }

    fn lane(&self) -> Option<Lane> {
        self.keyed.then(|| Lane {
            key: Key::new(self.key.to_u128()),
            sequence: self.sequence,
        })
    }
}

impl Record for Sight {
    const SIZE: usize = 54;

    fn encode(&self, bytes: &mut [u8]) {
        put(bytes, 0, self.id.to_u128().to_le_bytes());
        put(bytes, 16, self.key.to_u128().to_le_bytes());
        put(bytes, 32, self.sequence.to_le_bytes());
        put(bytes, 40, self.nanos.to_le_bytes());
        put(bytes, 48, self.log.to_le_bytes());
        bytes[52] = self.what as u8;
        bytes[53] = u8::from(self.keyed);
    }

    fn decode(bytes: &[u8]) -> Self {
        Self {
            id: Packed::new(u128::from_le_bytes(get(bytes, 0))),
            key: Packed::new(u128::from_le_bytes(get(bytes, 16))),
            sequence: u64::from_le_bytes(get(bytes, 32)),
            nanos: u64::from_le_bytes(get(bytes, 40)),
            log: u32::from_le_bytes(get(bytes, 48)),
            what: What::from_number(bytes[52]).unwrap_or(What::Sending),
            keyed: bytes[53] == 1,
        }
    }
}

/// All that is known of one message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tally {
    pub(super) id: Id,
    pub(super) sent: bool,
    pub(super) confirmed: bool,
    pub(super) lane: Option<Lane>,
    pub(super) seen: Times,
    pub(super) effects: Times,
}

/// How often something happened, and when first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Times {
    pub(super) count: u64,
    pub(super) first: Option<Moment>,
}

impl Times {
    fn add(&mut self, moment: Moment) {
        self.count += 1;
        self.first = Some(self.first.map_or(moment, |first| first.min(moment)));
    }
}

impl Tally {
    pub(super) const fn new(id: Id) -> Self {
        const NEVER: Times = Times {
            count: 0,
            first: None,
        };
        Self {
            id,
            sent: false,
            confirmed: false,
            lane: None,
            seen: NEVER,
            effects: NEVER,
        }
    }

    /// Takes the sights of one id, in their order; the lane is that of the first sight of a sending.
    pub(super) fn add(&mut self, sight: &Sight) {
        match sight.what {
            What::Sending | What::Confirmed => {
                self.sent = true;
                self.confirmed |= sight.what == What::Confirmed;
                self.lane = self.lane.or(sight.lane());
            }
            What::Seen => self.seen.add(sight.moment()),
            What::Effect => self.effects.add(sight.moment()),
        }
    }

    /// All but `Reordered`, for which other messages matter. Of a phantom, nothing more is said.
    pub(super) fn verdicts(&self, goal: Goal) -> Verdicts {
        if !self.sent {
            return Verdicts::OK.add(Verdict::Phantom, true);
        }
        let reached = match goal {
            Goal::Effect => self.effects.count > 0,
            Goal::Delivery => self.effects.count > 0 || self.seen.count > 0,
        };
        Verdicts::OK
            .add(Verdict::Lost, self.confirmed && !reached)
            .add(Verdict::Redelivered, self.seen.count > 1)
            .add(Verdict::Doubled, self.effects.count > 1)
    }
}
