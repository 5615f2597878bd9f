//! Mistakes of the administrative part.

use mq_core::{
    binder::{
        Admin, Browsed, Cursor, DestinationPlan, GroupInfo, Lag, ProvisionReport, ReplayFrom,
    },
    policy::Provision,
};

use super::{fidelity::drops_headers, prelude::*};

/// Counts what is delivered as settled.
#[derive(Debug)]
pub(crate) struct CountsLessLag;

#[async_trait]
impl Flaw for CountsLessLag {
    async fn lag(&self, real: &dyn Admin, destination: &str, group: &str) -> Result<Lag> {
        let lag = real.lag(destination, group).await?;
        Ok(Lag::new(lag.messages.saturating_sub(1), lag.oldest))
    }
}

/// Nobody reads, as far as it can see.
#[derive(Debug)]
pub(crate) struct SeesNoMembers;

#[async_trait]
impl Flaw for SeesNoMembers {
    async fn groups(&self, real: &dyn Admin, destination: &str) -> Result<Vec<GroupInfo>> {
        let groups = real.groups(destination).await?.into_iter();
        Ok(groups.map(|group| GroupInfo::new(group.name, 0)).collect())
    }
}

/// Shows messages without their headers.
#[derive(Debug)]
pub(crate) struct ShowsNoHeaders;

#[async_trait]
impl Flaw for ShowsNoHeaders {
    async fn browse(
        &self,
        real: &dyn Admin,
        destination: &str,
        cursor: &mut Cursor,
        max: usize,
    ) -> Result<Vec<Browsed>> {
        let mut shown = real.browse(destination, cursor, max).await?;
        for one in &mut shown {
            drops_headers(&mut one.message);
        }
        Ok(shown)
    }
}

/// Says that it has purged.
#[derive(Debug)]
pub(crate) struct PurgesNothing;

#[async_trait]
impl Flaw for PurgesNothing {
    async fn purge(&self, real: &dyn Admin, destination: &str) -> Result<u64> {
        real.groups(destination).await.map(|_| 3)
    }
}

/// What is not there has nothing before it.
#[derive(Debug)]
pub(crate) struct FindsWhatIsNotThere;

#[async_trait]
impl Flaw for FindsWhatIsNotThere {
    async fn lag(&self, real: &dyn Admin, destination: &str, group: &str) -> Result<Lag> {
        let lag = real.lag(destination, group).await;
        Ok(lag.unwrap_or_default())
    }
}

/// Says that it has moved the group.
#[derive(Debug)]
pub(crate) struct MovesNothing;

#[async_trait]
impl Flaw for MovesNothing {
    async fn seek(&self, real: &dyn Admin, to: &str, _: &str, _: ReplayFrom) -> Result<()> {
        real.groups(to).await.map(drop)
    }

    async fn seek_lane(&self, _: &mut dyn Consumer, _: LaneId, _: u64) -> Result<()> {
        Ok(())
    }
}

/// Says that it has made what was there.
#[derive(Debug)]
pub(crate) struct MakesEverythingAgain;

#[async_trait]
impl Flaw for MakesEverythingAgain {
    async fn provision(
        &self,
        real: &dyn Binder,
        plan: &[DestinationPlan],
        mode: Provision,
    ) -> Result<ProvisionReport> {
        let mut report = real.provision(plan, mode).await?;
        if mode == Provision::Create {
            report.created = plan.iter().map(|one| one.name.to_string()).collect();
        }
        Ok(report)
    }
}

/// Makes what it should only look for.
#[derive(Debug)]
pub(crate) struct MakesWhatItVerifies;

#[async_trait]
impl Flaw for MakesWhatItVerifies {
    async fn provision(
        &self,
        real: &dyn Binder,
        plan: &[DestinationPlan],
        mode: Provision,
    ) -> Result<ProvisionReport> {
        let verified = real.provision(plan, mode).await;
        if mode == Provision::Verify && verified.is_err() {
            drop(real.provision(plan, Provision::Create).await);
        }
        verified
    }
}

/// Makes what it should not touch.
#[derive(Debug)]
pub(crate) struct MakesWhatItShouldNotTouch;

#[async_trait]
impl Flaw for MakesWhatItShouldNotTouch {
    async fn provision(
        &self,
        real: &dyn Binder,
        plan: &[DestinationPlan],
        mode: Provision,
    ) -> Result<ProvisionReport> {
        if mode == Provision::None {
            drop(real.provision(plan, Provision::Create).await);
        }
        real.provision(plan, mode).await
    }
}

/// Verifies until something is missing.
#[derive(Debug)]
pub(crate) struct NamesTheFirstMissing;

#[async_trait]
impl Flaw for NamesTheFirstMissing {
    async fn provision(
        &self,
        real: &dyn Binder,
        plan: &[DestinationPlan],
        mode: Provision,
    ) -> Result<ProvisionReport> {
        if mode != Provision::Verify {
            return real.provision(plan, mode).await;
        }
        for one in plan {
            real.provision(std::slice::from_ref(one), mode).await?;
        }
        Ok(ProvisionReport::default())
    }
}

/// Makes destinations without their groups.
#[derive(Debug)]
pub(crate) struct ForgetsGroups;

#[async_trait]
impl Flaw for ForgetsGroups {
    async fn provision(
        &self,
        real: &dyn Binder,
        plan: &[DestinationPlan],
        mode: Provision,
    ) -> Result<ProvisionReport> {
        let mut plan = plan.to_vec();
        if mode == Provision::Create {
            plan.iter_mut().for_each(|one| one.groups.clear());
        }
        real.provision(&plan, mode).await
    }
}

/// Empties a destination that it finds.
#[derive(Debug)]
pub(crate) struct MakesAnew;

#[async_trait]
impl Flaw for MakesAnew {
    async fn provision(
        &self,
        real: &dyn Binder,
        plan: &[DestinationPlan],
        mode: Provision,
    ) -> Result<ProvisionReport> {
        if mode == Provision::Create {
            for one in plan {
                drop(real.admin().purge(&one.name).await);
            }
        }
        real.provision(plan, mode).await
    }
}

/// Moves every group.
#[derive(Debug)]
pub(crate) struct MovesAllGroups;

#[async_trait]
impl Flaw for MovesAllGroups {
    async fn seek(
        &self,
        real: &dyn Admin,
        destination: &str,
        group: &str,
        from: ReplayFrom,
    ) -> Result<()> {
        for other in real.groups(destination).await? {
            real.seek(destination, &other.name, from).await?;
        }
        real.seek(destination, group, from).await
    }
}

/// Shows each page from the beginning.
#[derive(Debug)]
pub(crate) struct LosesItsPlace;

#[async_trait]
impl Flaw for LosesItsPlace {
    async fn browse(
        &self,
        real: &dyn Admin,
        destination: &str,
        cursor: &mut Cursor,
        max: usize,
    ) -> Result<Vec<Browsed>> {
        let mut shown = real.browse(destination, cursor, max).await?;
        shown.truncate(max.saturating_sub(1).max(1));
        Ok(shown)
    }
}
