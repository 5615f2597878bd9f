//! Random histories: the checker says what the naive one says, with much memory and with next to none.

use mq_testkit::history::{Checker, Entry, Goal, Id, Key, Verdict, What};
use proptest::prelude::*;

use crate::{check, naive, write};

const PROCESSES: [&str; 4] = ["a", "b", "c", "d"];

fn what() -> impl Strategy<Value = What> {
    prop::sample::select(vec![
        What::Sending,
        What::Confirmed,
        What::Seen,
        What::Effect,
    ])
}

/// Any entry of few ids and fewer keys; ids differ in their high bits too.
fn entry() -> impl Strategy<Value = (&'static str, Entry)> {
    let lane = prop::option::weighted(0.7, (0..3_u128, 0..6_u64));
    let id = (0..24_u128).prop_map(|id| id << (id % 3 * 50));
    (prop::sample::select(&PROCESSES[..]), what(), id, lane).prop_map(
        |(process, what, id, lane)| {
            let entry = Entry::new(what, Id::new(id));
            let keyed = lane.map(|(key, sequence)| entry.keyed(Key::new(key), sequence));
            (process, keyed.unwrap_or(entry))
        },
    )
}

/// A history that mostly goes well: messages of few keys pass in order, and some are dropped, repeated or swapped.
fn nearly_sound() -> impl Strategy<Value = Vec<(&'static str, Entry)>> {
    let faults = prop::collection::vec((0..400_usize, 0..3_u8, 0..400_usize), 0..8);
    (1..60_u128, 1..6_u128, faults).prop_map(|(messages, keys, faults)| {
        let mut lines: Vec<_> = (0..messages)
            .flat_map(|number| passage(number, keys))
            .collect();
        for (at, fault, other) in faults {
            let (at, other) = (at % lines.len(), other % lines.len());
            match fault {
                0 if lines.len() > 1 => drop(lines.remove(at)),
                1 => lines.insert(other, lines[at]),
                _ => lines.swap(at, other),
            }
        }
        lines
    })
}

fn passage(number: u128, keys: u128) -> [(&'static str, Entry); 4] {
    let id = Id::new(number);
    let sink = PROCESSES[(number % keys % 3) as usize];
    let sending = Entry::sending(id).keyed(Key::new(number % keys), number as u64);
    [
        ("d", sending),
        ("d", Entry::confirmed(id)),
        (sink, Entry::seen(id)),
        (sink, Entry::effect(id)),
    ]
}

/// The report is what the naive checker says, id by id and in the counts.
fn agrees(
    lines: &[(&'static str, Entry)],
    checker: &Checker,
    goal: Goal,
) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir()?;
    write(folder.path(), lines);
    let report = check(
        &checker.clone().goal(goal).findings(usize::MAX),
        folder.path(),
    );
    let history: Vec<Entry> = lines.iter().map(|(_, entry)| *entry).collect();
    let expected = naive::verdicts(&history, goal);
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.id, finding.verdicts))
        .collect();
    let wrong = expected.iter().filter(|(_, verdicts)| !verdicts.is_empty());
    let wrong: Vec<_> = wrong
        .map(|(id, verdicts)| (*id, verdicts.iter().copied().collect()))
        .collect();
    prop_assert_eq!(found, wrong.clone());
    prop_assert_eq!(report.ok, (expected.len() - wrong.len()) as u64);
    prop_assert_eq!(report.summary.messages, naive::sent(&history));
    for verdict in Verdict::ALL {
        let count = expected
            .values()
            .filter(|found| found.contains(&verdict))
            .count();
        prop_assert_eq!(report.summary.count(verdict), count as u64);
    }
    for finding in &report.findings {
        let story: Vec<_> = finding.story.iter().map(|event| event.entry).collect();
        let events: Vec<_> = history
            .iter()
            .copied()
            .filter(|entry| entry.id == finding.id)
            .collect();
        prop_assert_eq!(story, events);
    }
    Ok(())
}

proptest! {
    #[test]
    fn chaos_is_judged_as_the_naive_checker_does(lines in prop::collection::vec(entry(), 1..160)) {
        agrees(&lines, &Checker::new(), Goal::Effect)?;
    }

    #[test]
    fn few_faults_are_judged_as_the_naive_checker_does(lines in nearly_sound()) {
        agrees(&lines, &Checker::new(), Goal::Effect)?;
        agrees(&lines, &Checker::new(), Goal::Delivery)?;
    }

    #[test]
    fn spilled_runs_change_nothing(lines in prop::collection::vec(entry(), 1..160), memory in 0..4000_usize) {
        agrees(&lines, &Checker::new().memory(memory), Goal::Effect)?;
    }
}
