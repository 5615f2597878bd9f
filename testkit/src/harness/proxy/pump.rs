//! One direction of one connection.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use super::Shared;
use super::random::{Corruption, What, dice};
use super::settings::{State, Towards, Way};

/// The most that is read at once, in bytes.
const CHUNK: usize = 8 << 10;

/// How many chunks are held back at most.
const HELD: usize = 32;

/// How many pieces a second a limited direction is written in.
const PIECES: u64 = 50;

/// What was read, or how it ended.
#[derive(Debug)]
struct Item {
    arrived: Instant,
    /// Where between none and all of the jitter it falls.
    jitter: f64,
    what: io::Result<Vec<u8>>,
}

/// Forwards until the end was read and told, or until one of the two sockets fails.
pub(super) async fn run(
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    towards: Towards,
    connection: u64,
    shared: &Shared,
) -> io::Result<()> {
    let (held, line) = mpsc::channel(HELD);
    let dice = |what| dice(shared.seed, connection, towards, what);
    let jitter = dice(What::Jitter);
    let corruption = Corruption::new(dice(What::Corruption));
    let writer = Writer {
        to,
        state: shared.state.subscribe(),
        towards,
        shared,
    };
    let reading = read(from, held, jitter, corruption, towards, shared);
    let ((), written) = tokio::join!(reading, writer.run(line));
    written
}

/// Reads until the end or an error, which is an item like any other: it does not overtake what was read before.
async fn read(
    mut from: ReadHalf<'_>,
    held: mpsc::Sender<Item>,
    mut jitter: fastrand::Rng,
    mut corruption: Corruption,
    towards: Towards,
    shared: &Shared,
) {
    loop {
        let mut bytes = Vec::with_capacity(CHUNK);
        let what = from.read_buf(&mut bytes).await.map(|_| bytes);
        let last = what.as_ref().map_or(true, Vec::is_empty);
        let what = what.map(|mut bytes| {
            let one_in = shared.state.borrow().way(towards).corrupt;
            let changed = corruption.change(&mut bytes, one_in);
            shared.counters.corrupted.fetch_add(changed, Relaxed);
            bytes
        });
        let item = Item {
            arrived: Instant::now(),
            jitter: jitter.f64(),
            what,
        };
        // Where the writer has failed, nobody needs it.
        if held.send(item).await.is_err() || last {
            return;
        }
    }
}

struct Writer<'a> {
    to: WriteHalf<'a>,
    state: watch::Receiver<State>,
    towards: Towards,
    shared: &'a Shared,
}

impl Writer<'_> {
    async fn run(mut self, mut line: mpsc::Receiver<Item>) -> io::Result<()> {
        while let Some(item) = line.recv().await {
            self.until_due(&item).await;
            let bytes = item.what?;
            if bytes.is_empty() {
                self.until_open().await;
                return self.to.shutdown().await;
            }
            self.write(&bytes).await?;
        }
        Ok(())
    }

    /// Waits for the delay of now, which may change meanwhile.
    async fn until_due(&mut self, item: &Item) {
        loop {
            let way = self.way();
            let due = item.arrived + way.delay + way.jitter.mul_f64(item.jitter);
            tokio::select! {
                () = tokio::time::sleep_until(due) => break,
                changed = self.state.changed() => if changed.is_err() { break },
            }
        }
        self.until_open().await;
    }

    /// Writes at the rate of now, and stops where the direction is stopped.
    async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.until_open().await;
            let rate = self.way().rate;
            let most = rate.map_or(bytes.len(), |rate| piece(rate).min(bytes.len()));
            let written = self.to.write(&bytes[..most]).await?;
            bytes = &bytes[written..];
            let counter = self.shared.counters.bytes(self.towards);
            counter.fetch_add(written as u64, Relaxed);
            if let Some(rate) = rate {
                sleep(Duration::from_secs_f64(written as f64 / rate as f64)).await;
            }
        }
        Ok(())
    }

    async fn until_open(&mut self) {
        let towards = self.towards;
        let open = |state: &State| !state.way(towards).stopped;
        // An error says that the proxy is gone, and this task with it.
        drop(self.state.wait_for(open).await);
    }

    fn way(&mut self) -> Way {
        self.state.borrow_and_update().way(self.towards)
    }
}

/// The bytes of one piece at a rate.
fn piece(rate: u64) -> usize {
    usize::try_from((rate / PIECES).max(1)).unwrap_or(usize::MAX)
}
