//! Running until the work is done, for programs that end by themselves.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::{AppHandle, RunningApp};
use crate::{
    binder::Capability,
    binding::{BindingHandle, BindingState, InputPlan},
    error::{Error, ErrorKind, Result},
};

/// How often it is looked whether there is work left.
const LOOK: Duration = Duration::from_millis(10);

impl RunningApp {
    /// Waits until every source has come to its end and every input binding has nothing left, delayed messages included.
    ///
    /// Cancel-safe. A source that never ends keeps it waiting.
    ///
    /// # Errors
    /// A binding or source has failed and will not get on by itself, or a binder cannot tell what is left.
    pub async fn until_idle(&self) -> Result<()> {
        let handle = self.handle();
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut idle_before = false;
        loop {
            ticks.tick().await;
            let idle = sources_ended(handle)? && inputs_idle(handle).await?;
            // What one binding has published may have passed the look at another: look twice.
            if idle && idle_before {
                return Ok(());
            }
            idle_before = idle;
        }
    }
}

fn failed(binding: &BindingHandle) -> Result<()> {
    match binding.state() {
        BindingState::Failed(reason) => Err(Error::new(
            ErrorKind::Unavailable,
            format!("`{}` has failed: {reason}", binding.name()),
        )),
        _ => Ok(()),
    }
}

fn sources_ended(handle: &AppHandle) -> Result<bool> {
    for source in handle.sources() {
        failed(source)?;
    }
    Ok(handle
        .sources()
        .all(|source| source.state() == BindingState::Ended))
}

async fn inputs_idle(handle: &AppHandle) -> Result<bool> {
    for (plan, binding) in handle.inputs() {
        failed(binding)?;
        if binding.unsettled() > 0 || has_lag(plan).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn has_lag(plan: &InputPlan) -> Result<bool> {
    let Some(group) = &plan.spec.group else {
        return Ok(false);
    };
    if !plan.capabilities.has(Capability::Lag) {
        let text = format!(
            "binder `{}` cannot tell what is left for `{}`",
            plan.binder_name, plan.name
        );
        return Err(Error::new(ErrorKind::Unsupported, text));
    }
    for destination in &plan.spec.destinations {
        if plan
            .binder
            .get()?
            .admin()
            .lag(destination, group)
            .await?
            .messages
            > 0
        {
            return Ok(true);
        }
    }
    Ok(false)
}
