//! The errors of Kafka, classified once.

use mq_core::error::{Error, ErrorKind, ErrorStatus};
use rdkafka::{error::KafkaError, types::RDKafkaErrorCode};

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the connection to Kafka was closed").fatal()
}

pub(crate) fn config(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, text)
}

pub(crate) fn unsupported(what: &str) -> Error {
    let text = format!("Kafka has no {what}; do without it, or use a binder that has it");
    Error::new(ErrorKind::Unsupported, text)
}

pub(crate) fn cut() -> Error {
    let text =
        "no broker of the cluster can be reached; check `servers`, and whether the cluster is up";
    Error::new(ErrorKind::Unavailable, text).temporary()
}

pub(crate) fn timed_out(what: &str) -> Error {
    let text = format!("{what} took longer than `timeout`; the cluster is away or overloaded");
    Error::new(ErrorKind::Unavailable, text).temporary()
}

pub(crate) fn lost() -> Error {
    let text = "the partition has passed to another member of the group";
    Error::new(ErrorKind::Lost, text)
}

pub(crate) fn no_topic(name: &str) -> Error {
    let text = "the cluster has no such topic; create it, or set `provision = \"create\"`";
    Error::new(ErrorKind::NotFound, text).context("destination", name)
}

pub(crate) fn no_name(name: &str) -> Error {
    let text = "this cannot be the name of a topic; a name has letters, digits, `.`, `_` and `-`, at most 249 of them";
    Error::new(ErrorKind::Rejected, text).context("destination", name)
}

pub(crate) fn bug(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Bug, text)
}

/// The same error once more, without its cause.
pub(crate) fn copy(error: &Error) -> Error {
    let copy = Error::new(error.kind(), error.message());
    match error.status() {
        ErrorStatus::Permanent => copy,
        ErrorStatus::Fatal => copy.fatal(),
        ErrorStatus::Temporary => copy.temporary(),
    }
}

/// What the client reports.
pub(crate) fn classify(what: &'static str, error: &KafkaError) -> Error {
    match error {
        KafkaError::ClientConfig(_, problem, name, value) => {
            let text = format!(
                "librdkafka refuses `{name} = {value}`: {problem}; correct it in `native` or in the binder's settings"
            );
            config(text).fatal()
        }
        KafkaError::ClientCreation(problem) => {
            let fix = match problem.contains("ssl.key") {
                true => "check `security.key`, and whether `security.key_password` opens it",
                false => "correct them",
            };
            config(format!("librdkafka refuses the settings: {problem}; {fix}")).fatal()
        }
        KafkaError::Transaction(error) => {
            let status = of_code(what, error.code(), &error.string());
            if error.is_fatal() {
                status.fatal()
            } else {
                status
            }
        }
        _ => match error.rdkafka_error_code() {
            Some(code) => of_code(what, code, &code.to_string()),
            None => {
                Error::new(ErrorKind::Unavailable, format!("{what} failed: {error}")).temporary()
            }
        },
    }
}

/// Whether repeating helps, and whose problem it is, by the code (the protocol's error codes, and librdkafka's own below zero).
pub(crate) fn of_code(what: &'static str, code: RDKafkaErrorCode, text: &str) -> Error {
    use RDKafkaErrorCode as C;
    let make = |kind, fix: &str| {
        Error::new(kind, format!("{what} failed: {text}{fix}"))
            .context("code", format_args!("{code:?}"))
    };
    match code {
        C::UnknownTopicOrPartition | C::UnknownTopic | C::UnknownPartition => make(
            ErrorKind::NotFound,
            "; create the topic, or set `provision = \"create\"`",
        ),
        C::UnknownGroup | C::GroupIdNotFound => make(ErrorKind::NotFound, ""),
        C::MessageSizeTooLarge | C::InvalidMessageSize | C::MessageBatchTooLarge => make(
            ErrorKind::TooLarge,
            "; raise `max_message` here and `message.max.bytes` of the topic, or send less",
        ),
        C::TopicAuthorizationFailed
        | C::GroupAuthorizationFailed
        | C::ClusterAuthorizationFailed
        | C::TransactionalIdAuthorizationFailed
        | C::DelegationTokenAuthorizationFailed => make(ErrorKind::Unauthorized, right(what, code)),
        C::SaslAuthenticationFailed
        | C::Authentication
        | C::UnsupportedSASLMechanism
        | C::IllegalSASLState => make(
            ErrorKind::Unauthorized,
            "; check `security`: mechanism, user and password",
        ),
        C::SSL => make(
            ErrorKind::Unauthorized,
            "; check `security.ca`, `certificate` and `key`, and that the port speaks TLS",
        ),
        C::ProducerFenced
        | C::InvalidProducerEpoch
        | C::Fenced
        | C::FencedInstanceId
        | C::IllegalGeneration
        | C::UnknownMemberId
        | C::AssignmentLost
        | C::RebalanceInProgress => make(ErrorKind::Lost, ""),
        C::QueueFull => make(ErrorKind::Full, "").temporary(),
        C::UnsupportedVersion | C::UnsupportedFeature | C::UnsupportedForMessageFormat => {
            make(ErrorKind::Unsupported, "; the broker is too old for it")
        }
        C::InvalidArgument
        | C::InvalidTopic
        | C::InvalidConfig
        | C::PolicyViolation
        | C::InvalidPartitions
        | C::InvalidReplicationFactor => make(ErrorKind::Rejected, ""),
        C::InvalidRecord | C::InvalidTimestamp | C::UnsupportedCompressionType => {
            make(ErrorKind::Rejected, "")
        }
        _ => make(ErrorKind::Unavailable, "").temporary(),
    }
}

/// The right that is missing, as Kafka's access control lists call it.
fn right(what: &str, code: RDKafkaErrorCode) -> &'static str {
    use RDKafkaErrorCode as C;
    match (code, what) {
        (C::TopicAuthorizationFailed, "publishing") => {
            "; give the user the operation Write on the topic by an access control list"
        }
        (C::TopicAuthorizationFailed, "reading") => {
            "; give the user the operation Read on the topic by an access control list"
        }
        (C::GroupAuthorizationFailed, _) => {
            "; give the user the operation Read on the group by an access control list"
        }
        (C::TransactionalIdAuthorizationFailed, _) => {
            "; give the user the operation Write on the transactional id by an access control list"
        }
        _ => "; give the user the right by an access control list",
    }
}

/// Whether the code says that the cluster does not let this client in.
pub(crate) fn is_login_refusal(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as C;
    matches!(
        code,
        C::Authentication
            | C::SaslAuthenticationFailed
            | C::UnsupportedSASLMechanism
            | C::IllegalSASLState
            | C::SSL
    )
}

/// Whether TLS failed because of certificates or versions, and not because the connection was cut while it was being made.
pub(crate) fn is_tls_refusal(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    let cut = [
        "disconnected",
        "connection reset",
        "timed out",
        "broken pipe",
        "unexpected eof",
    ];
    !cut.iter().any(|word| reason.contains(word))
}

/// Whether a connection ended because the other side did not like what it saw of this client (RFC 8446, section 6.2).
pub(crate) fn is_alert(reason: &str) -> bool {
    reason.contains("SSL alert number") && reason.contains("certificate")
}

/// What to look at where TLS fails.
const TLS: &str = "check `security.ca`, `certificate` and `key`, and that the port speaks TLS";

/// Why the cluster does not accept the client's certificate, and how to fix it.
pub(crate) fn refused_certificate(reason: &str) -> String {
    format!("{reason}; {TLS}")
}

/// Why the cluster does not let this client in, and how to fix it.
pub(crate) fn refusal(error: &KafkaError, reason: &str) -> String {
    let fix = match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::SSL) => TLS,
        _ => "check `security`: mechanism, user and password or token",
    };
    format!("{}; {fix}", reason.trim_end_matches('.'))
}
