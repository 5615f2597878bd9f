//! The cases, one file a subject. A case is a function that returns a [`Case`](super::Case), and a line of the list in `list.rs`.

pub(crate) mod fidelity;
pub(crate) mod groups;
pub(crate) mod publish;
pub(crate) mod refusals;
pub(crate) mod service;
pub(crate) mod settle;
pub(crate) mod suite;

/// What most cases use.
mod prelude {
    pub(super) use std::time::Duration;

    pub(super) use mq_core::{
        binder::{Action, Capability, ConsumerSpec, Event, ProducerSpec},
        error::ErrorKind,
        message::Message,
    };

    pub(super) use crate::conformance::{
        case::{Case, Need},
        check::{Broken, Checked, ensure, ensure_eq},
        context::{Context, refused, unsupported},
        reader::{Reader, text, texts},
        service::Calls,
        subject::Fault,
    };
}
