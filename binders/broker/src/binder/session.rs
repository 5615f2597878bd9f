//! One open instance on a broker, beside which there may be others.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use mq_core::error::Result;

use crate::{engine::Shared, error, state::MemberKey};

/// An instance: closing it ends its own consumers and producers.
#[derive(Debug)]
pub(super) struct Session {
    shared: Arc<Shared>,
    is_closed: AtomicBool,
    /// Whether `provision` has said that nothing is to be created or changed.
    is_fixed: AtomicBool,
    members: Mutex<Vec<MemberKey>>,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            is_closed: AtomicBool::new(false),
            is_fixed: AtomicBool::new(false),
            members: Mutex::default(),
        }
    }

    /// The broker, as long as both are open.
    pub(super) fn open(&self) -> Result<&Arc<Shared>> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(error::closed());
        }
        self.shared.check()?;
        Ok(&self.shared)
    }

    /// Says whether groups may be changed to what their consumers want.
    pub(super) fn fix(&self, is_fixed: bool) {
        self.is_fixed.store(is_fixed, Ordering::Relaxed);
    }

    /// Whether groups may be changed to what their consumers want.
    pub(super) fn may_change(&self) -> bool {
        !self.is_fixed.load(Ordering::Relaxed)
    }

    /// A consumer of this instance.
    pub(super) fn add(&self, member: MemberKey) -> Result<()> {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        self.open()?;
        members.push(member);
        Ok(())
    }

    /// Ends the consumers; what they have is handed out again.
    pub(super) fn close(&self) {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_closed.store(true, Ordering::Release);
        for member in members.drain(..) {
            self.shared.leave(member);
        }
    }
}
