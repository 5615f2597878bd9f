//! The side of the second process.

use std::{io, path::Path};

use mq_core::error::{Error, Result};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

use super::{FILE, VERSION, request::Request};
use crate::error;

/// A look at a broker that another process has open, through the socket in its folder.
///
/// ```
/// use mq_broker::{Broker, Remote, Request};
/// use mq_core::message::Message;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path();
/// let broker = Broker::open(path).await?;
/// broker.publish("orders", &[Message::new("A1")]).await;
///
/// // In another process:
/// let mut remote = Remote::connect(path).await?;
/// let all = remote.ask(&Request::Destinations {}).await?;
/// assert_eq!(all[0]["name"], "orders");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Remote {
    stream: BufReader<UnixStream>,
    /// Whether a reply was not read to its end.
    is_broken: bool,
}

impl Remote {
    /// Connects to the broker that has this folder.
    ///
    /// # Errors
    /// No broker has it, or it is somebody else's.
    pub async fn connect(folder: impl AsRef<Path>) -> Result<Self> {
        let path = folder.as_ref().join(FILE);
        let stream = UnixStream::connect(&path).await;
        let stream = stream.map_err(|error| unreachable(&path, error))?;
        Ok(Self {
            stream: BufReader::new(stream),
            is_broken: false,
        })
    }

    /// Asks, and waits for the answer, as [`Request`] says what it is.
    ///
    /// When the future is dropped, the request may have been carried out, and the connection is of no more use.
    ///
    /// # Errors
    /// What the broker says, with the same kind; or the connection is gone.
    pub async fn ask(&mut self, request: &Request) -> Result<Value> {
        if std::mem::replace(&mut self.is_broken, true) {
            return Err(gone(io::ErrorKind::BrokenPipe.into()));
        }
        let line = request.line()?;
        self.stream.write_all(&line).await.map_err(gone)?;
        let mut reply = Vec::new();
        let read = self.stream.read_until(b'\n', &mut reply).await;
        if read.map_err(gone)? == 0 {
            return Err(gone(io::ErrorKind::UnexpectedEof.into()));
        }
        let answer = open(&reply)?;
        self.is_broken = false;
        answer
    }
}

/// What a reply says: the outer error is that it cannot be read.
fn open(reply: &[u8]) -> Result<Result<Value>> {
    let mut reply: Value = serde_json::from_slice(reply).map_err(|error| gone(error.into()))?;
    if reply["v"] != VERSION {
        let other = reply["v"].as_u64().unwrap_or(0);
        return Err(error::other_protocol(other, VERSION));
    }
    let refused = reply["error"].take();
    if refused.is_null() {
        return Ok(Ok(reply["ok"].take()));
    }
    let text = |name: &str| refused[name].as_str().unwrap_or_default().to_owned();
    let error = Error::new(error::kind_of(&text("kind")), text("message"));
    Ok(Err(match text("status").as_str() {
        "temporary" => error.temporary(),
        "fatal" => error.fatal(),
        _ => error,
    }))
}

fn unreachable(path: &Path, error: io::Error) -> Error {
    let text = "no broker answers in this folder; start the program that has it, or open the folder itself while nobody has it";
    Error::new(mq_core::error::ErrorKind::Unavailable, text)
        .temporary()
        .source(error)
        .context("socket", path.display())
}

fn gone(error: io::Error) -> Error {
    let text = "the connection to the broker has ended; connect again";
    Error::new(mq_core::error::ErrorKind::Unavailable, text)
        .temporary()
        .source(error)
}
