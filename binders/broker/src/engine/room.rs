//! How much room the disk has, and what that means for publishers.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use mq_core::error::Result;
use tokio::time::Instant;

use crate::error;

/// While there is little room, so much is let in that what is left would last so long.
const LASTS: Duration = Duration::from_secs(60);
/// Who would have to wait longer than this is refused; no message makes others wait longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How much room the disk has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiskRoom {
    /// Enough.
    Enough,
    /// Less than [`slow_below`](crate::BrokerOptions::slow_below): publications are slowed.
    Low,
    /// Less than [`reserve`](crate::BrokerOptions::reserve): publications are refused.
    Out,
}

impl DiskRoom {
    /// The name, as the socket shows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Enough => "enough",
            Self::Low => "low",
            Self::Out => "out",
        }
    }
}

/// The room of the disk, as it was looked at last.
#[derive(Debug)]
pub(crate) struct Room {
    free: AtomicU64,
    reserve: u64,
    slow_below: u64,
    /// When the next bytes are let in.
    turn: Mutex<Option<Instant>>,
}

impl Room {
    pub(super) fn new(reserve: u64, slow_below: u64) -> Self {
        Self {
            free: AtomicU64::new(u64::MAX),
            reserve,
            slow_below,
            turn: Mutex::default(),
        }
    }

    /// The disk has so many free bytes.
    pub(super) fn set(&self, free: u64) {
        self.free.store(free, Ordering::Relaxed);
    }

    /// Free bytes, if the disk was looked at.
    pub(crate) fn free(&self) -> Option<u64> {
        Some(self.free.load(Ordering::Relaxed)).filter(|free| *free < u64::MAX)
    }

    /// What that means.
    #[inline]
    pub(crate) fn level(&self) -> DiskRoom {
        let free = self.free.load(Ordering::Relaxed);
        if free < self.reserve {
            DiskRoom::Out
        } else if free < self.slow_below {
            DiskRoom::Low
        } else {
            DiskRoom::Enough
        }
    }

    /// When so many bytes are let in, where publications are slowed.
    ///
    /// # Errors
    /// Too many wait already.
    pub(super) fn turn(&self, bytes: u64) -> Result<Option<Instant>> {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if self.level() != DiskRoom::Low {
            *turn = None;
            return Ok(None);
        }
        let now = Instant::now();
        let begin = turn.map_or(now, |turn| turn.max(now));
        if begin - now > PATIENCE {
            return Err(error::disk_low());
        }
        *turn = Some(begin + self.takes(bytes));
        Ok((begin > now).then_some(begin))
    }

    /// How long others wait for so many bytes.
    fn takes(&self, bytes: u64) -> Duration {
        let left = self.free.load(Ordering::Relaxed) - self.reserve;
        let each_second = left / LASTS.as_secs() + 1;
        let millis = bytes.saturating_mul(1_000) / each_second;
        Duration::from_millis(millis).min(PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_less_room_there_is_the_longer_a_publication_waits() {
        let room = Room::new(100, 1_000_000);
        assert_eq!((room.level(), room.free()), (DiskRoom::Enough, None));
        for (free, level) in [
            (1_000_000, DiskRoom::Enough),
            (999_999, DiskRoom::Low),
            (100, DiskRoom::Low),
            (99, DiskRoom::Out),
        ] {
            room.set(free);
            assert_eq!((room.level(), room.free()), (level, Some(free)));
        }
        let takes = |free| {
            room.set(free);
            room.takes(1_000)
        };
        assert_eq!(takes(999_999), Duration::from_millis(60));
        assert_eq!(takes(60_100), Duration::from_millis(999));
        assert_eq!(takes(100), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn who_would_wait_too_long_is_refused_and_nobody_waits_once_there_is_room() {
        let room = Room::new(0, 1_000_000);
        room.set(60_000);
        let begin = Instant::now();
        // About a second for each.
        let turns: Vec<_> = (0..6).map(|_| room.turn(1_000)).collect();
        let waits = turns.iter().map(|turn| match turn {
            Ok(turn) => turn.map_or(0, |turn| (turn - begin).as_millis()),
            Err(error) => panic!("{error}"),
        });
        let waits: Vec<_> = waits.collect();
        assert_eq!(waits, [0, 999, 1_998, 2_997, 3_996, 4_995]);
        let error = room.turn(1_000).unwrap_err();
        assert!(error.is_temporary(), "{error:?}");
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(room.turn(1_000).is_ok());
        room.set(1_000_000);
        assert_eq!(room.turn(1_000).unwrap(), None);
        room.set(60_000);
        assert_eq!(room.turn(1_000).unwrap(), None);
    }
}
