//! What arrives is what was sent.

use super::prelude::*;

pub(crate) fn payloads_arrive_byte_for_byte() -> Case {
    Case::new(|c| async move {
        let orders = c.ordered("orders").await?;
        let every_byte: Vec<u8> = (0..=255).collect();
        let payloads = [
            b"text".to_vec(),
            every_byte,
            "Zürich ☂".as_bytes().to_vec(),
            vec![0; 3],
        ];
        let mut reader = c.reader(&orders, "billing").await?;
        for payload in &payloads {
            c.publish(&orders, &[Message::new(payload.clone()).key("k")])
                .await?;
            let record = reader.next().await?;
            ensure_eq!(record.message.as_bytes(), payload.as_slice(), "the payload");
            reader.done(&[record]).await?;
        }
        Ok(())
    })
}
