//! Which source wins.

use super::{NOTHING, bad, folder, good, in_folder, shown};
use mq_core::config::{Config, Origin, Value};
use std::time::Duration;

const KEY: &str = "bindings.orders.consumer.concurrency";
const VARIABLE: &str = "MQ__BINDINGS__ORDERS__CONSUMER__CONCURRENCY";

fn toml(concurrency: u32) -> String {
    format!("[bindings.orders]\nconsumer = {{ concurrency = {concurrency} }}")
}

#[test]
fn each_source_wins_over_the_weaker_ones() {
    let folder = folder(&[
        ("mq.toml", &toml(2)),
        ("mq-prod.toml", &toml(3)),
        (
            "mq-eu.yaml",
            "bindings: { orders: { consumer: { concurrency: 4 } } }",
        ),
    ]);
    let attribute = |config: Config| config.attribute(KEY, 1, "src/orders.rs", 9);
    let check = |config: Config, concurrency: usize, origin: &str| {
        let config = attribute(config);
        assert_eq!(
            good(&config).bindings["orders"].consumer.concurrency,
            concurrency
        );
        let found = config
            .origin(KEY)
            .to_string()
            .replace(&format!("{}/", folder.path().display()), "");
        assert!(found.starts_with(origin), "{found} is not {origin}");
    };
    let files = || in_folder(folder.path());
    check(Config::empty(), 1, "src/orders.rs, line 9");
    check(files(), 2, "mq.toml, line 2");
    check(files().profile("prod"), 3, "mq-prod.toml, line 2");
    check(
        files().profile("prod").profile("eu"),
        4,
        "mq-eu.yaml, line 1",
    );
    check(
        files().environment([("MQ_PROFILE", "prod")]),
        3,
        "mq-prod.toml, line 2",
    );
    check(
        files().environment([("MQ_PROFILE", "eu, prod")]),
        3,
        "mq-prod.toml, line 2",
    );
    check(
        files().profile("eu").environment([("MQ_PROFILE", "prod")]),
        4,
        "mq-eu.yaml, line 1",
    );
    check(
        files().profile("prod").environment([(VARIABLE, "5")]),
        5,
        "environment MQ__BINDINGS__ORDERS__CONSUMER__CONCURRENCY",
    );
    check(
        files().environment([(VARIABLE, "5")]).set(KEY, 6),
        6,
        "code, mq-core/tests/config/layers.rs, line ",
    );
}

#[test]
fn what_nobody_set_is_a_default() {
    assert_eq!(Config::empty().origin(KEY), Origin::Default);
    let config = Config::toml(toml(2));
    assert_eq!(config.origin("bindings.orders.group"), Origin::Default);
    assert_eq!(config.origin("no..key"), Origin::Default);
    let short = Config::toml("bindings.orders.consumer.idempotency = 'db'");
    let origin = short.origin("bindings.orders.consumer.idempotency.store");
    assert_eq!(origin.to_string(), "toml text, line 1");
}

#[test]
fn sources_add_to_each_other_key_by_key() {
    let config = Config::toml("[bindings.orders.consumer.retry]\nattempts = 5")
        .attribute(
            "bindings.orders.consumer.retry",
            Value::table([("initial", "1s")]),
            "src/orders.rs",
            9,
        )
        .environment([(
            "MQ__BINDINGS__ORDERS__CONSUMER__RETRY__DELAYED",
            "[\"1m\", \"10m\"]",
        )])
        .set(
            "bindings.orders.consumer.retry.max",
            Duration::from_secs(20),
        );
    let retry = good(&config).bindings["orders"].consumer.retry.clone();
    assert_eq!(
        retry.to_string(),
        "5 in place (1 s to 20 s), then after 1m, 10m; 7 calls"
    );
}

#[test]
fn a_variable_finds_the_name_that_exists() {
    let config = Config::toml("[bindings.order-lines]\n[stores.Shop_DB]\nkind = 'memory'")
        .known("bindings.shop-events")
        .environment([
            ("MQ__BINDINGS__ORDER_LINES__GROUP", "a"),
            ("MQ__BINDINGS__SHOP_EVENTS__GROUP", "b"),
            ("MQ__BINDINGS__CODED_ONE__GROUP", "c"),
            ("MQ__STORES__SHOP_DB__KIND", "sqlite"),
        ])
        .set("bindings.coded-one.consumer.enabled", false);
    let settings = good(&config);
    let groups: Vec<_> = settings
        .bindings
        .iter()
        .map(|(name, one)| (name.as_str(), one.group.as_deref()))
        .collect();
    assert_eq!(
        groups,
        [
            ("coded-one", Some("c")),
            ("order-lines", Some("a")),
            ("shop-events", Some("b"))
        ]
    );
    assert_eq!(settings.stores["Shop_DB"].kind, "sqlite");
}

#[test]
fn a_variable_is_a_text_where_a_text_is_wanted() {
    let config = Config::empty().environment([
        ("MQ__APP__NAME", "007"),
        ("MQ__BINDINGS__X__GROUP", "true"),
        ("MQ__BINDINGS__X__DESTINATION", "[\"a\", \"b\"]"),
        ("MQ__BINDINGS__X__CONSUMER__TIMEOUT", "none"),
        ("MQ__BINDINGS__X__CONSUMER__MAX_PAYLOAD", "1MiB"),
        ("MQ__BINDINGS__X__CONSUMER__ENABLED", "false"),
        ("MQ__BINDINGS__X__CONSUMER__START__POSITION", "42"),
    ]);
    let settings = good(&config);
    let x = &settings.bindings["x"];
    assert_eq!(settings.app.name.as_deref(), Some("007"));
    assert_eq!(
        (x.group.as_deref(), x.destination.join(" ")),
        (Some("true"), "a b".to_owned())
    );
    assert_eq!(
        (
            x.consumer.timeout,
            x.consumer.max_payload,
            x.consumer.enabled
        ),
        (None, Some(1 << 20), false)
    );
    assert_eq!(x.consumer.start, mq_core::policy::Start::Position(42));
}

#[test]
fn another_kind_of_binder_in_a_profile_replaces_all_its_keys() {
    let folder = folder(&[
        ("mq.toml", "[binders.main]\nkind = 'broker'\npath = 'data'"),
        (
            "mq-prod.toml",
            "[binders.main]\nkind = 'kafka'\nbrokers = ['kafka-1:9092']",
        ),
    ]);
    let main = good(&in_folder(folder.path()).profile("prod")).binders["main"].clone();
    assert_eq!(main.kind, "kafka");
    assert!(main.rest.get("path").is_none() && main.rest.get("brokers").is_some());
}

#[test]
fn two_base_files_are_an_error_that_says_which_to_delete() {
    let folder = folder(&[("mq.toml", ""), ("mq.yaml", "")]);
    let expected = "\
error: `mq.toml` and `mq.yaml` are both there, and only one is read
       delete `mq.yaml`, after moving what is only there into `mq.toml`
1 problem, nothing was started";
    assert_eq!(shown(&bad(&in_folder(folder.path())), &folder), expected);
}

#[test]
fn yaml_is_as_good_as_toml() {
    let yaml = folder(&[(
        "mq.yml",
        "bindings:\n  orders:\n    consumer: { timeout: 10s, retry: { delayed: [1m] } }\n",
    )]);
    let toml = Config::toml(
        "[bindings.orders]\nconsumer = { timeout = '10s', retry = { delayed = ['1m'] } }",
    );
    assert_eq!(good(&in_folder(yaml.path())), good(&toml));
}

#[test]
fn yaml_anchors_and_merge_keys_are_followed() {
    let config = Config::yaml(
        "bindings:\n  a: &base\n    group: one\n    consumer: &c { concurrency: 2 }\n  b:\n    <<: *base\n    group: two\n  d:\n    consumer: *c\n",
    );
    let settings = good(&config);
    let seen: Vec<_> = settings
        .bindings
        .values()
        .map(|one| (one.group.as_deref(), one.consumer.concurrency))
        .collect();
    assert_eq!(seen, [(Some("one"), 2), (Some("two"), 2), (None, 2)]);
}

#[test]
fn a_profile_without_a_file_is_a_problem() {
    let folder = folder(&[("mq.toml", ""), ("mq-prod.toml", ""), ("mq-test.yaml", "")]);
    let check = |config: Config, expected: &str| {
        let text = shown(&bad(&config), &folder);
        assert!(text.contains(expected), "{text}");
    };
    let files = || in_folder(folder.path());
    check(
        files().profile("prdo"),
        "the profile `prdo` has no file `mq-prdo.toml`\n       did you mean `prod`?",
    );
    check(
        files().profile("staging"),
        "make the file, or use one of `prod`, `test`",
    );
    check(files().profile("../x"), "`../x` is no name for a profile");
    check(
        Config::toml("").profile("prod"),
        "has no settings file to lie beside",
    );
}

#[test]
fn no_file_at_all_is_fine() {
    let folder = folder(&[]);
    assert_eq!(good(&in_folder(folder.path())), good(&Config::empty()));
    assert_eq!(
        good(&Config::file(folder_with_empty(&folder)).environment(NOTHING)),
        good(&Config::empty())
    );
}

fn folder_with_empty(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let path = folder.path().join("own.yaml");
    std::fs::write(&path, "# nothing yet\n").expect("a writable folder");
    path
}

#[test]
fn an_own_file_has_its_own_profiles() {
    let folder = folder(&[("shop.toml", &toml(2)), ("shop-prod.toml", &toml(3))]);
    let config =
        Config::file(folder.path().join("shop.toml")).environment([("MQ_PROFILE", "prod")]);
    assert_eq!(good(&config).bindings["orders"].consumer.concurrency, 3);
}

/// What the child process of the next test does.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test looks at what its own process was given"
)]
#[expect(clippy::print_stdout, reason = "tells the parent that it ran")]
fn child_loads_what_its_process_has() {
    if std::env::var_os("MQ__BINDINGS__ORDERS__GROUP").is_none() {
        return;
    }
    let config = Config::load().set("app.name", "child");
    let orders = good(&config).bindings["orders"].clone();
    assert_eq!(
        (orders.group.as_deref(), orders.consumer.concurrency),
        (Some("variable"), 3)
    );
    assert_eq!(config.origin(KEY).to_string(), "mq-prod.toml, line 2");
    println!("the child was here");
}

#[test]
fn load_reads_the_working_directory_and_the_variables_of_the_process() {
    let folder = folder(&[("mq.toml", &toml(2)), ("mq-prod.toml", &toml(3))]);
    let child = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args([
            "--exact",
            "layers::child_loads_what_its_process_has",
            "--nocapture",
        ])
        .current_dir(folder.path())
        .env("MQ_PROFILE", "prod")
        .env("MQ__BINDINGS__ORDERS__GROUP", "variable")
        .output()
        .expect("a child process");
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && output.contains("the child was here"),
        "{output}"
    );
}

#[test]
fn attributes_that_contradict_each_other_are_a_problem() {
    let one = Config::empty()
        .attribute(KEY, 1, "src/a.rs", 3)
        .attribute(KEY, 1, "src/b.rs", 4);
    assert_eq!(good(&one).bindings["orders"].consumer.concurrency, 1);
    let expected = "\
error: `bindings.orders.consumer.concurrency = 2` contradicts another attribute (src/c.rs, line 5)
       it is 1 in src/a.rs, line 3; set it in one place, or in the settings file
1 problem, nothing was started";
    assert_eq!(
        bad(&one.attribute(KEY, 2, "src/c.rs", 5)).to_string(),
        expected
    );
}
