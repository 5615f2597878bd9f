//! Message-driven microservices: plain async functions, any broker, nothing lost.
//!
//! The [book](https://example.org/mq) is the place to begin; this is the reference.
//!
//! # Features
//! | feature | gives | default |
//! |---|---|---|
//! | `broker` | the embedded durable broker, `kind = "broker"` | yes |
//! | `kafka` | Apache Kafka, `kind = "kafka"` | no |
//! | `memory` | the in-memory binder, `kind = "memory"` | yes |
//! | `macros` | `#[stream_listener]`, `#[stream_source]`, `#[derive(Failure)]` | yes |
//! | `log` | a log on standard error where `run()` finds no subscriber | yes |

pub use mq_core::{
    app, binder, binding, clock, codec, config, error, extract, function, idempotency, listener,
    message, middleware, outbox, outcome, output, policy, registry, telemetry, units, worker,
};

pub use mq_core::{
    app::{App, Planned, RunningApp},
    error::{Error, ErrorKind},
    function::{Processor, Sink, Source, every},
    listener::Listener,
    message::Message,
    outcome::{Decision, Failure, IntoFailure, Outcome},
};

#[cfg(feature = "broker")]
pub use mq_broker as broker;
pub use mq_fail_point::{self as fail_points, fail_point};

#[cfg(feature = "kafka")]
pub use mq_kafka as kafka;
#[cfg(feature = "memory")]
pub use mq_memory as memory;

#[cfg(feature = "macros")]
#[doc = include_str!("docs/failure.md")]
pub use mq_macros::Failure;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/listener_of.md")]
pub use mq_macros::listener_of;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/source_of.md")]
pub use mq_macros::source_of;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/stream_listener.md")]
pub use mq_macros::stream_listener;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/stream_source.md")]
pub use mq_macros::stream_source;

/// The result of a listener: `?` takes any error, which means retry.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// What a service needs: `use mq::prelude::*`.
pub mod prelude {
    pub use bytes::Bytes;
    pub use mq_core::{
        app::App,
        binder::Delivery,
        extract::{Attempt, Batch, Id, Json, Key, Output, Payload, State, Text},
        function::{Processor, Sink, Source, Stream, every},
        listener::{Each, Keyed, Outcomes, WithHeaders},
        message::{Headers, Message},
        outcome::{Failure, Outcome, ResultExt},
    };
    #[cfg(feature = "macros")]
    pub use mq_macros::{Failure, stream_listener, stream_source};
}

mod registered {
    #[cfg(feature = "broker")]
    mq_core::registry::inventory::submit! { mq_core::registry::BinderEntry(&mq_broker::BrokerFactory) }
    #[cfg(feature = "kafka")]
    mq_core::registry::inventory::submit! { mq_core::registry::BinderEntry(mq_kafka::FACTORY) }
    #[cfg(feature = "memory")]
    mq_core::registry::inventory::submit! { mq_core::registry::BinderEntry(&mq_memory::MemoryFactory) }
}
