//! Frames: what is written at once, and is there as a whole or not at all.
//!
//! A frame is a header of 64 bytes and a body of records.
//! The checksum of the body (CRC-32C, RFC 3720 appendix B.4) begins with that of the frame before it and the time, and the checksum of the header
//! with the segment's epoch: what an earlier life of a recycled file has left behind never passes for a frame.

/// Bytes of a frame's header.
pub(crate) const HEADER: usize = 64;
/// Frames begin at multiples of this.
pub(crate) const ALIGN: u64 = 8;

const MAGIC: u32 = u32::from_le_bytes(*b"MQF1");

/// What a frame's header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    /// Where the frame is in the journal.
    pub(crate) lsn: u64,
    /// The checksum of the frame before it.
    pub(crate) previous: u32,
    /// The checksum of the body.
    pub(crate) crc: u32,
    /// Bytes of the body.
    pub(crate) len: u32,
    /// Records in the body.
    pub(crate) records: u32,
    /// When it was written, in nanoseconds since the Unix epoch, by the broker's own time.
    pub(crate) time: u64,
    /// Everything before this was durable when the frame was written.
    pub(crate) synced: u64,
    /// How much the broker's own time was ahead of the time of day, in nanoseconds.
    pub(crate) ahead: i64,
}

impl Header {
    /// The header as it is written, under the segment's epoch.
    pub(crate) fn encode(&self, epoch: u64) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.lsn.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.previous.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.crc.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.len.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.records.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.time.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.synced.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.ahead.to_le_bytes());
        let crc = header_crc(&bytes, epoch);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header of this epoch; `None` is anything else.
    pub(crate) fn decode(bytes: &[u8], epoch: u64) -> Option<Self> {
        let bytes = bytes.get(..HEADER)?;
        if u32_at(bytes, 0) != MAGIC || u32_at(bytes, 4) != header_crc(bytes, epoch) {
            return None;
        }
        Some(Self {
            lsn: u64_at(bytes, 8),
            previous: u32_at(bytes, 16),
            crc: u32_at(bytes, 20),
            len: u32_at(bytes, 24),
            records: u32_at(bytes, 28),
            time: u64_at(bytes, 32),
            synced: u64_at(bytes, 40),
            ahead: u64_at(bytes, 48).cast_signed(),
        })
    }

    /// Whether a frame of this place may begin here, whatever became of the rest.
    pub(crate) fn is_likely(bytes: &[u8], lsn: u64) -> bool {
        bytes.len() >= HEADER && u32_at(bytes, 0) == MAGIC && u64_at(bytes, 8) == lsn
    }

    /// Where in these bytes, which begin where a frame may begin, a header may be.
    pub(crate) fn candidates(bytes: &[u8]) -> impl Iterator<Item = usize> {
        let places = bytes.chunks_exact(ALIGN as usize).enumerate();
        let places = places.filter(|(_, word)| word[..4] == MAGIC.to_le_bytes());
        let last = bytes.len().saturating_sub(HEADER);
        let places = places.map(|(index, _)| index * ALIGN as usize);
        places.take_while(move |place| *place <= last)
    }

    /// How far [`candidates`](Self::candidates) has looked, at least one place.
    pub(crate) fn searched(bytes: &[u8]) -> u64 {
        let last = bytes.len().saturating_sub(HEADER) as u64;
        last / ALIGN * ALIGN + ALIGN
    }

    /// Where the next frame begins.
    pub(crate) fn end(&self) -> u64 {
        (self.lsn + HEADER as u64 + u64::from(self.len)).next_multiple_of(ALIGN)
    }
}

/// The checksum of a body that was written at `time` and follows a frame with the checksum `previous`.
///
/// The time makes it differ from that of the same body at the same place in an earlier life of the broker, of which a crash may have
/// left frames further behind.
pub(crate) fn body_crc(previous: u32, time: u64, body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(previous, &time.to_le_bytes()), body)
}

fn header_crc(bytes: &[u8], epoch: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&epoch.to_le_bytes()), &bytes[8..])
}

/// The number at `at`; the caller has checked the length.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

/// The number at `at`; the caller has checked the length.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_only_under_its_epoch_and_unchanged() {
        let header = Header {
            lsn: 4_096,
            previous: 7,
            crc: 9,
            len: 100,
            records: 3,
            time: 5,
            synced: 64,
            ahead: -5,
        };
        let bytes = header.encode(42);
        assert_eq!(Header::decode(&bytes, 42), Some(header));
        assert_eq!(Header::decode(&bytes, 43), None);
        assert_eq!(header.end(), 4_264);
        for bit in 0..HEADER * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&damaged, 42), None, "bit {bit}");
        }
    }
}
