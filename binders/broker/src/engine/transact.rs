//! Messages and settlements that take effect together.

use std::sync::Arc;

use mq_core::{
    binder::{LaneId, Receipt, SettleError, Settlement},
    error::{Error, Result},
    message::Message,
};

use super::{shared::Shared, step::Checks};
use crate::{
    error,
    state::{MemberKey, Route},
};

impl Shared {
    /// Makes messages and settlements take effect together, or none of them.
    pub(crate) async fn transact(
        self: &Arc<Self>,
        key: MemberKey,
        letters: Option<&Arc<str>>,
        messages: Vec<(Arc<Route>, Message)>,
        settlements: &[Settlement],
    ) -> Result<Vec<Receipt>> {
        self.check()?;
        refuse_repetitions(settlements)?;
        let mut unsettled = Vec::new();
        let mut prepared = self
            .prepare_settlements(key, letters, settlements, &mut unsettled)
            .await;
        if let Some(first) = unsettled.pop() {
            return Err(match first.error {
                SettleError::Failed(error) => error,
                _ => error::lost(),
            });
        }
        let count = messages.len();
        let durability = self.durability_of(&prepared.changes);
        let mut all = messages;
        all.append(&mut prepared.letters);
        let begun = &prepared.begun;
        let written = self
            .publish_with(&all, &prepared.changes, durability, Checks::Limits, || {
                begun.write();
            })
            .await;
        let mut receipts = written.inspect_err(|_| begun.undo())?;
        receipts.truncate(count);
        Ok(receipts)
    }
}

/// A message cannot be settled twice in one step.
fn refuse_repetitions(settlements: &[Settlement]) -> Result<(), Error> {
    let mut places: Vec<(LaneId, u64)> = settlements
        .iter()
        .map(|settlement| (settlement.lane, settlement.position))
        .collect();
    places.sort_unstable();
    if places.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(error::config(
            "a delivery is settled twice in one transaction; settle it once",
        ));
    }
    Ok(())
}
