//! What a message causes can be told from anything else: by its id, its trace and its correlation id.

use mq::{listener_of, message::MessageId, prelude::*};

use crate::kit::{Broker, Order, letter, order, start};

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

/// The id of the sum that a batch listener publishes for these orders.
async fn id_of_sum(orders: Vec<Message>) -> MessageId {
    let broker = Broker::new();
    let sum = |orders: Batch<Json<Order>>| async move {
        Some(Json(orders.values().map(|order| order.id).sum::<u64>()))
    };
    broker.put("orders", orders).await;
    let app = broker.app("").batch_processor("orders", "sums", sum);
    let app = start(app).await;
    app.until_idle().await.expect("it comes to rest");
    broker.messages("sums").await[0]
        .as_id()
        .expect("an id")
        .clone()
}

#[tokio::test(start_paused = true)]
async fn what_a_batch_causes_is_known_by_all_its_messages() {
    let order = |id: u64| order(id).id(format!("order-{id}"));
    let two = id_of_sum(vec![order(1), order(2)]).await;
    assert_eq!(id_of_sum(vec![order(1), order(2)]).await, two);
    assert_ne!(id_of_sum(vec![order(1), order(2), order(3)]).await, two);
    assert_ne!(id_of_sum(vec![order(1)]).await, two);
}

/// A reply for each item but the third, which fails.
fn bill(orders: &Batch<Json<Order>>) -> Outcomes {
    let bill = |order: &Order| match order.id {
        3 => Err(Failure::dead_letter("too many")),
        id => Ok(Text(format!("invoice {id}"))),
    };
    orders.outcomes(orders.values().map(bill))
}

#[tokio::test(start_paused = true)]
async fn items_of_a_batch_publish_each_for_itself() {
    let broker = Broker::new();
    let listener = |orders: Batch<Json<Order>>| async move { bill(&orders) };
    let app = broker
        .app("")
        .batch_processor("orders", "invoices", listener);
    let app = start(app).await;
    broker.put("orders", (1..=4).map(order).collect()).await;
    app.until_idle().await.expect("it comes to rest");
    broker.assert_settled("orders").await;
    let invoices = broker.messages("invoices").await;
    let texts: Vec<_> = invoices
        .iter()
        .map(|invoice| invoice.as_bytes().to_vec())
        .collect();
    assert_eq!(texts, [b"invoice 1", b"invoice 2", b"invoice 4"]);
    assert_eq!(broker.letters("orders.shop.dlq").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_value_for_an_output_that_is_not_named_is_not_lost_in_silence() {
    let broker = Broker::new();
    let listener = |orders: Batch<Json<Order>>| async move { bill(&orders) };
    let app = start(broker.app("").batch_sink("orders", listener)).await;
    broker.put("orders", vec![order(1)]).await;
    app.until_idle().await.expect("it comes to rest");
    assert_eq!(
        broker.letters("orders.shop.dlq").await,
        [letter("rejected", "outputs", "1")]
    );
}
