//! The memory binder as a subject.

use mq_core::{
    binder::{Capability, RetryState},
    error::{Error, ErrorKind, Result},
};
use mq_memory::{Faults, MemoryBinder, MemoryBuilder, Refusal};

use super::{Fault, Subject};

/// What a broker in memory may imitate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryForm {
    /// Everything that the memory binder can do.
    #[default]
    Strong,
    /// Positions are committed, lane by lane, with a little room for what was retried: as Kafka.
    Log,
    /// Single messages without delays, dead letters, seek, transactions and key order: as AMQP.
    Queue,
    /// Publish, subscribe and settle; no capability at all.
    Bare,
}

impl MemoryForm {
    /// Every form by its name.
    pub const ALL: [(&'static str, Self); 4] = [
        ("strong", Self::Strong),
        ("log", Self::Log),
        ("queue", Self::Queue),
        ("bare", Self::Bare),
    ];

    /// The settings of a broker in this form.
    pub fn builder(self) -> MemoryBuilder {
        let builder = MemoryBinder::builder();
        match self {
            Self::Strong => builder.max_message(8 << 20),
            Self::Log => builder
                .positional()
                .retry_state(RetryState::Bounded(4_096))
                .max_message(2 << 20),
            Self::Queue => builder
                .without(&[
                    Capability::Partitions,
                    Capability::KeyOrder,
                    Capability::DelayedRedelivery,
                    Capability::DelayedDelivery,
                    Capability::DeadLetter,
                    Capability::Extend,
                    Capability::Transactions,
                    Capability::Seek,
                    Capability::Filter,
                    Capability::StableIds,
                ])
                .retry_state(RetryState::None),
            Self::Bare => builder
                .without(&Capability::ALL)
                .retry_state(RetryState::None),
        }
    }

    /// A subject with a broker of its own in this form.
    ///
    /// # Panics
    /// Never: the settings contradict nothing.
    #[must_use]
    pub fn subject(self) -> Subject {
        match self.builder().build() {
            Ok(broker) => memory_subject(&broker),
            Err(error) => panic!("the settings contradict each other: {error}"),
        }
    }
}

/// Instances on this broker, with all trouble that it can make.
#[must_use]
pub fn memory_subject(broker: &MemoryBinder) -> Subject {
    let (broker, faults) = (broker.clone(), broker.faults());
    let connect = move || {
        let instance = broker.reopened();
        async { Ok(instance) }
    };
    let possible = [
        Fault::Cut,
        Fault::RefusePublish,
        Fault::LoseConfirm,
        Fault::LoseAck,
        Fault::LoseLanes,
    ];
    Subject::new("memory", connect).faults(&possible, move |fault, destination| {
        let made = order(&faults, fault, &destination);
        async { made }
    })
}

fn order(faults: &Faults, fault: Fault, destination: &str) -> Result<()> {
    match fault {
        Fault::Cut => faults.lose_connection(),
        Fault::Mend => faults.restore(),
        Fault::RefusePublish => faults.refuse_publish(destination, 1, Refusal::Temporary),
        Fault::LoseConfirm => faults.withhold_confirm(1),
        Fault::LoseAck => faults.duplicate_delivery(1),
        Fault::LoseLanes => faults.lose_lanes(destination),
        Fault::Restart => {
            let text = "a broker in memory does not outlive its process";
            return Err(Error::new(ErrorKind::Unsupported, text));
        }
    }
    Ok(())
}
