//! The cases, one file a subject. A case is a function that returns a [`Case`](super::Case), and a line of the list in `list.rs`.

pub(crate) mod publish;
pub(crate) mod confirmations;
pub(crate) mod partitions;
pub(crate) mod fidelity;
pub(crate) mod groups;
pub(crate) mod members;
pub(crate) mod assignments;
pub(crate) mod receive;
pub(crate) mod settle;
pub(crate) mod attempts;
pub(crate) mod positions;
pub(crate) mod order;
pub(crate) mod time;
pub(crate) mod filters;
pub(crate) mod dead_letters;
pub(crate) mod transactions;
pub(crate) mod admin;
pub(crate) mod seeking;
pub(crate) mod provisioning;
pub(crate) mod lifecycle;
pub(crate) mod refusals;
pub(crate) mod retry;
pub(crate) mod giving_up;
pub(crate) mod unfit;
pub(crate) mod outputs;
pub(crate) mod handling;
pub(crate) mod batches;
pub(crate) mod stopping;
pub(crate) mod trouble;
pub(crate) mod effects;
pub(crate) mod starting;
pub(crate) mod suite;
mod held_to;

/// What most cases use.
mod prelude {
    pub(super) use std::time::{Duration, Instant, SystemTime};

    pub(super) use mq_core::{
        binder::{Action, Capability, ConsumerSpec, Event, ProducerSpec},
        error::ErrorKind,
        message::Message,
    };

    pub(super) use crate::conformance::{
        case::{Case, Need},
        check::{Broken, Checked, ensure, ensure_eq},
        context::{Context, keyed, numbered, optional, plain, refused, spread, unsupported},
        reader::{Reader, settlement, text, texts},
        service::Calls,
        subject::Fault,
    };
}
