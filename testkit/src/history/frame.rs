//! The bytes of a log: a header of 128 bytes, then frames of 72, each with a checksum.
//!
//! Frames have one size, so that the ones behind a bad one can still be read; the checksum is seeded with the frame's
//! number, so that a frame in the wrong place is a bad one. Numbers are little-endian.
//!
//! | frame | header |
//! |---|---|
//! | 0 checksum, 8 time, 16 id, 32 key, 48 sequence, 56 position, 64 partition, 68 what, 69 flags, 70 zero | 0 magic, 8 checksum, 16 length of the name, 18 name |

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::entry::{Entry, Id, Key, Lane, Place, What};

pub(super) const FRAME: usize = 72;
pub(super) const HEADER: usize = 128;
const NAME: usize = HEADER - 18;
const MAGIC: &[u8; 8] = b"mqhist1\n";
const KEYED: u8 = 1;
const PLACED: u8 = 2;

/// An entry with its time, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamped {
    pub(super) nanos: u64,
    pub(super) entry: Entry,
}

impl Stamped {
    /// As the frame with this number, counted from zero.
    pub(super) fn encode(&self, number: u64) -> [u8; FRAME] {
        let mut bytes = [0; FRAME];
        let entry = &self.entry;
        put(&mut bytes, 8, self.nanos.to_le_bytes());
        put(&mut bytes, 16, entry.id.to_u128().to_le_bytes());
        if let Some(lane) = entry.lane {
            put(&mut bytes, 32, lane.key.to_u128().to_le_bytes());
            put(&mut bytes, 48, lane.sequence.to_le_bytes());
            bytes[69] |= KEYED;
        }
        if let Some(place) = entry.place {
            put(&mut bytes, 56, place.position.to_le_bytes());
            put(&mut bytes, 64, place.partition.to_le_bytes());
            bytes[69] |= PLACED;
        }
        bytes[68] = entry.what as u8;
        let sum = xxh3_64_with_seed(&bytes[8..], number);
        put(&mut bytes, 0, sum.to_le_bytes());
        bytes
    }

    /// `None` where this is not the whole and sound frame with this number.
    pub(super) fn decode(bytes: &[u8; FRAME], number: u64) -> Option<Self> {
        let sum = u64::from_le_bytes(get(bytes, 0));
        if sum != xxh3_64_with_seed(&bytes[8..], number) {
            return None;
        }
        let mut entry = Entry::new(
            What::from_number(bytes[68])?,
            Id::new(u128::from_le_bytes(get(bytes, 16))),
        );
        entry.lane = (bytes[69] & KEYED != 0).then(|| Lane {
            key: Key::new(u128::from_le_bytes(get(bytes, 32))),
            sequence: u64::from_le_bytes(get(bytes, 48)),
        });
        entry.place = (bytes[69] & PLACED != 0).then(|| Place {
            partition: u32::from_le_bytes(get(bytes, 64)),
            position: u64::from_le_bytes(get(bytes, 56)),
        });
        let nanos = u64::from_le_bytes(get(bytes, 8));
        Some(Self { nanos, entry })
    }
}

/// The header of a log with this name, which is cut to what fits.
pub(super) fn encode_header(name: &str) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    let name = &name.as_bytes()[..boundary(name, NAME)];
    put(&mut bytes, 0, *MAGIC);
    put(&mut bytes, 16, (name.len() as u16).to_le_bytes());
    bytes[18..18 + name.len()].copy_from_slice(name);
    let sum = xxh3_64_with_seed(&bytes[16..], 0);
    put(&mut bytes, 8, sum.to_le_bytes());
    bytes
}

/// What the first bytes of a file are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// A log with this name.
    Named(String),
    /// A log whose name cannot be read.
    Damaged,
    /// Some other file.
    Foreign,
}

impl Header {
    pub(super) fn decode(bytes: &[u8; HEADER]) -> Self {
        if &bytes[..8] != MAGIC {
            return Self::Foreign;
        }
        let sound = u64::from_le_bytes(get(bytes, 8)) == xxh3_64_with_seed(&bytes[16..], 0);
        let length = usize::from(u16::from_le_bytes(get(bytes, 16)));
        let name = bytes[18..].get(..length).filter(|_| sound);
        match name.and_then(|name| std::str::from_utf8(name).ok()) {
            Some(name) => Self::Named(name.to_owned()),
            None => Self::Damaged,
        }
    }
}

/// Copies a number into its place.
pub(super) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

/// The `N` bytes from `at`.
pub(super) fn get<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut value = [0; N];
    value.copy_from_slice(&bytes[at..at + N]);
    value
}

/// The most bytes of a text, up to `limit`, that end between two characters.
fn boundary(text: &str, limit: usize) -> usize {
    let limit = limit.min(text.len());
    (0..=limit)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_as_it_was() {
        let entry = Entry::seen(Id::new(u128::MAX - 3))
            .keyed(Key::of("k"), 9)
            .at(4, u64::MAX);
        let stamped = Stamped { nanos: 12, entry };
        assert_eq!(Stamped::decode(&stamped.encode(5), 5), Some(stamped));
    }

    #[test]
    fn every_flipped_bit_and_a_wrong_place_are_noticed() {
        let entry = Entry::confirmed(Id::of("x"));
        let good = Stamped { nanos: 12, entry }.encode(5);
        assert_eq!(Stamped::decode(&good, 6), None);
        for bit in 0..FRAME * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Stamped::decode(&bad, 5), None, "bit {bit}");
        }
    }

    #[test]
    fn a_frame_of_zeros_is_bad() {
        assert_eq!(Stamped::decode(&[0; FRAME], 0), None);
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let name = "ä".repeat(100);
        let Header::Named(read) = Header::decode(&encode_header(&name)) else {
            panic!("not named");
        };
        assert_eq!(read, "ä".repeat(NAME / 2));
        assert_eq!(Header::decode(&[7; HEADER]), Header::Foreign);
        let mut bytes = encode_header("sink");
        bytes[20] ^= 1;
        assert_eq!(Header::decode(&bytes), Header::Damaged);
    }
}
