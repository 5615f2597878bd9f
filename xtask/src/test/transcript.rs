//! Reads what `cargo test -- --show-output` says, line by line.

use std::borrow::Cow;

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Tests that passed, those that printed a skip included.
    pub(super) passed: usize,
    /// Tests that failed, and test programs that ended without a result.
    pub(super) failed: usize,
    /// Tests that were not run.
    pub(super) ignored: usize,
    /// Why passed tests did nothing.
    pub(super) skips: Vec<Skip>,
    /// The names of ignored tests, with the reason.
    pub(super) ignored_names: Vec<String>,
    /// The names of failed tests.
    pub(super) failed_names: Vec<String>,
}

/// A test that passed because it did nothing.
#[derive(Debug, PartialEq)]
pub(super) struct Skip {
    /// What was missing: the text up to the first `: `.
    pub(super) name: String,
    /// The rest of the line.
    pub(super) reason: String,
}

/// Where in the output of a test program the transcript stands.
#[derive(Debug, Default, PartialEq)]
enum Part {
    /// Cargo's lines, and lines of tests as they end.
    #[default]
    Running,
    /// What a passed test printed; not shown. True: it has told its skip.
    Passed(bool),
    /// What a failed test printed.
    Failed,
    /// A list of names.
    Names(Outcome),
}

/// Whose names a list has.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Passed,
    Failed,
}

/// The reader: `line` for each line, `ended` for each cargo command, then `tally`.
#[derive(Debug)]
pub(super) struct Transcript {
    programs: usize,
    program: String,
    started: usize,
    part: Part,
    /// Whether the program has told its result.
    judged: bool,
    /// What had failed when the cargo command began.
    failed_before: usize,
    tally: Tally,
}

impl Transcript {
    /// A transcript of so many test programs.
    pub(super) fn of(programs: usize) -> Self {
        Self {
            programs,
            program: String::new(),
            started: 0,
            part: Part::default(),
            judged: false,
            failed_before: 0,
            tally: Tally::default(),
        }
    }

    /// Takes a line, and gives what is to be shown of it.
    pub(super) fn line<'a>(&mut self, line: &'a str) -> Option<Cow<'a, str>> {
        if let Some(head) = self.program(line) {
            return Some(head.into());
        }
        match line {
            "successes:" => self.part = self.next(Outcome::Passed),
            "failures:" => self.part = self.next(Outcome::Failed),
            _ if is_cargos_verdict(line) => self.died(),
            _ => self.inside(line),
        }
        let hidden = matches!(self.part, Part::Passed(_) | Part::Names(Outcome::Passed));
        (!hidden).then_some(line.into())
    }

    /// A cargo command has ended; a failure without a failed test is a failure all the same.
    pub(super) fn ended(&mut self, success: bool) {
        self.part = Part::Running;
        if !success && self.tally.failed == self.failed_before {
            self.judged = false;
            self.died();
        }
        self.failed_before = self.tally.failed;
    }

    /// The program has failed; where it has told no result, it counts as one failed test.
    fn died(&mut self) {
        self.part = Part::Running;
        if !self.judged {
            self.judged = true;
            self.tally.failed += 1;
            let name = format!("{} (ended without a result)", self.program);
            self.tally.failed_names.push(name);
        }
    }

    /// What was counted.
    pub(super) fn tally(self) -> Tally {
        self.tally
    }

    /// The head of the next test program, where `line` starts one.
    fn program(&mut self, line: &str) -> Option<String> {
        let head = if let Some(docs) = line.strip_prefix("   Doc-tests ") {
            self.program = format!("{docs} (documentation)");
            format!("  [docs] {docs}")
        } else {
            self.program = program_name(line.strip_prefix("     Running ")?)?;
            self.started += 1;
            format!("  [{}/{}] {}", self.started, self.programs, self.program)
        };
        self.part = Part::Running;
        self.judged = false;
        Some(head)
    }

    /// `successes:` and `failures:` stand twice: before what the tests printed and before their names.
    fn next(&self, outcome: Outcome) -> Part {
        match (&self.part, outcome) {
            (Part::Passed(_), Outcome::Passed) | (Part::Failed, Outcome::Failed) => {
                Part::Names(outcome)
            }
            (_, Outcome::Passed) => Part::Passed(false),
            (_, Outcome::Failed) => Part::Failed,
        }
    }

    fn inside(&mut self, line: &str) {
        match self.part {
            Part::Running => self.running(line),
            Part::Passed(_) if line.starts_with("---- ") && line.ends_with(" ----") => {
                self.part = Part::Passed(false);
            }
            Part::Passed(false) => {
                if let Some(skip) = skip(line) {
                    self.tally.skips.push(skip);
                    self.part = Part::Passed(true);
                }
            }
            Part::Names(_) if line.starts_with("test result: ") => {
                self.part = Part::Running;
                self.running(line);
            }
            Part::Passed(true) | Part::Failed | Part::Names(_) => {}
        }
    }

    fn running(&mut self, line: &str) {
        if let Some(result) = line.strip_prefix("test result: ") {
            self.judged = true;
            self.tally.passed += count(result, "passed");
            self.tally.failed += count(result, "failed");
            self.tally.ignored += count(result, "ignored");
        } else if let Some(skip) = skip(line) {
            self.tally.skips.push(skip);
        } else if let Some((name, end)) = ended_test(line) {
            let name = format!("{}: {name}", self.program);
            if end == "FAILED" {
                self.tally.failed_names.push(name);
            } else if let Some(reason) = end.strip_prefix("ignored") {
                let reason = reason.trim_start_matches(", ");
                let reason = if reason.is_empty() { "ignored" } else { reason };
                self.tally.ignored_names.push(format!("{name}: {reason}"));
            }
        }
    }
}

/// `unittests src/lib.rs (target/debug/deps/mq_core-0123456789abcdef)` → `mq_core (unittests src/lib.rs)`.
fn program_name(line: &str) -> Option<String> {
    let (source, file) = line.strip_suffix(')')?.rsplit_once(" (")?;
    let file = file.rsplit_once('/').map_or(file, |(_, name)| name);
    let name = file.rsplit_once('-').map_or(file, |(name, _)| name);
    Some(format!("{name} ({source})"))
}

/// ``error: test failed, to rerun pass `-p a --lib` ``, after each program that failed.
fn is_cargos_verdict(line: &str) -> bool {
    line.starts_with("error: ") && line.contains(" failed, to rerun pass ")
}

/// `test name ... ok`.
fn ended_test(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("test ")?.rsplit_once(" ... ")
}

/// `SKIPPED: name: reason`.
fn skip(line: &str) -> Option<Skip> {
    let rest = line.trim_start().strip_prefix("SKIPPED: ")?;
    let (name, reason) = rest.split_once(": ").unwrap_or((rest, "no reason given"));
    Some(Skip {
        name: name.trim().to_owned(),
        reason: reason.trim().to_owned(),
    })
}

/// The number before `what` in `ok. 3 passed; 0 failed; …`.
fn count(result: &str, what: &str) -> usize {
    let words: Vec<_> = result
        .split([' ', ';', '.'])
        .filter(|word| !word.is_empty())
        .collect();
    let found = words.windows(2).find(|pair| pair[1] == what);
    found.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

#[cfg(test)]
#[path = "transcript_tests.rs"]
mod tests;
