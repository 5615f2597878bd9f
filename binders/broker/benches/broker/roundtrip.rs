//! Publishing, delivery and durable acknowledgement.

use std::{error::Error, time::Instant};

use mq_broker::{Broker, Subscribe, Subscription};
use mq_core::message::Message;

use crate::{
    Measured,
    folder::{Bench, runtime},
    publish,
};

/// Members of the group: while one waits for its acknowledgements, others receive.
const MEMBERS: usize = 4;

/// 1,000 publications in flight, each message delivered and acknowledged.
pub(crate) fn run(messages: u64) -> Measured {
    runtime()?.block_on(async {
        let bench = Bench::open().await?;
        bench.broker.create_group("bench", "billing").await?;
        through(&bench.broker, messages / 3).await?;
        let begin = Instant::now();
        through(&bench.broker, messages).await?;
        let rate = messages as f64 / begin.elapsed().as_secs_f64();
        Ok(vec![("roundtrip_256", rate)])
    })
}

async fn through(broker: &Broker, messages: u64) -> Result<(), Box<dyn Error>> {
    let mut members = Vec::new();
    for _ in 0..MEMBERS {
        let subscribe = Subscribe::to("bench").group("billing");
        members.push(tokio::spawn(consume(broker.subscribe(&subscribe).await?)));
    }
    publish::publish(broker, &Message::new(vec![7_u8; 256]), messages).await?;
    while broker.lag("bench", "billing")?.messages > 0 {
        tokio::time::sleep(std::time::Duration::from_micros(500)).await;
    }
    for member in members {
        member.abort();
        // A member that has failed has not emptied the group, and is waited for above.
        drop(member.await);
    }
    Ok(())
}

async fn consume(mut member: Subscription) -> mq_core::error::Result<()> {
    loop {
        let delivered = member.receive(256).await?;
        member.ack(&delivered).await?;
    }
}
