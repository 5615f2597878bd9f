//! A broker that has nothing to do.

use crate::{
    Measured,
    folder::{Bench, runtime},
    memory::resident,
};

/// The memory of a process with an open broker that was used once.
pub(crate) fn run(_messages: u64) -> Measured {
    runtime()?.block_on(async {
        let bench = Bench::open().await?;
        let message = mq_core::message::Message::new("hello");
        crate::publish::publish_batches(&bench.broker, &[message], 10).await?;
        // The keeper looks once a second.
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        Ok(vec![("idle_mb", resident()?)])
    })
}
