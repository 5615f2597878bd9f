//! Mistakes of the settling half.

use super::prelude::*;

/// Settles what `change` makes of settlements; where it makes nothing, says that it is done.
async fn settle(
    real: &dyn Settler,
    all: &[Settlement],
    change: impl Fn(&Settlement) -> Option<Settlement> + Send,
) -> Result<Vec<Unsettled>> {
    let changed = all.iter().map(change).enumerate();
    let (places, rest): (Vec<_>, Vec<_>) = changed
        .filter_map(|(index, changed)| Some((index, changed?)))
        .unzip();
    let mut unsettled = real.settle(&rest).await?;
    for one in &mut unsettled {
        one.index = places[one.index];
    }
    Ok(unsettled)
}

/// Settles other than it was told.
#[derive(Debug)]
pub(crate) struct Changes(pub fn(&Settlement) -> Option<Settlement>);

#[async_trait]
impl Flaw for Changes {
    async fn settle(&self, real: &dyn Settler, all: &[Settlement]) -> Result<Vec<Unsettled>> {
        settle(real, all, self.0).await
    }
}

fn with(settlement: &Settlement, action: Action) -> Option<Settlement> {
    Some(Settlement {
        action,
        ..settlement.clone()
    })
}

/// What is released is done with.
pub(crate) fn swallows_releases(settlement: &Settlement) -> Option<Settlement> {
    match settlement.action {
        Action::Release { .. } => with(settlement, Action::Ack),
        _ => Some(settlement.clone()),
    }
}

/// What is to come later comes at once.
pub(crate) fn redelivers_early(settlement: &Settlement) -> Option<Settlement> {
    match settlement.action {
        Action::Release { attempts, .. } => {
            let after = Duration::ZERO;
            with(settlement, Action::Release { after, attempts })
        }
        _ => Some(settlement.clone()),
    }
}

/// What is held is given back.
pub(crate) fn gives_held_back(settlement: &Settlement) -> Option<Settlement> {
    match settlement.action {
        Action::Hold { attempts, .. } => {
            let after = Duration::ZERO;
            with(settlement, Action::Release { after, attempts })
        }
        _ => Some(settlement.clone()),
    }
}

/// Extensions are not passed on.
pub(crate) fn swallows_extensions(settlement: &Settlement) -> Option<Settlement> {
    (!matches!(settlement.action, Action::Extend(_))).then(|| settlement.clone())
}

/// Dead letters are done with, and go nowhere.
pub(crate) fn swallows_dead_letters(settlement: &Settlement) -> Option<Settlement> {
    match settlement.action {
        Action::DeadLetter { .. } => with(settlement, Action::Ack),
        _ => Some(settlement.clone()),
    }
}

/// Commits are not passed on where messages are settled one by one.
pub(crate) fn swallows_commits(settlement: &Settlement) -> Option<Settlement> {
    (!matches!(settlement.action, Action::Commit { .. })).then(|| settlement.clone())
}

/// Commits one position too early.
pub(crate) fn commits_too_little(settlement: &Settlement) -> Option<Settlement> {
    let mut changed = settlement.clone();
    if matches!(settlement.action, Action::Commit { .. }) {
        changed.position = changed.position.saturating_sub(1);
    }
    Some(changed)
}

/// What is to be saved beside a position is dropped.
pub(crate) fn forgets_notes(settlement: &Settlement) -> Option<Settlement> {
    match settlement.action {
        Action::Commit { .. } => with(settlement, Action::Commit { saved: None }),
        _ => Some(settlement.clone()),
    }
}

/// An acknowledgement of each of these.
fn acks(records: &[Record]) -> Vec<Settlement> {
    let ack = |record: &Record| Settlement {
        lane: record.lane,
        position: record.position,
        epoch: record.epoch,
        action: Action::Ack,
    };
    records.iter().map(ack).collect()
}

/// Done with at the moment at which it is handed over.
#[derive(Debug)]
pub(crate) struct SettlesOnReceive;

#[async_trait]
impl Flaw for SettlesOnReceive {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        let before = records.len();
        let event = real.receive(records, max).await?;
        drop(real.settler().settle(&acks(&records[before..])).await);
        Ok(event)
    }

    async fn settle(&self, real: &dyn Settler, all: &[Settlement]) -> Result<Vec<Unsettled>> {
        // It has been acknowledged; only what is not acknowledged here can be lost.
        let mut unsettled = real.settle(all).await?;
        unsettled.retain(|one| !matches!(all[one.index].action, Action::Ack | Action::Discard));
        Ok(unsettled)
    }
}

/// Done with when its consumer leaves in order, settled or not.
#[derive(Debug)]
pub(crate) struct SettlesOnClose;

#[async_trait]
impl Flaw for SettlesOnClose {
    async fn receive(
        &self,
        own: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        let before = records.len();
        let event = real.receive(records, max).await?;
        own.records.extend_from_slice(&records[before..]);
        Ok(event)
    }

    async fn leave(&self, own: &mut Own, real: Box<dyn Consumer>) -> Result<()> {
        drop(real.settler().settle(&acks(&own.records)).await);
        real.close().await
    }
}

/// Takes for done with what it could not settle for want of a connection.
#[derive(Debug, Default)]
pub(crate) struct LosesOnReconnect(Mutex<HashSet<u64>>);

#[async_trait]
impl Flaw for LosesOnReconnect {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        let before = records.len();
        let event = real.receive(records, max).await?;
        let known = locked(&self.0).clone();
        let (lost, kept): (Vec<_>, Vec<_>) = records
            .drain(before..)
            .partition(|record| known.contains(&record.position));
        records.extend(kept);
        drop(real.settler().settle(&acks(&lost)).await);
        Ok(event)
    }

    async fn settle(&self, real: &dyn Settler, all: &[Settlement]) -> Result<Vec<Unsettled>> {
        let answer = real.settle(all).await;
        let is_cut = |error: &Error| error.kind() == ErrorKind::Unavailable;
        if answer.as_ref().is_err_and(is_cut) {
            locked(&self.0).extend(all.iter().map(|one| one.position));
        }
        answer
    }
}

/// Says that everything is settled.
#[derive(Debug)]
pub(crate) struct HidesRefusals;

#[async_trait]
impl Flaw for HidesRefusals {
    async fn settle(&self, real: &dyn Settler, all: &[Settlement]) -> Result<Vec<Unsettled>> {
        real.settle(all).await.map(|_| Vec::new())
    }
}

/// Settles again what is settled.
#[derive(Debug, Default)]
pub(crate) struct SettlesTwice(Mutex<HashSet<(LaneId, u64)>>);

#[async_trait]
impl Flaw for SettlesTwice {
    async fn settle(&self, real: &dyn Settler, all: &[Settlement]) -> Result<Vec<Unsettled>> {
        let place = |one: &Settlement| (one.lane, one.position);
        let mut unsettled = real.settle(all).await?;
        let mut done = locked(&self.0);
        unsettled.retain(|one| !done.contains(&place(&all[one.index])));
        let is_end = |one: &&Settlement| matches!(one.action, Action::Ack | Action::Discard);
        done.extend(all.iter().filter(is_end).map(place));
        Ok(unsettled)
    }
}

/// Does not look at the number of the assignment.
#[derive(Debug, Default)]
pub(crate) struct IgnoresEpochs(Mutex<HashMap<LaneId, u32>>);

#[async_trait]
impl Flaw for IgnoresEpochs {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        let event = real.receive(records, max).await?;
        for record in records.iter() {
            locked(&self.0).insert(record.lane, record.epoch);
        }
        Ok(event)
    }

    async fn settle(&self, real: &dyn Settler, all: &[Settlement]) -> Result<Vec<Unsettled>> {
        let epochs = locked(&self.0).clone();
        let newest = |one: &Settlement| {
            let epoch = epochs.get(&one.lane).copied().unwrap_or(one.epoch);
            Some(Settlement {
                epoch,
                ..one.clone()
            })
        };
        settle(real, all, newest).await
    }
}

/// Cannot do what it says it can.
#[derive(Debug)]
pub(crate) struct Boasts(pub &'static [Capability]);

impl Flaw for Boasts {
    fn capabilities(&self, real: Capabilities) -> Capabilities {
        real.with(self.0)
    }
}

/// Discarded messages come again.
pub(crate) fn releases_what_is_discarded(settlement: &Settlement) -> Option<Settlement> {
    match settlement.action {
        Action::Discard => with(
            settlement,
            Action::Release {
                after: Duration::ZERO,
                attempts: 0,
            },
        ),
        _ => Some(settlement.clone()),
    }
}

/// Attempts are not written down with a release.
pub(crate) fn forgets_to_write_attempts(settlement: &Settlement) -> Option<Settlement> {
    match settlement.action {
        Action::Release { after, .. } => with(settlement, Action::Release { after, attempts: 0 }),
        _ => Some(settlement.clone()),
    }
}

/// Settles the first of a call.
#[derive(Debug)]
pub(crate) struct SettlesTheFirst;

#[async_trait]
impl Flaw for SettlesTheFirst {
    async fn settle(&self, real: &dyn Settler, all: &[Settlement]) -> Result<Vec<Unsettled>> {
        real.settle(&all[..all.len().min(1)]).await
    }
}

/// Acknowledges everything up to the highest of a call.
#[derive(Debug)]
pub(crate) struct SettlesUpTo(Mutex<Vec<(LaneId, u64, u32)>>);

impl Default for SettlesUpTo {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

#[async_trait]
impl Flaw for SettlesUpTo {
    async fn receive(
        &self,
        _: &mut Own,
        real: &mut dyn Consumer,
        records: &mut Vec<Record>,
        max: usize,
    ) -> Result<Event> {
        let before = records.len();
        let event = real.receive(records, max).await?;
        let place = |record: &Record| (record.lane, record.position, record.epoch);
        locked(&self.0).extend(records[before..].iter().map(place));
        Ok(event)
    }

    async fn settle(&self, real: &dyn Settler, all: &[Settlement]) -> Result<Vec<Unsettled>> {
        let unsettled = real.settle(all).await?;
        let mut below = Vec::new();
        for one in all.iter().filter(|one| one.action == Action::Ack) {
            for (lane, position, epoch) in locked(&self.0).iter().copied() {
                if lane == one.lane && epoch == one.epoch && position < one.position {
                    below.push(Settlement {
                        position,
                        ..one.clone()
                    });
                }
            }
        }
        drop(real.settle(&below).await);
        Ok(unsettled)
    }
}

/// Fails a call of which one part cannot be settled, and settles nothing.
#[derive(Debug)]
pub(crate) struct SettlesAllOrNothing;

#[async_trait]
impl Flaw for SettlesAllOrNothing {
    async fn settle(&self, real: &dyn Settler, all: &[Settlement]) -> Result<Vec<Unsettled>> {
        if all.iter().any(|one| one.lane.0 > 1_000) && all.len() > 1 {
            let lost = |index| Unsettled {
                index,
                error: SettleError::Lost,
            };
            return Ok((0..all.len()).map(lost).collect());
        }
        real.settle(all).await
    }
}

/// Gives the wrong place of what could not be settled.
#[derive(Debug)]
pub(crate) struct MisplacesRefusals;

#[async_trait]
impl Flaw for MisplacesRefusals {
    async fn settle(&self, real: &dyn Settler, all: &[Settlement]) -> Result<Vec<Unsettled>> {
        let mut unsettled = real.settle(all).await?;
        for one in &mut unsettled {
            one.index = all.len() - 1 - one.index;
        }
        Ok(unsettled)
    }
}

/// A delayed release is kept by the consumer, and gone with it.
#[derive(Debug)]
pub(crate) struct KeepsHalfOfTheDelay;

#[async_trait]
impl Flaw for KeepsHalfOfTheDelay {
    async fn settle(&self, real: &dyn Settler, all: &[Settlement]) -> Result<Vec<Unsettled>> {
        let half = |one: &Settlement| match one.action {
            Action::Release { after, attempts } => {
                let after = after / 2;
                with(one, Action::Release { after, attempts })
            }
            _ => Some(one.clone()),
        };
        settle(real, all, half).await
    }
}
