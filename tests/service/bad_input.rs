//! Whatever is in a message, it ends settled: handled, or a dead letter that says why.

use std::time::SystemTime;

use mq::prelude::*;

use crate::kit::{Broker, Letter, Order, Seen, letter, metrics, order, start};

/// A handler that panics at one number, never returns at another, and is content with all the rest.
async fn handle(order: Order, attempt: u32, seen: Seen) {
    seen.note(format!("{} in attempt {attempt}", order.id));
    match order.id {
        666 => panic!("the number of the beast"),
        777 => std::future::pending().await,
        _ => {}
    }
}

struct Outcome {
    seen: Vec<String>,
    letters: Vec<Letter>,
    metrics: mq::telemetry::MetricsSnapshot,
    broker: Broker,
}

/// Has a service handle these messages, each of which must end settled.
async fn outcome(settings: &str, messages: Vec<Message>) -> Outcome {
    let (broker, seen) = (Broker::new(), Seen::default());
    let count = messages.len() as u64;
    let listener = |Json(order): Json<Order>,
                    Attempt(attempt): Attempt,
                    State(seen): State<Seen>| { handle(order, attempt, seen) };
    let app = start(
        broker
            .app(settings)
            .state(seen.clone())
            .sink("orders", listener),
    )
    .await;
    broker.put("orders", messages).await;
    app.until_idle().await.expect("it comes to rest");
    broker.assert_settled("orders").await;
    let metrics = metrics(&app, "orders");
    app.stop().await.expect("it stops");
    let letters = broker.letters("orders.shop.dlq").await;
    assert_eq!(
        metrics.handled + letters.len() as u64,
        count,
        "handled, or a dead letter"
    );
    Outcome {
        seen: seen.all(),
        letters,
        metrics,
        broker,
    }
}

async fn letters(settings: &str, messages: Vec<Message>) -> Vec<Letter> {
    outcome(settings, messages).await.letters
}

const ONE_ATTEMPT: &str = "[bindings.orders.consumer]\ntimeout = '2s'\nretry = { attempts = 1 }";

#[tokio::test(start_paused = true)]
async fn what_is_not_the_json_expected_is_a_dead_letter_at_once() {
    let payloads: [&[u8]; 4] = [b"{nope", b"", b"{\"id\":\"x\"}", b"\xff\xfe\x00"];
    let messages = payloads
        .map(|payload| Message::new(payload.to_vec()))
        .into();
    let undecodable = letter("undecodable", "undecodable", "1");
    assert_eq!(letters("", messages).await, vec![undecodable; 4]);
}

#[tokio::test(start_paused = true)]
async fn a_tombstone_for_a_listener_that_wants_a_payload_is_a_dead_letter() {
    let letters = letters("", vec![Message::tombstone().key("k")]).await;
    assert_eq!(letters, [letter("undecodable", "undecodable", "1")]);
}

#[tokio::test(start_paused = true)]
async fn a_content_type_without_a_codec_is_undecodable() {
    let messages = vec![order(1).content_type("application/x-thing"), order(2)];
    let outcome = outcome("", messages).await;
    assert_eq!(outcome.letters, [letter("undecodable", "undecodable", "1")]);
    assert_eq!(outcome.seen, ["2 in attempt 1"]);
    let letters = outcome.broker.messages("orders.shop.dlq").await;
    let text = letters[0]
        .as_headers()
        .text("mq-error-message")
        .expect("it says why");
    assert!(text.contains("application/x-thing"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn two_mebibytes_over_a_limit_of_one_are_kept_whole_in_the_dead_letter() {
    let large = Message::new(vec![b'x'; 2 << 20]);
    let settings = "[bindings.orders.consumer]\nmax_payload = '1MiB'";
    let outcome = outcome(settings, vec![large, order(1)]).await;
    assert_eq!(outcome.letters, [letter("too-large", "too-large", "1")]);
    let letters = outcome.broker.messages("orders.shop.dlq").await;
    assert_eq!(letters[0].as_bytes().len(), 2 << 20);
}

#[tokio::test(start_paused = true)]
async fn without_a_key_there_is_no_order_and_the_message_is_counted() {
    let settings = "[bindings.orders.consumer]\nordering = 'key'";
    let outcome = outcome(settings, vec![Message::new("{\"id\":1}"), order(2)]).await;
    assert_eq!((outcome.metrics.handled, outcome.metrics.keyless), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn without_a_key_where_one_is_required_it_is_a_dead_letter() {
    let settings = "[bindings.orders.consumer]\nordering = 'key'\nrequire_key = true";
    let outcome = outcome(settings, vec![Message::new("{\"id\":1}"), order(2)]).await;
    assert_eq!(outcome.letters, [letter("no-key", "no-key", "1")]);
    assert_eq!(outcome.seen, ["2 in attempt 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_header_of_64_kibibytes_passes_and_stays_in_the_dead_letter() {
    let long = "ü".repeat(32 << 10);
    let messages = vec![
        order(1).header("long", long.clone()),
        Message::new("no").header("long", long.clone()),
    ];
    let outcome = outcome("", messages).await;
    assert_eq!(outcome.seen, ["1 in attempt 1"]);
    let letters = outcome.broker.messages("orders.shop.dlq").await;
    assert_eq!(letters[0].as_headers().text("long"), Some(&*long));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_has_failed_and_the_others_go_on() {
    let outcome = outcome("", vec![order(666), order(1)]).await;
    assert_eq!(outcome.letters, [letter("exhausted", "panic", "3")]);
    assert_eq!((outcome.metrics.panics, outcome.metrics.handled), (3, 1));
    let letters = outcome.broker.messages("orders.shop.dlq").await;
    let text = letters[0]
        .as_headers()
        .text("mq-error-message")
        .expect("it says why");
    assert!(text.contains("the number of the beast"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_returns_is_given_up_after_its_timeout() {
    let outcome = outcome(ONE_ATTEMPT, vec![order(777), order(1)]).await;
    assert_eq!(outcome.letters, [letter("exhausted", "timeout", "1")]);
    assert_eq!((outcome.metrics.timeouts, outcome.metrics.handled), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_expired_message_does_not_reach_the_handler() {
    let outcome = outcome(
        "",
        vec![order(1).expires_at(SystemTime::UNIX_EPOCH), order(2)],
    )
    .await;
    assert_eq!(outcome.letters, [letter("expired", "expired", "1")]);
    assert_eq!(outcome.seen, ["2 in attempt 1"]);
}

#[tokio::test(start_paused = true)]
async fn bad_items_of_a_batch_are_dead_letters_alone() {
    let (broker, seen) = (Broker::new(), Seen::default());
    let listener = |orders: Batch<Json<Order>>, State(seen): State<Seen>| async move {
        orders
            .values()
            .for_each(|order| seen.note(order.id.to_string()));
    };
    let app = broker
        .app("")
        .state(seen.clone())
        .batch_sink("orders", listener);
    let app = start(app).await;
    broker
        .put(
            "orders",
            vec![order(1), Message::new("no"), order(2), Message::tombstone()],
        )
        .await;
    app.until_idle().await.expect("it comes to rest");
    broker.assert_settled("orders").await;
    assert_eq!(seen.all(), ["1", "2"]);
    let undecodable = letter("undecodable", "undecodable", "1");
    assert_eq!(
        broker.letters("orders.shop.dlq").await,
        vec![undecodable; 2]
    );
}
