//! The side of the broker: a thread that answers, and nothing else.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixSocket, UnixStream},
    runtime::{Builder, Runtime},
    sync::{Notify, Semaphore},
    task::JoinSet,
};

use super::{
    FILE, LINE,
    answer::{refusal, reply},
};
use crate::{broker::Broker, engine::Shared, error};

/// Connections at a time; others wait.
const CONNECTIONS: usize = 8;
/// Who says nothing for so long, or takes no reply, is not waited for.
const IDLE: Duration = Duration::from_secs(60);
/// After an error of the operating system (too many open files), it is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket that is served until this is dropped.
#[derive(Debug)]
pub(crate) struct Socket {
    path: PathBuf,
    end: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Socket {
    /// Serves the socket of the folder, which this process has: one that is there is left over.
    ///
    /// # Errors
    /// Why there is none, to be read by people.
    pub(crate) fn open(shared: &Arc<Shared>, folder: &Path) -> Result<Self, String> {
        let path = folder.join(FILE);
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let guard = runtime.enter();
        let listener = listen(&path).map_err(|error| reason(&path, &error))?;
        drop(guard);
        let (end, broker) = (Arc::new(Notify::new()), Broker::view(shared));
        let told = end.clone();
        let thread = std::thread::Builder::new().name("mq-socket".to_owned());
        let thread = thread.spawn(move || run(&runtime, &listener, &broker, &told));
        Ok(Self {
            end,
            thread: Some(thread.map_err(|error| error.to_string())?),
            path,
        })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.end.notify_one();
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::error!("the thread of the broker's socket has panicked; please report it");
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the socket could not be removed; the next start does so");
        }
    }
}

/// Nobody can connect before the file is only for its owner.
fn listen(path: &Path) -> io::Result<UnixListener> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.listen(16)
}

fn reason(path: &Path, error: &io::Error) -> String {
    let len = path.as_os_str().len();
    match error.kind() {
        // What the operating system has room for in an address, less the byte behind it.
        io::ErrorKind::InvalidInput => format!(
            "its path would have {len} bytes, and a Unix socket has at most about 107; choose a shorter `path`"
        ),
        _ => error.to_string(),
    }
}

fn run(runtime: &Runtime, listener: &UnixListener, broker: &Broker, end: &Notify) {
    runtime.block_on(async {
        tokio::select! {
            () = accept(listener, broker) => {}
            () = end.notified() => {}
        }
    });
}

/// Dropping it ends every connection.
async fn accept(listener: &UnixListener, broker: &Broker) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let broker = broker.clone();
                connections.spawn(async move {
                    let talked = talk(&broker, stream).await;
                    tracing::debug!(?talked, "a connection to the broker's socket has ended");
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the broker's socket cannot accept; it is tried again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Answers line by line, until the other side is done.
async fn talk(broker: &Broker, stream: UnixStream) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut read).take(LINE as u64);
        let next = limited.read_until(b'\n', &mut line);
        let len = tokio::time::timeout(IDLE, next).await??;
        if len == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') && len == LINE {
            let mut too_long = refusal(&error::request_too_long(LINE)).to_string();
            too_long.push('\n');
            write.write_all(too_long.as_bytes()).await?;
            return Ok(());
        }
        let answer = reply(broker, line.trim_ascii_end()).await;
        tokio::time::timeout(IDLE, write.write_all(&answer)).await??;
    }
}
