//! What is printed.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what this file is for"
)]

use comfy_table::{Table, presets::NOTHING};
use mq_testkit::conformance::{Report, Suite, Verdict};

/// Prints every case.
pub(crate) fn list(suite: &Suite) {
    for case in suite.cases() {
        println!("{}", case.path());
    }
    println!("{} cases", suite.cases().len());
}

/// Prints what is wrong with the command line.
pub(crate) fn complain(text: &str) {
    eprintln!("conformance: {text}");
}

/// Prints every case with its verdict, and a summary; as JSON where that is asked for.
pub(crate) fn show(report: &Report, binder: &str, json: bool) {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["case", "", "ms", ""]);
    for result in &report.results {
        let (word, text) = match &result.verdict {
            Verdict::Passed => ("pass", ""),
            Verdict::Failed(text) => ("FAIL", text.as_str()),
            Verdict::Skipped(reason) => ("skip", reason.as_str()),
        };
        let took = result.took.as_millis().to_string();
        table.add_row([result.path().as_str(), word, &took, text]);
    }
    println!("{}", table.trim_fmt());
    println!(
        "\n{binder}: {} cases, {} passed, {} failed, {} skipped",
        report.cases(),
        report.passed(),
        report.failed(),
        report.skipped()
    );
    explain(report);
    if json {
        println!("{}", report.to_json(binder));
    }
}

/// Prints which rules are broken, and how much of the rest may follow from that.
fn explain(report: &Report) {
    let diagnosis = report.diagnosis();
    for (rule, cases) in &diagnosis.broken {
        println!("broken: {rule}: {}", rule.text());
        for case in cases {
            println!("    {case}");
        }
    }
    if !diagnosis.consequences.is_empty() {
        println!(
            "{} more failed where a rule rests on one of these; they say nothing until that is put right",
            diagnosis.consequences.len()
        );
    }
}
