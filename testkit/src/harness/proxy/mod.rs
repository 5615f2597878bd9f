//! A TCP proxy that makes trouble.

mod settings;
mod statistics;
mod accept;
mod connection;
mod pump;
mod random;

pub use settings::{Cut, Direction, Incoming};
pub use statistics::Statistics;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mq_core::error::Result;
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::refused;
use settings::State;
use statistics::Counters;

/// What tasks of a proxy share.
#[derive(Debug)]
struct Shared {
    upstream: String,
    seed: u64,
    state: watch::Sender<State>,
    counters: Counters,
}

/// A TCP proxy before a server. It forwards both ways until it is told to make trouble, and again after [`Proxy::heal`].
///
/// Bytes of a connection that lives are never lost: what a fault holds back arrives when the fault is over, as TCP
/// would send it again. At most 256 KiB a direction are held, then the sender is no longer read from.
/// Each method takes effect at once, for connections that exist too. Faults of different kinds add up.
///
/// The proxy listens on 127.0.0.1, at a port that stays its own while connections are refused. It runs on the runtime that made it
/// and ends, with a reset of every connection, when it is dropped.
///
/// ```
/// # use std::time::Duration;
/// # use mq_testkit::harness::{Cut, Direction, Proxy};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> mq_core::error::Result<()> {
/// let proxy = Proxy::to("127.0.0.1:9092")?;
/// // connect the client to proxy.addr(), then:
/// proxy.delay(Direction::Both, Duration::from_millis(200), Duration::from_millis(50));
/// proxy.half_open(Direction::ToClient);
/// proxy.heal();
/// proxy.cut(Cut::Reset);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
    /// Bound, never listening: it keeps the port while nobody listens.
    _port: TcpSocket,
}

/// What is fixed when a proxy starts.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProxyOptions {
    port: u16,
    seed: u64,
}

impl ProxyOptions {
    /// The port to listen on. Default: 0, any free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The seed of jitter and of corrupted bytes. Default: 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Starts the proxy before a server, `host:port`, which need not be there yet: it is connected to for each connection
    /// anew, and a client is reset where that fails.
    ///
    /// # Errors
    /// There is no such port to be had.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn to(self, upstream: impl Into<String>) -> Result<Proxy> {
        Proxy::start(self, upstream.into()).map_err(|e| refused("the proxy cannot listen", e))
    }
}

impl Proxy {
    /// A proxy before a server, with the default options.
    ///
    /// # Errors
    /// As [`ProxyOptions::to`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn to(upstream: impl Into<String>) -> Result<Self> {
        ProxyOptions::default().to(upstream)
    }

    fn start(options: ProxyOptions, upstream: String) -> std::io::Result<Self> {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let port = accept::bind(addr)?;
        let addr = port.local_addr()?;
        let listener = accept::listen(addr)?;
        let shared = Arc::new(Shared {
            upstream,
            seed: options.seed,
            state: watch::Sender::new(State::default()),
            counters: Counters::default(),
        });
        let accepting = tokio::spawn(accept::run(addr, listener, Arc::clone(&shared)));
        Ok(Self {
            addr,
            shared,
            accepting,
            _port: port,
        })
    }

    /// Where clients connect.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Ends every connection of now, towards both sides. New ones are not affected.
    pub fn cut(&self, how: Cut) {
        self.change(|state| state.cut = (state.cut.0 + 1, how));
    }

    /// Holds every byte back for a while: `by`, and up to `jitter` more, another for each chunk. Order is kept, and bytes
    /// follow each other at full rate.
    pub fn delay(&self, direction: Direction, by: Duration, jitter: Duration) {
        self.change(|state| state.each(direction, |way| (way.delay, way.jitter) = (by, jitter)));
    }

    /// Lets so many bytes a second through, in each connection; 0 counts as 1.
    pub fn limit(&self, direction: Direction, bytes_a_second: u64) {
        let rate = Some(bytes_a_second.max(1));
        self.change(|state| state.each(direction, |way| way.rate = rate));
    }

    /// Stops a direction: connections stay, nothing arrives, the end of a side is not told to the other.
    pub fn half_open(&self, direction: Direction) {
        self.change(|state| state.each(direction, |way| way.stopped = true));
    }

    /// Changes a byte to another at random, one in so many on average; with 1, every byte. The places depend on the seed, the number of the
    /// connection and the direction, not on timing. 0 corrupts nothing.
    pub fn corrupt(&self, direction: Direction, one_in: u64) {
        self.change(|state| state.each(direction, |way| way.corrupt = one_in));
    }

    /// What happens to new connections.
    pub fn incoming(&self, incoming: Incoming) {
        self.change(|state| state.incoming = incoming);
    }

    /// Ends all trouble, except that connections which were cut stay so. What was held back goes on its way; connections
    /// in the black hole are forwarded.
    pub fn heal(&self) {
        self.change(|state| {
            *state = State {
                cut: state.cut,
                ..State::default()
            };
        });
    }

    /// What has passed so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.shared.counters.read()
    }

    /// Waits until the statistics say something, looking every millisecond: to cut after so many bytes, for example.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// They do not say it in time.
    pub async fn until(
        &self,
        says: impl Fn(&Statistics) -> bool,
        within: Duration,
    ) -> Result<Statistics> {
        let looking = async {
            loop {
                let statistics = self.statistics();
                if says(&statistics) {
                    return statistics;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let seen = tokio::time::timeout(within, looking).await;
        seen.map_err(|_| self.not_seen(within))
    }

    fn not_seen(&self, within: Duration) -> mq_core::error::Error {
        let what = format!("the proxy has not seen what was waited for in {within:?}");
        mq_core::error::Error::new(mq_core::error::ErrorKind::Unavailable, what)
            .operation("Proxy::until")
            .context("statistics", format!("{:?}", self.statistics()))
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        self.shared.state.send_modify(change);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
