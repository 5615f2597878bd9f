//! What is never written to the journal: messages of destinations in memory, and what becomes of them.

use std::collections::BTreeSet;

use super::{PREFIX, kind, records};
use crate::journal::frame::u32_at;

/// Marks the place of a message that is in memory only.
pub(crate) const FLEETING: u64 = 1 << 63;

/// Whether the record concerns messages of one of these destinations only.
pub(crate) fn is_fleeting(record: &[u8], memory: &BTreeSet<u32>) -> bool {
    let at = match record.get(PREFIX - 1) {
        Some(&kind::PUBLISH) => 12,
        Some(
            &(kind::ACK
            | kind::RELEASE
            | kind::HOLD
            | kind::SEEK
            | kind::PURGE
            | kind::HANDLED
            | kind::TRIM
            | kind::COMMIT
            | kind::START
            | kind::EXPIRE),
        ) => PREFIX,
        _ => return false,
    };
    record.len() >= at + 4 && memory.contains(&u32_at(record, at))
}

/// The parts of a frame's body that are written, and how many records these are; `None` is all of it.
pub(crate) fn without_fleeting(body: &[u8], memory: &BTreeSet<u32>) -> Option<(Vec<u8>, u32)> {
    let fleeting = |record: &[u8]| is_fleeting(record, memory);
    let mut all = records(body).flatten();
    if !all.any(|(_, record)| fleeting(record)) {
        return None;
    }
    let (mut written, mut count) = (Vec::new(), 0);
    for (_, record) in records(body).flatten().filter(|(_, one)| !fleeting(one)) {
        written.extend_from_slice(record);
        count += 1;
    }
    Some((written, count))
}
