//! Secrets are never shown, and should not lie open.

use super::{bad, folder, good, in_folder};
use mq_core::config::{Config, Secret};
use serde::Deserialize;

const TEXT: &str = "\
[binders.main]
kind = 'amqp'
pin = 'hunter2'
password = 'hunter2'
url = 'amqp://app:hunter2@rabbit:5672/vhost'
[bindings.orders.consumer.native]
'sasl.password' = 'hunter2'
";

#[derive(Debug, Deserialize)]
struct Own {
    pin: Secret<String>,
    password: Secret<String>,
    url: String,
}

fn own(config: &Config) -> Own {
    good(config).binders["main"]
        .rest
        .decode()
        .expect("good keys")
}

#[test]
fn secrets_are_hidden_wherever_settings_are_shown() {
    let config = Config::toml(TEXT);
    let own = own(&config);
    assert_eq!(
        (own.pin.expose().as_str(), own.password.expose().as_str()),
        ("hunter2", "hunter2")
    );
    assert!(own.url.contains("hunter2"));
    let settings = good(&config);
    let shown = format!(
        "{settings:?} {:?} {} {:?} {:?}",
        own.pin,
        config.explain(),
        config.explain(),
        config.tree()
    );
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(
        !serde_json::to_string(&settings)
            .expect("json")
            .contains("hunter2")
    );
    assert!(
        config
            .explain()
            .to_string()
            .contains("\"amqp://app:***@rabbit:5672/vhost\"")
    );
}

#[test]
fn a_problem_does_not_show_the_secret() {
    #[derive(Debug, Deserialize)]
    struct Strict {
        #[expect(dead_code, reason = "only decoded")]
        pin: Secret<u32>,
    }
    let config = Config::toml(TEXT);
    let problems = good(&config).binders["main"]
        .rest
        .decode::<Strict>()
        .expect_err("not a number");
    let text = problems.to_string();
    assert!(
        text.contains("`binders.main.pin = \"***\"` has the wrong type"),
        "{text}"
    );
    let text = bad(&Config::toml(
        "[bindings.x]\npassword = 'hunter2'\n[app]\nname = { token = 'hunter2' }",
    ))
    .to_string();
    assert!(!text.contains("hunter2"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_secret_in_a_file_that_others_can_read_is_a_warning() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    let folder = folder(&[("mq.toml", TEXT)]);
    let warnings = |mode: u32| {
        set_permissions(folder.path().join("mq.toml"), Permissions::from_mode(mode))
            .expect("own file");
        let config = in_folder(folder.path());
        let (_, early) = config.settings().expect("good settings");
        own(&config);
        let late = config.warnings();
        assert_eq!(early, late[..early.len()]);
        late.iter()
            .map(|warning| warning.path().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(warnings(0o600), Vec::<String>::new());
    let mut open = warnings(0o640);
    open.sort();
    let native = "bindings.orders.consumer.native.\"sasl.password\"";
    assert_eq!(
        open,
        [
            "binders.main.password",
            "binders.main.pin",
            "binders.main.url",
            native
        ]
    );
}

#[cfg(unix)]
#[test]
fn the_warning_says_what_to_do() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    let folder = folder(&[(
        "mq.toml",
        "[stores.db]\nkind = 'x'\nurl = 'postgres://a:b@c/d'",
    )]);
    let path = folder.path().join("mq.toml");
    set_permissions(&path, Permissions::from_mode(0o644)).expect("own file");
    let (_, warnings) = in_folder(folder.path()).settings().expect("good settings");
    let path = path.display();
    let expected = format!(
        "warning: `stores.db.url` is a secret in plain text in a file that others can read ({path}, line 3)\n         \
         run `chmod 600 {path}`, or set MQ__STORES__DB__URL in the environment instead"
    );
    assert_eq!(
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [expected]
    );
}
