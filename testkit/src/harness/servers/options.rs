//! What is fixed when a server starts.

use mq_core::error::{Error, ErrorKind, Result};

use super::{Kind, Server};

/// Which server to start, and how.
#[derive(Clone, Copy, Debug)]
pub struct ServerOptions {
    pub(super) kind: Kind,
    pub(super) nodes: usize,
    pub(super) heap: usize,
    pub(super) secured: bool,
}

impl ServerOptions {
    /// One node of a kind.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            nodes: 1,
            heap: 256,
            secured: false,
        }
    }

    /// How many nodes; only Kafka can have more than one. Default: 1.
    #[must_use]
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// The heap of each Java process, in MiB. Default: 256.
    #[must_use]
    pub fn heap(mut self, mebibytes: usize) -> Self {
        self.heap = mebibytes;
        self
    }

    /// Adds listeners with TLS, users and rights; only Kafka has them. See [`Server::secured`].
    #[must_use]
    pub fn secured(mut self) -> Self {
        self.secured = true;
        self
    }

    /// Starts it, and waits until it answers.
    ///
    /// Where the future is dropped, nothing of it is left running.
    ///
    /// # Errors
    /// `Unsupported` where the server cannot be had on this machine, with what to do about it; others where it does not start.
    pub async fn start(self) -> Result<Server> {
        self.check()?;
        Server::start_with(self).await
    }

    /// Starts it; `None` where it cannot be had on this machine and `MQ_REQUIRE` does not name it. Then the line
    /// `SKIPPED: kafka: reason` is on standard output, which `cargo xtask test` sums up, and the test is to return.
    ///
    /// A server that is there but does not start is an error in any case.
    ///
    /// # Errors
    /// As [`ServerOptions::start`].
    pub async fn available(self) -> Result<Option<Server>> {
        match self.start().await {
            Ok(server) => Ok(Some(server)),
            Err(error)
                if error.kind() == ErrorKind::Unsupported && !super::is_required(self.kind) =>
            {
                skip(self.kind, &error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn check(self) -> Result<()> {
        let most = if self.kind == Kind::Kafka { 9 } else { 1 };
        if (1..=most).contains(&self.nodes) {
            return Ok(());
        }
        let what = format!("a {} server has 1 to {most} nodes here", self.kind);
        Err(Error::new(ErrorKind::Config, what).context("nodes", self.nodes))
    }
}

#[expect(clippy::print_stdout, reason = "a skip that nobody sees is a lie")]
fn skip(kind: Kind, error: &Error) {
    println!("SKIPPED: {kind}: {}", error.message());
}
