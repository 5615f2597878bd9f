//! A folder on the disk that is measured, with a broker in it.

use std::{error::Error, io};

use mq_broker::Broker;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// A folder below the target folder, which is removed at the end: temporary files may lie in memory.
pub(crate) fn folder() -> io::Result<TempDir> {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))
}

/// A broker in a folder of its own.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) broker: Broker,
    _folder: TempDir,
}

impl Bench {
    pub(crate) async fn open() -> Result<Self, Box<dyn Error>> {
        let folder = folder()?;
        let broker = Broker::open(folder.path()).await?;
        Ok(Self {
            broker,
            _folder: folder,
        })
    }
}

/// The runtime of a service with two threads.
pub(crate) fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
}
