//! What messages carry: text that a codec makes about half as long, unlike its neighbours. And what handlers do with it.

use std::hint::black_box;

use crate::Work;

/// Different payloads.
const COUNT: usize = 1_024;

/// Payloads to use in turn.
#[derive(Debug)]
pub(crate) struct Payloads(Vec<Vec<u8>>);

impl Payloads {
    pub(crate) fn new(bytes: usize) -> Self {
        let alphabet = b"0123456789abcdef";
        let mut random = fastrand::Rng::with_seed(7);
        let mut letter = || alphabet[random.usize(..alphabet.len())];
        let mut one = || (0..bytes).map(|_| letter()).collect();
        Self((0..COUNT).map(|_| one()).collect())
    }

    pub(crate) fn all(&self) -> &[Vec<u8>] {
        &self.0
    }

    pub(crate) fn of(&self, number: u64) -> &[u8] {
        &self.0[usize::try_from(number).unwrap_or_default() % COUNT]
    }
}

/// What a handler does: nothing, or it reads the payload, byte by byte (FNV-1a).
pub(crate) fn handle(work: Work, payload: &[u8]) {
    match work {
        Work::Reads | Work::Defaults => {
            let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
            black_box(payload.iter().fold(0xcbf2_9ce4_8422_2325, step));
        }
        _ => {
            black_box(payload);
        }
    }
}
