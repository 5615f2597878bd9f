//! The little of each protocol that it takes to ask a server whether it is there.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest answer that is taken for one, in bytes.
const LARGEST: usize = 1 << 20;

/// A connection for one question.
pub(super) struct Probe(TcpStream);

impl Probe {
    pub(super) async fn connect(addr: SocketAddr) -> io::Result<Self> {
        patient(TcpStream::connect(addr)).await.map(Self)
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        patient(self.0.write_all(bytes)).await
    }

    /// Exactly so many bytes.
    pub(super) async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > LARGEST {
            return Err(odd());
        }
        let mut bytes = vec![0; length];
        patient(self.0.read_exact(&mut bytes)).await?;
        Ok(bytes)
    }

    /// A number of four bytes, big end first, as it comes before most answers.
    pub(super) async fn length(&mut self) -> io::Result<usize> {
        let length = patient(self.0.read_u32()).await?;
        usize::try_from(length).map_err(|_| odd())
    }

    /// Whatever comes next, at least a byte.
    pub(super) async fn some(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(4096);
        match patient(self.0.read_buf(&mut bytes)).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(bytes),
        }
    }
}

async fn patient<T>(asking: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let answer = tokio::time::timeout(PATIENCE, asking).await;
    answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// An answer that is none of the protocol.
pub(super) fn odd() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not an answer of this protocol")
}

/// Reads an answer from its beginning; each method gives `None` past the end.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn skip(&mut self, length: usize) -> Option<&'a [u8]> {
        let (skipped, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(skipped)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        let bytes = self.skip(4)?;
        Some(i32::from_be_bytes(bytes.try_into().ok()?))
    }

    /// A text after its length of two bytes, or none where that is negative.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.skip(2)?;
        let length = i16::from_be_bytes(length.try_into().ok()?);
        self.skip(usize::try_from(length).unwrap_or(0))
    }
}

/// The text between two others.
pub(super) fn between(bytes: &[u8], before: &str, after: &[char]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let (_, rest) = text.split_once(before)?;
    let text = rest.split(after).next()?;
    Some(text.to_owned())
}
