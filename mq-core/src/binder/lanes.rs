//! Lanes: the ordered parts of a subscription, as a binder assigns them.

use std::sync::Arc;

use crate::message::{IdSeed, MessageId};

/// The number of a lane within one consumer; small, dense, reused after a lane was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneId(pub u32);

/// Where the messages of a lane come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The destination.
    pub destination: Arc<str>,
    /// The partition; 0 where the destination has none.
    pub partition: u32,
}

/// A lane that this consumer now reads.
#[derive(Clone, Debug)]
pub struct AssignedLane {
    /// Its number from now on.
    pub id: LaneId,
    /// Where its messages come from.
    pub lane: Lane,
    /// The first position that is not committed, where the broker is positional.
    pub position: Option<u64>,
    /// What [`Action::Commit`](super::Action::Commit) last saved beside that position.
    pub saved: Option<bytes::Bytes>,
    /// The assignment's number: deliveries carry it, and a settlement of an older one is refused as lost.
    ///
    /// Where the numbers of lanes are used again, no two assignments of a consumer have the same: otherwise a late settlement of one partition
    /// would count for another.
    pub epoch: u32,
}

/// The lanes of a consumer by number.
#[derive(Clone, Debug, Default)]
pub struct Lanes(Vec<Option<(Lane, IdSeed)>>);

impl Lanes {
    /// The lane of this number.
    #[must_use]
    pub fn get(&self, id: LaneId) -> Option<&Lane> {
        self.entry(id).map(|(lane, _)| lane)
    }

    /// Where the ids of its messages begin that have no other.
    #[must_use]
    pub fn seed(&self, id: LaneId) -> IdSeed {
        self.entry(id)
            .map_or_else(|| IdSeed::new(&[]), |(_, seed)| *seed)
    }

    /// The id of the message at `position` of a lane, where it has no other.
    pub(crate) fn id(&self, lane: LaneId, position: u64) -> MessageId {
        match self.entry(lane) {
            Some((lane, seed)) => seed.position(lane.partition, position),
            None => IdSeed::new(&[]).position(0, position),
        }
    }

    /// Sets or replaces a lane.
    pub fn set(&mut self, id: LaneId, lane: Lane) {
        let index = id.0 as usize;
        if self.0.len() <= index {
            self.0.resize(index + 1, None);
        }
        let seed = IdSeed::new(&[&lane.destination]);
        self.0[index] = Some((lane, seed));
    }

    /// Every lane with its number.
    pub fn iter(&self) -> impl Iterator<Item = (LaneId, &Lane)> {
        self.0.iter().enumerate().filter_map(|(index, lane)| {
            Some((LaneId(u32::try_from(index).ok()?), &lane.as_ref()?.0))
        })
    }

    fn entry(&self, id: LaneId) -> Option<&(Lane, IdSeed)> {
        self.0.get(id.0 as usize)?.as_ref()
    }
}
