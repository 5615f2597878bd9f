//! `native` tables: properties of librdkafka, checked by name.

use std::collections::BTreeMap;

use mq_core::{
    config::{Node, Problems, nearest},
    error::Result,
};
use rdkafka::ClientConfig;

use super::{
    Scalar,
    properties::{COMMON, CONSUMER, PRODUCER},
};
use crate::error;

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Metadata and administration.
    Admin,
    /// Reading.
    Consumer,
    /// Writing.
    Producer,
}

/// The properties of a `native` table.
pub(crate) type Native = BTreeMap<String, Scalar>;

/// Properties that the binder sets itself because its guarantees rest on them.
const GUARANTEES: &[&str] = &[
    "acks",
    "allow.auto.create.topics",
    "auto.commit.enable",
    "auto.offset.reset",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "enable.partition.eof",
    "isolation.level",
    "offset.store.method",
    "offset.store.path",
    "request.required.acks",
    "transactional.id",
];

/// Properties for which there is a setting, which is to be used instead.
const SETTINGS: &[(&str, &str)] = &[
    ("bootstrap.servers", "servers"),
    ("client.id", "client_id"),
    ("group.id", "the binding's `group"),
    ("group.instance.id", "instance"),
    ("group.protocol", "group_protocol"),
    ("metadata.broker.list", "servers"),
    ("sasl.mechanism", "security.mechanism"),
    ("sasl.mechanisms", "security.mechanism"),
    ("sasl.password", "security.password"),
    ("sasl.username", "security.user"),
    ("security.protocol", "security.tls` and `security.mechanism"),
    ("ssl.ca.location", "security.ca"),
    ("ssl.ca.pem", "security.ca"),
    ("ssl.certificate.location", "security.certificate"),
    ("ssl.certificate.pem", "security.certificate"),
    ("ssl.key.location", "security.key"),
    ("ssl.key.password", "security.key_password"),
    ("ssl.key.pem", "security.key"),
    ("statistics.interval.ms", "statistics"),
];

/// What is wrong with a property, and how to fix it.
type Wrong = (String, String);

/// Whether a property may stand in a `native` table; `side` is the binding's, `None` the instance's own table.
fn judge(side: Option<Side>, name: &str) -> Option<Wrong> {
    let wrong = |problem: &str, help: String| Some((problem.to_owned(), help));
    if GUARANTEES.contains(&name) {
        return wrong(
            "cannot be changed: the binder's guarantees rest on it",
            "remove it".to_owned(),
        );
    }
    if let Some((_, setting)) = SETTINGS.iter().find(|(own, _)| *own == name) {
        return wrong(
            "has a setting of its own",
            format!("set `{setting}` instead"),
        );
    }
    let is = |names: &[&str]| names.contains(&name);
    match side {
        _ if is(COMMON) => None,
        None if is(CONSUMER) || is(PRODUCER) => None,
        Some(Side::Consumer) if is(CONSUMER) => None,
        Some(Side::Producer) if is(PRODUCER) => None,
        Some(_) if is(CONSUMER) => wrong(
            "is a property of consumers, and this is a producer",
            "move it to `consumer.native` of a binding that reads, or to the binder's `native`"
                .to_owned(),
        ),
        Some(_) if is(PRODUCER) => wrong(
            "is a property of producers, and this is a consumer",
            "move it to `producer.native` of a binding that writes, or to the binder's `native`"
                .to_owned(),
        ),
        _ => wrong("is no property of librdkafka 2.12", suggestion(side, name)),
    }
}

fn suggestion(side: Option<Side>, name: &str) -> String {
    let own: &[&[&str]] = match side {
        Some(Side::Consumer) => &[COMMON, CONSUMER],
        Some(_) => &[COMMON, PRODUCER],
        None => &[COMMON, CONSUMER, PRODUCER],
    };
    let names = own.iter().flat_map(|names| names.iter().copied());
    match nearest(name, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "the names are in librdkafka's CONFIGURATION.md".to_owned(),
    }
}

/// Every property of a table that may not stand there, with its place.
pub(crate) fn problems(side: Option<Side>, table: &Node) -> Problems {
    let names: Native = match table.decode() {
        Ok(names) => names,
        Err(problems) => return problems,
    };
    let wrong = names.keys().filter_map(|name| {
        let (problem, help) = judge(side, name)?;
        Some(table.problem(&quoted(name), &problem, help))
    });
    wrong.collect()
}

/// A name with dots as one key of a path.
pub(super) fn quoted(name: &str) -> String {
    format!("{name:?}")
}

/// Reads a binding's `native` table.
///
/// # Errors
/// Everything in it that is wrong.
pub(crate) fn table(side: Side, node: &Node) -> Result<Native> {
    if node.is_empty() {
        return Ok(Native::new());
    }
    let found = problems(Some(side), node).or(());
    found
        .and_then(|()| node.decode())
        .map_err(|problems| error::config(problems.to_string()))
}

/// Gives a client the properties that its side has.
///
/// # Errors
/// One of them may not stand there.
pub(super) fn apply(config: &mut ClientConfig, side: Side, native: &Native) -> Result<()> {
    for (name, value) in native {
        if let Some((problem, help)) = judge(None, name) {
            return Err(error::config(format!(
                "`native`: `{name}` {problem}; {help}"
            )));
        }
        let name = name.as_str();
        let is_own = match side {
            Side::Admin => COMMON.contains(&name),
            Side::Consumer => !PRODUCER.contains(&name),
            Side::Producer => !CONSUMER.contains(&name),
        };
        if is_own {
            config.set(name, value.to_string());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(side: Option<Side>, name: &str, expected: &str) {
        let (problem, help) = judge(side, name).expect(name);
        let text = format!("{problem}; {help}");
        assert!(text.contains(expected), "{name}: {text}");
    }

    #[test]
    fn names_are_checked() {
        check(None, "fetch.wait.max", "fetch.wait.max.ms");
        check(None, "no-such-thing-at-all", "CONFIGURATION.md");
        check(None, "enable.auto.commit", "guarantees");
        check(None, "sasl.password", "`security.password`");
        check(Some(Side::Consumer), "linger.ms", "producers");
        check(Some(Side::Producer), "fetch.min.bytes", "consumers");
        for side in [None, Some(Side::Consumer)] {
            assert_eq!(judge(side, "fetch.min.bytes"), None);
            assert_eq!(judge(side, "socket.timeout.ms"), None);
        }
    }

    #[test]
    fn every_name_is_one_that_librdkafka_knows() {
        for name in COMMON.iter().chain(CONSUMER).chain(PRODUCER) {
            let mut config = ClientConfig::new();
            config.set(*name, "?");
            let unknown = "No such configuration property";
            if let Err(error) = config.create_native_config() {
                assert!(!error.to_string().contains(unknown), "{name}: {error}");
            }
        }
    }
}
