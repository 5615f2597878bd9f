//! How much a consumer may have: messages, and bytes where it says so.

use std::collections::HashMap;

use super::lane::Pick;
use crate::record::LaneKey;

/// What a consumer has granted, and how much of it is used.
#[derive(Debug)]
pub(super) struct Credit {
    /// At most so many messages are out.
    window: usize,
    out: usize,
    bytes: Option<Bytes>,
}

/// Credit in bytes.
#[derive(Debug)]
struct Bytes {
    window: u64,
    out: u64,
    /// What is out, with its size.
    sizes: HashMap<(LaneKey, u64), u32>,
}

/// Bytes that may be handed out in one go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grant {
    left: u64,
    /// Who has nothing gets one message, whatever its size.
    is_first: bool,
}

impl Grant {
    pub(super) fn fits(&self, len: u32) -> bool {
        self.is_first || u64::from(len) <= self.left
    }

    pub(super) fn take(&mut self, len: u32) {
        self.left = self.left.saturating_sub(u64::from(len));
        self.is_first = false;
    }
}

impl Credit {
    pub(super) fn new(window: usize, bytes: Option<u64>) -> Self {
        let bytes = bytes.map(|window| Bytes {
            window,
            out: 0,
            sizes: HashMap::new(),
        });
        Self {
            window: window.max(1),
            out: 0,
            bytes,
        }
    }

    /// Messages that it may still get.
    #[inline]
    pub(super) fn room(&self) -> usize {
        self.window.saturating_sub(self.out)
    }

    /// Bytes that it may still get, if that is limited.
    pub(super) fn grant(&self) -> Option<Grant> {
        let bytes = self.bytes.as_ref()?;
        Some(Grant {
            left: bytes.window.saturating_sub(bytes.out),
            is_first: self.out == 0,
        })
    }

    /// Whether bytes are counted.
    #[inline]
    pub(super) fn counts_bytes(&self) -> bool {
        self.bytes.is_some()
    }

    /// Whether there is something to wait for when a message is settled.
    fn is_used_up(&self) -> bool {
        self.room() == 0 || self.counts_bytes()
    }

    /// Messages are handed out.
    pub(super) fn take(&mut self, picks: &[Pick], lanes: &[LaneKey]) {
        self.out += picks.len();
        if let Some(bytes) = &mut self.bytes {
            for pick in picks {
                bytes.add(lanes[pick.lane as usize], pick.position, pick.len);
            }
        }
    }

    /// A message of this size comes back to the consumer.
    pub(super) fn take_back(&mut self, lane: LaneKey, position: u64, len: u32) {
        self.out += 1;
        if let Some(bytes) = &mut self.bytes {
            bytes.add(lane, position, len);
        }
    }

    /// So many messages are not with the consumer any more; these, where bytes are counted. Returns whether it may have waited for that.
    #[inline]
    pub(super) fn give(&mut self, lane: LaneKey, count: usize, positions: &[u64]) -> bool {
        let is_used_up = self.is_used_up();
        self.out = self.out.saturating_sub(count);
        if let Some(bytes) = &mut self.bytes {
            for position in positions {
                let size = bytes.sizes.remove(&(lane, *position));
                bytes.out -= u64::from(size.unwrap_or(0));
            }
        }
        is_used_up && count > 0
    }

    /// So many messages are not with the consumer any more: everything that it had of this lane.
    pub(super) fn give_all(&mut self, lane: LaneKey, count: usize) -> bool {
        let own = self.bytes.iter().flat_map(|bytes| bytes.sizes.keys());
        let own = own.filter(|(of, _)| *of == lane);
        let own: Vec<u64> = own.map(|(_, position)| *position).collect();
        self.give(lane, count, &own)
    }
}

impl Bytes {
    fn add(&mut self, lane: LaneKey, position: u64, len: u32) {
        if self.sizes.insert((lane, position), len).is_none() {
            self.out += u64::from(len);
        }
    }
}
