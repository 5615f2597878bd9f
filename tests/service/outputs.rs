//! What a message causes can be told from anything else: by its id, its trace and its correlation id.

use mq::{listener_of, prelude::*};

use crate::kit::{Broker, Order, order, start};

/// Sends two events in each attempt, and fails in the first.
#[stream_listener(input = "orders")]
async fn announce(
    Json(order): Json<Order>,
    Attempt(attempt): Attempt,
    #[output("events")] events: Output<str>,
) -> mq::Result<()> {
    events.send("received").await?;
    events
        .message("priced")
        .key(order.id.to_string())
        .send()
        .await?;
    match attempt {
        1 => Err(Failure::retry("too early")),
        _ => Ok(()),
    }
}

async fn events_of(message: Message) -> Vec<Message> {
    let broker = Broker::new();
    let app = start(broker.app("").listener(listener_of!(announce))).await;
    broker.put("orders", vec![message]).await;
    app.until_idle().await.expect("it comes to rest");
    broker.assert_settled("orders").await;
    broker.messages("events").await
}

#[tokio::test(start_paused = true)]
async fn a_repeated_attempt_sends_the_same_ids_again() {
    let events = events_of(order(1).id("order-1")).await;
    let ids: Vec<_> = events
        .iter()
        .map(|event| event.as_id().expect("an id"))
        .collect();
    assert_eq!(ids.len(), 4);
    assert_eq!((ids[0], ids[1]), (ids[2], ids[3]));
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test(start_paused = true)]
async fn another_message_sends_other_ids() {
    let (first, second) = (
        events_of(order(1).id("order-1")).await,
        events_of(order(1).id("order-2")).await,
    );
    assert_ne!(first[0].as_id(), second[0].as_id());
}

#[tokio::test(start_paused = true)]
async fn trace_and_correlation_id_go_on_to_what_a_message_causes() {
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let cause = order(1)
        .header("traceparent", trace)
        .correlation_id("basket-9");
    for event in events_of(cause).await {
        assert_eq!(event.as_headers().text("traceparent"), Some(trace));
        assert_eq!(
            event.properties().correlation_id.as_deref(),
            Some(&b"basket-9"[..])
        );
    }
}
