//! A proxy that knows Kafka's frames, and can swallow the answers to fetches.

use std::{
    collections::HashSet,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    task::JoinHandle,
};

/// The key of a fetch among the requests of the protocol.
const FETCH: [u8; 2] = [0, 1];

#[derive(Debug, Default)]
struct State {
    connections: AtomicU64,
    /// Connections with a smaller number are deaf to the answers to their fetches.
    deaf_below: AtomicU64,
    swallowed: AtomicU64,
}

/// The proxy; it ends when it is dropped, and its connections with it.
#[derive(Debug)]
pub(crate) struct Fetches {
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

impl Fetches {
    pub(crate) async fn open(listen: SocketAddr, upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind(listen).await.unwrap();
        let state = Arc::<State>::default();
        let own = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = own.connections.fetch_add(1, Ordering::SeqCst);
                let state = own.clone();
                tokio::spawn(async move {
                    // The end of a connection is none of the test's.
                    drop(forward(client, upstream, number, &state).await);
                });
            }
        });
        Self { state, accepting }
    }

    /// From now on, connections of now get no answer to a fetch; everything else passes.
    pub(crate) fn hush(&self) {
        let all = self.state.connections.load(Ordering::SeqCst);
        self.state.deaf_below.store(all, Ordering::SeqCst);
    }

    /// Answers that did not pass.
    pub(crate) fn swallowed(&self) -> u64 {
        self.state.swallowed.load(Ordering::SeqCst)
    }
}

impl Drop for Fetches {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn forward(
    mut client: TcpStream,
    upstream: SocketAddr,
    number: u64,
    state: &State,
) -> io::Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let fetches = Mutex::default();
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::select! {
        ended = requests(from_client, to_server, &fetches) => ended,
        ended = answers(from_server, to_client, &fetches, number, state) => ended,
    }
}

/// Notes which requests are fetches, by the numbers that answers repeat.
async fn requests(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    fetches: &Mutex<HashSet<Vec<u8>>>,
) -> io::Result<()> {
    loop {
        let frame = frame(&mut from).await?;
        if frame.get(4..6) == Some(&FETCH[..]) {
            fetches.lock().unwrap().insert(frame[8..12].to_vec());
        }
        to.write_all(&frame).await?;
    }
}

async fn answers(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    fetches: &Mutex<HashSet<Vec<u8>>>,
    number: u64,
    state: &State,
) -> io::Result<()> {
    loop {
        let frame = frame(&mut from).await?;
        let is_fetch = frame.len() >= 8 && fetches.lock().unwrap().remove(&frame[4..8]);
        if is_fetch && number < state.deaf_below.load(Ordering::SeqCst) {
            state.swallowed.fetch_add(1, Ordering::SeqCst);
            continue;
        }
        to.write_all(&frame).await?;
    }
}

/// A frame with its length before it.
async fn frame(from: &mut ReadHalf<'_>) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    let mut frame = vec![0; 4 + length as usize];
    frame[..4].copy_from_slice(&length.to_be_bytes());
    from.read_exact(&mut frame[4..]).await?;
    Ok(frame)
}
