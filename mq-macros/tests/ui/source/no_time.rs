use mq::prelude::*;

#[stream_source(output = "greetings")]
async fn greet() -> Text {
    Text("hello".into())
}

fn main() {}
