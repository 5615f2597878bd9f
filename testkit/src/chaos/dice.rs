//! Chance that can be repeated.

/// Numbers that look random and are the same for the same seed: splitmix64, as in Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators", 2014.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// Dice of their own for a part of a run.
    pub(super) const fn of(seed: u64, part: u64) -> Self {
        Self(mix(seed ^ mix(part)))
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number below `sides`, which is at least 1.
    pub(super) const fn roll(&mut self, sides: u64) -> u64 {
        self.next() % sides
    }

    /// One of these, which are some.
    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let sides = from.len() as u64;
        from[self.roll(sides) as usize]
    }
}

const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}
