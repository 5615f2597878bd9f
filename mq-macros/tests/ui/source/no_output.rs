use mq::prelude::*;

#[stream_source(every = "1s")]
async fn greet() -> Text {
    Text("hello".into())
}

fn main() {}
