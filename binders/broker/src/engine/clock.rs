//! The broker's own time: the time of day at which the folder was first opened, and steady time from then on.
//!
//! Everything that waits goes by it. It is written with every frame, with its difference from the time of day, and goes on from there
//! when the folder is opened again: a clock that was set in between, or while the broker was running, changes nothing that was delayed.
//! Only the time between two processes is taken from the time of day, as nothing else knows it; if that says less than nothing, it
//! counts as nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::SystemTime,
};

use crate::{record::nanos, time::TimeSource};

/// So far the difference may shrink before it is measured anew, in nanoseconds: two clocks cannot be read at one moment.
const SLACK: i64 = 1_000_000;
/// When less than this passes between two looks, in nanoseconds, they count as one.
const CLOSE: u64 = 10_000;
/// So often it is tried to look twice at nearly one moment.
const TRIES: usize = 3;

/// The broker's own time.
#[derive(Debug)]
pub(crate) struct Clock {
    source: Arc<dyn TimeSource>,
    /// The own time at the steady time 0, in nanoseconds since the Unix epoch; may lie before it.
    base: i128,
    /// How much the own time is ahead of the time of day, in nanoseconds: never less than it is.
    ahead: AtomicI64,
}

impl Clock {
    /// Goes on behind `last`, which was so much ahead of the time of day.
    pub(crate) fn new(source: Arc<dyn TimeSource>, last: u64, ahead: i64) -> Self {
        let wall = nanos(source.wall());
        let now = wall.saturating_add_signed(ahead).max(last);
        let base = i128::from(now) - steady(&*source);
        let clock = Self {
            source,
            base,
            ahead: AtomicI64::new(ahead),
        };
        clock.ahead();
        clock
    }

    /// Now, in nanoseconds since the Unix epoch.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.base + steady(&*self.source)).unwrap_or_default()
    }

    /// How much the own time is ahead of the time of day, in nanoseconds.
    pub(crate) fn ahead(&self) -> i64 {
        let measured = self.measure();
        let known = self.ahead.load(Ordering::Relaxed);
        if (known - SLACK..=known).contains(&measured) {
            return known;
        }
        self.ahead.store(measured, Ordering::Relaxed);
        measured
    }

    /// The difference, or a little more: never less.
    fn measure(&self) -> i64 {
        let mut best = i64::MAX;
        for _ in 0..TRIES {
            let before = self.now();
            let wall = self.source.wall();
            let after = self.now();
            best = best.min(difference(after, wall));
            if after - before < CLOSE {
                break;
            }
        }
        best
    }

    /// The own time of a time of day, or a little before it.
    pub(crate) fn of(&self, wall: SystemTime) -> SystemTime {
        let now = self.now();
        let ahead = difference(now, self.source.wall());
        crate::record::time(nanos(wall).saturating_add_signed(ahead))
    }
}

fn steady(source: &dyn TimeSource) -> i128 {
    i128::try_from(source.steady().as_nanos()).unwrap_or(i128::MAX)
}

fn difference(now: u64, wall: SystemTime) -> i64 {
    let difference = i128::from(now) - i128::from(nanos(wall));
    i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
}
