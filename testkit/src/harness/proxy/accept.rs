//! Takes connections in, or has the system refuse them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::settings::Incoming;
use super::statistics::count;
use super::{Shared, connection};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 256;

/// The wait after a connection that could not be accepted.
const AGAIN: Duration = Duration::from_millis(10);

/// A socket at an address that another one may share: one holds the port, the other listens.
pub(super) fn bind(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

pub(super) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    bind(addr)?.listen(BACKLOG)
}

/// Accepts until it is aborted; then its connections are aborted with it.
pub(super) async fn run(addr: SocketAddr, listener: TcpListener, shared: Arc<Shared>) {
    let mut state = shared.state.subscribe();
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        if state.borrow_and_update().incoming == Incoming::Refuse {
            listener = None;
        } else if listener.is_none() {
            // The port is held, so this fails only where the system is out of sockets: tried again at the next change.
            listener = listen(addr).ok();
        }
        tokio::select! {
            changed = state.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            client = accept(listener.as_ref()) => {
                count(&shared.counters.accepted);
                connections.spawn(connection::run(client, number, Arc::clone(&shared)));
                number += 1;
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The next connection. Waits for ever where nobody listens.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    loop {
        match listener.accept().await {
            Ok((client, _)) => return client,
            // A connection that is gone already, or no socket to be had at the moment.
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}
