//! Groups: who gets which message.

use super::prelude::*;

pub(crate) fn every_group_gets_every_message() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let mut billing = c.reader(&orders, "billing").await?;
        let mut shipping = c.reader(&orders, "shipping").await?;
        c.send(&orders, &["a", "b", "c"]).await?;
        ensure_eq!(
            billing.sorted(3).await?,
            ["a", "b", "c"],
            "what the first group got"
        );
        ensure_eq!(
            shipping.sorted(3).await?,
            ["a", "b", "c"],
            "what the second group got"
        );
        Ok(())
    })
}

pub(crate) fn members_of_a_group_share_without_duplicates() -> Case {
    Case::new(|c| async move {
        let orders = c.partitioned_if_possible("orders", 4).await?;
        let mut members = c.members(&orders, "billing", 2).await?;
        let sent: Vec<_> = (0..60).map(|number| format!("{number:02}")).collect();
        let messages: Vec<_> = sent
            .iter()
            .map(|one| Message::new(one.clone()).key(one.clone()))
            .collect();
        c.publish(&orders, &messages).await?;
        ensure_eq!(
            members.texts(60).await?,
            sent,
            "what the members got together"
        );
        Ok(())
    })
}
