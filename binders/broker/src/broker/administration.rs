//! Looking after a broker.

use mq_core::{
    binder::{Cursor, DestinationInfo, Drift, GroupInfo, Lag, ReplayFrom},
    error::Result,
    policy::Start,
};

use super::{Broker, Browsed};
use crate::{
    error,
    options::{DestinationOptions, GroupMode},
    record::Change,
};

/// Administration.
impl Broker {
    /// Every destination.
    #[must_use]
    pub fn destinations(&self) -> Vec<DestinationInfo> {
        self.shared.lock().list()
    }

    /// Gives a destination other options.
    ///
    /// Limits, retention and policies hold at once; what is stored beyond a smaller limit stays, unless the policy is to drop it.
    /// Partitions can be added while no message with a key is unsettled, and publishers wait meanwhile; a key may be in another
    /// partition from then on. They cannot be taken away, and a destination cannot move into or out of memory.
    ///
    /// When the future is dropped, the options may have been changed.
    ///
    /// # Errors
    /// There is no such destination, the change is not possible (not yet: temporary), or the broker does not work.
    pub async fn change(&self, name: &str, options: &DestinationOptions) -> Result<()> {
        self.shared.change_options(name, options).await
    }

    /// In what a destination differs from these options; nothing if it is like them.
    ///
    /// # Errors
    /// There is no such destination.
    pub fn differences(&self, name: &str, options: &DestinationOptions) -> Result<Vec<Drift>> {
        let found = self.destination(name);
        let found = found.ok_or_else(|| error::no_destination(name))?;
        Ok(options.differences(name, &found))
    }

    /// What a destination is like, if it is there.
    #[must_use]
    pub fn destination(&self, name: &str) -> Option<DestinationOptions> {
        Some(self.shared.lock().route(name)?.options.clone())
    }

    /// The groups of a destination that have a name.
    ///
    /// # Errors
    /// There is no such destination.
    pub fn groups(&self, destination: &str) -> Result<Vec<GroupInfo>> {
        let state = self.shared.lock();
        let (_, found) = known(&state, destination)?;
        Ok(found.list_groups())
    }

    /// Creates a group that begins with the earliest message, unless it is there.
    ///
    /// # Errors
    /// The broker does not work.
    pub async fn create_group(&self, destination: &str, group: &str) -> Result<()> {
        self.create_group_as(destination, group, GroupMode::default())
            .await
    }

    /// The same, in this mode; a group that is there keeps its mode.
    ///
    /// # Errors
    /// The broker does not work.
    pub async fn create_group_as(
        &self,
        destination: &str,
        group: &str,
        mode: GroupMode,
    ) -> Result<()> {
        let route = self.shared.route(destination).await?;
        self.shared
            .group(route.id, group, Start::Earliest, Some(mode))
            .await
            .map(drop)
    }

    /// How a group hands out.
    ///
    /// # Errors
    /// There is no such destination or group.
    pub fn group_mode(&self, destination: &str, group: &str) -> Result<GroupMode> {
        let state = self.shared.lock();
        let (_, found) = known(&state, destination)?;
        found
            .mode(group)
            .ok_or_else(|| error::no_group(destination, group))
    }

    /// Changes how a group hands out.
    ///
    /// What it has settled stays settled; only a group that becomes a [`Log`](GroupMode::Log) begins with the first message that is
    /// not settled. Its subscriptions end with a temporary error: what they have is handed out again.
    ///
    /// # Errors
    /// There is no such destination or group, or the broker does not work.
    pub async fn change_group(
        &self,
        destination: &str,
        group: &str,
        mode: GroupMode,
    ) -> Result<()> {
        let change = {
            let state = self.shared.lock();
            let (id, found) = known(&state, destination)?;
            let number = found.group(group);
            Change::Mode {
                destination: id,
                group: number.ok_or_else(|| error::no_group(destination, group))?,
                mode,
            }
        };
        self.shared.change(&[change]).await
    }

    /// How much a group has before it.
    ///
    /// # Errors
    /// There is no such destination or group.
    pub fn lag(&self, destination: &str, group: &str) -> Result<Lag> {
        let state = self.shared.lock();
        let (_, found) = known(&state, destination)?;
        found
            .lag(group, self.shared.clock.now())
            .ok_or_else(|| error::no_group(destination, group))
    }

    /// Looks at up to `max` kept messages from a cursor on, without consuming them; an empty cursor is the beginning.
    ///
    /// # Errors
    /// There is no such destination, or a message cannot be read.
    pub async fn browse(
        &self,
        destination: &str,
        cursor: &mut Cursor,
        max: usize,
    ) -> Result<Vec<Browsed>> {
        let peeks = {
            let state = self.shared.lock();
            known(&state, destination)?.1.peek(cursor, max)
        };
        let mut browsed = Vec::with_capacity(peeks.len());
        for peek in peeks {
            let message = self.shared.message(&peek.pick).await;
            let position = peek.pick.position;
            if !self.is_kept(destination, peek.partition, position) {
                // It went while it was read.
                continue;
            }
            browsed.push(Browsed {
                partition: peek.partition,
                position,
                message: message?,
                handled: peek.handled,
            });
        }
        Ok(browsed)
    }

    fn is_kept(&self, destination: &str, partition: u32, position: u64) -> bool {
        let state = self.shared.lock();
        let found = state.destination(destination);
        found.is_some_and(|(_, found)| found.entry(partition, position).is_some())
    }

    /// Marks a message as handled: no group gets it any more.
    ///
    /// # Errors
    /// There is no such message.
    pub async fn mark_handled(
        &self,
        destination: &str,
        partition: u32,
        position: u64,
    ) -> Result<()> {
        let id = {
            let state = self.shared.lock();
            let (id, found) = known(&state, destination)?;
            let entry = found.entry(partition, position);
            entry.ok_or_else(|| error::no_message(destination, partition, position))?;
            id
        };
        let change = Change::Handled {
            destination: id,
            partition,
            position,
        };
        self.shared.change(&[change]).await
    }

    /// Cancels a message that is not delivered yet, for example a delayed one; the same as [`mark_handled`](Self::mark_handled).
    ///
    /// # Errors
    /// There is no such message.
    pub async fn cancel(&self, destination: &str, partition: u32, position: u64) -> Result<()> {
        self.mark_handled(destination, partition, position).await
    }

    /// Removes every message of a destination; returns how many.
    ///
    /// # Errors
    /// There is no such destination, or the broker does not work.
    pub async fn purge(&self, destination: &str) -> Result<u64> {
        let (change, count) = {
            let state = self.shared.lock();
            known(&state, destination)?.1.purge()
        };
        self.shared.change(&[change]).await?;
        Ok(count)
    }

    /// Removes a destination with its messages and groups.
    ///
    /// # Errors
    /// There is no such destination, or the broker does not work.
    pub async fn delete(&self, destination: &str) -> Result<()> {
        let id = {
            let state = self.shared.lock();
            known(&state, destination)?.0
        };
        self.shared.forget_route(destination);
        let deleted = self
            .shared
            .change(&[Change::Delete { destination: id }])
            .await;
        self.shared.forget_route(destination);
        deleted
    }

    /// Moves a group to another place; what its members have stays with them.
    ///
    /// # Errors
    /// There is no such destination or group, or the broker does not work.
    pub async fn seek(&self, destination: &str, group: &str, from: ReplayFrom) -> Result<()> {
        let from = match from {
            ReplayFrom::Time(time) => ReplayFrom::Time(self.shared.clock.of(time)),
            other => other,
        };
        let change = {
            let state = self.shared.lock();
            let (_, found) = known(&state, destination)?;
            found
                .seek(group, from)
                .ok_or_else(|| error::no_group(destination, group))?
        };
        self.shared.change(&[change]).await
    }
}

fn known<'a>(
    state: &'a crate::state::State,
    name: &str,
) -> Result<(u32, &'a crate::state::Destination)> {
    state
        .destination(name)
        .ok_or_else(|| error::no_destination(name))
}
