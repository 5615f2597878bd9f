//! TLS, users, tokens and rights.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use mq_core::{
    binder::{Binder, BinderContext, ConsumerSpec, DestinationPlan, Health, ProducerSpec},
    config::Secret,
    error::ErrorKind,
    message::Message,
    policy::Provision,
};
use mq_kafka::{KafkaBinder, KafkaSettings, Mechanism, SecuritySettings, Token};
use mq_testkit::harness::{Proxy, Secured, Server};
use tokio::time::sleep;

use crate::{
    place::{connect, name, publish, read, server, settings, topic, until},
    rights::acl,
};

/// A refusal is to be known within this time, on a busy machine too.
const SECONDS: Duration = Duration::from_secs(30);

fn secured(server: &Server) -> Secured {
    server.secured().expect("it was asked for")
}

/// Settings for the secured listener.
pub(crate) fn with(
    server: &Server,
    change: impl FnOnce(&mut SecuritySettings, &Secured),
) -> KafkaSettings {
    let place = secured(server);
    let mut settings = settings(server);
    settings.servers.clone_from(&place.address);
    let mut security = SecuritySettings::default();
    security.ca = Some(place.ca.display().to_string());
    change(&mut security, &place);
    settings.security = Some(security);
    settings
}

pub(crate) fn login(
    mechanism: Mechanism,
    password: &str,
) -> impl FnOnce(&mut SecuritySettings, &Secured) {
    move |security, place| {
        security.mechanism = Some(mechanism);
        security.user = Some(place.user.clone());
        security.password = Some(Secret::new(password.to_owned()));
    }
}

async fn works(binder: KafkaBinder, topic: &str) {
    publish(&binder, topic, &[Message::new("x").key("k")]).await;
    let records = read(&binder, topic, 1).await;
    assert_eq!(records[0].message.as_bytes(), b"x");
    until("it is up", async || binder.health() == Health::Up).await;
    binder.close().await.expect("closed");
}

/// A topic that was made over the plain listener.
async fn made(server: &Server, what: &str) -> String {
    let binder = connect(settings(server)).await;
    let topic = topic(&binder, what, 1).await;
    binder.close().await.expect("closed");
    topic
}

#[tokio::test(flavor = "multi_thread")]
async fn users_with_a_password_get_in_by_every_mechanism() {
    let Some(server) = server().await else { return };
    for mechanism in [
        Mechanism::Plain,
        Mechanism::ScramSha256,
        Mechanism::ScramSha512,
    ] {
        let binder = connect(with(server, login(mechanism, &secured(server).password))).await;
        let topic = topic(&binder, "logged-in", 1).await;
        works(binder, &topic).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_gets_in_from_files_and_from_text() {
    let Some(server) = server().await else { return };
    let place = secured(server);
    let read_file = |path: &std::path::Path| std::fs::read_to_string(path).expect("a file");
    let path = |path: &std::path::Path| path.display().to_string();
    let forms: [&dyn Fn(&std::path::Path) -> String; 2] = [&path, &read_file];
    for form in forms {
        let mut settings = with(server, |security, place| {
            security.ca = Some(form(&place.ca));
            security.certificate = Some(form(&place.certificate));
            security.key = Some(Secret::new(form(&place.key)));
        });
        settings.servers.clone_from(&place.mutual);
        let binder = connect(settings).await;
        let topic = topic(&binder, "certified", 1).await;
        works(binder, &topic).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_key_is_opened_by_its_password() {
    let Some(server) = server().await else { return };
    let place = secured(server);
    let text = std::fs::read_to_string(&place.locked_key).expect("a file");
    assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    let forms = [place.locked_key.display().to_string(), text];
    let locked = |key: &str, password: Option<&str>| {
        let mut settings = with(server, |security, place| {
            security.certificate = Some(place.certificate.display().to_string());
            security.key = Some(Secret::new(key.to_owned()));
            security.key_password = password.map(|text| Secret::new(text.to_owned()));
        });
        settings.servers.clone_from(&place.mutual);
        settings
    };
    let topic = made(server, "locked").await;
    for key in &forms {
        works(
            connect(locked(key, Some(&place.key_password))).await,
            &topic,
        )
        .await;
        for password in [Some("wrong-secret"), None] {
            let context = BinderContext::new("main", "edges");
            let connected = KafkaBinder::connect(locked(key, password), &context).await;
            let error = connected.map(drop).expect_err("the key stays shut");
            assert_eq!(error.kind(), ErrorKind::Config, "{}", error.chain());
            assert!(
                error.to_string().contains("`security.key_password`"),
                "{error}"
            );
            assert!(!error.chain().contains("wrong-secret"), "{}", error.chain());
        }
    }
}

/// Fails with a reason that a user can act on, within seconds.
async fn is_refused(binder: KafkaBinder, topic: &str, words: &[&str]) {
    let begin = Instant::now();
    let plan = [DestinationPlan::new(topic)];
    let provisioned = binder
        .provision(&plan, Provision::Create)
        .await
        .expect_err("nobody gets in");
    let opened = binder
        .consumer(&ConsumerSpec::new(topic, Some("refused")))
        .await;
    let opened = opened.map(drop).expect_err("nobody reads");
    for error in [provisioned, opened] {
        assert_eq!(
            error.kind(),
            ErrorKind::Unauthorized,
            "{}; {:?}",
            error.chain(),
            binder.health()
        );
        for word in words {
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
    }
    assert!(begin.elapsed() < SECONDS, "{:?}", begin.elapsed());
    let Health::Down(reason) = binder.health() else {
        panic!("{:?}", binder.health())
    };
    assert!(words.iter().all(|word| reason.contains(word)), "{reason}");
    assert!(!reason.contains("wrong-secret") && !format!("{binder:?}").contains("wrong-secret"));
    binder.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_within_seconds() {
    let Some(server) = server().await else { return };
    let topic = made(server, "closed").await;
    for mechanism in [Mechanism::Plain, Mechanism::ScramSha512] {
        let binder = connect(with(server, login(mechanism, "wrong-secret"))).await;
        is_refused(
            binder,
            &topic,
            &["uthentication", "check `security`", "password"],
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_authority_is_told_within_seconds() {
    let Some(server) = server().await else { return };
    let place = secured(server);
    let other = connect(with(server, |security, place| {
        login(Mechanism::Plain, &place.password)(security, place);
        // A certificate that has not signed the server's.
        security.ca = Some(place.certificate.display().to_string());
    }))
    .await;
    is_refused(
        other,
        "any",
        &["certificate verify failed", "`security.ca`"],
    )
    .await;
    let mut none = settings(server);
    none.servers.clone_from(&place.mutual);
    let mut security = SecuritySettings::default();
    security.ca = Some(place.ca.display().to_string());
    none.security = Some(security);
    is_refused(
        connect(none).await,
        "any",
        &["certificate", "`certificate` and `key`"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_with_a_wrong_password_is_unauthorized() {
    let Some(server) = server().await else { return };
    let topic = made(server, "unwritten").await;
    let mut settings = with(server, login(Mechanism::ScramSha256, "wrong-secret"));
    settings.delivery_timeout = Duration::from_secs(15);
    let binder = connect(settings).await;
    let producer = binder
        .producer(&ProducerSpec::new(topic))
        .await
        .expect("a producer");
    let results = producer.publish(&[Message::new("x")]).await;
    let error = results
        .into_iter()
        .next()
        .expect("a result")
        .expect_err("nobody gets in");
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{}", error.chain());
    binder.close().await.expect("closed");
}

/// A token that the cluster believes: it checks no signatures.
fn unsigned(principal: &str) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let part = |json: String| BASE64_URL_SAFE_NO_PAD.encode(json);
    let claims = format!(r#"{{"sub":"{principal}","iat":{now},"exp":{}}}"#, now + 600);
    format!("{}.{}.", part(r#"{"alg":"none"}"#.to_owned()), part(claims))
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_come_from_code_and_from_a_program() {
    let Some(server) = server().await else { return };
    let topic = made(server, "tokens").await;
    let asked = Arc::new(AtomicUsize::new(0));
    let oauth = |security: &mut SecuritySettings, _: &Secured| {
        security.mechanism = Some(Mechanism::OauthBearer);
    };
    let own = asked.clone();
    let tokens = move || {
        own.fetch_add(1, Ordering::Relaxed);
        Ok(Token::new(unsigned("app")))
    };
    let context = BinderContext::new("main", "edges");
    let binder =
        KafkaBinder::connect_with_tokens(with(server, oauth), &context, Arc::new(tokens)).await;
    let binder = binder.expect("settings");
    let plan = [DestinationPlan::new(topic.as_str())];
    binder
        .provision(&plan, Provision::Verify)
        .await
        .expect("it is there");
    let missing = [DestinationPlan::new(name("missing"))];
    let error = binder
        .provision(&missing, Provision::Create)
        .await
        .expect_err("not with tokens");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("verify"), "{error}");
    works(binder, &topic).await;
    assert!(asked.load(Ordering::Relaxed) > 0);
    let binder = connect(with(server, |security, place| {
        oauth(security, place);
        let token = unsigned("app");
        security.token_command = vec![
            "echo".to_owned(),
            format!(r#"{{"access_token":"{token}","expires_in":600}}"#),
        ];
    }))
    .await;
    works(binder, &topic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_without_tokens_is_told_within_seconds() {
    let Some(server) = server().await else { return };
    let binder = connect(with(server, |security, _| {
        security.mechanism = Some(Mechanism::OauthBearer);
        security.token_command = vec!["false".to_owned()];
    }))
    .await;
    is_refused(
        binder,
        "any",
        &["`security.token_command` failed", "check `security`"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_for_us_is_named() {
    let Some(server) = server().await else { return };
    let topic = made(server, "shut").await;
    let binder = connect(with(server, |security, place| {
        login(Mechanism::Plain, &place.password)(security, place);
    }))
    .await;
    let producer = binder
        .producer(&ProducerSpec::new(topic.as_str()))
        .await
        .expect("a producer");
    acl(server, &["--add", "--topic", &topic]).await;
    let opened = binder
        .consumer(&ConsumerSpec::new(topic.as_str(), Some("app")))
        .await;
    let plan = [DestinationPlan::new(topic.as_str())];
    let verified = binder.provision(&plan, Provision::Verify).await;
    let published = producer
        .publish(&[Message::new("x")])
        .await
        .into_iter()
        .next()
        .expect("a result");
    let errors = [opened.map(drop), verified.map(drop), published.map(drop)];
    for error in errors.map(|result| result.expect_err("it is not for us")) {
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{}", error.chain());
        assert!(error.chain().contains(&topic), "{}", error.chain());
        assert!(error.to_string().contains("access control list"), "{error}");
    }
    binder.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_client_does_not_knock_in_a_busy_loop() {
    let Some(server) = server().await else { return };
    let proxy = Proxy::to(secured(server).address).expect("a proxy");
    let mut settings = with(server, login(Mechanism::ScramSha256, "wrong-secret"));
    settings.servers = proxy.addr().to_string();
    let binder = connect(settings).await;
    let producer = binder.producer(&ProducerSpec::new("any")).await;
    let producer = producer.expect("a producer");
    let publishing = tokio::spawn(async move { producer.publish(&[Message::new("x")]).await });
    let before = proxy.statistics().accepted;
    sleep(Duration::from_secs(5)).await;
    let knocks = proxy.statistics().accepted - before;
    // Two clients, each at most every 50 ms at first and every second later on.
    assert!(knocks < 100, "{knocks} connections in 5 s");
    // What could not be sent is told.
    drop(binder.close().await);
    publishing.await.expect("no panic");
}
