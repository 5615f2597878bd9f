//! A proxy that knows Kafka's frames: it can swallow the answers to fetches, and say of commits that the group is in motion.

use std::{
    collections::HashMap,
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
/// The same of a commit of positions.
const COMMIT: [u8; 2] = [0, 8];
/// From this version on, its lengths have one byte each where they are small.
const COMPACT: u8 = 8;
/// `REBALANCE_IN_PROGRESS`
const IN_MOTION: [u8; 2] = [0, 27];

#[derive(Debug, Default)]
struct State {
    connections: AtomicU64,
    /// Connections with a smaller number are deaf to the answers to their fetches.
    deaf_below: AtomicU64,
    swallowed: AtomicU64,
    /// So many answers to commits are still to say that the group is in motion.
    moving: AtomicU64,
}

/// The kinds of requests that matter, by the numbers that answers repeat.
type Kinds = Mutex<HashMap<Vec<u8>, [u8; 2]>>;

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

    /// The next answers to commits say that the group is in motion, whatever has become of these.
    pub(crate) fn move_group(&self, commits: u64) {
        self.state.moving.store(commits, Ordering::SeqCst);
    }

    /// How many answers are still to say so.
    pub(crate) fn moving(&self) -> u64 {
        self.state.moving.load(Ordering::SeqCst)
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
    let kinds = Kinds::default();
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::select! {
        ended = requests(from_client, to_server, &kinds) => ended,
        ended = answers(from_server, to_client, &kinds, number, state) => ended,
    }
}

/// Notes the kinds of requests.
async fn requests(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, kinds: &Kinds) -> io::Result<()> {
    loop {
        let frame = frame(&mut from).await?;
        let is_known = frame[4..6] == FETCH || (frame[4..6] == COMMIT && frame[7] >= COMPACT);
        if is_known {
            let kind = [frame[4], frame[5]];
            kinds.lock().unwrap().insert(frame[8..12].to_vec(), kind);
        }
        to.write_all(&frame).await?;
    }
}

async fn answers(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    kinds: &Kinds,
    number: u64,
    state: &State,
) -> io::Result<()> {
    loop {
        let mut frame = frame(&mut from).await?;
        let kind = frame
            .get(4..8)
            .and_then(|it| kinds.lock().unwrap().remove(it));
        if kind == Some(FETCH) && number < state.deaf_below.load(Ordering::SeqCst) {
            state.swallowed.fetch_add(1, Ordering::SeqCst);
            continue;
        }
        if kind == Some(COMMIT) {
            let less = |moving: u64| moving.checked_sub(1);
            let moving = state
                .moving
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
            if moving.is_ok() {
                refuse(&mut frame);
            }
        }
        to.write_all(&frame).await?;
    }
}

/// Changes the error of the first partition in the answer to a commit. Before it come the length, the number, tags, a time, a count, the name of
/// the topic, a count and the number of the partition.
fn refuse(frame: &mut [u8]) {
    let name = usize::from(frame[14]) - 1;
    let error = 15 + name + 1 + 4;
    frame[error..error + 2].copy_from_slice(&IN_MOTION);
}

/// A frame with its length before it.
async fn frame(from: &mut ReadHalf<'_>) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    let mut frame = vec![0; 4 + length as usize];
    frame[..4].copy_from_slice(&length.to_be_bytes());
    from.read_exact(&mut frame[4..]).await?;
    Ok(frame)
}
