//! Joining and leaving groups.

use std::{sync::Arc, time::Duration};

use mq_core::{error::Result, policy::Start};

use super::shared::Shared;
use crate::{
    error,
    options::{Durability, GroupMode},
    record::Change,
    state::MemberKey,
};

/// What is to be read, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) destinations: &'a [Arc<str>],
    /// `None` is a group of its own, which leaves nothing behind.
    pub(crate) group: Option<&'a str>,
    pub(crate) start: Start,
    pub(crate) window: usize,
    /// Bytes that may be with the consumer, where these are limited too.
    pub(crate) window_bytes: Option<u64>,
    pub(crate) lease: Option<Duration>,
    /// How a new group hands out, and an old one is expected to.
    pub(crate) mode: Option<GroupMode>,
    /// Where the broker moves dead letters, unless that is the usual place.
    pub(crate) letters: Option<Arc<str>>,
    /// Whether a group without members may be changed to that.
    pub(crate) may_change: bool,
    /// Whether [`Reading::receive`] is to return what changes for it.
    pub(crate) announces: bool,
}

/// Whether the group hands out as it is expected to; the change that makes it do so, where that is wanted and disturbs nobody.
pub(super) fn wanted_mode(
    shared: &Shared,
    wanted: &Wanted<'_>,
    destination: u32,
    group: u32,
) -> Result<Option<Change>> {
    let state = shared.lock();
    let found = state.destinations.get(&destination);
    let found = found.ok_or_else(error::deleted)?;
    let name = wanted.group.unwrap_or_default();
    let (mode, members) = found.mode_of(group).unwrap_or_default();
    // Who wants to be told of turns settles by position in a log, and only there.
    let expected = match wanted.mode {
        None if wanted.announces && mode == GroupMode::Log => Some(GroupMode::Key),
        expected => expected,
    };
    let expected = expected.unwrap_or(mode);
    if expected == GroupMode::Log && wanted.lease.is_some() {
        return Err(error::no_lease(&found.route.name, name));
    }
    if expected == mode {
        return Ok(None);
    }
    if members > 0 || !wanted.may_change {
        return Err(error::other_mode(&found.route.name, name, mode, expected));
    }
    Ok(Some(Change::Mode {
        destination,
        group,
        mode: expected,
    }))
}

impl Shared {
    /// Takes a consumer out; what it has is handed out again.
    pub(crate) fn leave(&self, key: MemberKey) {
        let gone = self.lock().leave(key);
        if !gone.is_empty() {
            // An anonymous group that outlives its consumer is removed at the next start.
            drop(self.write(&gone, Durability::Os));
        }
    }

    /// The number of a group, which is created where it is missing; an empty name is a new anonymous one.
    pub(crate) async fn group(
        &self,
        destination: u32,
        name: &str,
        start: Start,
        mode: Option<GroupMode>,
    ) -> Result<u32> {
        let start = match start {
            Start::Time(time) => Start::Time(self.clock.of(time)),
            other => other,
        };
        loop {
            let (id, change) = {
                let mut state = self.lock();
                let found = state
                    .destinations
                    .get(&destination)
                    .ok_or_else(error::deleted)?;
                if let Some(group) = found.group(name) {
                    return Ok(group);
                }
                state
                    .new_group(destination, name, start)
                    .ok_or_else(error::deleted)?
            };
            let mode = mode.filter(|mode| *mode != GroupMode::default());
            let mode = mode.map(|mode| Change::Mode {
                destination,
                group: id,
                mode,
            });
            let changes: Vec<_> = std::iter::once(change).chain(mode).collect();
            self.change(&changes).await?;
            if name.is_empty() {
                return Ok(id);
            }
            // Somebody else may have created it first: look again.
        }
    }
}
