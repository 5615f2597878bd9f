//! What a group knows of a message that it has begun with and not settled.

/// No message waits behind this one.
pub(super) const NOBODY: u64 = u64::MAX;

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In line to be handed out again.
    Ready,
    /// Behind an earlier message of its key.
    Parked,
    /// With a consumer.
    Out,
    /// Waiting for its time.
    Delayed,
}

/// A message that a group has begun with and not settled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// The hash of its key, or 0.
    pub(super) key: u64,
    /// The message of its key that waits behind it.
    pub(super) next: u64,
    /// The message of its key that it waits behind, while it is parked.
    pub(super) before: u64,
    /// The consumer that has it, while it is out.
    pub(super) owner: u32,
    pub(super) attempts: u32,
    pub(super) deliveries: u32,
    pub(super) place: Place,
    /// 0 is handed out before 9: the opposite of the message's priority.
    pub(super) rank: u8,
    /// Whether a hold was recorded.
    pub(super) is_held: bool,
    /// Whether it has neither key nor hold.
    is_plain: bool,
}

impl Slot {
    pub(super) fn new(key: u64, priority: u8, place: Place) -> Self {
        Self {
            key,
            next: NOBODY,
            before: NOBODY,
            owner: 0,
            attempts: 0,
            deliveries: 0,
            place,
            rank: rank(priority),
            is_held: false,
            is_plain: key == 0,
        }
    }

    /// A message on its first way out.
    #[inline]
    pub(super) fn out(key: u64, priority: u8, owner: u32) -> Self {
        Self {
            owner,
            deliveries: 1,
            ..Self::new(key, priority, Place::Out)
        }
    }

    /// Out it goes, once more.
    #[inline]
    pub(super) fn hand_to(&mut self, owner: u32) {
        self.place = Place::Out;
        self.owner = owner;
        self.deliveries = self.deliveries.saturating_add(1);
    }

    #[inline]
    pub(super) fn is_out_with(&self, owner: u32) -> bool {
        self.place == Place::Out && self.owner == owner
    }

    /// The same, and nothing else depends on it.
    #[inline]
    pub(super) fn is_plainly_out_with(&self, owner: u32) -> bool {
        self.is_out_with(owner) && self.is_plain
    }

    /// Notes a hold, or that there is none.
    pub(super) fn hold(&mut self, held: bool) {
        self.is_held = held;
        self.is_plain = !held && self.key == 0;
    }

    pub(super) fn waiting_behind(&self) -> Option<u64> {
        (self.next != NOBODY).then_some(self.next)
    }
}

/// Ranks sort the other way round than priorities.
fn rank(priority: u8) -> u8 {
    9_u8.saturating_sub(priority)
}
