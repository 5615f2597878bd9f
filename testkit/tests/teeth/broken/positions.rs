//! Mistakes with positions.

use super::prelude::*;

/// Commits one position too late, where there is one.
#[derive(Debug)]
pub(crate) struct CommitsTooMuch;

#[async_trait]
impl Flaw for CommitsTooMuch {
    async fn settle(&self, real: &dyn Settler, all: &[Settlement]) -> Result<Vec<Unsettled>> {
        let unsettled = real.settle(all).await?;
        let next = |one: &Settlement| Settlement {
            position: one.position + 1,
            ..one.clone()
        };
        // Beyond the end it is refused, as it should be.
        drop(real.settle(&all.iter().map(next).collect::<Vec<_>>()).await);
        Ok(unsettled)
    }
}

/// Commits what it hands over.
#[derive(Debug)]
pub(crate) struct CommitsOnReceive;

#[async_trait]
impl Flaw for CommitsOnReceive {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        let before = records.len();
        let event = real.receive(records, max).await?;
        let commit = |record: &Record| Settlement {
            lane: record.lane,
            position: record.position + 1,
            epoch: record.epoch,
            action: Action::Commit { saved: None },
        };
        let commits: Vec<_> = records[before..].iter().map(commit).collect();
        drop(real.settler().settle(&commits).await);
        Ok(event)
    }
}
