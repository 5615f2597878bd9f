//! Messages and changes that take effect together, and the room that they need.

use std::sync::Arc;

use mq_core::{binder::Receipt, error::Result, message::Message};

use super::{
    publish::{Outgoing, receipt},
    room::DiskRoom,
    shared::Shared,
};
use crate::{
    error,
    options::{Durability, Full},
    record::Change,
    state::Route,
};

/// Room that is taken until the messages are stored, or are not.
#[derive(Debug, Default)]
pub(super) struct Reserved(Vec<(Arc<Route>, u64, u64)>);

impl Reserved {
    pub(super) fn add(&mut self, route: &Arc<Route>, messages: u64, bytes: u64) {
        match self.0.last_mut() {
            Some((last, count, sum)) if Arc::ptr_eq(last, route) => {
                *count += messages;
                *sum += bytes;
            }
            _ => self.0.push((route.clone(), messages, bytes)),
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        for (route, messages, bytes) in &self.0 {
            route.release(*messages, *bytes);
        }
    }
}

/// Room that messages need that belong together: once for each destination.
#[derive(Debug, Default)]
struct Needs(Vec<(Arc<Route>, u64, u64)>);

impl Needs {
    fn add(&mut self, route: &Arc<Route>, bytes: u64) {
        match self
            .0
            .iter_mut()
            .find(|(known, ..)| Arc::ptr_eq(known, route))
        {
            Some((_, messages, sum)) => {
                *messages += 1;
                *sum += bytes;
            }
            None => self.0.push((route.clone(), 1, bytes)),
        }
    }
}

/// Whether limits were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checks {
    /// A message is refused, or waits, where there is no room.
    Limits,
    /// What comes with settlements is never kept waiting.
    None,
}

impl Shared {
    /// Publishes messages and applies changes, all or nothing.
    ///
    /// Returns where the messages were stored, and what became of the changes with them.
    /// Calls `written` as soon as they take effect whether or not anybody waits for it.
    pub(crate) async fn publish_with(
        &self,
        messages: &[(Arc<Route>, Message)],
        changes: &[Change],
        durability: Durability,
        checks: Checks,
        written: impl FnOnce(),
    ) -> Result<Vec<Receipt>> {
        if messages.is_empty() && changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut needs = Needs::default();
        let mut outgoing = Vec::with_capacity(messages.len());
        for (route, message) in messages {
            let (target, size) = self.target(route, message)?;
            needs.add(route, size);
            outgoing.push(Outgoing {
                message,
                target,
                durability: route.options.durability,
            });
        }
        if checks == Checks::Limits && changes.is_empty() {
            // A step that settles as well is what makes room.
            let sum = needs.0.iter().map(|(_, _, bytes)| *bytes).sum();
            if let Some(turn) = self.room.turn(sum)? {
                tokio::time::sleep_until(turn).await;
            }
        }
        let _reserved = match checks {
            Checks::Limits => self.make_room_together(&needs.0).await?,
            Checks::None => Reserved::default(),
        };
        let ticket = self.write_all(&outgoing, changes, durability)?;
        written();
        let positions = ticket.wait().await?;
        let each = positions.iter().zip(&outgoing);
        each.map(|(position, out)| receipt(&out.target, *position))
            .collect()
    }

    /// Takes room for everything that belongs together, and waits without holding any.
    async fn make_room_together(&self, needs: &[(Arc<Route>, u64, u64)]) -> Result<Reserved> {
        'again: loop {
            let mut reserved = Reserved::default();
            for (route, messages, bytes) in needs {
                let _waiting = route.waits();
                let room = route.load.room.notified();
                if !self.reserve(route, *messages, *bytes)? {
                    drop(reserved);
                    self.check()?;
                    room.await;
                    continue 'again;
                }
                reserved.add(route, *messages, *bytes);
            }
            return Ok(reserved);
        }
    }

    /// Takes room, if there is some; `false` is to wait.
    pub(super) fn reserve(&self, route: &Route, messages: u64, bytes: u64) -> Result<bool> {
        if self.room.level() == DiskRoom::Out && route.options.durability != Durability::Memory {
            return Err(error::disk_full());
        }
        if route.is_stale() {
            return Err(error::has_changed(&route.name));
        }
        if route.options.full == Full::DropOldest && !route.is_closed() {
            route.add(messages, bytes);
            return Ok(true);
        }
        let is_reserved = route.reserve(messages, bytes);
        if !is_reserved && route.options.full == Full::Reject && !route.is_closed() {
            return Err(match route.is_overdue() {
                true => error::overdue(&route.name),
                false => error::full(&route.name),
            });
        }
        Ok(is_reserved)
    }
}
