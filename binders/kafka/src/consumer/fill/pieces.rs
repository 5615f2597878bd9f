//! Memory for keys and payloads.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Keys and payloads of a batch are copied into pieces of at most this size, so that no message costs an allocation of its own.
const PIECE: usize = 64 << 10;
/// So many pieces are used again; what the allocator gives back to the system and takes anew costs more than the copy.
const KEPT: usize = 128;

/// The piece that is being filled, and those that were filled before.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    piece: BytesMut,
    /// It has the full size, and is worth keeping.
    is_whole: bool,
    /// The oldest first: what came first is done with first.
    filled: VecDeque<BytesMut>,
    /// Bytes of the batch so far, and of the one before.
    copied: usize,
    expected: usize,
}

impl Pieces {
    /// The batch is handed over.
    ///
    /// Its pieces are nobody else's from then on: neighbours that one thread makes while another drops them would fight for their
    /// common counter.
    pub(super) fn seal(&mut self) {
        self.expected = std::mem::take(&mut self.copied);
        self.retire();
    }

    /// Nothing comes for now: what is kept for later is given back.
    pub(super) fn rest(&mut self) {
        self.filled.clear();
    }

    /// Sees to it that so many bytes can be copied next.
    pub(super) fn make_room(&mut self, size: usize) {
        if self.piece.capacity() < size {
            self.retire();
            self.piece = self.take(size);
        }
        self.copied += size;
    }

    /// Copies into the room that was made.
    pub(super) fn copy(&mut self, bytes: &[u8]) -> Bytes {
        self.piece.extend_from_slice(bytes);
        self.piece.split().freeze()
    }

    fn retire(&mut self) {
        let piece = std::mem::take(&mut self.piece);
        if self.is_whole && self.filled.len() < KEPT {
            self.filled.push_back(piece);
        }
        self.is_whole = false;
    }

    /// The oldest piece if nobody holds a part of it any more, or a new one, as large as the batch is likely to need.
    fn take(&mut self, size: usize) -> BytesMut {
        let rest = self.expected.saturating_sub(self.copied);
        let wanted = rest.min(PIECE).max(size);
        let reclaimed = (wanted <= PIECE).then(|| self.reclaim()).flatten();
        self.is_whole = reclaimed.is_some() || wanted == PIECE;
        reclaimed.unwrap_or_else(|| BytesMut::with_capacity(wanted))
    }

    fn reclaim(&mut self) -> Option<BytesMut> {
        let is_free = self.filled.front_mut()?.try_reclaim(PIECE);
        is_free.then(|| self.filled.pop_front()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_used_again_when_nobody_holds_it() {
        let mut pieces = Pieces::default();
        pieces.make_room(PIECE);
        let first = pieces.copy(&[1; 1_000]);
        let place = first.as_ptr();
        pieces.seal();
        pieces.make_room(PIECE);
        let second = pieces.copy(&[2; 1_000]);
        assert_ne!(second.as_ptr(), place, "the first is still held");
        pieces.seal();
        drop(first);
        pieces.make_room(1_000);
        let third = pieces.copy(&[3; 1_000]);
        assert_eq!(third.as_ptr(), place);
        assert_eq!((second[0], third[0]), (2, 3));
    }
}
