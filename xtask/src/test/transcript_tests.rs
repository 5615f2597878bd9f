use super::*;

const TWO_PROGRAMS: &str = "
     Running unittests src/lib.rs (target/debug/deps/mq_core-0123456789abcdef)

running 4 tests
test a ... ok
test b ... ok
test c ... ignored, needs a moon
test d ... ok

successes:

---- b stdout ----
SKIPPED: kafka: no Java
SKIPPED: kafka: told twice

---- d stdout ----
test result: ok. 100 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s


successes:
    a
    b
    d

test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

     Running tests/it/main.rs (target/debug/deps/it-0123456789abcdef)

running 1 test
test e ... FAILED

successes:

successes:

failures:

---- e stdout ----
SKIPPED: kafka: a failure is no skip

failures:
    e

test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

fn read(text: &str, success: bool) -> (Tally, String) {
    let mut transcript = Transcript::of(2);
    let shown: Vec<_> = text
        .lines()
        .filter_map(|line| transcript.line(line).map(Cow::into_owned))
        .collect();
    transcript.ended(success);
    (transcript.tally(), shown.join("\n"))
}

#[test]
fn results_of_all_programs_are_summed() {
    let (tally, _) = read(TWO_PROGRAMS, false);
    assert_eq!((tally.passed, tally.failed, tally.ignored), (3, 1, 1));
    assert_eq!(
        tally.ignored_names,
        ["mq_core (unittests src/lib.rs): c: needs a moon"]
    );
    assert_eq!(tally.failed_names, ["it (tests/it/main.rs): e"]);
}

#[test]
fn a_test_skips_once_and_only_where_it_passes() {
    let (tally, _) = read(TWO_PROGRAMS, false);
    let skip = Skip {
        name: "kafka".to_owned(),
        reason: "no Java".to_owned(),
    };
    assert_eq!(tally.skips, [skip]);
}

#[test]
fn output_is_shown_of_failed_tests_only() {
    let (_, shown) = read(TWO_PROGRAMS, false);
    assert!(
        !shown.contains("100 passed") && !shown.contains("successes"),
        "{shown}"
    );
    assert!(shown.contains("a failure is no skip"), "{shown}");
    assert!(shown.contains("[2/2] it (tests/it/main.rs)"), "{shown}");
    assert!(shown.contains("test result: ok. 3 passed"), "{shown}");
}

#[test]
fn a_program_that_dies_is_a_failure() {
    let died =
        "     Running tests/it/main.rs (target/debug/deps/it-0123456789abcdef)\n\nrunning 1 test\n";
    let (tally, _) = read(died, false);
    assert_eq!(tally.failed, 1);
    assert_eq!(
        tally.failed_names,
        ["it (tests/it/main.rs) (ended without a result)"]
    );
}

#[test]
fn a_program_that_dies_beside_failed_tests_is_one_more_failure() {
    let verdict = "error: test failed, to rerun pass `-p a --test b`";
    let text = format!(
        "{TWO_PROGRAMS}{verdict}\n     Running tests/b.rs (target/debug/deps/b-0123456789abcdef)\n\nrunning 2 tests\n{verdict}\n"
    );
    let (tally, _) = read(&text, false);
    assert_eq!((tally.passed, tally.failed), (3, 2));
    assert_eq!(
        tally.failed_names[1..],
        ["b (tests/b.rs) (ended without a result)"]
    );
}

#[test]
fn a_skip_past_the_capture_counts_too() {
    let (tally, shown) = read("SKIPPED: amqp: no server", true);
    assert_eq!(tally.skips.len(), 1);
    assert_eq!(shown, "SKIPPED: amqp: no server");
}
