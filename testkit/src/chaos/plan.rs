//! What is sent, and how handlers behave: all of it follows from the options, so that a restarted process knows it too.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::dice::Dice;
use super::options::{Guarantee, Options};
use crate::history::{Entry, Id, Key};

/// How many messages are on their way to the broker at once; each lane sends its keys one message after the other.
const LANES: u64 = 64;
/// Keys of one lane.
const KEYS: u64 = 16;
/// Attempts up to this one may fail by chance; the attempts of the settings are more.
const MOODY: u32 = 3;

/// The payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Work {
    /// The number of the message, from 0.
    pub(super) number: u64,
    /// Which copy of it, where each copy counts for itself; else 0.
    pub(super) copy: u32,
}

impl Work {
    pub(super) fn id(self) -> Id {
        Id::new(u128::from(self.number) + 1 + (u128::from(self.copy) << 64))
    }

    pub(super) fn of(id: Id) -> Self {
        let id = id.to_u128();
        Self {
            number: (id as u64).wrapping_sub(1),
            copy: (id >> 64) as u32,
        }
    }

    /// The id on the wire.
    pub(super) fn name(self) -> String {
        format!("{}-{}", self.number, self.copy)
    }

    /// The work with this id on the wire.
    pub(super) fn named(name: &str) -> Option<Self> {
        let (number, copy) = name.split_once('-')?;
        Some(Self {
            number: number.parse().ok()?,
            copy: copy.parse().ok()?,
        })
    }
}

/// The place where a message is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Processor,
    Sink,
}

/// One call of a handler.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    /// Unlike that of any other call of this member.
    pub(super) number: u64,
    /// Whether handlers fail more often than usual.
    pub(super) is_burst: bool,
}

/// How a message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// With an effect.
    Effect,
    /// As a dead letter of this stage.
    Letter(Stage),
}

/// What a handler does beside its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Good,
    Yields,
    Dawdles(Duration),
    Fails,
    RetriesAfter(Duration),
    Defers(Duration),
    Panics,
    Hangs,
}

/// What is sent, by whom, and how handlers behave.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) messages: u64,
    pub(super) guarantee: Guarantee,
    seed: u64,
}

impl Plan {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            messages: options.messages,
            guarantee: options.guarantee,
            seed: options.seed,
        }
    }

    /// Whether the source is a stream that the framework publishes, instead of lanes that send by themselves: every fourth seed.
    ///
    /// The framework publishes an unconfirmed message again as the same one, which cannot be told from an output that was
    /// doubled: where each copy counts for itself, there are lanes.
    pub(super) fn is_stream(&self) -> bool {
        self.guarantee != Guarantee::ExactlyOnce && self.dice(7, 0).roll(4) == 0
    }

    /// How many lanes send, in parallel.
    pub(super) fn lanes(&self) -> u64 {
        if self.is_stream() {
            1
        } else {
            LANES.min(self.messages)
        }
    }

    /// A message as it is sent for the first time, or again. Where each copy counts for itself, it says which one it is.
    pub(super) fn work(&self, number: u64, copies: u32) -> Work {
        let is_counted = self.guarantee == Guarantee::ExactlyOnce;
        let copy = if is_counted { copies } else { 0 };
        Work { number, copy }
    }

    fn dice(&self, part: u64, number: u64) -> Dice {
        Dice::of(self.seed ^ (part << 56), number)
    }

    /// The key of a message: one of its lane's, where there are several.
    pub(super) fn key(&self, number: u64) -> String {
        let key = self.dice(1, number).roll(KEYS);
        format!("key-{}-{key}", number % LANES)
    }

    /// How it ends. What ends as a dead letter leaves the order of its key.
    pub(super) fn fate(&self, number: u64) -> Fate {
        let sink_too = self.guarantee != Guarantee::ExactlyOnce;
        match self.dice(2, number).roll(4_000) {
            0 => Fate::Letter(Stage::Processor),
            1 if sink_too => Fate::Letter(Stage::Sink),
            _ => Fate::Effect,
        }
    }

    /// What the source writes down before it sends.
    pub(super) fn sending(&self, work: Work) -> Entry {
        let entry = Entry::sending(work.id());
        if self.fate(work.number) != Fate::Effect {
            return entry;
        }
        let sequence = work.number << 16 | u64::from(work.copy & 0xFFFF);
        entry.keyed(Key::of(self.key(work.number)), sequence)
    }

    /// How the handler of a stage behaves at an attempt: seldom badly, except in a burst of failures. The call's own number keeps
    /// what is put off from being put off for ever.
    pub(super) fn mood(&self, stage: Stage, work: Work, attempt: u32, call: Call) -> Mood {
        let mut dice = self.dice(3 + stage as u64, work.number);
        // Some need a delayed attempt.
        let stubborn = dice.roll(5_000) == 0;
        if attempt > MOODY {
            let fails = stubborn && attempt <= MOODY + 2;
            return if fails { Mood::Fails } else { Mood::Good };
        }
        if stubborn {
            return Mood::Fails;
        }
        let mut dice = Dice::of(dice.next(), call.number);
        let millis = |dice: &mut Dice, most| Duration::from_millis(1 + dice.roll(most));
        match dice.roll(if call.is_burst { 400 } else { 20_000 }) {
            0..=9 => Mood::Fails,
            10..=14 => Mood::RetriesAfter(millis(&mut dice, 20)),
            15..=19 => Mood::Defers(millis(&mut dice, 10)),
            20..=24 => Mood::Panics,
            25 => Mood::Hangs,
            26..=45 => Mood::Dawdles(millis(&mut dice, 15)),
            46..=99 => Mood::Yields,
            _ => Mood::Good,
        }
    }

    /// Whether the mood breaks out after the effect instead of before it.
    pub(super) fn is_late(&self, work: Work, attempt: u32) -> bool {
        self.dice(6, work.number ^ u64::from(attempt) << 48).roll(2) == 0
    }
}
