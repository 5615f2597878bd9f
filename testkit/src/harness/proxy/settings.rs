//! What a proxy does to connections.

use std::time::Duration;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
    /// Both ways.
    Both,
}

/// How connections are ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cut {
    /// With a reset (RST): what was on its way is lost, and both sides get an error.
    #[default]
    Reset,
    /// In order (FIN): both sides read the end. What the proxy held back is lost all the same.
    Close,
}

/// What happens to new connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Incoming {
    /// They are forwarded.
    #[default]
    Forward,
    /// The system refuses them: nobody listens.
    Refuse,
    /// They are accepted, and then nothing happens until the proxy is healed or the connections are cut.
    BlackHole,
}

/// One direction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Way {
    pub(super) delay: Duration,
    pub(super) jitter: Duration,
    /// Bytes a second.
    pub(super) rate: Option<u64>,
    pub(super) stopped: bool,
    /// One byte in so many; 0 is none.
    pub(super) corrupt: u64,
}

/// Everything that can be changed while the proxy runs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State {
    pub(super) to_server: Way,
    pub(super) to_client: Way,
    pub(super) incoming: Incoming,
    /// The number of cuts so far, and how the last one was made: a connection that began at another number is cut.
    pub(super) cut: (u64, Cut),
}

impl State {
    /// Changes one direction or both.
    pub(super) fn each(&mut self, direction: Direction, change: impl Fn(&mut Way)) {
        match direction {
            Direction::ToServer => change(&mut self.to_server),
            Direction::ToClient => change(&mut self.to_client),
            Direction::Both => {
                change(&mut self.to_server);
                change(&mut self.to_client);
            }
        }
    }

    /// The settings of one side of a connection.
    pub(super) fn way(&self, towards: Towards) -> Way {
        match towards {
            Towards::Server => self.to_server,
            Towards::Client => self.to_client,
        }
    }
}

/// One direction, where only one makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Towards {
    Server,
    Client,
}
