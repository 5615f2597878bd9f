//! A processor: its attribute, its errors, and every form of a return value.

use mq::{Decision, IntoFailure, config::Value, prelude::*};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Order {
    country: String,
}

#[derive(Debug, PartialEq, Serialize)]
struct Invoice {
    total: u32,
}

#[derive(Clone)]
struct Rates;

#[derive(Debug, thiserror::Error, Failure)]
enum BillingError {
    #[error("rates service is away")]
    #[failure(retry)]
    RatesAway(#[from] std::io::Error),
    #[error("no rate for {0}")]
    #[failure(dead_letter)]
    UnknownCountry(String),
    #[error("order {id} was cancelled already")]
    #[failure(discard)]
    Cancelled { id: String },
    #[error("bank asks us to come back")]
    #[failure(retry_after = "1m 30s")]
    Busy,
    #[error("nothing said")]
    Unsaid,
}

#[derive(Debug, thiserror::Error, Failure)]
#[error("the press is out of paper")]
#[failure(dead_letter)]
struct OutOfPaper;

/// The type has generics, and is a failure where it is an error.
#[derive(Debug, thiserror::Error, Failure)]
#[error("{0:?} does not fit")]
#[failure(discard)]
struct DoesNotFit<T: std::fmt::Debug>(T);

#[derive(Debug, thiserror::Error, Failure)]
enum Never {}

/// A parameter and a return value may be aliases.
type Payload<T> = Json<T>;
type Billed = Result<Json<Invoice>, BillingError>;

#[stream_listener(
    input = "orders",
    output = "invoices",
    group = "billing \"one\"",
    concurrency = 4,
    ordering = "key",
    timeout = "10s",
    attempts = 5,
    delayed = ["1m", "10m"],
    exhausted = "stop",
    idempotency = "store",
    require_key,
    start = "latest",
    name = "billing"
)]
async fn bill(
    Json(order): Payload<Order>,
    State(_rates): State<Rates>,
    #[output("log")] _log: Output<Order>,
) -> Billed {
    match order.country.as_str() {
        "" => Err(BillingError::UnknownCountry(order.country)),
        _ => Ok(Json(Invoice { total: 3 })),
    }
}

#[stream_listener(input = "a", outputs = ["b", "c"])]
async fn both(order: Json<Order>) -> Result<(Json<Order>, Option<Text>), Failure> {
    std::fs::metadata("/")?;
    Ok((order, None))
}

#[stream_listener(input = "d", output = "e")]
async fn each(Text(text): Text) -> Vec<Keyed<String, Text>> {
    text.lines().map(|line| Keyed(line.to_owned(), Text(line.to_owned()))).collect()
}

#[stream_listener(input = "f", output = "g")]
async fn opaque(Text(text): Text) -> Option<impl mq::listener::IntoMessage> {
    Some(Text(text))
}

#[stream_listener(input = "h", timeout = "none")]
async fn decides(_delivery: Delivery, _attempt: Attempt, _tombstone: Option<Json<Order>>) -> Outcome {
    Outcome::Ack
}

fn decision(error: impl IntoFailure) -> (Decision, String) {
    let failure = error.into_failure();
    (failure.decision(), failure.error_type().to_owned())
}

fn kept(error: impl Into<Failure>) -> Decision {
    error.into().decision()
}

fn main() {
    let listener = mq::listener_of!(bill);
    assert_eq!(listener.name.as_ref(), "billing");
    assert_eq!(listener.input, "orders");
    assert_eq!(listener.outputs, ["invoices"]);
    assert_eq!(listener.publishes, ["log"]);
    assert_eq!(listener.location.line, 70);
    assert!(!listener.package.is_empty());
    let setting = |key: &str| listener.settings.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
    assert_eq!(setting("group"), Some(Value::from("billing \"one\"")));
    assert_eq!(setting("concurrency"), Some(Value::Integer(4)));
    assert_eq!(setting("retry.attempts"), Some(Value::Integer(5)));
    assert_eq!(setting("require_key"), Some(Value::Bool(true)));
    assert!(setting("retry.delayed").is_some_and(|delayed| delayed.as_list().is_some_and(|list| list.len() == 2)));
    assert_eq!(listener.settings.len(), 10);

    assert_eq!(decision(BillingError::UnknownCountry("x".into())), (Decision::DeadLetter, "UnknownCountry".into()));
    assert_eq!(decision(BillingError::Cancelled { id: "x".into() }), (Decision::Discard, "Cancelled".into()));
    assert_eq!(decision(BillingError::Busy).0, Decision::RetryAfter(std::time::Duration::from_secs(90)));
    assert_eq!(decision(BillingError::Unsaid).0, Decision::Retry);
    assert_eq!(decision(BillingError::from(std::io::Error::other("gone"))).0, Decision::Retry);
    assert_eq!(decision(OutOfPaper), (Decision::DeadLetter, "OutOfPaper".into()));
    assert_eq!(decision(DoesNotFit(7)), (Decision::Discard, "DoesNotFit".into()));
    assert!(BillingError::Busy.into_failure().cause().is_some_and(|cause| cause.is::<BillingError>()));
    let _never = |never: Never| never.into_failure();

    let _app = App::builder();
    assert_eq!(kept(BillingError::Busy), Decision::RetryAfter(std::time::Duration::from_secs(90)));
    assert_eq!(kept(OutOfPaper), Decision::DeadLetter);
}
