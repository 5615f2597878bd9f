//! Binders that break one rule each.

pub(crate) mod assignments;
pub(crate) mod closing;
pub(crate) mod fidelity;
pub(crate) mod groups;
pub(crate) mod positions;
pub(crate) mod publish;
pub(crate) mod receive;
pub(crate) mod settle;
pub(crate) mod steps;
pub(crate) mod tools;

/// What most flaws use.
mod prelude {
    pub(crate) use std::{
        collections::{HashMap, HashSet},
        sync::{
            Mutex,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    pub(crate) use async_trait::async_trait;
    pub(crate) use mq_core::{
        binder::{
            Action, Binder, Capabilities, Capability, Consumer, ConsumerSpec, Event, LaneId,
            Producer, Receipt, Record, SettleError, Settlement, Settler, Unsettled,
        },
        error::{Error, ErrorKind, Result},
        message::Message,
    };

    pub(crate) use crate::flaw::{Flaw, Own, Step, locked};
}
