//! Messages that cannot be decoded, spread evenly over a run.

/// Decides when the next ones are due.
#[derive(Debug)]
pub(crate) struct Poison {
    count: u64,
    of: u64,
    sent: u64,
}

impl Poison {
    /// `count` messages over an input of size `of`, in whatever unit the input counts.
    pub(crate) fn new(count: u64, of: u64) -> Self {
        Self { count, of, sent: 0 }
    }

    /// The next message, if one is due when `done` of the input has been read. Ask until it is `None`.
    pub(crate) fn due(&mut self, done: u64) -> Option<Vec<u8>> {
        let share =
            u128::from(self.count) * u128::from(done.min(self.of)) / u128::from(self.of.max(1));
        (u128::from(self.sent) < share).then(|| self.next_message())
    }

    /// The next message, if not all of them have been sent. Ask at the end of the input, until it is `None`.
    pub(crate) fn rest(&mut self) -> Option<Vec<u8>> {
        (self.sent < self.count).then(|| self.next_message())
    }

    fn next_message(&mut self) -> Vec<u8> {
        let number = self.sent;
        self.sent += 1;
        match number % 4 {
            0 => format!(r#"{{"invoice":"poison-{number}","lines":["#).into(),
            1 => format!("poison-{number},not,json").into(),
            2 => [&b"\xFF\xFE poison "[..], &number.to_le_bytes()].concat(),
            _ => format!(r#"{{"invoice":{number},"lines":"none"}}"#).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Order;

    #[test]
    fn nothing_of_it_decodes() {
        let mut poison = Poison::new(100, 1);
        let messages: Vec<_> = std::iter::from_fn(|| poison.rest()).collect();
        assert_eq!(messages.len(), 100);
        assert!(
            messages
                .iter()
                .all(|message| serde_json::from_slice::<Order>(message).is_err())
        );
    }

    #[test]
    fn it_is_spread_evenly() {
        let mut poison = Poison::new(10, 1000);
        let mut sent_at = Vec::new();
        for done in 1..=1000 {
            while poison.due(done).is_some() {
                sent_at.push(done);
            }
        }
        assert_eq!(sent_at, [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]);
        assert!(poison.rest().is_none());
    }

    #[test]
    fn all_of_it_is_sent_where_there_is_more_poison_than_input() {
        for (count, of) in [(50, 3), (5, 0), (0, 0), (u64::MAX, u64::MAX)] {
            let mut poison = Poison::new(count, of);
            let during = (0..=of.min(3))
                .map(|done| std::iter::from_fn(|| poison.due(done)).count() as u64)
                .sum::<u64>();
            let after = std::iter::from_fn(|| poison.rest()).take(100).count() as u64;
            assert_eq!(
                during + after,
                if count == u64::MAX { 103 } else { count },
                "{count} over {of}"
            );
        }
    }
}
