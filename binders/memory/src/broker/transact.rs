//! Messages and settlements that take effect together.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use mq_core::{
    binder::{Action, Capability, Receipt, SettleError, Settlement},
    error::{Error, ErrorKind},
    message::Message,
};
use tokio::sync::futures::OwnedNotified;

use super::{
    Broker,
    commit::check_commit,
    member::{LaneRef, MemberKey},
    publish::{Stored, check, partition_exists},
    settle::{Losses, require},
    state::State,
};
use crate::{error, options::Full};

/// What became of a step.
#[derive(Debug)]
pub(crate) enum Committed {
    /// It took effect.
    Done(Vec<Receipt>),
    /// Nothing took effect.
    Refused(Error),
    /// Nothing took effect; it can when there is room.
    Full(OwnedNotified),
}

/// A dead letter, and where it goes.
type Letter = (Arc<str>, Message);

/// Messages and bytes, by destination.
type Sums = BTreeMap<usize, (u64, u64)>;

/// A message with its target.
struct Outgoing {
    target: usize,
    message: Message,
    size: u32,
}

impl State {
    /// Applies messages and settlements, or none of them.
    pub(crate) fn commit(
        &mut self,
        key: MemberKey,
        messages: &[Message],
        settlements: &[Settlement],
        broker: &Broker,
    ) -> Committed {
        if broker.options.is_positional {
            self.expire(key, broker);
        }
        if self.member(key).is_none_or(|member| member.ended.is_some()) {
            return Committed::Refused(error::lost());
        }
        let prepared = self.check_settlements(key, settlements, broker);
        let (settlements, letters) = match prepared {
            Ok(prepared) => prepared,
            Err(SettleError::Failed(error)) => return Committed::Refused(error),
            Err(_) => return Committed::Refused(error::lost()),
        };
        let outgoing = messages
            .iter()
            .map(|message| (message.properties().destination.clone(), message.clone()));
        let letters = letters
            .into_iter()
            .map(|(target, letter)| (Some(target), letter));
        let outgoing = outgoing
            .chain(letters)
            .map(|(target, message)| self.check_outgoing(target, message, broker));
        let outgoing: Vec<Outgoing> = match outgoing.collect() {
            Ok(outgoing) => outgoing,
            Err(error) => return Committed::Refused(error),
        };
        let freed = self.freed_by(key, &settlements);
        if let Err(refusal) = self.make_room_for(&outgoing, &freed, broker) {
            return refusal;
        }
        let unsettled = self.settle_with(key, &settlements, broker, Losses::None);
        debug_assert!(unsettled.is_empty(), "they were checked: {unsettled:?}");
        let mut receipts = self.store_all(&outgoing, broker);
        receipts.truncate(messages.len());
        Committed::Done(receipts)
    }

    /// Checks that every settlement will take effect; dead letters come back as messages and acknowledgements.
    fn check_settlements(
        &mut self,
        key: MemberKey,
        settlements: &[Settlement],
        broker: &Broker,
    ) -> Result<(Vec<Settlement>, Vec<Letter>), SettleError> {
        let mut letters = Vec::new();
        let mut checked = settlements.to_vec();
        for settlement in &mut checked {
            let lane = self.lane_of(key, settlement).ok_or(SettleError::Lost)?;
            let position = settlement.position;
            match &settlement.action {
                Action::Commit { saved } => {
                    check_commit(saved.as_ref(), broker)?;
                    let held = self
                        .track(lane)
                        .is_some_and(|track| track.is_held_by(key.index, lane.epoch));
                    let end = self.destinations[lane.destination].logs[lane.partition].end();
                    if !held || position > end {
                        return Err(SettleError::Lost);
                    }
                }
                Action::DeadLetter { reason } => {
                    require(Capability::DeadLetter, broker)?;
                    let attempts = self.queue(lane)?.out_with(position, key.owner())?.attempts;
                    letters.extend(self.letter(key, lane, position, reason, attempts));
                    settlement.action = Action::Ack;
                }
                Action::Release { after, .. } if !after.is_zero() => {
                    require(Capability::DelayedRedelivery, broker)?;
                    self.is_out(key, lane, position)?;
                }
                Action::Extend(_) => {
                    require(Capability::Extend, broker)?;
                    self.is_out(key, lane, position)?;
                }
                _ => self.is_out(key, lane, position)?,
            }
        }
        refuse_repetitions(&checked)?;
        Ok((checked, letters))
    }

    fn is_out(&mut self, key: MemberKey, lane: LaneRef, position: u64) -> Result<(), SettleError> {
        self.queue(lane)?.out_with(position, key.owner())?;
        Ok(())
    }

    fn check_outgoing(
        &mut self,
        target: Option<Arc<str>>,
        message: Message,
        broker: &Broker,
    ) -> Result<Outgoing, Error> {
        let name = target.ok_or_else(error::no_target)?;
        let size = check(&message, &broker.options)?;
        let target = self.find_or_create(&name, &broker.options);
        partition_exists(&message, &self.destinations[target])?;
        Ok(Outgoing {
            target,
            message,
            size,
        })
    }

    /// The room that the settlements of the step make themselves.
    fn freed_by(&mut self, key: MemberKey, settlements: &[Settlement]) -> Sums {
        let mut freed = Sums::new();
        let mut commits = BTreeMap::new();
        for settlement in settlements {
            let Some(lane) = self.lane_of(key, settlement) else {
                continue;
            };
            match settlement.action {
                Action::Ack | Action::Discard => {
                    let end = settlement.position.saturating_add(1);
                    self.add_freed(lane, settlement.position..end, &mut freed);
                }
                // Of several for one lane the last one counts.
                Action::Commit { .. } => {
                    commits.insert(settlement.lane, (lane, settlement.position));
                }
                _ => {}
            }
        }
        for (lane, end) in commits.into_values() {
            let start = self.track(lane).map_or(end, |track| track.committed);
            self.add_freed(lane, start..end, &mut freed);
        }
        freed
    }

    fn add_freed(&self, lane: LaneRef, positions: Range<u64>, freed: &mut Sums) {
        let sum = freed.entry(lane.destination).or_default();
        let (messages, bytes) = self.destinations[lane.destination].freed_by(lane, positions);
        *sum = (sum.0 + messages, sum.1 + bytes);
    }

    /// Makes room for everything at once, beyond what the step frees itself.
    fn make_room_for(
        &mut self,
        outgoing: &[Outgoing],
        freed: &Sums,
        broker: &Broker,
    ) -> Result<(), Committed> {
        let mut sums = Sums::new();
        for Outgoing { target, size, .. } in outgoing {
            let sum = sums.entry(*target).or_default();
            *sum = (sum.0 + 1, sum.1 + u64::from(*size));
        }
        for (target, (messages, bytes)) in sums {
            let destination = &mut self.destinations[target];
            let limit = broker.options.limit;
            if messages > limit.messages || bytes > limit.bytes {
                return Err(Committed::Refused(error::step_too_large(&destination.name)));
            }
            let (less, lighter) = freed.get(&target).copied().unwrap_or_default();
            let messages = messages.saturating_sub(less);
            let bytes = bytes.saturating_sub(lighter);
            if !destination.make_room(messages, bytes, &broker.options) {
                let waits = broker.options.full == Full::Block;
                let refused = || Committed::Refused(error::full(&destination.name));
                return Err(if waits {
                    Committed::Full(destination.await_room())
                } else {
                    refused()
                });
            }
        }
        Ok(())
    }

    fn store_all(&mut self, outgoing: &[Outgoing], broker: &Broker) -> Vec<Receipt> {
        let stamp = broker.stamp();
        let receipts = outgoing.iter().map(
            |Outgoing {
                 target, message, ..
             }| {
                match self.store(*target, message, stamp, &broker.options) {
                    Stored::At(receipt) => receipt,
                    // They were checked, and room was made.
                    Stored::Refused(_) | Stored::Full(_) => Receipt::default(),
                }
            },
        );
        let receipts: Vec<_> = receipts.collect();
        for Outgoing { target, .. } in outgoing {
            self.stored(*target, &broker.options);
        }
        receipts
    }
}

/// A message cannot be settled twice in one step.
fn refuse_repetitions(settlements: &[Settlement]) -> Result<(), SettleError> {
    let single = settlements
        .iter()
        .filter(|settlement| !matches!(settlement.action, Action::Commit { .. }));
    let mut places: Vec<_> = single
        .map(|settlement| (settlement.lane, settlement.position))
        .collect();
    places.sort_unstable();
    let repeated = places.windows(2).any(|pair| pair[0] == pair[1]);
    if repeated {
        let error = Error::new(
            ErrorKind::Config,
            "a delivery is settled twice in one transaction; settle it once",
        );
        return Err(SettleError::Failed(error));
    }
    Ok(())
}
