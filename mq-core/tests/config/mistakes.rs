//! Everything that can be wrong, all at once.

use super::{NOTHING, bad, folder, in_folder, shown};
use mq_core::config::{Config, Problem};

/// One mistake in each of these lines.
const TWELVE_MISTAKES: &str = r#"[app]
name = 7                                          # 1: a number for a text
stict_bindings = true                             # 2: a typo

[binders.main]
brokers = ["kafka-1:9092"]                        # 3: (line 5) no kind

[bindings.orders]
destination = "shop.orders"
[bindings.orders.consumer]
concurency = 8                                    # 4: a typo
ordering = "kee"                                  # 5: no such choice
timeout = "10 parsecs"                            # 6: no duration
enabled = "yes"                                   # 7: a text for a boolean
retry = { attempts = 0, delayed = ["1m", "soon"] } # 8 and 9: out of range, no duration
idempotency = { ttl = "7d" }                      # 10: no store
window = { bytes = "64 potatoes" }                # 11: no size

[bindings.invoices.producer]
partitions = -1                                   # 12: out of range
"#;

#[test]
fn twelve_mistakes_are_twelve_problems_in_file_order() {
    let folder = folder(&[("mq.toml", TWELVE_MISTAKES)]);
    let problems = bad(&in_folder(folder.path()));
    let expected = r#"error: `app.name = 7` has the wrong type (mq.toml, line 2)
       write a text in quotes, not a whole number
error: unknown key `app.stict_bindings` (mq.toml, line 3)
       did you mean `strict_bindings`?
error: `binders.main` has no `kind` (mq.toml, line 5)
       add `kind = …` to it
error: unknown key `bindings.orders.consumer.concurency` (mq.toml, line 11)
       did you mean `concurrency`?
error: `bindings.orders.consumer.ordering = "kee"` is not one of the choices (mq.toml, line 12)
       did you mean `key`?
error: `bindings.orders.consumer.timeout = "10 parsecs"` is not a duration (mq.toml, line 13)
       write a number with a unit, for example `100ms`, `10s`, `1m` or `7d`
error: `bindings.orders.consumer.enabled = "yes"` has the wrong type (mq.toml, line 14)
       write `true` or `false`, not a text
error: `bindings.orders.consumer.retry.attempts = 0` is out of range (mq.toml, line 15)
       use 1 to 1,000 (default 3; 1 is no retry in place)
error: `bindings.orders.consumer.retry.delayed[1] = "soon"` is not a duration (mq.toml, line 15)
       write a number with a unit, for example `100ms`, `10s`, `1m` or `7d`
error: `bindings.orders.consumer.idempotency` has no `store` (mq.toml, line 16)
       add `store = …` to it
error: `bindings.orders.consumer.window.bytes = "64 potatoes"` is not a size in bytes (mq.toml, line 17)
       write a number of bytes, or one with a unit, for example `512KiB` or `64MiB`
error: `bindings.invoices.producer.partitions = -1` is out of range (mq.toml, line 20)
       write a whole number from 0 to 4294967295
12 problems, nothing was started"#;
    assert_eq!(shown(&problems, &folder), expected);
    assert!(
        problems
            .iter()
            .all(|problem| !problem.help.is_empty() && problem.origin.is_some())
    );
}

#[test]
fn the_same_mistakes_in_yaml_are_the_same_problems() {
    let yaml = r#"
app:
  name: 7
  stict_bindings: true
binders:
  main:
    brokers: ["kafka-1:9092"]
bindings:
  orders:
    consumer:
      concurency: 8
      ordering: kee
      timeout: 10 parsecs
      enabled: "yes"
      retry:
        attempts: 0
        delayed:
          - 1m
          - soon
      idempotency: { ttl: 7d }
      window: { bytes: 64 potatoes }
  invoices:
    producer:
      partitions: -1
"#;
    let problems = bad(&Config::yaml(yaml));
    let folder = folder(&[("mq.toml", TWELVE_MISTAKES)]);
    let toml = bad(&in_folder(folder.path()));
    let said = |problem: &Problem| {
        (
            problem.path.clone(),
            problem.message.clone(),
            problem.help.clone(),
        )
    };
    let yaml_says: Vec<_> = problems.iter().map(said).collect();
    assert_eq!(yaml_says, toml.iter().map(said).collect::<Vec<_>>());
    let lines: Vec<_> = problems
        .iter()
        .filter_map(|problem| Some(problem.origin.as_ref()?.to_string()))
        .collect();
    let expected =
        [3, 4, 6, 11, 12, 13, 14, 16, 19, 20, 21, 24].map(|line| format!("yaml text, line {line}"));
    assert_eq!(lines, expected);
}

#[test]
fn mistakes_of_all_sources_are_one_report() {
    let config = Config::toml("[bindings.orders]\ngrop = 'x'")
        .attribute("bindings.orders.consumer.batch.max", 0, "src/orders.rs", 12)
        .environment([
            ("MQ__BINDINGS__ORDERS__CONSUMER__CONCURENCY", "16"),
            ("MQ____", "x"),
        ])
        .set("bindings.orders.consumer.timeout", "soon")
        .set("bindings..orders", 1);
    let origins: Vec<_> = bad(&config).iter().map(ToString::to_string).collect();
    let expected = [
        "error: `bindings.orders.consumer.batch.max = 0` is out of range (src/orders.rs, line 12)",
        "error: unknown key `bindings.orders.grop` (toml text, line 2)",
    ];
    // What cannot be read at all comes first: nothing else is checked before it is put right.
    assert_eq!(origins.len(), 2, "{origins:?}");
    assert!(origins[0].starts_with("error: the variable MQ____ names no key (environment MQ____)"));
    assert!(origins[1].starts_with("error: `bindings..orders` is not a key (code, "));
    let config = Config::toml("[bindings.orders]\ngrop = 'x'")
        .attribute("bindings.orders.consumer.batch.max", 0, "src/orders.rs", 12)
        .environment([("MQ__BINDINGS__ORDERS__CONSUMER__CONCURENCY", "16")])
        .set("bindings.orders.consumer.timeout", "soon");
    let origins: Vec<_> = bad(&config).iter().map(ToString::to_string).collect();
    assert!(
        origins
            .iter()
            .zip(expected)
            .all(|(found, expected)| found.starts_with(expected)),
        "{origins:?}"
    );
    assert!(
        origins[2].contains("concurency` (environment MQ__BINDINGS__ORDERS__CONSUMER__CONCURENCY)")
    );
    assert!(
        origins[3].contains("is not a duration (code, mq-core/tests/config/mistakes.rs, line ")
    );
    assert_eq!(origins.len(), 4);
}

#[test]
fn later_checks_join_the_report_at_their_place() {
    let config = Config::toml(
        "[bindings.a]\ngruop = 'x'\n[bindings.b]\nbinder = 'rabit'\n[bindings.c]\ngruop = 'y'",
    );
    let mut problems = bad(&config);
    problems.push(config.problem(
        "bindings.b.binder",
        "is no binder",
        "did you mean `rabbit`?",
    ));
    problems.push(Problem::new("no listener for `z`", ""));
    let expected = "\
error: unknown key `bindings.a.gruop` (toml text, line 2)
       did you mean `group`?
error: `bindings.b.binder = \"rabit\"` is no binder (toml text, line 4)
       did you mean `rabbit`?
error: unknown key `bindings.c.gruop` (toml text, line 6)
       did you mean `group`?
error: no listener for `z`
4 problems, nothing was started";
    assert_eq!(problems.to_string(), expected);
}

#[test]
fn a_key_that_is_near_to_none_is_answered_with_the_keys_there_are() {
    let problems = bad(&Config::toml("[app]\ncolour = 'red'\n[shop]\nx = 1"));
    let helps: Vec<_> = problems
        .iter()
        .map(|problem| problem.help.as_str())
        .collect();
    assert_eq!(
        helps,
        [
            "the keys here are `name`, `strict_bindings`, `drain`",
            "the keys here are `app`, `binders`, `bindings`, `stores`"
        ]
    );
}

/// A line of a consumer, how its problem ends, and what its help holds.
#[rustfmt::skip]
const WRONG: [(&str, &str, &str); 26] = [
    ("concurrency = 'many'", "has the wrong type", "write a whole number, not a text"),
    ("concurrency = 1.5", "has the wrong type", "write a whole number, not a fraction"),
    ("concurrency = 0", "is out of range", "use 1 to 10,000"),
    ("concurrency = 10001", "is out of range", "use 1 to 10,000"),
    ("partitions = 5000000000", "is out of range", "from 0 to 4294967295"),
    ("partitions = 99999999999999999999", "has the wrong type", "write a whole number"),
    ("timeout = 10", "is not a duration", "`10s`"),
    ("timeout = ['10s']", "has the wrong type", "for example"),
    ("timeout = '0s'", "is out of range", "\"none\" to turn it off"),
    ("max_payload = -1", "is not a size in bytes", "`64MiB`"),
    ("retry = 5", "has the wrong type", "write a table with some of the keys `attempts`, "),
    ("retry = [5]", "has the wrong type", "write a table"),
    ("retry = { factor = 'two' }", "has the wrong type", "write a number, not a text"),
    ("retry = { delayed = '1m' }", "has the wrong type", "write a list in `[ ]`, not a text"),
    ("idempotency = 5", "has the wrong type", "the name of a store, or a table"),
    ("idempotency = { store = 'x', key = 'payload' }", "is not a key", "`header:order-id`"),
    ("ordering = true", "has the wrong type", "write one of `none`, `key`, `partition`"),
    ("start = 'time'", "needs a value", "`{ time = … }`"),
    ("start = { time = 'noon' }", "is not a point in time", "2026-01-01T00:00:00Z"),
    ("start = { position = -1 }", "is out of range", "of 0 or more"),
    ("start = { moon = 1 }", "is not one of the choices", "write one of `earliest`"),
    ("start = {}", "has to have one key", "`earliest`, `latest`, `time`, `position`"),
    ("start = { latest = 1 }", "takes no value", "write just \"latest\""),
    ("circuit_breaker = { failures = 1.5 }", "is out of range", "above 0 and up to 1"),
    ("exhausted = 'drop'", "is not one of the choices", "`dead_letter`, `stop`, `requeue`, `discard`"),
    ("nativ = 1", "`bindings.x.consumer.nativ`", "did you mean `native`?"),
];

#[test]
fn every_wrong_type_is_named_in_words() {
    for (line, end, help) in WRONG {
        let problems = bad(&Config::toml(format!("[bindings.x.consumer]\n{line}")));
        let all: Vec<_> = problems
            .iter()
            .map(|one| (one.message.as_str(), one.help.as_str()))
            .collect();
        assert_eq!(all.len(), 1, "{line}: {all:?}");
        assert!(
            all[0].0.ends_with(end) && all[0].1.contains(help),
            "{line}: {all:?}"
        );
    }
}

#[test]
fn a_yaml_key_without_a_value_has_none() {
    let problems = bad(&Config::yaml(
        "bindings:\n  x:\n    consumer:\n      timeout:\n      circuit_breaker: ~\n      enabled:\n",
    ));
    let all: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(
        all.iter().all(|one| one.contains("has no value")),
        "{all:?}"
    );
}

#[test]
fn broken_files_are_problems_with_their_lines() {
    let check = |config: &Config, expected: &str| {
        let all = bad(config).to_string();
        assert!(
            all.contains(expected) && all.contains("1 problem, "),
            "{all}"
        );
    };
    check(&Config::toml("[app]\nname = \n"), "(toml text, line 2)");
    check(
        &Config::toml("[app]\nname = 'a'\nname = 'b'"),
        "duplicate key (toml text, line 3)",
    );
    check(
        &Config::toml("x = ".to_owned() + &"[".repeat(5_000)),
        "(toml text, line 1)",
    );
    let yaml = |text: &str, expected: &str| check(&Config::yaml(text), expected);
    yaml(
        "app:\n  name: a\n  name: b\n",
        "duplicated key in mapping (yaml text, line 3)",
    );
    yaml("app: [1, 2\n", "this is not YAML: ");
    yaml(
        "app: {}\n---\napp: {}\n",
        "a second document begins here (yaml text, line 2)",
    );
    yaml(
        "app: {}\nstores: !!int x\n",
        "does not fit its tag or anchor (yaml text, line 2)",
    );
    yaml(
        "app: !x {}\n",
        "the tag `!x` means nothing here (yaml text, line 1)",
    );
    yaml("- 1\n", "it is no table of keys");
    yaml("7\n", "it is no table of keys");
    yaml("? [a]\n: b\n", "a key has to be a text");
    yaml(
        "app:\n  <<: 7\n",
        "`<<` takes a table, or a list of tables (yaml text, line 2)",
    );
    yaml(&"- ".repeat(5_000), "nested more than 100 deep");
}

#[test]
fn files_that_cannot_be_read_are_problems() {
    let folder = folder(&[("mq.ini", "x"), ("mq.toml", "")]);
    let check = |name: &str, expected: &str| {
        let problems = bad(&Config::file(folder.path().join(name)).environment(NOTHING));
        assert_eq!(problems.len(), 1);
        let text = shown(&problems, &folder);
        assert!(text.contains(expected), "{text}");
    };
    check("none.toml", "cannot read `none.toml`");
    check("mq.ini", "name it `.toml`, `.yaml` or `.yml`");
    std::fs::write(folder.path().join("mq.toml"), b"x = '\xff'").expect("a writable folder");
    check("mq.toml", "save it as UTF-8");
}

#[test]
fn a_file_that_is_cut_off_or_damaged_anywhere_is_answered_and_never_a_panic() {
    let yaml = "app: { name: x }\nbindings:\n  a: &b\n    destination: [x, 'y']\n  c: *b\n  d:\n    <<: *b\n    group: \"ü\"\n";
    for text in [TWELVE_MISTAKES, yaml] {
        for (place, letter) in text.char_indices().step_by(3) {
            let without = format!("{}{}", &text[..place], &text[place + letter.len_utf8()..]);
            for damaged in [&text[..place], &without, &without.replace('\n', "")] {
                for config in [Config::toml(damaged), Config::yaml(damaged)] {
                    let problems = config.settings().err().unwrap_or_default();
                    assert!(problems.iter().all(|problem| !problem.message.is_empty()));
                    assert!(!config.explain().to_string().is_empty());
                }
            }
        }
    }
}

#[test]
fn a_name_with_odd_letters_keeps_its_place() {
    let problems = bad(&Config::toml(
        "[bindings.'a \"b\" .c'.consumer]\nconcurrency = 0",
    ));
    let expected = r#"error: `bindings."a \"b\" .c".consumer.concurrency = 0` is out of range (toml text, line 2)"#;
    assert!(problems.to_string().starts_with(expected), "{problems}");
}
