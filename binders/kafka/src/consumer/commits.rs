//! Commits: one is under way at a time, and what comes meanwhile goes together into the next.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::park_timeout,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use bytes::Bytes;
use mq_core::{binder::LaneId, error::Result};
use rdkafka::{
    TopicPartitionList,
    consumer::{CommitMode, Consumer},
    error::{KafkaError, KafkaResult},
    types::RDKafkaErrorCode,
};
use tokio::sync::oneshot;

use super::{Client, Shared, offset};
use crate::{client::is_moving, error};

/// What stands before notes in the metadata of a commit; another reader's metadata does not begin like this.
const PREFIX: &str = "mq1:";
/// The broker's default limit for metadata (`offset.metadata.max.bytes`).
pub(crate) const METADATA: usize = 4_096;
/// Bytes of notes that fit into the metadata.
pub(crate) const NOTES: usize = (METADATA - PREFIX.len()) / 4 * 3;

/// Between two attempts of a commit.
const PAUSE: Duration = Duration::from_millis(50);

/// A position to commit.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) lane: LaneId,
    pub(crate) epoch: u32,
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) position: u64,
    pub(crate) notes: Option<Bytes>,
}

type Waiter = oneshot::Sender<Result<(), KafkaError>>;

#[derive(Debug, Default)]
struct Round {
    commits: BTreeMap<(Arc<str>, i32), Commit>,
    waiters: Vec<Waiter>,
}

#[derive(Debug, Default)]
struct Inner {
    next: Round,
    is_under_way: bool,
    /// The subscription has ended: nothing can be committed any more.
    is_over: bool,
}

/// Commits of a consumer.
///
/// librdkafka tells nobody the end of an asynchronous commit where events are polled instead of callbacks called, so commits are
/// synchronous, on a thread of the runtime for blocking work.
#[derive(Debug, Default)]
pub(crate) struct Commits(Mutex<Inner>);

impl Commits {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds commits to the next round; whoever is told `true` has to see to it that [`run`](Self::run) is called.
    pub(crate) fn add(
        &self,
        commits: Vec<Commit>,
    ) -> Result<(oneshot::Receiver<Result<(), KafkaError>>, bool)> {
        let (waiter, answer) = oneshot::channel();
        let mut inner = self.lock();
        if inner.is_over {
            return Err(error::cut());
        }
        for commit in commits {
            let place = (commit.topic.clone(), commit.partition);
            inner.next.commits.insert(place, commit);
        }
        inner.next.waiters.push(waiter);
        let is_first = !std::mem::replace(&mut inner.is_under_way, true);
        Ok((answer, is_first))
    }

    /// Commits what has gathered until nothing is left; blocks.
    pub(crate) fn run(&self, shared: &Shared, client: &Client) {
        while let Some(mut round) = self.next() {
            let sent = send(&mut round, shared, client);
            for waiter in round.waiters {
                // Whoever has given up waiting needs no answer.
                drop(waiter.send(sent.clone()));
            }
        }
    }

    fn next(&self) -> Option<Round> {
        let mut inner = self.lock();
        let round = std::mem::take(&mut inner.next);
        if round.commits.is_empty() {
            inner.is_under_way = false;
            return None;
        }
        Some(round)
    }

    /// Nothing can be committed any more; whoever waits is told by the end of the channel.
    pub(crate) fn end(&self) {
        let mut inner = self.lock();
        inner.is_over = true;
        inner.next = Round::default();
    }
}

/// Sends a round, again and again while the group is in motion: a lane that stays through a rebalance can be committed after it.
fn send(round: &mut Round, shared: &Shared, client: &Client) -> Result<(), KafkaError> {
    let begin = Instant::now();
    loop {
        let sent =
            list(round.commits.values()).and_then(|list| client.commit(&list, CommitMode::Sync));
        match sent {
            Err(error) if is_in_motion(&error) && begin.elapsed() < shared.timeout => {
                park_timeout(PAUSE);
                let lanes = shared.lanes();
                let is_ours = |commit: &Commit| lanes.current(commit.lane, commit.epoch).is_some();
                if !round.commits.values().all(is_ours) {
                    return Err(error);
                }
            }
            sent => return sent,
        }
    }
}

/// Whether something was refused because members come and go, or their coordinator moves.
pub(super) fn is_in_motion(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as C;
    let code = error.rdkafka_error_code();
    let is_rebalance = matches!(
        code,
        Some(
            C::RebalanceInProgress
                | C::IllegalGeneration
                | C::StaleMemberEpoch
                | C::UnknownMemberId
        )
    );
    is_rebalance || is_moving(error)
}

/// Commits as the client takes them.
pub(crate) fn list<'a>(
    commits: impl Iterator<Item = &'a Commit>,
) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for commit in commits {
        let mut element = list.add_partition(&commit.topic, commit.partition);
        element.set_offset(offset(commit.position))?;
        element.set_metadata(notes_of(commit.notes.as_ref()));
    }
    Ok(list)
}

/// Notes as metadata, which is text.
pub(crate) fn notes_of(notes: Option<&Bytes>) -> String {
    match notes {
        Some(notes) => format!("{PREFIX}{}", BASE64_STANDARD_NO_PAD.encode(notes)),
        None => String::new(),
    }
}

/// The notes in a commit's metadata; `None` if it has none, or those of somebody else.
pub(crate) fn saved_of(metadata: &str) -> Option<Bytes> {
    let text = metadata.strip_prefix(PREFIX)?;
    BASE64_STANDARD_NO_PAD.decode(text).ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_come_back_from_metadata_and_fit() {
        let notes = Bytes::from(vec![0_u8, 255, 7]);
        assert_eq!(saved_of(&notes_of(Some(&notes))), Some(notes));
        assert_eq!(saved_of(&notes_of(Some(&Bytes::new()))), Some(Bytes::new()));
        assert_eq!(saved_of(&notes_of(None)), None);
        assert_eq!(saved_of("someone else's"), None);
        assert!(notes_of(Some(&vec![1; NOTES].into())).len() <= METADATA);
    }
}
