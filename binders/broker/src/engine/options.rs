//! Changing what a destination is like.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use mq_core::error::Result;

use super::shared::Shared;
use crate::{
    error,
    options::{DestinationOptions, Durability},
    record::Change,
    state::Route,
};

/// So long messages that are on their way are waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// So often.
const PAUSE: Duration = Duration::from_millis(1);

/// Opens a destination again that takes nothing for the moment.
struct Closed(Arc<Route>);

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.open();
    }
}

impl Shared {
    /// Gives a destination other options.
    pub(crate) async fn change_options(
        &self,
        name: &str,
        options: &DestinationOptions,
    ) -> Result<()> {
        super::shared::check_destination(name, options)?;
        let route = self.lock().route(name);
        let route = route.ok_or_else(|| error::no_destination(name))?;
        let own = &route.options;
        if own == options {
            return Ok(());
        }
        check(&route, options)?;
        let grows = options.partitions > own.partitions;
        let _closed = match grows {
            true => Some(self.close_for_growth(&route).await?),
            false => None,
        };
        let change = Change::Options {
            id: route.id,
            options: options.clone(),
        };
        self.change(&[change]).await?;
        let now = self.lock().route(name);
        let now = self.remember(now.ok_or_else(|| error::no_destination(name))?);
        if now.options.partitions != options.partitions {
            return Err(error::cannot_grow_yet(name, OPEN_KEYS));
        }
        Ok(())
    }

    /// Takes no messages until those that are on their way are stored: each key goes to one partition at a time.
    async fn close_for_growth(&self, route: &Arc<Route>) -> Result<Closed> {
        route.close();
        let closed = Closed(route.clone());
        let begin = Instant::now();
        loop {
            let (stored, has_open_keys) = {
                let state = self.lock();
                let found = state.destinations.get(&route.id);
                let found = found.ok_or_else(error::deleted)?;
                (found.stored.messages, found.has_open_keys())
            };
            if has_open_keys {
                return Err(error::cannot_grow_yet(&route.name, OPEN_KEYS));
            }
            if route.messages() == stored {
                return Ok(closed);
            }
            if begin.elapsed() > PATIENCE {
                let text = "messages are on their way to the destination all the time; try again";
                return Err(error::cannot_grow_yet(&route.name, text));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

const OPEN_KEYS: &str = "messages with keys are not settled, and in more partitions later ones of their keys could pass them; partitions can be added when every group has settled them";

fn check(route: &Route, options: &DestinationOptions) -> Result<()> {
    let own = &route.options;
    if options.partitions < own.partitions {
        let text = "a destination cannot have fewer partitions than it has; create another one";
        return Err(error::cannot_change(&route.name, text));
    }
    if (own.durability == Durability::Memory) != (options.durability == Durability::Memory) {
        let text = "what is stored can neither be moved to memory nor out of it; delete the destination and create it again";
        return Err(error::cannot_change(&route.name, text));
    }
    Ok(())
}
