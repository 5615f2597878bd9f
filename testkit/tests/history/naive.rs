//! The rules once more, in the plainest way: maps, and every pair of messages compared.

use std::collections::BTreeMap;

use mq_testkit::history::{Entry, Goal, Id, Lane, Verdict, What};

/// What the entries say of one message; the numbers are places in the history.
#[derive(Default)]
struct Message {
    sent: bool,
    confirmed: bool,
    lane: Option<Lane>,
    seen: Vec<usize>,
    effects: Vec<usize>,
}

/// The verdicts on every id, sorted; `history` is in the order of time.
pub(crate) fn verdicts(history: &[Entry], goal: Goal) -> BTreeMap<Id, Vec<Verdict>> {
    let messages = messages(history);
    let each = messages.iter().map(|(id, message)| {
        let mut found = alone(message, goal);
        if message.sent && is_late(message, &messages) {
            found.push(Verdict::Reordered);
        }
        found.sort();
        (*id, found)
    });
    each.collect()
}

pub(crate) fn sent(history: &[Entry]) -> u64 {
    messages(history)
        .values()
        .filter(|message| message.sent)
        .count() as u64
}

fn messages(history: &[Entry]) -> BTreeMap<Id, Message> {
    let mut messages: BTreeMap<Id, Message> = BTreeMap::new();
    for what in [What::Sending, What::Confirmed, What::Seen, What::Effect] {
        for (at, entry) in history
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.what == what)
        {
            let message = messages.entry(entry.id).or_default();
            match what {
                What::Seen => message.seen.push(at),
                What::Effect => message.effects.push(at),
                What::Sending | What::Confirmed => {
                    message.sent = true;
                    message.confirmed |= what == What::Confirmed;
                    if message.lane.is_none() {
                        message.lane = entry.lane;
                    }
                }
            }
        }
    }
    messages
}

fn alone(message: &Message, goal: Goal) -> Vec<Verdict> {
    if !message.sent {
        return vec![Verdict::Phantom];
    }
    let unreached = message.effects.is_empty() && (goal == Goal::Effect || message.seen.is_empty());
    let mut found = Vec::new();
    if message.confirmed && unreached {
        found.push(Verdict::Lost);
    }
    if message.seen.len() > 1 {
        found.push(Verdict::Redelivered);
    }
    if message.effects.len() > 1 {
        found.push(Verdict::Doubled);
    }
    found
}

fn is_late(message: &Message, messages: &BTreeMap<Id, Message>) -> bool {
    let Some(lane) = message.lane else {
        return false;
    };
    let later = messages.values().filter(|other| {
        other.sent
            && other
                .lane
                .is_some_and(|other| other.key == lane.key && other.sequence > lane.sequence)
    });
    let behind = |mine: &[usize], other: &[usize]| match (mine.first(), other.first()) {
        (Some(mine), Some(other)) => mine > other,
        _ => false,
    };
    later
        .into_iter()
        .any(|other| behind(&message.seen, &other.seen) || behind(&message.effects, &other.effects))
}
