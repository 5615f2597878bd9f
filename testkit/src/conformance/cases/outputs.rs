//! A service on the binder: what it publishes, and when its input is done with.

use mq_core::{
    extract::Text,
    function::every,
    listener::{Each, Keyed},
    outcome::Failure,
};

use super::prelude::*;

pub(crate) fn outputs_are_published() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (c.ordered("orders").await?, c.ordered("invoices").await?);
        let app = c.app(&[("orders", &orders), ("invoices", &invoices)], "");
        let service = c
            .start(app.processor("orders", "invoices", Calls::new(&c).echo()))
            .await?;
        c.send(&orders, &["a", "b", "c"]).await?;
        ensure_eq!(
            c.reader(&invoices, "printing").await?.sorted(3).await?,
            ["a", "b", "c"],
            "the outputs"
        );
        service.stop().await?;
        ensure_eq!(c.left(&orders).await?, [""; 0], "what is left of the input");
        Ok(())
    })
}

pub(crate) fn outputs_carry_trace_and_correlation() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (c.ordered("orders").await?, c.ordered("invoices").await?);
        let app = c.app(&[("orders", &orders), ("invoices", &invoices)], "");
        let service = c
            .start(app.processor("orders", "invoices", Calls::new(&c).echo()))
            .await?;
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let sent = plain("a")
            .header("traceparent", trace)
            .header("baggage", "user=alice")
            .correlation_id("c7");
        c.publish(&orders, &[sent]).await?;
        let output = c.reader(&invoices, "printing").await?.next().await?.message;
        service.stop().await?;
        let trace_id = output
            .as_headers()
            .text("traceparent")
            .and_then(|value| value.get(3..35));
        ensure_eq!(trace_id, trace.get(3..35), "the trace");
        ensure_eq!(
            output.as_headers().text("baggage"),
            Some("user=alice"),
            "the baggage"
        );
        ensure_eq!(
            output.properties().correlation_id.as_deref(),
            Some(&b"c7"[..]),
            "the correlation id"
        );
        Ok(())
    })
}

pub(crate) fn several_outputs_of_one_message_keep_their_order() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (c.ordered("orders").await?, c.ordered("invoices").await?);
        let split = |Text(text): Text| async move {
            Each(
                text.chars()
                    .map(|one| Text(one.to_string()))
                    .collect::<Vec<_>>(),
            )
        };
        let app = c.app(&[("orders", &orders), ("invoices", &invoices)], "");
        let service = c.start(app.processor("orders", "invoices", split)).await?;
        c.send(&orders, &["hello world"]).await?;
        let found = c.reader(&invoices, "printing").await?.texts(11).await?;
        service.stop().await?;
        ensure_eq!(found.concat(), "hello world", "the outputs");
        Ok(())
    })
}

pub(crate) fn no_output_publishes_nothing_and_settles() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (c.ordered("orders").await?, c.ordered("invoices").await?);
        let filter = |Text(text): Text| async move { (text != "a").then_some(Text(text)) };
        let app = c.app(&[("orders", &orders), ("invoices", &invoices)], "");
        let service = c.start(app.processor("orders", "invoices", filter)).await?;
        c.send(&orders, &["a", "b"]).await?;
        ensure_eq!(
            c.reader(&invoices, "printing").await?.texts(1).await?,
            ["b"],
            "the first output"
        );
        service.stop().await?;
        ensure_eq!(c.left(&orders).await?, [""; 0], "what is left of the input");
        Ok(())
    })
}

pub(crate) fn outputs_go_to_several_destinations() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (c.ordered("orders").await?, c.ordered("invoices").await?);
        let receipts = c.ordered("receipts").await?;
        let both = |Text(text): Text| async move {
            (Text(format!("i-{text}")), Text(format!("r-{text}")))
        };
        let app = c.app(
            &[
                ("orders", &orders),
                ("invoices", &invoices),
                ("receipts", &receipts),
            ],
            "",
        );
        let service = c
            .start(app.processor("orders", ["invoices", "receipts"], both))
            .await?;
        c.send(&orders, &["a"]).await?;
        ensure_eq!(
            c.reader(&invoices, "printing").await?.texts(1).await?,
            ["i-a"],
            "the first output"
        );
        ensure_eq!(
            c.reader(&receipts, "printing").await?.texts(1).await?,
            ["r-a"],
            "the second output"
        );
        service.stop().await.map(drop)
    })
}

pub(crate) fn outputs_of_a_key_keep_the_order_of_their_inputs() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (c.ordered("orders").await?, c.ordered("invoices").await?);
        let rekey = |Text(text): Text| async move {
            tokio::task::yield_now().await;
            Keyed(text[..1].to_owned(), Text(text))
        };
        let app = c.app(
            &[("orders", &orders), ("invoices", &invoices)],
            "ordering = 'key'",
        );
        let service = c.start(app.processor("orders", "invoices", rekey)).await?;
        let sent: Vec<_> = numbered(0..60)
            .iter()
            .map(|one| format!("{}{one}", &one[2..]))
            .collect();
        let messages: Vec<_> = sent.iter().map(|text| keyed(&text[..1], text)).collect();
        c.publish(&orders, &messages).await?;
        let found = c.reader(&invoices, "printing").await?.texts(60).await?;
        service.stop().await?;
        for key in '0'..='9' {
            let of_key: Vec<_> = found.iter().filter(|text| text.starts_with(key)).collect();
            ensure!(
                of_key.len() == 6 && of_key.is_sorted(),
                "the outputs of key {key}: {of_key:?}"
            );
        }
        Ok(())
    })
    .need(Need::Any(&[Capability::KeyOrder, Capability::Partitions]))
}

pub(crate) fn an_output_is_repeated_without_calling_the_handler_again() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (c.ordered("orders").await?, c.ordered("invoices").await?);
        let calls = Calls::new(&c);
        c.order(Fault::RefusePublish, &invoices).await?;
        let app = c.app(&[("orders", &orders), ("invoices", &invoices)], "");
        let service = c
            .start(app.processor("orders", "invoices", calls.echo()))
            .await?;
        c.send(&orders, &["a"]).await?;
        ensure_eq!(
            c.reader(&invoices, "printing").await?.texts(1).await?,
            ["a"],
            "the output"
        );
        service.stop().await?;
        ensure_eq!(calls.attempts(), ["a#1"], "the calls");
        ensure_eq!(c.left(&orders).await?, [""; 0], "what is left of the input");
        Ok(())
    })
    .fault(Fault::RefusePublish)
}

pub(crate) fn an_output_that_was_not_confirmed_is_repeated() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (c.ordered("orders").await?, c.ordered("invoices").await?);
        let calls = Calls::new(&c);
        calls.hold();
        let app = c.app(&[("orders", &orders), ("invoices", &invoices)], "");
        let service = c
            .start(app.processor("orders", "invoices", calls.echo()))
            .await?;
        c.send(&orders, &["a"]).await?;
        calls.reach(1).await?;
        c.order(Fault::LoseConfirm, &invoices).await?;
        calls.free();
        let mut reader = c.reader(&invoices, "printing").await?;
        let both = reader.take(2).await?;
        service.stop().await?;
        let ids: Vec<_> = both
            .iter()
            .map(|record| record.message.as_id().cloned())
            .collect();
        ensure!(
            ids[0].is_some() && ids[0] == ids[1],
            "the repetition has another id: {ids:?}"
        );
        ensure_eq!(calls.attempts(), ["a#1"], "the calls");
        Ok(())
    })
    .fault(Fault::LoseConfirm)
}

pub(crate) fn an_input_is_not_done_with_before_its_output_is_confirmed() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (c.ordered("orders").await?, c.ordered("invoices").await?);
        for _ in 0..1_000 {
            c.order(Fault::RefusePublish, &invoices).await?;
        }
        let app = c.app(&[("orders", &orders), ("invoices", &invoices)], "");
        let service = c
            .start(app.processor("orders", "invoices", Calls::new(&c).echo()))
            .await?;
        c.send(&orders, &["a"]).await?;
        let binding = service.orders()?;
        c.until("the output was refused", || async {
            Ok(binding.problem().is_some())
        })
        .await?;
        drop(service);
        ensure_eq!(
            c.reader(&orders, "shop").await?.texts(1).await?,
            ["a"],
            "what came again after a crash"
        );
        Ok(())
    })
    .fault(Fault::RefusePublish)
}

pub(crate) fn an_output_has_the_same_id_when_its_input_comes_again() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (c.ordered("orders").await?, c.ordered("invoices").await?);
        let calls = Calls::new(&c);
        calls.hold();
        let app = c.app(&[("orders", &orders), ("invoices", &invoices)], "");
        let service = c
            .start(app.processor("orders", "invoices", calls.echo()))
            .await?;
        c.publish(&orders, &[plain("a").id("7")]).await?;
        calls.reach(1).await?;
        c.order(Fault::LoseAck, &orders).await?;
        calls.free();
        let both = c.reader(&invoices, "printing").await?.take(2).await?;
        service.stop().await?;
        let ids: Vec<_> = both
            .iter()
            .map(|record| record.message.as_id().cloned())
            .collect();
        ensure!(
            ids[0].is_some() && ids[0] == ids[1],
            "the ids of both outputs: {ids:?}"
        );
        Ok(())
    })
    .fault(Fault::LoseAck)
}

pub(crate) fn a_chain_of_listeners_delivers_everything() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (
            c.partitioned_if_possible("orders", 2).await?,
            c.partitioned_if_possible("invoices", 2).await?,
        );
        let receipts = c.destination("receipts").await?;
        let app = c
            .app(
                &[
                    ("orders", &orders),
                    ("invoices", &invoices),
                    ("receipts", &receipts),
                ],
                "",
            )
            .processor("orders", "invoices", Calls::new(&c).echo())
            .processor("invoices", "receipts", Calls::new(&c).echo());
        let service = c.start(app).await?;
        c.publish(&orders, &spread(&numbered(0..100))).await?;
        let found = c.reader(&receipts, "printing").await?.sorted(100).await?;
        service.stop().await?;
        ensure_eq!(found, numbered(0..100), "what came out at the end");
        Ok(())
    })
}

pub(crate) fn an_output_may_be_sent_from_outside_a_handler() -> Case {
    Case::new(|c| async move {
        let (orders, invoices) = (c.ordered("orders").await?, c.ordered("invoices").await?);
        let app = c.app(&[("orders", &orders), ("invoices", &invoices)], "");
        let service = c
            .start(app.processor("orders", "invoices", Calls::new(&c).echo()))
            .await?;
        let output = service.handle().output::<str>("invoices")?;
        c.within("the confirmation", output.send("sent")).await??;
        ensure_eq!(
            c.reader(&invoices, "printing").await?.texts(1).await?,
            ["\"sent\""],
            "what was sent"
        );
        service.stop().await.map(drop)
    })
}

pub(crate) fn a_source_publishes() -> Case {
    Case::new(|c| async move {
        let ticks = c.ordered("ticks").await?;
        let tick = every("1ms", || async {
            Ok::<_, Failure>(Text("tick".to_owned()))
        });
        let service = c
            .start(c.app(&[("ticks", &ticks)], "").source("ticks", tick))
            .await?;
        ensure_eq!(
            c.reader(&ticks, "watching").await?.texts(5).await?,
            ["tick"; 5],
            "what was published"
        );
        service.stop().await.map(drop)
    })
}
