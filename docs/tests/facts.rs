//! What the chapters list is what the code has: settings with their defaults, capabilities, counters.

use mq::{
    binder::{BinderFactory, Capability},
    broker::BrokerSettings,
    config::{Config, ConsumerSettings, ProducerSettings, Settings},
    telemetry::BindingMetrics,
};
use serde_json::Value;

const CONFIGURATION: &str = include_str!("../src/configuration.md");
const WRITING: &str = include_str!("../src/writing-a-binder.md");
const BINDERS: &str = include_str!("../src/binders.md");
const BROKER: &str = include_str!("../src/broker.md");
const OPERATIONS: &str = include_str!("../src/operations.md");
const CHAPTERS: [&str; 5] = [
    CONFIGURATION,
    BINDERS,
    BROKER,
    include_str!("../../README.md"),
    include_str!("../src/getting-started.md"),
];

/// The code blocks of this language.
fn blocks<'a>(chapter: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("```{language}\n");
    let ends = chapter.split(begin.as_str()).skip(1);
    ends.filter_map(|end| end.split("```").next()).collect()
}

/// The settings, with those of the binders read too.
fn read(config: &Config) -> Settings {
    let (settings, warnings) = config
        .settings()
        .unwrap_or_else(|problems| panic!("{problems}"));
    assert!(warnings.is_empty());
    for binder in settings.binders.values() {
        let factory: &dyn BinderFactory = match binder.kind.as_str() {
            "broker" => mq::broker::FACTORY,
            "kafka" => mq::kafka::FACTORY,
            _ => mq::memory::FACTORY,
        };
        let read = factory.configure(&binder.rest);
        read.unwrap_or_else(|problems| panic!("{problems}"));
    }
    settings
}

#[test]
fn settings_in_the_chapters_are_without_mistakes() {
    let mut count = 0;
    for chapter in CHAPTERS {
        for block in blocks(chapter, "toml") {
            read(&Config::toml(block));
            count += 1;
        }
        for block in blocks(chapter, "yaml") {
            read(&Config::yaml(block));
            count += 1;
        }
    }
    assert!(count >= 4, "only {count} blocks were found");
}

#[test]
fn the_same_settings_in_yaml_are_the_same() {
    let toml = read(&Config::toml(blocks(CONFIGURATION, "toml")[0]));
    let yaml = read(&Config::yaml(blocks(CONFIGURATION, "yaml")[0]));
    let shown = |settings: &Settings| serde_json::to_value(settings).expect("json");
    assert_eq!(shown(&toml), shown(&yaml));
}

/// The keys of a section, each with what stands in the column of defaults.
fn table<'a>(section: &str) -> Vec<(&'a str, &'a str)> {
    rows(CONFIGURATION, &format!("### `{section}`"))
}

/// The same for the section of this title, in any chapter.
fn rows<'a>(chapter: &'a str, title: &str) -> Vec<(&'a str, &'a str)> {
    let (_, rest) = chapter.split_once(title).expect("the section");
    let section = rest.split("\n##").next().unwrap_or(rest);
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let mut cells = row.split('|').skip(1).map(str::trim);
        let key = cells.next().expect("a key").trim_matches('`');
        (key, cells.next().expect("a default"))
    })
    .collect()
}

/// Every key with its default, tables taken apart.
fn defaults(path: &str, value: &Value, into: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(keys) if !keys.is_empty() => {
            for (key, value) in keys {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                defaults(&path, value, into);
            }
        }
        _ => into.push((path.to_owned(), value.clone())),
    }
}

fn check(section: &str, settings: &Value) {
    let mut keys = Vec::new();
    defaults("", settings, &mut keys);
    let rows = table(section);
    for (key, value) in keys {
        let row = rows.iter().find(|(name, _)| *name == key);
        let (_, default) = row.unwrap_or_else(|| panic!("`{key}` is not in the table `{section}`"));
        // For a value that is absent the table says what that means.
        if let Some(default) = default.strip_prefix('`')
            && !value.is_null()
        {
            let found = value.to_string().replace(' ', "");
            assert_eq!(default.trim_end_matches('`'), found, "{key}");
        }
    }
}

fn json(settings: impl serde::Serialize) -> Value {
    serde_json::to_value(settings).expect("json")
}

#[test]
fn every_key_of_a_consumer_is_listed_with_its_default() {
    check(
        "[bindings.<name>.consumer]",
        &json(ConsumerSettings::default()),
    );
}

#[test]
fn every_key_of_a_producer_is_listed_with_its_default() {
    check(
        "[bindings.<name>.producer]",
        &json(ProducerSettings::default()),
    );
}

#[test]
fn every_key_of_the_application_is_listed_with_its_default() {
    check("[app]", &json(Settings::default().app));
}

#[test]
fn every_key_that_is_listed_exists() {
    for section in ["consumer", "producer"] {
        for (key, _) in table(&format!("[bindings.<name>.{section}]")) {
            let problems = Config::empty()
                .set(&format!("bindings.a.{section}.{key}"), "\u{1f}")
                .settings()
                .err();
            let text = problems.map_or_else(String::new, |problems| problems.to_string());
            assert!(!text.contains("unknown key"), "{text}");
        }
    }
}

#[test]
fn every_capability_is_listed() {
    for capability in Capability::ALL {
        let name = format!("`{capability}`");
        assert!(BINDERS.contains(&name), "{name} is not in the chapter");
    }
}

#[test]
fn every_counter_is_listed() {
    for (name, _) in BindingMetrics::default().snapshot().counters() {
        let name = format!("`{name}`");
        assert!(OPERATIONS.contains(&name), "{name} is not in the chapter");
    }
}

/// The settings of the embedded broker, from the lines of a table in TOML.
fn broker(lines: &str) -> BrokerSettings {
    let text = format!("[binders.main]\nkind = 'broker'\n{lines}");
    let settings = Config::toml(&text).settings();
    let (settings, _) = settings.unwrap_or_else(|problems| panic!("{problems}"));
    let read = settings.binders["main"].rest.decode();
    read.unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn every_key_of_the_embedded_broker_is_listed_with_its_default() {
    let rows = rows(BROKER, "## Settings");
    for (key, default) in &rows {
        let value = default.trim_matches('`');
        let read = broker(&format!("{key} = {value}"));
        assert_eq!(read, BrokerSettings::default(), "{key}");
    }
    let shown = format!("{:#?}", BrokerSettings::default());
    let fields = shown.lines().filter_map(|line| line.strip_prefix("    "));
    let fields = fields.filter(|line| !line.starts_with([' ', '}', ']', ')']));
    for field in fields.filter_map(|line| line.split(':').next()) {
        assert!(rows.iter().any(|(key, _)| *key == field), "{field}");
    }
}

#[test]
fn the_capabilities_of_the_embedded_broker_are_those_that_the_chapters_say() {
    let settings = Config::toml("[binders.main]\nkind = 'broker'").settings();
    let (settings, _) = settings.unwrap_or_else(|problems| panic!("{problems}"));
    let connector = mq::broker::FACTORY.configure(&settings.binders["main"].rest);
    let connector = connector.unwrap_or_else(|problems| panic!("{problems}"));
    let capabilities = connector.capabilities(None);
    let missing = Capability::ALL.into_iter();
    let missing: Vec<_> = missing.filter(|one| !capabilities.has(*one)).collect();
    assert_eq!(missing, [Capability::Filter, Capability::Priority]);
}

#[test]
fn every_rule_of_the_suite_is_listed_with_its_text() {
    for rule in mq_testkit::conformance::Rule::ALL {
        let text: Vec<_> = rule.text().split_whitespace().collect();
        let line = format!("| `{rule}` | {} |", text.join(" "));
        assert!(WRITING.contains(&line), "not in the chapter: {line}");
    }
}
