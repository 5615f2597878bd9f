use mq::prelude::*;

struct Feed;

#[stream_source(output = "greetings", every = "1s")]
async fn greet(_feed: &Feed) -> Text {
    Text("hello".into())
}

fn main() {}
