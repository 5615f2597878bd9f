//! Through the whole framework.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use mq_broker::{Broker, BrokerBinder};
use mq_core::{
    app::App,
    config::Config,
    extract::Json,
    message::{ContentType, Message},
};
use serde::Deserialize;

use crate::{
    Measured,
    folder::{folder, runtime},
    publish,
};

const ORDER: &str = r#"{"id":536365,"customer":17850,"lines":7,"total":13912}"#;

#[derive(Debug, Deserialize)]
struct Order {
    id: u64,
    customer: u64,
    lines: u32,
    total: u64,
}

/// A listener with the default stack handles messages that wait, until all of them are acknowledged on the disk.
pub(crate) fn run(messages: u64) -> Measured {
    runtime()?.block_on(async {
        let folder = folder()?;
        let broker = Broker::open(folder.path()).await?;
        let order = Message::new(ORDER).content_type(ContentType::JSON);
        broker.create_group("bench", "orders").await?;
        publish::publish_batches(&broker, &vec![order; 1_000], messages).await?;
        let app = App::builder()
            .config(Config::empty().set("app.name", "orders"))
            .binder("main", Arc::new(BrokerBinder::new(broker.clone())))
            .sink("bench", |Json(order): Json<Order>| async move {
                black_box((order.id, order.customer, order.lines, order.total));
            });
        let begin = Instant::now();
        let running = app.build()?.start().await?;
        while broker.lag("bench", "orders")?.messages > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let rate = messages as f64 / begin.elapsed().as_secs_f64();
        running.stop().await?;
        Ok(vec![("listener_json", rate)])
    })
}
