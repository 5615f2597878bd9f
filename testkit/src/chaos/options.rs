//! What a run is told.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use mq::error::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

/// What is promised of every message, and so what the run is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Guarantee {
    /// No store and no transaction anywhere: effects may be doubled.
    AtLeastOnce,
    /// The sink recognises messages by a store in which claim and effect are one write: no effect is doubled. The default.
    #[default]
    Idempotent,
    /// The processor's outputs and the settlement of their input are one transaction of the broker, and the sink remembers nothing
    /// but the positions it has applied: a second output for one input is a doubled effect.
    ExactlyOnce,
}

impl Guarantee {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::AtLeastOnce, Self::Idempotent, Self::ExactlyOnce];

    /// The word of the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtLeastOnce => "at_least_once",
            Self::Idempotent => "idempotent",
            Self::ExactlyOnce => "exactly_once",
        }
    }

    /// Whether a doubled effect is a fault.
    #[must_use]
    pub const fn forbids_doubles(self) -> bool {
        !matches!(self, Self::AtLeastOnce)
    }
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Guarantee {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            let text = format!("`{text}` is no guarantee; use one of {known}");
            Error::new(ErrorKind::Config, text)
        })
    }
}

/// What a run is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Options {
    /// The binder, by its name in the table of [`BINDERS`](super::BINDERS).
    pub binder: String,
    /// How many messages are sent: 1 or more.
    pub messages: u64,
    /// How many faults there are while they are sent and handled.
    pub faults: u64,
    /// What is promised.
    pub guarantee: Guarantee,
    /// What faults, failures and delays are drawn from. The same seed makes the same trouble; how it meets the messages depends on
    /// the scheduler too.
    pub seed: u64,
    /// Where the run keeps its logs; a new folder among the temporary ones by default.
    pub folder: Option<PathBuf>,
    /// The `chaos` program, which is what child processes run; this process's own program by default.
    pub program: Option<PathBuf>,
}

impl Options {
    /// So much trouble for this binder, with idempotency and a seed of 1.
    #[must_use]
    pub fn new(binder: impl Into<String>, messages: u64, faults: u64) -> Self {
        Self {
            binder: binder.into(),
            messages: messages.max(1),
            faults,
            guarantee: Guarantee::default(),
            seed: 1,
            folder: None,
            program: None,
        }
    }

    /// What is promised; [`Guarantee::Idempotent`] by default.
    #[must_use]
    pub const fn guarantee(mut self, guarantee: Guarantee) -> Self {
        self.guarantee = guarantee;
        self
    }

    /// The seed; 1 by default.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Where the run keeps its logs, in a folder of its own below this one.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// The `chaos` program, where it is not this process's own.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }
}
