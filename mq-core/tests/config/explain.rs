//! Each effective value and its origin.

use mq_core::config::Config;

#[test]
fn every_effective_value_is_listed_with_its_origin() {
    let config = Config::toml("[binders.main]\nkind = 'kafka'\nbrokers = ['a:1']\n[bindings.orders.consumer]\nconcurrency = 4\nidempotency = 'db'")
        .environment([("MQ__BINDINGS__ORDERS__GROUP", "billing")]);
    let explanation = config.explain();
    let check = |path: &str, value: &str, origin: &str| {
        let found = explanation.iter().find(|one| one.path == path);
        let found = found.map(|one| (one.value.clone(), one.origin.to_string()));
        assert_eq!(found, Some((value.to_owned(), origin.to_owned())), "{path}");
    };
    check("app.drain", "\"25s\"", "default");
    check("app.name", "unset", "default");
    check("binders.main.kind", "\"kafka\"", "toml text, line 2");
    check("binders.main.brokers", "[\"a:1\"]", "toml text, line 3");
    check(
        "bindings.orders.group",
        "\"billing\"",
        "environment MQ__BINDINGS__ORDERS__GROUP",
    );
    check(
        "bindings.orders.consumer.concurrency",
        "4",
        "toml text, line 5",
    );
    check(
        "bindings.orders.consumer.idempotency",
        "\"db\"",
        "toml text, line 6",
    );
    check("bindings.orders.consumer.retry.attempts", "3", "default");
    check(
        "bindings.orders.consumer.window.bytes",
        "\"64 MiB\"",
        "default",
    );
    let paths: Vec<_> = explanation.iter().map(|one| one.path.as_str()).collect();
    assert!(!paths.iter().any(
        |path| path.contains('$') || path.starts_with("bindings.orders.consumer.idempotency.")
    ));
    assert!(paths.is_sorted(), "{paths:?}");
}

#[test]
fn what_is_wrong_does_not_keep_the_rest_from_being_explained() {
    let config = Config::toml("[app]\nname = 7\ndrian = '1s'\nstrict_bindings = true");
    let text = config.explain().to_string();
    for expected in [
        "app.name ",
        "app.drian ",
        "app.strict_bindings = true",
        "app.drain ",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}
