use mq::prelude::*;

struct Shop;

impl Shop {
    #[stream_listener(input = "greetings")]
    async fn print(&self, Text(_greeting): Text) {}
}

fn main() {}
