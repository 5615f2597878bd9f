//! Batches.

use mq::{config::Value, listener::Style, prelude::*};

#[derive(Debug, serde::Deserialize)]
struct Order {
    id: String,
}

#[derive(Debug, thiserror::Error, Failure)]
#[error("search is away")]
struct SearchError;

#[derive(Clone)]
struct Search;

impl Search {
    async fn bulk(&self, orders: impl ExactSizeIterator<Item = &Order>) -> Result<Vec<Result<(), SearchError>>, SearchError> {
        Ok(orders.map(|order| if order.id.is_empty() { Err(SearchError) } else { Ok(()) }).collect())
    }
}

#[stream_listener(input = "orders", batch(max = 500, wait = "50ms"))]
async fn index(orders: Batch<Json<Order>>, State(search): State<Search>) -> Result<Outcomes, SearchError> {
    let results = search.bulk(orders.values()).await?;
    Ok(orders.outcomes(results))
}

#[stream_listener(input = "lines", batch, output = "sums")]
async fn sum(lines: Batch<Text>) -> Json<usize> {
    Json(lines.len())
}

fn main() {
    let index = mq::listener_of!(index);
    assert_eq!(index.style(), Style::Batch);
    let table = index.settings.iter().find(|(key, _)| key == "batch").and_then(|(_, value)| value.as_table().cloned());
    assert_eq!(table.map(|table| table.len()), Some(2));
    assert!(mq::listener_of!(sum).settings.is_empty());
    assert_ne!(Value::from(1), Value::from(2));
}
