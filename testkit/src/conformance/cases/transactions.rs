//! Outputs and settlements that take effect together.

use mq_core::binder::Transaction;
use tokio::time::timeout;

use super::prelude::*;

/// An input with one message that is out, an output, and an open step.
struct Step {
    orders: String,
    invoices: String,
    reader: Reader,
    done: Vec<mq_core::binder::Settlement>,
    step: Box<dyn Transaction>,
}

impl Step {
    async fn open(c: &Context) -> Checked<Self> {
        let orders = c.ordered("orders").await?;
        let invoices = c.ordered("invoices").await?;
        c.send(&orders, &["a"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let record = reader.next().await?;
        let done = reader.ends(&[record]);
        let step = reader.consumer.transaction().await?;
        Ok(Self {
            orders,
            invoices,
            reader,
            done,
            step,
        })
    }

    /// Adds outputs and the settlement of the input.
    async fn fill(&mut self, outputs: &[&str]) -> Checked {
        let outputs: Vec<_> = outputs.iter().map(|text| self.invoice(text)).collect();
        self.step.publish(&outputs).await?;
        self.step.settle(&self.done).await?;
        Ok(())
    }

    fn invoice(&self, text: &str) -> Message {
        plain(text).destination(&*self.invoices)
    }

    /// The outputs that can be seen, up to one that is sent now.
    async fn outputs(&mut self, c: &Context) -> Checked<Vec<String>> {
        until_end(c, &self.invoices, "printing").await
    }

    /// What the group has left of the input.
    async fn inputs(self, c: &Context) -> Checked<Vec<String>> {
        drop(self.step);
        self.reader.close().await?;
        until_end(c, &self.orders, "billing").await
    }
}

async fn until_end(c: &Context, destination: &str, group: &str) -> Checked<Vec<String>> {
    c.send(destination, &["end"]).await?;
    let mut reader = c.reader(destination, group).await?;
    let mut found = Vec::new();
    while found.last().is_none_or(|last| last != "end") {
        found.extend(reader.texts(1).await?);
    }
    found.pop();
    reader.close().await?;
    Ok(found)
}

pub(crate) fn a_step_takes_effect_as_a_whole() -> Case {
    Case::new(|c| async move {
        let mut step = Step::open(&c).await?;
        step.fill(&["i1", "i2"]).await?;
        let receipts = c.within("the commit", step.step.commit()).await??;
        ensure_eq!(receipts.len(), 2, "receipts");
        ensure_eq!(step.outputs(&c).await?, ["i1", "i2"], "the outputs");
        ensure_eq!(step.inputs(&c).await?, [""; 0], "what is left of the input");
        Ok(())
    })
    .needs(Capability::Transactions)
}

pub(crate) fn nothing_is_seen_before_the_commit() -> Case {
    Case::new(|c| async move {
        let mut step = Step::open(&c).await?;
        let mut printer = c.reader(&step.invoices, "printer").await?;
        step.fill(&["i1"]).await?;
        let early = timeout(Duration::from_millis(150), printer.some(1)).await;
        ensure!(
            early.is_err(),
            "an output was seen before the commit: {early:?}"
        );
        c.within("the commit", step.step.commit()).await??;
        ensure_eq!(
            printer.texts(1).await?,
            ["i1"],
            "what was seen after the commit"
        );
        Ok(())
    })
    .needs(Capability::Transactions)
}

pub(crate) fn an_aborted_step_leaves_nothing() -> Case {
    Case::new(|c| async move {
        let mut step = Step::open(&c).await?;
        step.fill(&["i1"]).await?;
        c.within("the abort", step.step.abort()).await??;
        ensure_eq!(
            step.outputs(&c).await?,
            [""; 0],
            "outputs of an aborted step"
        );
        ensure_eq!(step.inputs(&c).await?, ["a"], "what is left of the input");
        Ok(())
    })
    .needs(Capability::Transactions)
}

pub(crate) fn a_dropped_step_is_aborted() -> Case {
    Case::new(|c| async move {
        let mut step = Step::open(&c).await?;
        step.fill(&["i1"]).await?;
        let invoices = step.invoices.clone();
        ensure_eq!(step.inputs(&c).await?, ["a"], "what is left of the input");
        ensure_eq!(
            until_end(&c, &invoices, "printing").await?,
            [""; 0],
            "outputs of a dropped step"
        );
        Ok(())
    })
    .needs(Capability::Transactions)
}

pub(crate) fn an_abort_forgets_only_the_open_step() -> Case {
    Case::new(|c| async move {
        let mut step = Step::open(&c).await?;
        step.step.publish(&[step.invoice("i1")]).await?;
        c.within("the commit", step.step.commit()).await??;
        step.step.publish(&[step.invoice("i2")]).await?;
        c.within("the abort", step.step.abort()).await??;
        step.fill(&["i3"]).await?;
        c.within("the commit", step.step.commit()).await??;
        ensure_eq!(step.outputs(&c).await?, ["i1", "i3"], "the outputs");
        ensure_eq!(step.inputs(&c).await?, [""; 0], "what is left of the input");
        Ok(())
    })
    .needs(Capability::Transactions)
}

pub(crate) fn steps_follow_each_other() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let invoices = c.ordered("invoices").await?;
        c.publish(&orders, &spread(&numbered(0..10))).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let mut step = reader.consumer.transaction().await?;
        for _ in 0..10 {
            let record = reader.next().await?;
            let done = reader.ends(std::slice::from_ref(&record));
            step.publish(&[plain(&text(&record)).destination(&*invoices)])
                .await?;
            step.settle(&done).await?;
            c.within("the commit", step.commit()).await??;
        }
        drop(step);
        reader.close().await?;
        ensure_eq!(
            until_end(&c, &invoices, "printing").await?,
            numbered(0..10),
            "the outputs"
        );
        ensure_eq!(
            until_end(&c, &orders, "billing").await?,
            [""; 0],
            "what is left of the input"
        );
        Ok(())
    })
    .needs(Capability::Transactions)
}

pub(crate) fn outputs_to_several_destinations_are_one_step() -> Case {
    Case::new(|c| async move {
        let receipts = c.ordered("receipts").await?;
        let mut step = Step::open(&c).await?;
        step.step
            .publish(&[plain("r1").destination(&*receipts)])
            .await?;
        step.fill(&["i1"]).await?;
        c.within("the commit", step.step.commit()).await??;
        ensure_eq!(step.outputs(&c).await?, ["i1"], "the outputs to the first");
        ensure_eq!(
            until_end(&c, &receipts, "printing").await?,
            ["r1"],
            "the outputs to the second"
        );
        Ok(())
    })
    .needs(Capability::Transactions)
}

pub(crate) fn an_empty_step_commits() -> Case {
    Case::new(|c| async move {
        let mut step = Step::open(&c).await?;
        let receipts = c.within("the commit", step.step.commit()).await??;
        ensure_eq!(receipts.len(), 0, "receipts of an empty step");
        ensure_eq!(step.inputs(&c).await?, ["a"], "what is left of the input");
        Ok(())
    })
    .needs(Capability::Transactions)
}

pub(crate) fn an_output_without_a_destination_must_be_aborted() -> Case {
    Case::new(|c| async move {
        let mut step = Step::open(&c).await?;
        step.fill(&["i1"]).await?;
        ensure!(
            step.step.publish(&[plain("nowhere")]).await.is_err(),
            "an output without a destination was taken"
        );
        ensure!(
            step.step.commit().await.is_err(),
            "the step was committed all the same"
        );
        c.within("the abort", step.step.abort()).await??;
        step.fill(&["i2"]).await?;
        c.within("the commit", step.step.commit()).await??;
        ensure_eq!(step.outputs(&c).await?, ["i2"], "the outputs");
        Ok(())
    })
    .needs(Capability::Transactions)
}

pub(crate) fn an_output_that_is_refused_refuses_the_step() -> Case {
    Case::new(|c| async move {
        let most =
            usize::try_from(c.capabilities().max_message.unwrap_or_default()).unwrap_or_default();
        let mut step = Step::open(&c).await?;
        step.fill(&["i1"]).await?;
        let large = Message::new(vec![0; most + 1]).destination(&*step.invoices);
        let added = step.step.publish(&[large]).await;
        let result = if added.is_ok() {
            step.step.commit().await.map(drop)
        } else {
            added
        };
        refused(
            "a step with an output over the limit",
            result,
            &[ErrorKind::TooLarge],
        )?;
        step.step.abort().await?;
        ensure_eq!(
            step.outputs(&c).await?,
            [""; 0],
            "outputs of a refused step"
        );
        ensure_eq!(step.inputs(&c).await?, ["a"], "what is left of the input");
        Ok(())
    })
    .needs(Capability::Transactions)
    .need(Need::MaxMessage)
}

pub(crate) fn a_consumer_that_has_left_is_fenced() -> Case {
    Case::new(|c| async move {
        let mut zombie = Step::open(&c).await?;
        zombie.fill(&["i1"]).await?;
        let Step {
            orders,
            invoices,
            reader,
            mut step,
            ..
        } = zombie;
        reader.close().await?;
        let mut successor = c.reader(&orders, "billing").await?;
        let owned = successor.next().await?;
        refused(
            "the commit of a consumer that has left",
            step.commit().await,
            &[ErrorKind::Lost],
        )?;
        drop(step);
        successor.done(&[owned]).await?;
        ensure_eq!(
            until_end(&c, &invoices, "printing").await?,
            [""; 0],
            "outputs of the fenced step"
        );
        Ok(())
    })
    .needs(Capability::Transactions)
}

pub(crate) fn a_lost_lane_refuses_the_step() -> Case {
    Case::new(|c| async move {
        let mut step = Step::open(&c).await?;
        step.fill(&["i1"]).await?;
        c.order(Fault::LoseLanes, &step.orders).await?;
        refused(
            "the commit after the lane was lost",
            step.step.commit().await,
            &[ErrorKind::Lost],
        )?;
        step.step.abort().await?;
        ensure_eq!(
            step.outputs(&c).await?,
            [""; 0],
            "outputs of the refused step"
        );
        ensure_eq!(step.inputs(&c).await?, ["a"], "what is left of the input");
        Ok(())
    })
    .needs(Capability::Transactions)
    .fault(Fault::LoseLanes)
}

pub(crate) fn an_unconfirmed_commit_is_found_out_by_repeating_it() -> Case {
    Case::new(|c| async move {
        let mut step = Step::open(&c).await?;
        step.fill(&["i1"]).await?;
        c.order(Fault::LoseConfirm, &step.invoices).await?;
        let unsure = step.step.commit().await;
        ensure!(
            unsure
                .as_ref()
                .is_err_and(mq_core::error::Error::is_temporary),
            "not confirmed, but {unsure:?}"
        );
        c.within("the repeated commit", step.step.commit())
            .await??;
        ensure_eq!(step.outputs(&c).await?, ["i1"], "the outputs");
        ensure_eq!(step.inputs(&c).await?, [""; 0], "what is left of the input");
        Ok(())
    })
    .needs(Capability::Transactions)
    .fault(Fault::LoseConfirm)
}
