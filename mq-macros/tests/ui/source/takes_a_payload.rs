use mq::prelude::*;

#[stream_source(output = "greetings", every = "1s")]
async fn greet(name: Text) -> Text {
    name
}

fn main() {}
