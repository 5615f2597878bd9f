//! Publishing one message for which nobody has to wait: without the lists that many messages need.

use std::sync::Arc;

use mq_core::{binder::Receipt, error::Result, message::Message};

use super::{commit::Ticket, publish::receipt, room::DiskRoom, shared::Shared};
use crate::{
    options::Full,
    record::{self, Target},
    state::Route,
};

/// A message that is on its way to the journal.
#[derive(Debug)]
pub(super) struct Written {
    ticket: Ticket,
    target: Target,
    room: Room,
}

/// Room that is taken until the message is stored, or is not.
#[derive(Debug)]
struct Room {
    route: Arc<Route>,
    bytes: u64,
}

impl Room {
    fn take(route: Arc<Route>, bytes: u64) -> Option<Self> {
        if route.is_stale() || route.is_closed() {
            return None;
        }
        if route.options.full == Full::DropOldest {
            route.add(1, bytes);
        } else if !route.reserve(1, bytes) {
            return None;
        }
        Some(Self { route, bytes })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.route.release(1, self.bytes);
    }
}

impl Shared {
    /// Writes a message at once; `None` where something has to be waited for, or stands in its way.
    pub(super) fn write_one(&self, destination: &str, message: &Message) -> Option<Written> {
        let own = message.properties().destination.as_deref();
        let route = self.known_route(own.unwrap_or(destination))?;
        let (target, size) = self.target(&route, message).ok()?;
        if self.room.level() != DiskRoom::Enough || size > self.segments.size() / 4 * 3 {
            return None;
        }
        let room = Room::take(route, size)?;
        let ticket = self.gather.try_write(|frame| {
            record::encode(&mut frame.buffer, message, &target);
            frame.need(room.route.options.durability);
            frame.count(1, 0);
        })?;
        Some(Written {
            ticket,
            target,
            room,
        })
    }
}

impl Written {
    /// Waits until the message is stored.
    pub(super) async fn stored(self) -> Result<Receipt> {
        let position = self.ticket.wait().await?.first().copied();
        drop(self.room);
        position.map_or_else(
            || Ok(Receipt::default()),
            |position| receipt(&self.target, position),
        )
    }
}
