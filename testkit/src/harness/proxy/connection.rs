//! One connection: two sockets and what is between them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::settings::{Cut, Incoming, State, Towards};
use super::statistics::count;
use super::{Shared, pump};

/// Counts the end of a connection, however it comes.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.counters.ended.fetch_add(1, Relaxed);
    }
}

/// Forwards until both sides have ended, one of them fails, or the connection is cut.
pub(super) async fn run(client: TcpStream, number: u64, shared: Arc<Shared>) {
    let _open = Open(Arc::clone(&shared));
    let mut cuts = shared.state.subscribe();
    let began = cuts.borrow().cut.0;
    let Some(server) = unless_cut(&mut cuts, began, connect(&shared)).await else {
        return end(vec![client], &shared).await;
    };
    let Ok(server) = server else {
        count(&shared.counters.unreachable);
        return reset(&[&client]);
    };
    let (mut client, mut server) = (client, server);
    // A reset, unless it turns out otherwise: also where the task is aborted.
    reset(&[&client, &server]);
    let forwarding = forward(&mut client, &mut server, number, &shared);
    match unless_cut(&mut cuts, began, forwarding).await {
        None => end(vec![client, server], &shared).await,
        Some(Ok(())) => in_order(&[&client, &server]),
        Some(Err(_)) => {}
    }
}

/// Connects to the server once the proxy lets it.
async fn connect(shared: &Shared) -> io::Result<TcpStream> {
    let mut state = shared.state.subscribe();
    let lets = |state: &State| state.incoming != Incoming::BlackHole;
    drop(state.wait_for(lets).await);
    TcpStream::connect(&shared.upstream).await
}

/// What the future gives; `None` where the connection is cut first.
async fn unless_cut<F: Future>(
    state: &mut watch::Receiver<State>,
    began: u64,
    future: F,
) -> Option<F::Output> {
    tokio::select! {
        biased;
        _ = state.wait_for(|state| state.cut.0 != began) => None,
        output = future => Some(output),
    }
}

/// Forwards both ways until both have come to their end.
async fn forward(
    client: &mut TcpStream,
    server: &mut TcpStream,
    number: u64,
    shared: &Shared,
) -> io::Result<()> {
    drop(client.set_nodelay(true));
    drop(server.set_nodelay(true));
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let done = tokio::try_join!(
        pump::run(from_client, to_server, Towards::Server, number, shared),
        pump::run(from_server, to_client, Towards::Client, number, shared),
    );
    if done.is_err() {
        // The other side is not to learn of it through a direction that has stopped.
        let mut state = shared.state.subscribe();
        let open = |state: &State| !state.to_client.stopped && !state.to_server.stopped;
        drop(state.wait_for(open).await);
    }
    done.map(drop)
}

/// Ends sockets as the last cut says.
async fn end(sockets: Vec<TcpStream>, shared: &Shared) {
    count(&shared.counters.cut);
    let how = shared.state.borrow().cut.1;
    match how {
        Cut::Reset => reset(&sockets.iter().collect::<Vec<_>>()),
        Cut::Close => close(sockets).await,
    }
}

/// Tells the end, and reads until the others have told theirs: a socket with unread bytes would be reset.
async fn close(mut sockets: Vec<TcpStream>) {
    in_order(&sockets.iter().collect::<Vec<_>>());
    for socket in &mut sockets {
        drop(socket.shutdown().await);
    }
    for socket in &mut sockets {
        drop(drain(socket).await);
    }
}

async fn drain(mut from: impl AsyncRead + Unpin) -> io::Result<()> {
    let mut bytes = vec![0; 4096];
    while from.read(&mut bytes).await? > 0 {}
    Ok(())
}

/// From now on the sockets are reset when they are dropped.
fn reset(sockets: &[&TcpStream]) {
    for socket in sockets {
        // A socket that has failed already needs no reset.
        drop(socket.set_zero_linger());
    }
}

/// From now on the sockets are closed in order when they are dropped.
#[expect(
    deprecated,
    reason = "no time to linger is no time to block; it takes back the reset"
)]
fn in_order(sockets: &[&TcpStream]) {
    for socket in sockets {
        drop(socket.set_linger(None));
    }
}
