//! What must wait in a batch because something before it is claimed elsewhere.

use std::time::Duration;

use crate::{
    binder::{Delivery, LaneId},
    idempotency::{Claim, Claimed},
    policy::Ordering,
};

/// What in a batch is claimed elsewhere, with the turn that it keeps.
pub(super) struct Busy<'a> {
    ordering: Ordering,
    turns: Vec<(Turn<'a>, Duration)>,
}

/// Messages with the same turn are handled one after the other.
#[derive(PartialEq, Eq)]
enum Turn<'a> {
    Key(&'a [u8]),
    Lane(LaneId),
}

impl<'a> Turn<'a> {
    fn of(delivery: &'a Delivery, ordering: Ordering) -> Option<Self> {
        match ordering {
            Ordering::None => None,
            Ordering::Key => Some(Self::Key(delivery.message().as_key()?)),
            Ordering::Partition => Some(Self::Lane(delivery.record().lane)),
        }
    }
}

impl<'a> Busy<'a> {
    pub(super) fn new(ordering: Ordering) -> Self {
        Self {
            ordering,
            turns: Vec::new(),
        }
    }

    /// The answer for this delivery, which is to wait too where something before it in its turn is claimed elsewhere;
    /// then its own claim goes into `behind`.
    pub(super) fn pass(
        &mut self,
        claimed: Claimed,
        delivery: &'a Delivery,
        behind: &mut Vec<Claim>,
    ) -> Claimed {
        if self.turns.is_empty() && !matches!(claimed, Claimed::Busy { .. }) {
            return claimed;
        }
        let Some(turn) = Turn::of(delivery, self.ordering) else {
            return claimed;
        };
        let before = self.turns.iter().find(|(other, _)| *other == turn);
        match (claimed, before.map(|(_, wait)| *wait)) {
            (Claimed::Run(claim), Some(wait)) => {
                behind.push(claim);
                Claimed::Busy { wait }
            }
            (Claimed::Busy { wait }, None) => {
                self.turns.push((turn, wait));
                Claimed::Busy { wait }
            }
            (claimed, _) => claimed,
        }
    }
}
