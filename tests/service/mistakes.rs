//! Mistakes are all reported at once, each with its path, its place and how to fix it, and nothing is started.

use mq::prelude::*;

use crate::kit::{Broker, Order};

const MISTAKES: &str = "\
[app]
nam = 'shop'
[binders.other]
kind = 'pigeon'
[bindings.orders]
groop = 'x'
[bindings.returns.consumer]
concurrency = 2
[bindings.orders.consumer]
concurency = 8
concurrency = 0
ordering = 'keys'
timeout = '10 parsecs'
exhausted = 'explode'
max_payload = '1 MB of'
batch = { max = 0 }
retry = { attempts = 0, factor = 'a' }
";

/// Path, line and fix of each, in the order of the report.
const EXPECTED: &[(&str, u32, &str)] = &[
    ("app.nam", 2, "did you mean `name`?"),
    ("binders.other.kind", 4, "built in: `broker`"),
    ("bindings.orders.groop", 6, "did you mean `group`?"),
    (
        "bindings.returns.consumer",
        7,
        "there are listeners on `orders`",
    ),
    (
        "bindings.orders.consumer.concurency",
        10,
        "did you mean `concurrency`?",
    ),
    (
        "bindings.orders.consumer.concurrency",
        11,
        "use 1 to 10,000",
    ),
    (
        "bindings.orders.consumer.ordering",
        12,
        "did you mean `key`?",
    ),
    (
        "bindings.orders.consumer.timeout",
        13,
        "a number with a unit",
    ),
    (
        "bindings.orders.consumer.exhausted",
        14,
        "`dead_letter`, `stop`, `requeue`, `discard`",
    ),
    (
        "bindings.orders.consumer.max_payload",
        15,
        "a number of bytes",
    ),
    ("bindings.orders.consumer.batch", 16, "take a `Batch<…>`"),
    ("bindings.orders.consumer.batch.max", 16, "use 1 to 100,000"),
    (
        "bindings.orders.consumer.retry.attempts",
        17,
        "use 1 to 1,000",
    ),
    (
        "bindings.orders.consumer.retry.factor",
        17,
        "write a number",
    ),
];

/// What is reported for these settings.
fn report(settings: &str) -> String {
    let app = Broker::new().app(settings);
    let app = app.sink("orders", |_: Json<Order>| async {});
    let problems = app.build().expect_err("there are mistakes");
    problems.to_string()
}

#[test]
fn every_mistake_is_reported_with_path_place_and_fix() {
    let report = report(MISTAKES);
    let mut problems = report.split("error: ").skip(1);
    for (path, line, fix) in EXPECTED {
        let problem = problems
            .next()
            .unwrap_or_else(|| panic!("{path} is missing:\n{report}"));
        for part in [*path, &format!("line {line})"), *fix] {
            assert!(problem.contains(part), "no `{part}` in {problem}");
        }
    }
    assert_eq!(problems.next(), None, "{report}");
    assert!(
        report.ends_with("14 problems, nothing was started"),
        "{report}"
    );
}

#[test]
fn a_delayed_retry_is_refused_for_an_anonymous_group() {
    let settings = "[bindings.orders]\ngroup = 'none'\nconsumer = { retry = { delayed = ['1m'] } }";
    let report = report(settings);
    assert!(
        report.contains("bindings.orders.consumer.retry.delayed"),
        "{report}"
    );
    assert!(
        report.contains("name a group, or remove `delayed`"),
        "{report}"
    );
}

#[test]
fn a_binding_names_a_binder_that_there_is() {
    let report = report("[bindings.orders]\nbinder = 'mian'");
    assert!(report.contains("did you mean `main`?"), "{report}");
    assert!(
        report.ends_with("1 problem, nothing was started"),
        "{report}"
    );
}
