//! How a client proves who it is, and knows that it speaks to the right cluster.

use std::path::{Path, PathBuf};

use mq_core::config::Secret;
use rdkafka::ClientConfig;
use serde::Deserialize;

/// Whether librdkafka was built with TLS.
const HAS_TLS: bool = cfg!(any(feature = "tls", feature = "tls-vendored"));

/// `[binders.<name>.security]`: TLS, and who the client is.
///
/// Certificates and keys are PEM: the path of a file, or the text itself, which begins with `-----BEGIN`.
///
/// ```toml
/// [binders.main.security]
/// ca = "/etc/kafka/ca.pem"
/// mechanism = "scram-sha-512"
/// user = "billing"
/// password = "…"
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SecuritySettings {
    /// Whether connections are encrypted; `true` by default as soon as there is a `security` table.
    pub tls: bool,
    /// Certificates that the cluster's must be signed by; those of the machine by default.
    pub ca: Option<String>,
    /// The client's certificate, for mutual TLS.
    pub certificate: Option<String>,
    /// Its private key.
    pub key: Option<Secret<String>>,
    /// The key's password, if it has one.
    pub key_password: Option<Secret<String>>,
    /// Whether the name in the cluster's certificate must be that of the broker; `true` by default.
    pub verify_host: bool,
    /// How the client says who it is; by its certificate alone, or not at all, by default.
    pub mechanism: Option<Mechanism>,
    /// The user, for `plain` and `scram-…`.
    pub user: Option<String>,
    /// The user's password, for `plain` and `scram-…`.
    pub password: Option<Secret<String>>,
    /// A file that holds the current token, for `oauthbearer`; it is read again when the token is about to expire.
    pub token_file: Option<PathBuf>,
    /// A program and its arguments that print a token, for `oauthbearer`; run again when the token is about to expire.
    pub token_command: Vec<String>,
}

impl Default for SecuritySettings {
    fn default() -> Self {
        Self {
            tls: true,
            ca: None,
            certificate: None,
            key: None,
            key_password: None,
            verify_host: true,
            mechanism: None,
            user: None,
            password: None,
            token_file: None,
            token_command: Vec::new(),
        }
    }
}

/// How a client says who it is (SASL).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub enum Mechanism {
    /// User and password as they are; only sensible with TLS.
    #[serde(rename = "plain")]
    Plain,
    /// Salted challenge and response with SHA-256 (RFC 5802, RFC 7677).
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    /// Salted challenge and response with SHA-512.
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
    /// A token from an identity provider (RFC 7628).
    #[serde(rename = "oauthbearer")]
    OauthBearer,
}

impl Mechanism {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::OauthBearer => "OAUTHBEARER",
        }
    }

    fn has_password(self) -> bool {
        self != Self::OauthBearer
    }
}

/// A mistake: the key, what is wrong with it, and how to fix it.
pub(super) type Mistake = (String, String, String);

fn mistake(key: &str, problem: &str, help: &str) -> Mistake {
    let key = match key {
        "" => "security".to_owned(),
        key => format!("security.{key}"),
    };
    (key, problem.to_owned(), help.to_owned())
}

impl SecuritySettings {
    /// The name of librdkafka's `security.protocol`.
    fn protocol(&self) -> &'static str {
        match (self.tls, self.mechanism.is_some()) {
            (false, false) => "plaintext",
            (true, false) => "ssl",
            (false, true) => "sasl_plaintext",
            (true, true) => "sasl_ssl",
        }
    }

    /// Gives a client what it needs.
    pub(super) fn apply(&self, config: &mut ClientConfig) {
        config.set("security.protocol", self.protocol());
        if self.tls {
            self.apply_tls(config);
        }
        if let Some(mechanism) = self.mechanism {
            config.set("sasl.mechanism", mechanism.name());
        }
        if let Some(user) = &self.user {
            config.set("sasl.username", user);
        }
        if let Some(password) = &self.password {
            config.set("sasl.password", password.expose());
        }
    }

    fn apply_tls(&self, config: &mut ClientConfig) {
        let pem = [
            ("ssl.ca", self.ca.as_deref()),
            ("ssl.certificate", self.certificate.as_deref()),
            (
                "ssl.key",
                self.key.as_ref().map(|key| key.expose().as_str()),
            ),
        ];
        for (name, value) in pem {
            let Some(value) = value else { continue };
            let form = if is_text(value) { "pem" } else { "location" };
            config.set(format!("{name}.{form}"), value);
        }
        if let Some(password) = &self.key_password {
            config.set("ssl.key.password", password.expose());
        }
        let check = if self.verify_host { "https" } else { "none" };
        config.set("ssl.endpoint.identification.algorithm", check);
    }

    /// Everything that is wrong. `has_tokens` says that code gives tokens.
    pub(super) fn mistakes(&self, has_tokens: bool) -> Vec<Mistake> {
        let mut found = self.tls_mistakes();
        found.extend(self.login_mistakes());
        found.extend(self.token_mistakes(has_tokens));
        if !HAS_TLS && (self.tls || self.mechanism.is_some_and(|one| one != Mechanism::Plain)) {
            found.push(mistake(
                "",
                "needs TLS, which this program was built without",
                "build it with the feature `tls` of `mq-kafka`, or with `tls-vendored`",
            ));
        }
        found
    }

    fn tls_mistakes(&self) -> Vec<Mistake> {
        let mut found = Vec::new();
        let parts = [
            ("ca", self.ca.as_deref()),
            ("certificate", self.certificate.as_deref()),
            ("key", self.key.as_ref().map(|key| key.expose().as_str())),
        ];
        for (key, value) in parts {
            let Some(value) = value else { continue };
            if !self.tls {
                found.push(mistake(
                    key,
                    "has no use without TLS",
                    "remove it, or `tls = false`",
                ));
            } else if !is_text(value) && !Path::new(value).exists() {
                let help = "give the path of a PEM file, or the PEM text itself, which begins with `-----BEGIN`";
                found.push(mistake(key, "is not there", help));
            }
        }
        if self.certificate.is_some() != self.key.is_some() {
            let (key, other) = match self.key {
                Some(_) => ("key", "certificate"),
                None => ("certificate", "key"),
            };
            let help = format!("set `{other}` as well: mutual TLS wants both");
            found.push(mistake(key, "stands alone", &help));
        }
        if self.key_password.is_some() && self.key.is_none() {
            found.push(mistake(
                "key_password",
                "opens no key",
                "set `key`, or remove it",
            ));
        }
        found
    }

    fn login_mistakes(&self) -> Vec<Mistake> {
        let mut found = Vec::new();
        let wants = self.mechanism.is_some_and(Mechanism::has_password);
        for (key, is_set) in [
            ("user", self.user.is_some()),
            ("password", self.password.is_some()),
        ] {
            match (wants, is_set) {
                (true, false) => found.push(mistake(
                    "mechanism",
                    &format!("wants a `{key}`"),
                    &format!("set `security.{key}`"),
                )),
                (false, true) if self.mechanism.is_some() => {
                    found.push(mistake(
                        key,
                        "has no use with `oauthbearer`",
                        "remove it, or choose `scram-sha-512`",
                    ));
                }
                (false, true) => found.push(mistake(
                    key,
                    "has no use without a mechanism",
                    "set `security.mechanism`, for example \"scram-sha-512\"",
                )),
                _ => {}
            }
        }
        found
    }

    fn token_mistakes(&self, has_tokens: bool) -> Vec<Mistake> {
        let is_oauth = self.mechanism == Some(Mechanism::OauthBearer);
        let (file, command) = (self.token_file.is_some(), !self.token_command.is_empty());
        let mut found = Vec::new();
        let sources =
            usize::from(file) + usize::from(command) + usize::from(has_tokens && is_oauth);
        if is_oauth && sources == 0 {
            let help = "set `security.token_file` or `security.token_command`, or give tokens in code with `KafkaFactory::with_tokens`";
            found.push(mistake("mechanism", "has no source of tokens", help));
        }
        if sources > 1 {
            let key = if command {
                "token_command"
            } else {
                "token_file"
            };
            found.push(mistake(
                key,
                "is one of several sources of tokens",
                "leave one of `token_file`, `token_command` and `KafkaFactory::with_tokens`",
            ));
        }
        for (key, is_set) in [("token_file", file), ("token_command", command)] {
            if is_set && !is_oauth {
                found.push(mistake(
                    key,
                    "has no use without `mechanism = \"oauthbearer\"`",
                    "set the mechanism, or remove it",
                ));
            }
        }
        found
    }
}

/// Whether this is PEM and not the path of a file.
fn is_text(value: &str) -> bool {
    value.trim_start().starts_with("-----BEGIN")
}
