//! The embedded broker as a subject.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mq_broker::{Broker, BrokerBinder, BrokerOptions, GroupMode};
use mq_core::error::{Error, ErrorKind, Result};
use tempfile::TempDir;

use super::{Fault, Subject};

/// A folder with the broker that has it open, if one has.
#[derive(Debug)]
struct Place {
    folder: TempDir,
    broker: Mutex<Option<Broker>>,
    /// One opening at a time.
    turn: tokio::sync::Mutex<()>,
}

impl Place {
    fn broker(&self) -> MutexGuard<'_, Option<Broker>> {
        self.broker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The broker, which is opened if it is not.
    async fn open(&self) -> Result<Broker> {
        let _turn = self.turn.lock().await;
        if let Some(broker) = &*self.broker() {
            return Ok(broker.clone());
        }
        let mut options = BrokerOptions::default();
        options.segment = 32 << 20;
        options.max_message = 8 << 20;
        let broker = Broker::open_with(self.folder.path(), options).await?;
        *self.broker() = Some(broker.clone());
        Ok(broker)
    }

    async fn close(&self) -> Result<()> {
        let broker = self.broker().take();
        match broker {
            Some(broker) => broker.close().await,
            None => Ok(()),
        }
    }
}

/// Instances on an embedded broker in a folder of its own.
///
/// # Panics
/// No temporary folder can be made.
#[must_use]
pub fn broker_subject() -> Subject {
    broker_subject_as(GroupMode::Key)
}

/// The same, with groups that hand out like this.
///
/// # Panics
/// No temporary folder can be made.
#[must_use]
pub fn broker_subject_as(mode: GroupMode) -> Subject {
    let folder = match TempDir::new() {
        Ok(folder) => folder,
        Err(error) => panic!("no temporary folder can be made: {error}"),
    };
    let place = Arc::new(Place {
        folder,
        broker: Mutex::default(),
        turn: tokio::sync::Mutex::default(),
    });
    let own = place.clone();
    let connect = move || {
        let place = own.clone();
        async move { Ok(BrokerBinder::beside(place.open().await?).mode(mode)) }
    };
    let subject = Subject::new("broker", connect).embedded();
    subject.faults(&[Fault::Restart], move |fault, _| {
        let place = place.clone();
        async move {
            match fault {
                Fault::Restart => {
                    place.close().await?;
                    place.open().await.map(drop)
                }
                Fault::Mend => Ok(()),
                _ => Err(Error::new(
                    ErrorKind::Unsupported,
                    "an embedded broker has no connections",
                )),
            }
        }
    })
}
