//! Mistakes with groups and members.

use mq_core::{binder::ReplayFrom, policy::Start};

use super::prelude::*;

/// All groups are one.
#[derive(Debug)]
pub(crate) struct OneGroupForAll;

#[async_trait]
impl Flaw for OneGroupForAll {
    async fn consumer(
        &self,
        real: &dyn Binder,
        spec: &mut ConsumerSpec,
    ) -> Result<Box<dyn Consumer>> {
        spec.group = spec.group.as_ref().map(|_| "all".into());
        real.consumer(spec).await
    }
}

/// Whoever joins a group that is read already gets everything too.
#[derive(Debug)]
pub(crate) struct DeliversToTwoMembers;

#[async_trait]
impl Flaw for DeliversToTwoMembers {
    async fn consumer(
        &self,
        real: &dyn Binder,
        spec: &mut ConsumerSpec,
    ) -> Result<Box<dyn Consumer>> {
        if let (Some(group), [destination]) = (&spec.group, &*spec.destinations) {
            let groups = real.admin().groups(destination).await;
            let mut groups = groups.unwrap_or_default().into_iter();
            if groups.any(|one| one.name == *group && one.members > Some(0)) {
                spec.group = Some(format!("{group}-too").into());
            }
        }
        real.consumer(spec).await
    }
}

/// Moves a group that it finds without a member.
#[derive(Debug)]
pub(crate) struct MovesGroups(pub ReplayFrom);

#[async_trait]
impl Flaw for MovesGroups {
    async fn consumer(
        &self,
        real: &dyn Binder,
        spec: &mut ConsumerSpec,
    ) -> Result<Box<dyn Consumer>> {
        for destination in &spec.destinations {
            let groups = real.admin().groups(destination).await;
            for known in groups.unwrap_or_default() {
                if Some(&known.name) == spec.group.as_ref() && known.members == Some(0) {
                    let admin = real.admin();
                    drop(admin.seek(destination, &known.name, self.0).await);
                }
            }
        }
        real.consumer(spec).await
    }
}

/// New groups always begin at the earliest message.
#[derive(Debug)]
pub(crate) struct IgnoresTheStart;

#[async_trait]
impl Flaw for IgnoresTheStart {
    async fn consumer(
        &self,
        real: &dyn Binder,
        spec: &mut ConsumerSpec,
    ) -> Result<Box<dyn Consumer>> {
        spec.start = Start::Earliest;
        real.consumer(spec).await
    }
}

/// Readers without a group are a group.
#[derive(Debug)]
pub(crate) struct NamesTheAnonymous;

#[async_trait]
impl Flaw for NamesTheAnonymous {
    async fn consumer(
        &self,
        real: &dyn Binder,
        spec: &mut ConsumerSpec,
    ) -> Result<Box<dyn Consumer>> {
        spec.group.get_or_insert_with(|| "anonymous".into());
        real.consumer(spec).await
    }
}

/// Reads the first of its destinations only.
#[derive(Debug)]
pub(crate) struct ReadsOneDestination;

#[async_trait]
impl Flaw for ReadsOneDestination {
    async fn consumer(
        &self,
        real: &dyn Binder,
        spec: &mut ConsumerSpec,
    ) -> Result<Box<dyn Consumer>> {
        spec.destinations.truncate(1);
        real.consumer(spec).await
    }
}

/// Does not look at the filter.
#[derive(Debug)]
pub(crate) struct LetsEverythingThrough;

#[async_trait]
impl Flaw for LetsEverythingThrough {
    async fn consumer(
        &self,
        real: &dyn Binder,
        spec: &mut ConsumerSpec,
    ) -> Result<Box<dyn Consumer>> {
        let mut open = spec.clone();
        open.filter = None;
        if spec
            .filter
            .as_ref()
            .is_some_and(|filter| filter.contains("((("))
        {
            // Says no to what cannot be read, at least.
            return real.consumer(spec).await;
        }
        real.consumer(&open).await
    }
}

/// Hands over as much as there is, whatever the window.
#[derive(Debug)]
pub(crate) struct IgnoresTheWindow;

#[async_trait]
impl Flaw for IgnoresTheWindow {
    async fn consumer(
        &self,
        real: &dyn Binder,
        spec: &mut ConsumerSpec,
    ) -> Result<Box<dyn Consumer>> {
        spec.window = 10_000;
        real.consumer(spec).await
    }
}

/// Each instance but the first has groups of its own.
#[derive(Debug, Default)]
pub(crate) struct KeepsGroupsInTheInstance(Mutex<Vec<usize>>);

#[async_trait]
impl Flaw for KeepsGroupsInTheInstance {
    async fn consumer(
        &self,
        real: &dyn Binder,
        spec: &mut ConsumerSpec,
    ) -> Result<Box<dyn Consumer>> {
        let instance = std::ptr::from_ref(real).cast::<()>().addr();
        let number = {
            let mut known = locked(&self.0);
            let found = known.iter().position(|one| *one == instance);
            found.unwrap_or_else(|| {
                known.push(instance);
                known.len() - 1
            })
        };
        if number > 0 {
            spec.group = spec
                .group
                .as_ref()
                .map(|group| format!("{group}-{number}").into());
        }
        real.consumer(spec).await
    }
}

/// A group without a member begins anew.
#[derive(Debug)]
pub(crate) struct StartsKnownGroups;

#[async_trait]
impl Flaw for StartsKnownGroups {
    async fn consumer(
        &self,
        real: &dyn Binder,
        spec: &mut ConsumerSpec,
    ) -> Result<Box<dyn Consumer>> {
        if spec.start == Start::Latest {
            for destination in &spec.destinations {
                if let Some(group) = &spec.group {
                    let admin = real.admin();
                    drop(admin.seek(destination, group, ReplayFrom::Latest).await);
                }
            }
        }
        real.consumer(spec).await
    }
}

/// Readers without a group begin at the earliest message.
#[derive(Debug, Default)]
pub(crate) struct ShowsTheAnonymousThePast(AtomicUsize);

#[async_trait]
impl Flaw for ShowsTheAnonymousThePast {
    async fn consumer(
        &self,
        real: &dyn Binder,
        spec: &mut ConsumerSpec,
    ) -> Result<Box<dyn Consumer>> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        spec.group
            .get_or_insert_with(|| format!("anonymous-{number}").into());
        real.consumer(spec).await
    }
}

/// A filter that cannot be read lets everything through.
#[derive(Debug)]
pub(crate) struct OverlooksBadFilters;

#[async_trait]
impl Flaw for OverlooksBadFilters {
    async fn consumer(
        &self,
        real: &dyn Binder,
        spec: &mut ConsumerSpec,
    ) -> Result<Box<dyn Consumer>> {
        match real.consumer(spec).await {
            Err(error) if error.kind() == ErrorKind::Config && spec.filter.is_some() => {
                spec.filter = None;
                real.consumer(spec).await
            }
            other => other,
        }
    }
}
