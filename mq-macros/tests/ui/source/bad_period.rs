use mq::prelude::*;

#[stream_source(output = "greetings", every = 1)]
async fn greet() -> Text {
    Text("hello".into())
}

fn main() {}
