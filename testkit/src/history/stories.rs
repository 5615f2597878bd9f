//! The third pass: every event of the messages that are not ok.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use foldhash::fast::RandomState;
use mq_core::error::Result;

use super::checker::Goal;
use super::entry::{Event, Id};
use super::frame::Stamped;
use super::reader::Reader;
use super::report::{Finding, LogReport};
use super::tally::{Moment, Sight, Tally};
use super::verdict::{Verdict, Verdicts};

/// Events that a story holds at most.
const STORY: usize = 1000;

/// Which messages are to be told of: the first of each verdict.
#[derive(Debug)]
pub(super) struct Stories {
    limit: usize,
    told: [usize; Verdict::ALL.len()],
    chosen: HashMap<Id, Story, RandomState>,
}

/// What is known of one of them so far.
#[derive(Debug)]
struct Story {
    reordered: bool,
    tally: Tally,
    events: Vec<(Moment, Event)>,
    left_off: u64,
}

impl Stories {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            told: [0; Verdict::ALL.len()],
            chosen: HashMap::default(),
        }
    }

    /// A message with these verdicts, as far as known: told of if one of them has room.
    pub(super) fn offer(&mut self, id: Id, verdicts: Verdicts) {
        let known = self.chosen.contains_key(&id);
        let room = verdicts
            .iter()
            .any(|verdict| self.told[verdict as usize] < self.limit);
        if !known && !room {
            return;
        }
        for verdict in verdicts.iter() {
            self.told[verdict as usize] += 1;
        }
        let story = self.chosen.entry(id).or_insert_with(|| Story::new(id));
        story.reordered |= verdicts.contains(Verdict::Reordered);
    }

    /// Reads the logs again, as far as they were read before.
    pub(super) fn tell(mut self, logs: &[LogReport], goal: Goal) -> Result<Vec<Finding>> {
        let readable = if self.chosen.is_empty() { &[] } else { logs };
        for (log, number) in readable.iter().zip(0..) {
            let reader = Reader::open(&log.path, log.bytes)?;
            let process = reader.process();
            reader.read(|stamped| {
                if let Some(story) = self.chosen.get_mut(&stamped.entry.id) {
                    story.add(number, &stamped, &process);
                }
                Ok(())
            })?;
        }
        let mut findings: Vec<_> = self
            .chosen
            .into_values()
            .map(|story| story.into_finding(goal))
            .collect();
        findings.sort_unstable_by_key(|finding| finding.id);
        Ok(findings)
    }
}

impl Story {
    fn new(id: Id) -> Self {
        Self {
            reordered: false,
            tally: Tally::new(id),
            events: Vec::new(),
            left_off: 0,
        }
    }

    fn add(&mut self, log: u32, stamped: &Stamped, process: &Arc<str>) {
        self.tally.add(&Sight::new(log, stamped));
        let nanos = stamped.nanos;
        let event = Event {
            time: UNIX_EPOCH + Duration::from_nanos(nanos),
            process: Arc::clone(process),
            entry: stamped.entry,
        };
        self.events.push((Moment { nanos, log }, event));
        if self.events.len() >= 2 * STORY {
            self.shorten();
        }
    }

    /// Keeps the first events by time.
    fn shorten(&mut self) {
        self.events.sort_unstable_by_key(|(moment, _)| *moment);
        self.left_off += self.events.len().saturating_sub(STORY) as u64;
        self.events.truncate(STORY);
    }

    fn into_finding(mut self, goal: Goal) -> Finding {
        self.shorten();
        let verdicts = self.tally.verdicts(goal);
        Finding {
            id: self.tally.id,
            verdicts: verdicts.add(Verdict::Reordered, self.reordered),
            story: self.events.into_iter().map(|(_, event)| event).collect(),
            left_off: self.left_off,
        }
    }
}
