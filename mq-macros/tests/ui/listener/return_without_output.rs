use mq::prelude::*;

#[stream_listener(input = "greetings")]
async fn answer(Text(greeting): Text) -> Result<Text, Failure> {
    Ok(Text(greeting))
}

fn main() {}
