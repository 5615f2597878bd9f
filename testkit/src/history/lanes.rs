//! The second pass: the order within each key.
//!
//! The messages of a key, the one that was sent last first. A message is out of order if one that was sent after it
//! was seen first before it was seen first; the same for effects. What comes again later has no say: a broker that
//! rewinds and delivers again in order has reordered nothing.

use super::entry::{Id, Lane};
use super::frame::{get, put};
use super::sorter::Record;
use super::tally::{Moment, Packed, Tally};

/// A message of a key, as it is sorted: by key, then the highest sequence first. 72 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Step {
    key: Packed,
    /// The complement of the sequence.
    order: u64,
    id: Packed,
    seen_nanos: u64,
    effect_nanos: u64,
    seen_log: u32,
    effect_log: u32,
    faulty: bool,
}

const NEVER: Moment = Moment {
    nanos: u64::MAX,
    log: u32::MAX,
};

impl Step {
    /// `faulty` if there is a verdict on it already. `None` for a message without key, or that never arrived.
    pub(super) fn new(tally: &Tally, faulty: bool) -> Option<Self> {
        let Lane { key, sequence } = tally.lane.filter(|_| tally.sent)?;
        let seen = tally.seen.first;
        let effect = tally.effects.first;
        seen.or(effect)?;
        let (seen, effect) = (seen.unwrap_or(NEVER), effect.unwrap_or(NEVER));
        Some(Self {
            key: Packed::new(key.to_u128()),
            order: !sequence,
            id: Packed::new(tally.id.to_u128()),
            seen_nanos: seen.nanos,
            seen_log: seen.log,
            effect_nanos: effect.nanos,
            effect_log: effect.log,
            faulty,
        })
    }

    pub(super) const fn id(&self) -> Id {
        Id::new(self.id.to_u128())
    }

    pub(super) const fn is_faulty(&self) -> bool {
        self.faulty
    }

    const fn firsts(&self) -> Firsts {
        Firsts {
            seen: Moment {
                nanos: self.seen_nanos,
                log: self.seen_log,
            },
            effect: Moment {
                nanos: self.effect_nanos,
                log: self.effect_log,
            },
        }
    }
}

impl Record for Step {
    const SIZE: usize = 65;

    fn encode(&self, bytes: &mut [u8]) {
        put(bytes, 0, self.key.to_u128().to_le_bytes());
        put(bytes, 16, self.order.to_le_bytes());
        put(bytes, 24, self.id.to_u128().to_le_bytes());
        put(bytes, 40, self.seen_nanos.to_le_bytes());
        put(bytes, 48, self.effect_nanos.to_le_bytes());
        put(bytes, 56, self.seen_log.to_le_bytes());
        put(bytes, 60, self.effect_log.to_le_bytes());
        bytes[64] = u8::from(self.faulty);
    }

    fn decode(bytes: &[u8]) -> Self {
        Self {
            key: Packed::new(u128::from_le_bytes(get(bytes, 0))),
            order: u64::from_le_bytes(get(bytes, 16)),
            id: Packed::new(u128::from_le_bytes(get(bytes, 24))),
            seen_nanos: u64::from_le_bytes(get(bytes, 40)),
            effect_nanos: u64::from_le_bytes(get(bytes, 48)),
            seen_log: u32::from_le_bytes(get(bytes, 56)),
            effect_log: u32::from_le_bytes(get(bytes, 60)),
            faulty: bytes[64] == 1,
        }
    }
}

/// When something was seen first, and took effect first.
#[derive(Debug, Clone, Copy)]
struct Firsts {
    seen: Moment,
    effect: Moment,
}

impl Firsts {
    const NEVER: Self = Self {
        seen: NEVER,
        effect: NEVER,
    };

    fn min(self, other: Self) -> Self {
        Self {
            seen: self.seen.min(other.seen),
            effect: self.effect.min(other.effect),
        }
    }

    /// Whether this came after the other, in one of the two; what never came is not late.
    fn is_after(self, other: Self) -> bool {
        let late = |mine: Moment, other: Moment| mine != NEVER && mine > other;
        late(self.seen, other.seen) || late(self.effect, other.effect)
    }
}

/// Goes along the sorted steps and says which of them came too late.
#[derive(Debug)]
pub(super) struct Lanes {
    at: Option<(Packed, u64)>,
    /// Of all messages of this key with a higher sequence.
    later: Firsts,
    /// Of those with this sequence.
    equal: Firsts,
}

impl Lanes {
    pub(super) const fn new() -> Self {
        Self {
            at: None,
            later: Firsts::NEVER,
            equal: Firsts::NEVER,
        }
    }

    /// Whether this next step is out of order.
    pub(super) fn is_reordered(&mut self, step: &Step) -> bool {
        let firsts = step.firsts();
        match self.at {
            Some((key, order)) if key == step.key => {
                if order != step.order {
                    self.later = self.later.min(self.equal);
                    self.equal = Firsts::NEVER;
                }
            }
            _ => {
                self.later = Firsts::NEVER;
                self.equal = Firsts::NEVER;
            }
        }
        self.at = Some((step.key, step.order));
        self.equal = self.equal.min(firsts);
        firsts.is_after(self.later)
    }
}
