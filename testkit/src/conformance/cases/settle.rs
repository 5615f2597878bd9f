//! What becomes of deliveries.

use super::prelude::*;

pub(crate) fn a_released_message_comes_again() -> Case {
    Case::new(|c| async move {
        let orders = c.destination("orders").await?;
        c.send(&orders, &["a"]).await?;
        let mut reader = c.reader(&orders, "billing").await?;
        let record = reader.next().await?;
        let release = Action::Release {
            after: Duration::ZERO,
            attempts: 1,
        };
        let settled = reader.settle(&record, release).await?;
        ensure!(
            settled.is_ok(),
            "the release did not take effect: {settled:?}"
        );
        ensure_eq!(reader.texts(1).await?, ["a"], "what came again");
        Ok(())
    })
    .need(Need::PerMessage)
}
