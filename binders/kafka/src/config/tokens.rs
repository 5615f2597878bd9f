//! Tokens for `oauthbearer`: from code, a file, or a program.

use std::{
    fmt,
    io::Read,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use mq_core::{
    config::Secret,
    error::{BoxError, Error, ErrorKind},
};
use serde::Deserialize;

use super::SecuritySettings;

/// A token that does not say when it expires is asked for again after this time.
const LIFETIME: Duration = Duration::from_secs(300);
/// A program may take this long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where tokens come from.
///
/// Implemented for closures: `KafkaFactory::with_tokens(|| Ok(Token::new(fetch()?)))`.
pub trait TokenSource: Send + Sync {
    /// The current token. Called on a thread of the client, which may block for a few seconds; again before the last one expires.
    ///
    /// # Errors
    /// There is none now; the client asks again after a while, and is down meanwhile.
    fn token(&self) -> Result<Token, BoxError>;
}

impl<F> TokenSource for F
where
    F: Fn() -> Result<Token, BoxError> + Send + Sync,
{
    fn token(&self) -> Result<Token, BoxError> {
        self()
    }
}

/// Tokens of an instance, if it has any.
#[derive(Clone, Default)]
pub(crate) struct Tokens(pub(crate) Option<Arc<dyn TokenSource>>);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tokens").field(&self.0.is_some()).finish()
    }
}

/// A token, whom it is for, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Token {
    /// The token, as it is sent.
    pub value: Secret<String>,
    /// The principal, for logs; empty if unknown.
    pub principal: String,
    /// When it expires.
    pub expires_at: SystemTime,
}

impl Token {
    /// A token. Where it is a JSON Web Token, principal and expiry are read from its claims `sub` and `exp` (RFC 7519);
    /// otherwise it expires in 5 minutes.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        let value = value.into();
        let claims = claims(&value).unwrap_or_default();
        let expires_at = claims
            .exp
            .and_then(time)
            .unwrap_or_else(|| SystemTime::now() + LIFETIME);
        Self {
            principal: claims.sub.unwrap_or_default(),
            value: Secret::new(value),
            expires_at,
        }
    }

    /// Sets when it expires.
    #[must_use]
    pub fn expires_at(mut self, time: SystemTime) -> Self {
        self.expires_at = time;
        self
    }

    /// What a provider answers: the token itself, or the JSON of OAuth 2.0 (RFC 6749, section 5.1).
    fn parse(text: &str) -> Result<Self, BoxError> {
        #[derive(Deserialize)]
        struct Answer {
            access_token: String,
            expires_in: Option<u64>,
        }
        let text = text.trim();
        if text.is_empty() {
            return Err("no token was given".into());
        }
        if !text.starts_with('{') {
            return Ok(Self::new(text));
        }
        let answer: Answer = serde_json::from_str(text)
            // The answer may hold a secret, so it is not shown.
            .map_err(|_| "what was given is neither a token nor JSON with `access_token`")?;
        let token = Self::new(answer.access_token);
        Ok(match answer.expires_in {
            Some(seconds) => token.expires_at(SystemTime::now() + Duration::from_secs(seconds)),
            None => token,
        })
    }
}

#[derive(Default, Deserialize)]
struct Claims {
    exp: Option<f64>,
    sub: Option<String>,
}

/// The claims of a JSON Web Token, which are not checked here.
fn claims(token: &str) -> Option<Claims> {
    let body = token.split('.').nth(1)?;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(body).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn time(seconds: f64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}

/// Where the settings say that tokens come from.
pub(super) fn configured(settings: &SecuritySettings) -> Option<Arc<dyn TokenSource>> {
    if let Some(path) = settings.token_file.clone() {
        return Some(Arc::new(TokenFile(path)));
    }
    let (program, arguments) = settings.token_command.split_first()?;
    Some(Arc::new(TokenCommand {
        program: program.clone(),
        arguments: arguments.to_vec(),
    }))
}

struct TokenFile(PathBuf);

impl TokenSource for TokenFile {
    fn token(&self) -> Result<Token, BoxError> {
        let failed = |error| {
            let text = format!(
                "`security.token_file` cannot be read: {}; make it readable",
                self.0.display()
            );
            Error::new(ErrorKind::Unauthorized, text).source(error)
        };
        let text =
            std::fs::read_to_string(&self.0).map_err(|error: std::io::Error| failed(error))?;
        Token::parse(&text)
    }
}

struct TokenCommand {
    program: String,
    arguments: Vec<String>,
}

impl TokenSource for TokenCommand {
    fn token(&self) -> Result<Token, BoxError> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| {
                format!(
                    "`security.token_command` cannot run `{}`: {error}",
                    self.program
                )
            })?;
        let mut output = child
            .stdout
            .take()
            .ok_or("`security.token_command` has no output")?;
        let (sender, text) = mpsc::sync_channel(1);
        thread::spawn(move || {
            let mut text = String::new();
            let read = output.read_to_string(&mut text).map(|_| text);
            // Nobody waits where the program took too long.
            drop(sender.send(read));
        });
        let answer = text.recv_timeout(PATIENCE);
        if answer.is_err() {
            // It may have ended meanwhile.
            drop(child.kill());
        }
        let status = child.wait()?;
        let text = answer
            .map_err(|_| format!("`security.token_command` took longer than {PATIENCE:?}"))??;
        if !status.success() {
            return Err(format!("`security.token_command` failed ({status})").into());
        }
        Token::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_itself_whom_it_is_for_and_until_when() {
        let body = BASE64_URL_SAFE_NO_PAD.encode(r#"{"sub":"billing","exp":1900000000}"#);
        let token = Token::new(format!("e30.{body}.x"));
        assert_eq!(token.principal, "billing");
        assert_eq!(
            token.expires_at,
            UNIX_EPOCH + Duration::from_secs(1_900_000_000)
        );
        assert!(!format!("{token:?}").contains("e30"));
    }

    #[test]
    fn answers_of_providers_are_understood_and_never_shown() {
        let token =
            Token::parse(r#"{"access_token":"opaque","expires_in":3600}"#).expect("a token");
        assert_eq!(token.value.expose(), "opaque");
        assert!(token.expires_at > SystemTime::now() + Duration::from_secs(3_000));
        let refused = Token::parse(r#"{"secret":1}"#)
            .expect_err("no token")
            .to_string();
        assert!(
            refused.contains("access_token") && !refused.contains("secret\""),
            "{refused}"
        );
        assert!(Token::parse(" \n").is_err());
    }

    #[test]
    fn a_program_gives_a_token_or_says_why_not() {
        let run = |line: &str| {
            TokenCommand {
                program: "sh".into(),
                arguments: vec!["-c".into(), line.into()],
            }
            .token()
        };
        assert_eq!(
            run("echo opaque").expect("a token").value.expose(),
            "opaque"
        );
        let failed = run("exit 3").expect_err("it fails").to_string();
        assert!(failed.contains('3'), "{failed}");
    }
}
