//! What a binder does not declare it refuses, rather than doing something else.

use super::prelude::*;

pub(crate) fn filter() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        let mut spec = c.spec(&orders, "billing");
        spec.filter = Some("headers['type'] == 'refund'".to_owned());
        unsupported(
            "a subscription with a filter",
            c.binder().consumer(&spec).await,
        )
    })
    .lacks(Capability::Filter)
}
