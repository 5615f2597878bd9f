//! The framework over the binder: what services live on.

use mq_core::outcome::Failure;

use super::prelude::*;

pub(crate) fn a_failed_message_is_tried_again_and_then_handled() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let calls = Calls::new(&c);
        let handler = calls.handler(|_, attempt| match attempt {
            1 | 2 => Err(Failure::retry("not yet")),
            _ => Ok(()),
        });
        let app = c.app(
            &[("orders", &orders)],
            "retry = { attempts = 3, initial = '1ms' }",
        );
        let service = c.start(app.sink("orders", handler)).await?;
        c.send(&orders, &["a"]).await?;
        calls.reach(3).await?;
        service.stop().await?;
        ensure_eq!(calls.attempts(), ["a#1", "a#2", "a#3"], "the calls");
        Ok(())
    })
}
