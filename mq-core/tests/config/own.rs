//! A binder's own keys, decoded by its own struct.

use super::good;
use mq_core::config::{Config, Node, Problems, Secret};
use serde::Deserialize;
use std::time::Duration;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Kafka {
    brokers: Vec<String>,
    #[serde(with = "mq_core::units::duration")]
    linger: Duration,
    acks: Acks,
    password: Option<Secret<String>>,
    native: Node,
}

impl Default for Kafka {
    fn default() -> Self {
        let linger = Duration::from_millis(5);
        Self {
            brokers: Vec::new(),
            linger,
            acks: Acks::All,
            password: None,
            native: Node::default(),
        }
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Acks {
    All,
    One,
}

fn decode(config: &Config) -> Result<Kafka, Problems> {
    good(config).binders["main"].rest.decode()
}

#[test]
fn the_own_keys_are_decoded_by_the_own_struct() {
    let config = Config::toml("[binders.main]\nkind = 'kafka'\nbrokers = ['a:1', 'b:2']\nacks = 'one'\nnative = { x = { y = 1 } }")
        .environment([("MQ__BINDERS__MAIN__LINGER", "1s"), ("MQ__BINDERS__MAIN__PASSWORD", "1234")]);
    let kafka = decode(&config).expect("good keys");
    assert_eq!(
        (kafka.brokers.len(), kafka.linger, kafka.acks),
        (2, Duration::from_secs(1), Acks::One)
    );
    assert_eq!(
        kafka.password.map(Secret::into_exposed).as_deref(),
        Some("1234")
    );
    let y = kafka
        .native
        .at(&"x.y".parse().expect("path"))
        .expect("passed through");
    assert_eq!(
        (
            y.path().to_string().as_str(),
            y.origin().to_string().as_str()
        ),
        ("binders.main.native.x.y", "toml text, line 5")
    );
}

#[test]
fn the_own_keys_are_as_strict() {
    let config = Config::toml("[binders.main]\nkind = 'kafka'\nbroker = ['a:1']\nlinger = 5\nacks = 'two'\nbrokers = ['a', 2]")
        .environment([("MQ__BINDERS__MAIN__LINGRE", "1s")]);
    let expected = "\
error: unknown key `binders.main.broker` (toml text, line 3)
       did you mean `brokers`?
error: `binders.main.linger = 5` is not a duration (toml text, line 4)
       write a number with a unit, for example `100ms`, `10s`, `1m` or `7d`
error: `binders.main.acks = \"two\"` is not one of the choices (toml text, line 5)
       write one of `all`, `one`
error: `binders.main.brokers[1] = 2` has the wrong type (toml text, line 6)
       write a text in quotes, not a whole number
error: unknown key `binders.main.lingre` (environment MQ__BINDERS__MAIN__LINGRE)
       did you mean `linger`?
5 problems, nothing was started";
    assert_eq!(
        decode(&config).expect_err("five mistakes").to_string(),
        expected
    );
}

#[test]
fn own_checks_report_the_place_too() {
    let config = Config::toml("[binders.main]\nkind = 'kafka'\nbrokers = []");
    let rest = good(&config).binders["main"].rest.clone();
    let problem = rest.problem("brokers", "is empty", "name at least one");
    assert_eq!(
        problem.to_string(),
        "error: `binders.main.brokers = []` is empty (toml text, line 3)\n       name at least one"
    );
    let problem = rest.problem("", "needs more", "");
    assert_eq!(
        problem.to_string(),
        "error: `binders.main` needs more (toml text, line 1)"
    );
    let problem = rest.problem("client", "is missing", "name one");
    assert_eq!(
        problem.to_string(),
        "error: `binders.main.client` is missing (toml text, line 1)\n       name one"
    );
}

#[test]
fn the_error_of_another_library_is_shown_unless_it_may_hold_a_secret() {
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "String")]
    struct Address;

    impl TryFrom<String> for Address {
        type Error = String;

        fn try_from(text: String) -> Result<Self, String> {
            Err(format!("no address in {text}"))
        }
    }

    #[derive(Debug, Deserialize)]
    struct Own {
        #[expect(dead_code, reason = "only decoded")]
        url: Address,
    }

    let check = |url: &str, expected: &str| {
        let config = Config::toml(format!("[binders.main]\nkind = 'x'\nurl = '{url}'"));
        let problems = good(&config).binders["main"]
            .rest
            .decode::<Own>()
            .expect_err("no address");
        assert_eq!(
            problems
                .iter()
                .map(|one| one.message.as_str())
                .collect::<Vec<_>>(),
            [expected]
        );
    };
    check(
        "http://a",
        "`binders.main.url = \"http://a\"`: no address in http://a",
    );
    check(
        "http://a:b@c",
        "`binders.main.url = \"http://a:***@c\"` cannot be read",
    );
}

#[test]
fn a_list_and_a_flattened_table_can_be_decoded() {
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
    }
    #[derive(Debug, Deserialize)]
    struct Own {
        either: Vec<Either>,
        pair: (u8, String),
        #[serde(flatten)]
        others: std::collections::BTreeMap<String, String>,
    }
    let config =
        Config::toml("[binders.main]\nkind = 'x'\neither = [1, 'a']\npair = [1, 'b']\nc = 'd'");
    let own: Own = good(&config).binders["main"]
        .rest
        .decode()
        .expect("good keys");
    assert_eq!(
        own.either,
        [Either::Number(1), Either::Text("a".to_owned())]
    );
    assert_eq!((own.pair.0, own.others["c"].as_str()), (1, "d"));
}

#[test]
fn what_fails_after_something_below_it_is_not_reported_twice() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Own {
        #[expect(dead_code, reason = "only decoded")]
        port: u16,
        #[expect(dead_code, reason = "only decoded")]
        host: String,
    }
    let config = Config::toml("[binders.main]\nkind = 'x'\nport = 'http'");
    let problems = good(&config).binders["main"]
        .rest
        .decode::<Own>()
        .expect_err("two mistakes");
    let messages: Vec<_> = problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    assert_eq!(
        messages,
        ["`binders.main.port = \"http\"` has the wrong type"]
    );
}
