use mq::prelude::*;

#[stream_source(output = "reports", cron = "0 6 * * MON-FRI")]
async fn daily() -> Text {
    Text("all is well".into())
}

fn main() {}
