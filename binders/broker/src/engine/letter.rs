//! Dead letters that the broker makes by itself.

use std::sync::Arc;

use mq_core::{
    binder::{SettleError, Settlement, letter},
    error::Result,
    message::Message,
};

use super::{settle::Prepared, shared::Shared};
use crate::{
    error,
    record::Change,
    state::{Checked, MemberKey, Pick, Route},
};

impl Shared {
    /// Moves a message to the dead letters.
    pub(super) async fn bury(
        self: &Arc<Self>,
        key: MemberKey,
        letters: Option<&Arc<str>>,
        settlement: &Settlement,
        checked: &Checked,
        reason: &str,
        prepared: &mut Prepared<'_>,
    ) -> Result<(), SettleError> {
        let position = settlement.position;
        let letter = self.letter(checked, position, reason, letters).await;
        let letter = letter.map_err(SettleError::Failed)?;
        // Reading the letter took time: somebody else may have it by now, and then it stays there.
        self.checked(key, settlement)?;
        prepared.letters.push(letter);
        self.lock().begin(key, checked.lane, position);
        prepared.begun.taken.push((checked.lane, position));
        prepared.changes.push(Change::Ack {
            lane: checked.lane,
            runs: vec![(position, 1)],
        });
        Ok(())
    }

    /// Why a message with so many attempts does not come again, if it does not.
    pub(super) fn exhausted(&self, checked: &Checked, attempts: u32) -> Option<String> {
        let state = self.lock();
        let found = state.destinations.get(&checked.lane.destination)?;
        let limit = found.route.options.max_attempts;
        (limit > 0 && attempts >= limit)
            .then(|| format!("it has failed {attempts} times, and its destination allows {limit}"))
    }

    /// The dead letter of a message, and where it goes.
    async fn letter(
        self: &Arc<Self>,
        checked: &Checked,
        position: u64,
        reason: &str,
        target: Option<&Arc<str>>,
    ) -> Result<(Arc<Route>, Message)> {
        let lane = checked.lane;
        let (pick, name, group) = {
            let state = self.lock();
            let destination = state
                .destinations
                .get(&lane.destination)
                .ok_or_else(error::deleted)?;
            let name = destination.route.name.clone();
            let entry = destination
                .entry(lane.partition, position)
                .ok_or_else(|| error::no_message(&name, lane.partition, position))?;
            let pick = Pick::of(position, entry);
            (pick, name, destination.group_name(lane.group))
        };
        let message = self.message(&pick).await?;
        let group = group.as_deref().filter(|group| !group.is_empty());
        let origin = letter::Origin {
            destination: &name,
            partition: lane.partition,
            position,
            group,
        };
        let letter = letter::dead_letter(&message, &origin, reason, checked.note.attempts);
        let target = match target {
            Some(target) => self.route(target).await?,
            None => self.route(&letter::dead_letters(&name, group)).await?,
        };
        Ok((target, letter))
    }
}
