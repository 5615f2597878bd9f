//! Positions up to which consumers are done.

use bytes::Bytes;
use mq_core::{
    binder::{RetryState, SettleError},
    error::{Error, ErrorKind},
};

use super::{
    Broker,
    member::{LaneRef, MemberKey},
    settle::{Losses, Settled, cannot},
    state::State,
};

impl State {
    /// Everything of the lane below `position` is done with.
    pub(super) fn commit_position(
        &mut self,
        key: MemberKey,
        lane: LaneRef,
        position: u64,
        saved: Option<&Bytes>,
        losses: Losses<'_>,
    ) -> Settled {
        let destination = self
            .destinations
            .get_mut(lane.destination)
            .ok_or(SettleError::Lost)?;
        let end = destination.logs[lane.partition].end();
        let tracks = destination.groups[lane.group]
            .reading
            .tracks()
            .ok_or(SettleError::Lost)?;
        let track = &mut tracks[lane.partition];
        if !track.is_held_by(key.index, lane.epoch) {
            return Err(SettleError::Lost);
        }
        if position > end {
            let error = Error::new(
                ErrorKind::Rejected,
                "positions beyond the last message cannot be committed",
            );
            return Err(SettleError::Failed(
                error.context("position", position).context("end", end),
            ));
        }
        if let Losses::AsOrdered(broker) = losses
            && broker.trouble.take_repeat()
        {
            self.lose(lane.destination, lane.group);
            self.rebalance(lane.destination, lane.group, broker);
            return Ok(());
        }
        let before = std::mem::replace(&mut track.committed, position);
        track.saved = saved.cloned();
        destination.free(lane.partition, before..position);
        destination.wake_publishers();
        Ok(())
    }
}

/// Whether positions are committed here at all, and what is to be saved beside one fits there.
pub(super) fn check_commit(saved: Option<&Bytes>, broker: &Broker) -> Settled {
    if !broker.options.is_positional {
        return Err(cannot("position; settle each message by itself"));
    }
    let Some(saved) = saved else { return Ok(()) };
    match broker.options.capabilities.retry_state {
        RetryState::Full => Ok(()),
        RetryState::None => Err(cannot("positions with something saved beside them")),
        RetryState::Bounded(limit) if saved.len() <= limit => Ok(()),
        RetryState::Bounded(limit) => {
            let error = Error::new(
                ErrorKind::TooLarge,
                "what is to be saved beside a position is too long",
            );
            Err(SettleError::Failed(
                error.context("bytes", saved.len()).context("limit", limit),
            ))
        }
    }
}
