//! The dice of one direction of one connection: the same for the same seed, whatever else goes on.

use super::settings::Towards;

/// Whose dice, for jitter and corruption not to take them from each other.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Jitter,
    Corruption,
}

pub(super) fn dice(seed: u64, connection: u64, towards: Towards, what: What) -> fastrand::Rng {
    let mut random = fastrand::Rng::with_seed(seed);
    let salt = match (towards, what) {
        (Towards::Server, What::Jitter) => 0,
        (Towards::Server, What::Corruption) => 1,
        (Towards::Client, What::Jitter) => 2,
        (Towards::Client, What::Corruption) => 3,
    };
    let begin = random.u64(..);
    fastrand::Rng::with_seed(begin ^ (connection * 4 + salt).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Changes bytes of a stream; where, does not depend on how the stream is cut into chunks.
#[derive(Debug)]
pub(super) struct Corruption {
    random: fastrand::Rng,
    /// One in so many, when `next` was thrown.
    one_in: u64,
    /// How many bytes stay as they are before the next one that changes.
    next: u64,
}

impl Corruption {
    pub(super) fn new(random: fastrand::Rng) -> Self {
        Self {
            random,
            one_in: 0,
            next: 0,
        }
    }

    /// Changes one byte in so many and says how many it changed.
    pub(super) fn change(&mut self, bytes: &mut [u8], one_in: u64) -> u64 {
        if self.one_in != one_in {
            self.one_in = one_in;
            self.throw();
        }
        let mut changed = 0;
        if one_in == 0 {
            return changed;
        }
        for byte in bytes {
            if self.next > 0 {
                self.next -= 1;
                continue;
            }
            *byte ^= self.random.u8(1..);
            changed += 1;
            self.throw();
        }
        changed
    }

    /// Evenly from 0 to twice the mean, so that one in so many is hit on average.
    fn throw(&mut self) {
        let mean = self.one_in.saturating_sub(1);
        self.next = self.random.u64(0..=mean.saturating_mul(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corrupted(chunk: usize, one_in: u64) -> (Vec<u8>, u64) {
        let mut corruption = Corruption::new(dice(7, 1, Towards::Server, What::Corruption));
        let mut bytes = vec![0; 10_000];
        let changed = bytes
            .chunks_mut(chunk)
            .map(|chunk| corruption.change(chunk, one_in));
        let changed = changed.sum();
        (bytes, changed)
    }

    #[test]
    fn the_places_of_corruption_do_not_depend_on_chunks() {
        assert_eq!(corrupted(1, 100), corrupted(4096, 100));
        assert_ne!(corrupted(1, 100), corrupted(1, 99));
    }

    #[test]
    fn corruption_hits_one_in_so_many() {
        let (bytes, changed) = corrupted(10_000, 100);
        assert!((70..140).contains(&changed), "{changed}");
        let different = bytes.iter().filter(|byte| **byte != 0).count();
        assert_eq!(u64::try_from(different).unwrap(), changed);
        assert_eq!(corrupted(64, 1).1, 10_000);
        assert_eq!(corrupted(64, 0).1, 0);
    }
}
