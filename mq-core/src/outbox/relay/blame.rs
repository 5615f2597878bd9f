//! Whose fault a failed publication is.

use crate::{
    error::{Error, ErrorKind, ErrorStatus},
    message::Message,
};

/// Whose fault a failed publication is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// The broker or the destination of all: the output waits, and no attempt is counted against a row.
    Output,
    /// This row, but it may work later: its key waits.
    RowForNow,
    /// This row, for good: its key waits, and is parked after some attempts.
    Row,
}

impl Blame {
    pub(super) fn of(error: &Error, message: &Message) -> Self {
        let own_destination = message.properties().destination.is_some();
        match (error.status(), error.kind()) {
            (ErrorStatus::Fatal, _) | (_, ErrorKind::Unavailable | ErrorKind::Closed) => {
                Self::Output
            }
            (ErrorStatus::Temporary, _) => Self::RowForNow,
            (_, ErrorKind::NotFound | ErrorKind::Unauthorized | ErrorKind::Config)
                if !own_destination =>
            {
                Self::Output
            }
            (ErrorStatus::Permanent, _) => Self::Row,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_is_away_is_no_fault_of_a_row() {
        let check = |error: Error, expected| {
            assert_eq!(Blame::of(&error, &Message::new("x")), expected, "{error:?}");
        };
        let error = |kind| Error::new(kind, "no");
        check(error(ErrorKind::Unavailable).temporary(), Blame::Output);
        check(error(ErrorKind::Closed), Blame::Output);
        check(error(ErrorKind::Lost).fatal(), Blame::Output);
        check(error(ErrorKind::NotFound), Blame::Output);
        check(error(ErrorKind::Full).temporary(), Blame::RowForNow);
        check(error(ErrorKind::TooLarge), Blame::Row);
        check(error(ErrorKind::Rejected), Blame::Row);
    }

    #[test]
    fn a_row_that_names_an_unknown_destination_is_to_blame() {
        let message = Message::new("x").destination("nowhere");
        let error = Error::new(ErrorKind::NotFound, "no such topic");
        assert_eq!(Blame::of(&error, &message), Blame::Row);
    }
}
