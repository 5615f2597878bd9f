//! Dead letters that the broker moves by itself.

use std::sync::Arc;

use mq_core::{
    binder::{Capability, SettleError, Settlement, letter},
    message::Message,
};

use super::{
    Broker,
    member::{LaneRef, MemberKey},
    number,
    publish::Stored,
    settle::{Settled, require},
    state::State,
};
use crate::error;

impl State {
    /// Moves the message to the dead letters.
    pub(super) fn bury(
        &mut self,
        key: MemberKey,
        settlement: &Settlement,
        lane: LaneRef,
        reason: &str,
        broker: &Broker,
    ) -> Settled {
        require(Capability::DeadLetter, broker)?;
        let attempts = self
            .queue(lane)?
            .out_with(settlement.position, key.owner())?
            .attempts;
        if let Some(letter) = self.letter(key, lane, settlement.position, reason, attempts) {
            let target = self.find_or_create(&letter.0, &broker.options);
            match self.store(target, &letter.1, broker.stamp(), &broker.options) {
                Stored::At(_) => self.stored(target, &broker.options),
                Stored::Refused(error) => return Err(SettleError::Failed(error)),
                Stored::Full(_) => return Err(SettleError::Failed(error::full(&letter.0))),
            }
        }
        self.settle_alone(key, settlement)
    }

    /// The dead letter of a message, and where it goes; nothing if the message is gone.
    pub(super) fn letter(
        &mut self,
        key: MemberKey,
        lane: LaneRef,
        position: u64,
        reason: &str,
        attempts: u32,
    ) -> Option<(Arc<str>, Message)> {
        let configured = self.member(key)?.letters.clone();
        let destination = self.destinations.get(lane.destination)?;
        let group = destination.groups[lane.group].name.as_deref();
        let message = &destination.logs[lane.partition].get(position)?.message;
        let origin = letter::Origin {
            destination: &destination.name,
            partition: number(lane.partition),
            position,
            group,
        };
        let target =
            configured.unwrap_or_else(|| letter::dead_letters(&destination.name, group).into());
        Some((
            target,
            letter::dead_letter(message, &origin, reason, attempts),
        ))
    }
}
