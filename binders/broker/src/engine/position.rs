//! Settling in a group that reads a log: by position, which counts for everything before it.

use mq_core::binder::{LaneId, SettleError, Settlement, Unsettled};

use super::{
    settle::{Prepared, cannot, lost},
    shared::Shared,
};
use crate::{error, record::LaneKey, state::MemberKey};

/// Bytes of notes beside a position, at most.
pub(crate) const MAX_SAVED: usize = 4_096;

impl Shared {
    /// In a log, the end of a message is the end of everything before it.
    pub(super) fn acknowledge_log(
        &self,
        key: MemberKey,
        lane: LaneKey,
        run: &[Settlement],
        first: usize,
        prepared: &mut Prepared<'_>,
        unsettled: &mut Vec<Unsettled>,
    ) {
        let mut state = self.lock();
        if state.is_told(key) {
            // It keeps track by itself, and says positions.
            let each = (first..first + run.len()).map(|index| Unsettled {
                index,
                error: cannot("message; settle by position"),
            });
            return unsettled.extend(each);
        }
        let mut last = None;
        for (settlement, index) in run.iter().zip(first..) {
            if state.has_handed(key, lane, settlement.position) {
                last = last.max(Some(settlement.position));
            } else {
                unsettled.push(lost(index));
            }
        }
        let Some(last) = last else { return };
        // It was looked up under the same lock.
        if let Ok((change, taken)) = state.begin_commit(key, lane, last + 1, None) {
            prepared.begin_commit(lane, change, taken);
        }
    }

    /// The position of a lane, with notes beside it.
    pub(super) fn prepare_commit(
        &self,
        key: MemberKey,
        settlement: &Settlement,
        saved: Option<&bytes::Bytes>,
        prepared: &mut Prepared<'_>,
    ) -> Result<(), SettleError> {
        let mut state = self.lock();
        let lane = state.current(key, settlement.lane, settlement.epoch);
        let lane = lane.ok_or(SettleError::Lost)?;
        if !state.is_log(lane) {
            return Err(cannot("position; settle each message by itself"));
        }
        let size = saved.map_or(0, bytes::Bytes::len);
        if size > MAX_SAVED {
            return Err(SettleError::Failed(error::saved_too_large(size)));
        }
        let begun = state.begin_commit(key, lane, settlement.position, saved.cloned());
        let (change, taken) = begun.map_err(|_| SettleError::Lost)?;
        prepared.begin_commit(lane, change, taken);
        Ok(())
    }

    /// Groups that read a log know nothing of single messages.
    pub(super) fn refuse_in_log(&self, key: MemberKey, lane: LaneId) -> Result<(), SettleError> {
        let mut state = self.lock();
        match state.lane_of(key, lane) {
            Some(lane) if state.is_log(lane) => Err(SettleError::Failed(error::in_log())),
            _ => Ok(()),
        }
    }
}
