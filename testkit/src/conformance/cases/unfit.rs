//! A service on the binder: messages that no handler gets to see.

use mq_core::{message::names, outcome::Failure};

use super::{
    giving_up::{TWO, letters},
    prelude::*,
};

pub(crate) fn an_undecodable_message_is_a_dead_letter_at_once() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let seen = calls.clone();
        let listener = move |mq_core::extract::Json(number): mq_core::extract::Json<u32>| {
            seen.note(number.to_string(), 1);
            async { Ok::<(), Failure>(()) }
        };
        let service = c
            .start(c.app(&[("orders", &orders)], TWO).sink("orders", listener))
            .await?;
        c.send(&orders, &["not a number", "7"]).await?;
        let letter = letters(&c, &orders, 1).await?.remove(0);
        ensure_eq!(
            letter.as_headers().text(names::ERROR_REASON),
            Some("undecodable"),
            "the reason"
        );
        ensure_eq!(letter.as_bytes(), b"not a number", "the payload");
        calls.reach(1).await?;
        service.stop().await?;
        ensure_eq!(calls.texts(), ["7"], "the calls");
        Ok(())
    })
}

pub(crate) fn an_expired_message_is_not_handled() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        c.reader(&orders, "shop").await?.close().await?;
        let end = SystemTime::now() + Duration::from_millis(30);
        c.publish(&orders, &[plain("old").expires_at(end), plain("new")])
            .await?;
        tokio::time::sleep(Duration::from_millis(60)).await;
        let service = c
            .start(
                c.app(&[("orders", &orders)], "")
                    .sink("orders", calls.succeed()),
            )
            .await?;
        let letter = letters(&c, &orders, 1).await?.remove(0);
        calls.reach(1).await?;
        service.stop().await?;
        ensure_eq!(calls.texts(), ["new"], "what was handled");
        ensure_eq!(
            letter.as_headers().text(names::ERROR_REASON),
            Some("expired"),
            "the reason"
        );
        Ok(())
    })
    .needs(Capability::Expiry)
}

pub(crate) fn a_payload_over_the_limit_of_the_binding_is_not_handled() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let app = c.app(&[("orders", &orders)], "max_payload = '10B'");
        let service = c.start(app.sink("orders", calls.succeed())).await?;
        c.send(&orders, &["more than ten", "short"]).await?;
        let letter = letters(&c, &orders, 1).await?.remove(0);
        calls.reach(1).await?;
        service.stop().await?;
        ensure_eq!(calls.texts(), ["short"], "what was handled");
        ensure_eq!(
            letter.as_headers().text(names::ERROR_REASON),
            Some("too-large"),
            "the reason"
        );
        ensure_eq!(
            letter.as_bytes(),
            b"more than ten",
            "the payload of the dead letter"
        );
        Ok(())
    })
}

pub(crate) fn a_message_without_a_key_may_be_refused() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let calls = Calls::new(&c);
        let app = c.app(&[("orders", &orders)], "require_key = true");
        let service = c.start(app.sink("orders", calls.succeed())).await?;
        c.publish(&orders, &[plain("none"), keyed("k", "keyed")])
            .await?;
        let letter = letters(&c, &orders, 1).await?.remove(0);
        calls.reach(1).await?;
        service.stop().await?;
        ensure_eq!(calls.texts(), ["keyed"], "what was handled");
        ensure_eq!(
            letter.as_headers().text(names::ERROR_REASON),
            Some("no-key"),
            "the reason"
        );
        Ok(())
    })
}
