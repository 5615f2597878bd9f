//! How long a start takes: after an orderly stop, and when the whole journal has to be read.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
    time::{Duration, Instant},
};

use mq_broker::{Broker, BrokerOptions};
use mq_core::message::Message;
use rustix::fs::{Advice, fadvise};

use crate::{
    Measured,
    folder::{folder, runtime},
    publish::publish_batches,
};

/// Messages of 256 bytes that wait, in one group; the journal has nothing else.
///
/// The files are not in memory, as after the end of the machine, as far as the operating system lets go of them.
pub(crate) fn run(messages: u64) -> Measured {
    runtime()?.block_on(async {
        let folder = folder()?;
        let path = folder.path();
        let broker = Broker::open_with(path, without_snapshots()).await?;
        broker.create_group("bench", "billing").await?;
        let batch = vec![Message::new(vec![7_u8; 256]); 1_000];
        publish_batches(&broker, &batch, messages).await?;
        drop(broker);
        let read = read(path)?;
        let recovery = open(path).await?;
        recovery.1.close().await?;
        let clean = open(path).await?;
        Ok(vec![
            ("read_1gib_ms", read),
            ("recover_1gib_ms", recovery.0),
            ("start_clean_ms", clean.0),
        ])
    })
}

fn without_snapshots() -> BrokerOptions {
    let mut options = BrokerOptions::default();
    options.snapshot_bytes = u64::MAX;
    options.snapshot_interval = Duration::MAX;
    options
}

async fn open(path: &Path) -> Result<(f64, Broker), Box<dyn std::error::Error>> {
    forget(path)?;
    let begin = Instant::now();
    let broker = Broker::open_with(path, without_snapshots()).await?;
    Ok((begin.elapsed().as_secs_f64() * 1e3, broker))
}

/// Reads the journal and does nothing with it: what the disk and the copy take.
fn read(path: &Path) -> Result<f64, Box<dyn std::error::Error>> {
    forget(path)?;
    let begin = Instant::now();
    let mut buffer = vec![0; 1 << 20];
    for file in fs::read_dir(path)? {
        let mut file = File::open(file?.path())?;
        while file.read(&mut buffer)? > 0 {}
    }
    Ok(begin.elapsed().as_secs_f64() * 1e3)
}

/// Asks the operating system to let go of what it holds of these files.
fn forget(path: &Path) -> io::Result<()> {
    for file in fs::read_dir(path)? {
        let file = File::open(file?.path())?;
        file.sync_all()?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}
