//! The lines of an order: who is through, who waits, and where the line of a key is.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasherDefault, Hasher},
};

use crate::binder::{Delivery, LaneId};

/// The lines by the hash of what they stand for.
///
/// A line that nobody needs is kept for a while: the next message of its key finds it where it was.
#[derive(Debug)]
pub(super) struct Lines {
    /// Where the line of a hash is.
    places: HashMap<u64, u32, BuildHasherDefault<Identity>>,
    lines: Vec<Line>,
    free: Vec<u32>,
    /// With so many lines, those that nobody needs are forgotten.
    sweep_at: usize,
    #[expect(clippy::vec_box, reason = "the boxes themselves are used again")]
    spare: Vec<Box<Behind>>,
}

/// What is through a turnstile, and who waits.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) through: u32,
    behind: Option<Box<Behind>>,
}

/// Who waits, and for whom.
#[derive(Debug, Default)]
pub(super) struct Behind {
    pub(super) parked: Option<(LaneId, u64)>,
    pub(super) waiting: VecDeque<Delivery>,
}

/// The numbers are hashes already.
#[derive(Clone, Copy, Debug, Default)]
struct Identity(u64);

/// Emptied queues that are kept for the next line.
const SPARE: usize = 64;

/// So many lines are kept, whether or not anybody needs them.
const LINES: usize = 4_096;

impl Line {
    #[inline(always)]
    pub(super) fn is_idle(&self) -> bool {
        self.through == 0 && self.behind.is_none()
    }

    #[inline(always)]
    pub(super) fn has_behind(&self) -> bool {
        self.behind.is_some()
    }

    pub(super) fn parked(&self) -> Option<(LaneId, u64)> {
        self.behind.as_ref()?.parked
    }
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            places: HashMap::default(),
            lines: Vec::new(),
            free: Vec::new(),
            sweep_at: LINES,
            spare: Vec::new(),
        }
    }
}

impl Lines {
    /// Where the line of a hash is; it is there from now on.
    #[inline(always)]
    pub(super) fn place_of(&mut self, hash: u64) -> u32 {
        match self.places.get(&hash) {
            Some(place) => *place,
            None => self.add(hash),
        }
    }

    #[inline(never)]
    fn add(&mut self, hash: u64) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.lines.push(Line::default());
            // There are fewer lines than messages in the window.
            u32::try_from(self.lines.len() - 1).unwrap_or(u32::MAX)
        });
        self.places.insert(hash, place);
        place
    }

    /// The line at a place.
    #[inline(always)]
    pub(super) fn at(&mut self, place: usize) -> &mut Line {
        &mut self.lines[place]
    }

    /// Who waits in the line at a place.
    pub(super) fn behind(&mut self, place: usize) -> &mut Behind {
        let spare = &mut self.spare;
        self.lines[place]
            .behind
            .get_or_insert_with(|| spare.pop().unwrap_or_default())
    }

    /// Takes out who is first in the line at a place, and tells who is left; nobody is parked there any more.
    pub(super) fn advance(&mut self, place: usize) -> Option<(Delivery, &mut Behind)> {
        let behind = &mut self.lines[place].behind;
        let first = behind.as_mut().and_then(|behind| {
            behind.parked = None;
            behind.waiting.pop_front()
        });
        if first.is_none() {
            let emptied = behind.take();
            if self.spare.len() < SPARE {
                self.spare.extend(emptied);
            }
        }
        first.zip(self.lines[place].behind.as_deref_mut())
    }

    /// Everybody who waits, line by line.
    pub(super) fn all_waiting(&mut self) -> impl Iterator<Item = &mut VecDeque<Delivery>> {
        let behind = self
            .lines
            .iter_mut()
            .filter_map(|line| line.behind.as_mut());
        behind.map(|behind| &mut behind.waiting)
    }

    /// Whether it is time to [sweep](Self::sweep).
    pub(super) fn is_crowded(&self) -> bool {
        self.places.len() >= self.sweep_at
    }

    /// Forgets the lines that nobody needs.
    pub(super) fn sweep(&mut self) {
        let (lines, free) = (&self.lines, &mut self.free);
        self.places.retain(|_, place| {
            let is_needed = !lines[*place as usize].is_idle();
            if !is_needed {
                free.push(*place);
            }
            is_needed
        });
        self.sweep_at = LINES.max(self.places.len() * 2);
    }
}

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes
            .iter()
            .fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_nobody_needs_is_forgotten_once_there_are_many() {
        let mut lines = Lines::default();
        let busy = lines.place_of(7) as usize;
        lines.at(busy).through = 1;
        for hash in 0..LINES as u64 {
            assert!(!lines.is_crowded());
            lines.place_of(hash);
        }
        assert!(lines.is_crowded());
        lines.sweep();
        assert_eq!(lines.places.len(), 1);
        (0..10).for_each(|hash| {
            lines.place_of(hash);
        });
        assert_eq!((lines.places.len(), lines.lines.len()), (10, LINES));
        assert_eq!(lines.place_of(7) as usize, busy);
    }
}
