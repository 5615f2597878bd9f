//! How long a start takes: after an orderly stop, and when the whole journal has to be read.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
    time::Duration,
};

use mq_broker::{Broker, BrokerOptions};
use mq_core::message::Message;
use rustix::fs::{Advice, fadvise};

use crate::{
    Measured,
    clock::Watch,
    folder::{folder, runtime},
    publish::publish_batches,
};

/// Bytes in a GiB.
const GIB: f64 = 1_073_741_824.0;

/// A journal of 1 GiB that has to be read, and the start after an orderly stop.
pub(crate) fn run(messages: u64) -> Measured {
    let starts = starts(messages)?;
    Ok(vec![
        ("read_1gib_ms", starts.read.0),
        ("recover_1gib_ms", starts.recovery.0),
        ("recover_1gib_cpu_ms", starts.recovery.1),
        (
            "recover_gib_s",
            starts.bytes / GIB / starts.recovery.0 * 1e3,
        ),
        ("start_clean_ms", starts.clean.0),
        ("start_clean_cpu_ms", starts.clean.1),
    ])
}

/// The start after an orderly stop with fewer messages.
pub(crate) fn clean(messages: u64) -> Measured {
    let starts = starts(messages)?;
    Ok(vec![
        ("start_clean_1m_ms", starts.clean.0),
        ("start_clean_1m_cpu_ms", starts.clean.1),
    ])
}

/// Milliseconds that have passed, and of processor time.
type Time = (f64, f64);

struct Starts {
    bytes: f64,
    read: Time,
    recovery: Time,
    clean: Time,
}

/// Messages of 256 bytes that wait, in one group; the journal has nothing else.
///
/// The files are not in memory, as after the end of the machine, as far as the operating system lets go of them.
fn starts(messages: u64) -> Result<Starts, Box<dyn std::error::Error>> {
    runtime()?.block_on(async {
        let folder = folder()?;
        let path = folder.path();
        let broker = Broker::open_with(path, without_snapshots()).await?;
        broker.create_group("bench", "billing").await?;
        let batch = vec![Message::new(vec![7_u8; 256]); 1_000];
        publish_batches(&broker, &batch, messages).await?;
        drop(broker);
        let (bytes, read) = read(path)?;
        let recovery = open(path).await?;
        recovery.1.close().await?;
        let clean = open(path).await?;
        Ok(Starts {
            bytes,
            read,
            recovery: recovery.0,
            clean: clean.0,
        })
    })
}

fn without_snapshots() -> BrokerOptions {
    let mut options = BrokerOptions::default();
    options.snapshot_bytes = u64::MAX;
    options.snapshot_interval = Duration::MAX;
    options
}

async fn open(path: &Path) -> Result<(Time, Broker), Box<dyn std::error::Error>> {
    forget(path)?;
    let watch = Watch::start();
    let broker = Broker::open_with(path, without_snapshots()).await?;
    Ok((watch.stop(), broker))
}

/// Reads the journal and does nothing with it: what the disk and the copy take; how many bytes that are, and how long it took.
fn read(path: &Path) -> Result<(f64, Time), Box<dyn std::error::Error>> {
    forget(path)?;
    let watch = Watch::start();
    let (mut buffer, mut bytes) = (vec![0; 1 << 20], 0);
    for file in fs::read_dir(path)? {
        let mut file = File::open(file?.path())?;
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            bytes += count;
        }
    }
    Ok((bytes as f64, watch.stop()))
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
