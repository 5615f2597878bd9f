//! One fault planted in a history that is otherwise right, and the report that must come of it.

use mq_testkit::history::{Checker, Entry, Goal, Id, Key, Report, Verdict};

use crate::{check, write};

type Line = (&'static str, Entry);

const VICTIM: Id = Id::new(5);

/// Twelve messages of three keys, sent, confirmed, seen and in effect, each step after the one before.
fn sound() -> Vec<Line> {
    let mut lines = Vec::new();
    for number in 0..12_u64 {
        let id = Id::new(number.into());
        let key = Key::new((number % 3).into());
        lines.push(("source", Entry::sending(id).keyed(key, number / 3)));
        lines.push(("source", Entry::confirmed(id).at(0, number)));
    }
    for number in 0..12_u64 {
        let id = Id::new(number.into());
        lines.push(("sink", Entry::seen(id).at(0, number)));
        lines.push(("sink", Entry::effect(id)));
    }
    lines
}

fn report(lines: &[Line]) -> Report {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), lines);
    check(&Checker::new(), folder.path())
}

/// The report names the victim, with exactly these verdicts, and no other message.
#[track_caller]
fn assert_only(report: &Report, victim: Id, verdicts: &[Verdict]) {
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.id, finding.verdicts))
        .collect();
    assert_eq!(found, [(victim, verdicts.iter().copied().collect())]);
    for verdict in Verdict::ALL {
        let count = u64::from(verdicts.contains(&verdict));
        assert_eq!(report.summary.count(verdict), count, "{verdict}");
    }
}

fn position(lines: &[Line], entry: Entry) -> usize {
    lines
        .iter()
        .position(|(_, found)| found.what == entry.what && found.id == entry.id)
        .unwrap()
}

fn without(mut lines: Vec<Line>, entry: Entry) -> Vec<Line> {
    lines.remove(position(&lines, entry));
    lines
}

fn with(mut lines: Vec<Line>, process: &'static str, entry: Entry) -> Vec<Line> {
    lines.push((process, entry));
    lines
}

/// Moves all the sink did with a message to the end.
fn late(lines: Vec<Line>, id: Id) -> Vec<Line> {
    let (moved, mut lines): (Vec<_>, Vec<_>) = lines
        .into_iter()
        .partition(|(process, entry)| *process == "sink" && entry.id == id);
    lines.extend(moved);
    lines
}

#[test]
fn a_sound_history_has_no_findings() {
    let report = report(&sound());
    assert_eq!(report.findings, []);
    assert_eq!(report.ok, 12);
    assert!(report.is_sound());
    assert_eq!(
        report.summary.to_json(),
        r#"{"messages":12,"lost":0,"reordered":0,"doubled":0,"phantom":0,"redelivered":0}"#
    );
}

#[test]
fn no_logs_are_a_report_of_nothing() {
    let report = Checker::new().check::<&str>([]).unwrap();
    assert_eq!(report.summary.messages, 0);
}

#[test]
fn a_confirmed_message_that_never_arrived_is_lost() {
    let lines = without(without(sound(), Entry::seen(VICTIM)), Entry::effect(VICTIM));
    assert_only(&report(&lines), VICTIM, &[Verdict::Lost]);
}

#[test]
fn a_message_that_was_seen_and_took_no_effect_is_lost_unless_delivery_is_the_goal() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &without(sound(), Entry::effect(VICTIM)));
    assert_only(
        &check(&Checker::new(), folder.path()),
        VICTIM,
        &[Verdict::Lost],
    );
    let delivery = check(&Checker::new().goal(Goal::Delivery), folder.path());
    assert_eq!(delivery.findings, []);
}

#[test]
fn an_unconfirmed_message_may_arrive_or_not() {
    let unknown = without(sound(), Entry::confirmed(VICTIM));
    assert_eq!(report(&unknown).findings, []);
    let gone = without(without(unknown, Entry::seen(VICTIM)), Entry::effect(VICTIM));
    let report = report(&gone);
    assert_eq!(report.findings, []);
    assert_eq!(report.summary.messages, 12);
}

#[test]
fn a_message_that_is_seen_again_is_redelivered() {
    let report = report(&with(sound(), "sink", Entry::seen(VICTIM).at(0, 5)));
    assert_only(&report, VICTIM, &[Verdict::Redelivered]);
    assert_eq!(report.ok, 11);
}

#[test]
fn a_second_effect_in_another_process_is_doubled() {
    let lines = with(
        with(sound(), "other", Entry::seen(VICTIM)),
        "other",
        Entry::effect(VICTIM),
    );
    let report = report(&lines);
    assert_only(&report, VICTIM, &[Verdict::Doubled, Verdict::Redelivered]);
    let story: Vec<_> = report.findings[0]
        .story
        .iter()
        .map(|event| &*event.process)
        .collect();
    assert_eq!(
        story,
        [
            "source-0", "source-0", "sink-0", "sink-0", "other-0", "other-0"
        ]
    );
}

#[test]
fn a_second_effect_of_one_delivery_is_doubled_alone() {
    let report = report(&with(sound(), "sink", Entry::effect(VICTIM)));
    assert_only(&report, VICTIM, &[Verdict::Doubled]);
}

#[test]
fn a_message_that_nobody_sent_is_a_phantom_and_nothing_more() {
    let phantom = Id::of("who");
    let mut lines = sound();
    for _ in 0..2 {
        lines = with(lines, "sink", Entry::seen(phantom).keyed(Key::new(0), 1));
        lines = with(lines, "sink", Entry::effect(phantom));
    }
    let report = report(&lines);
    assert_only(&report, phantom, &[Verdict::Phantom]);
    assert_eq!(report.summary.messages, 12);
}

#[test]
fn a_message_behind_a_later_one_of_its_key_is_reordered() {
    assert_only(
        &report(&late(sound(), VICTIM)),
        VICTIM,
        &[Verdict::Reordered],
    );
}

#[test]
fn a_message_behind_later_ones_of_other_keys_is_in_order() {
    assert_eq!(report(&late(sound(), Id::new(9))).findings, []);
}

#[test]
fn effects_out_of_order_count_though_the_deliveries_were_in_order() {
    let mut lines = sound();
    let effect = lines.remove(position(&lines, Entry::effect(VICTIM)));
    lines.push(effect);
    assert_only(&report(&lines), VICTIM, &[Verdict::Reordered]);
}

#[test]
fn a_rewind_that_delivers_all_again_in_order_reorders_nothing() {
    let mut lines = sound();
    lines.extend((0..12).map(|number| ("sink", Entry::seen(Id::new(number)))));
    let report = report(&lines);
    assert_eq!(
        (report.summary.redelivered, report.summary.reordered),
        (12, 0)
    );
    assert_eq!(report.ok, 0);
}

#[test]
fn messages_without_key_have_no_order() {
    let strip = |(process, mut entry): Line| {
        entry.lane = None;
        (process, entry)
    };
    let lines: Vec<_> = sound().into_iter().map(strip).collect();
    assert_eq!(report(&late(lines, VICTIM)).findings, []);
}

#[test]
fn a_lost_message_leaves_the_later_ones_in_order() {
    let first = Id::new(0);
    let lines = without(without(sound(), Entry::seen(first)), Entry::effect(first));
    assert_only(&report(&lines), first, &[Verdict::Lost]);
}

#[test]
fn a_story_tells_time_process_place_and_key() {
    let report = report(&with(sound(), "sink", Entry::seen(VICTIM).at(0, 5)));
    let finding = report.finding(VICTIM).unwrap();
    assert_eq!(finding.left_off, 0);
    let text = finding.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "00000000000000000000000000000005 redelivered");
    assert_eq!(
        lines[1],
        "  2023-11-14T22:13:20.010000000Z source-0 sending key 00000000000000000000000000000002 sequence 1"
    );
    assert_eq!(
        lines[3],
        "  2023-11-14T22:13:20.034000000Z sink-0 seen at 0/5"
    );
    assert_eq!(lines.len(), 6);
    assert!(report.to_string().ends_with(&report.summary.to_json()));
}

#[test]
fn counts_stay_exact_over_the_limit_of_findings() {
    let mut lines = sound();
    lines.extend((0..12).map(|number| ("sink", Entry::seen(Id::new(number)))));
    lines = late(lines, VICTIM);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &lines);
    let report = check(&Checker::new().findings(2), folder.path());
    assert_eq!(
        (report.summary.redelivered, report.summary.reordered),
        (12, 1)
    );
    let victim = report.finding(VICTIM).unwrap();
    assert!(
        victim.verdicts.contains(Verdict::Reordered)
            && victim.verdicts.contains(Verdict::Redelivered)
    );
    assert_eq!(report.findings.len(), 3);
    assert!(
        report
            .to_string()
            .contains("and 9 more that are redelivered"),
        "{report}"
    );
}

#[test]
fn a_long_story_is_cut_and_says_so() {
    let again = std::iter::repeat_n(("sink", Entry::seen(VICTIM)), 5000);
    let lines: Vec<_> = sound().into_iter().chain(again).collect();
    let report = report(&lines);
    let finding = report.finding(VICTIM).unwrap();
    assert_eq!((finding.story.len(), finding.left_off), (1000, 4004));
    assert_eq!(finding.story[0].entry.what, Entry::sending(VICTIM).what);
}
