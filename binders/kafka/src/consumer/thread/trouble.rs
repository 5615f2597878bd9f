//! What an error of the client means for the subscription.

use mq_core::error::Error;
use rdkafka::{error::KafkaError, types::RDKafkaErrorCode};

use super::super::commits::is_in_motion;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No trouble.
    None,
    /// It passes by itself, for this reason.
    Passing(&'static str),
    /// The subscription is over.
    End,
}

impl Trouble {
    /// The meaning of an error; `found` is the same error as the framework knows it.
    pub(super) fn of(error: &KafkaError, found: &Error) -> Self {
        use RDKafkaErrorCode as C;
        let code = error.rdkafka_error_code();
        if matches!(error, KafkaError::PartitionEOF(_)) || code == Some(C::AllBrokersDown) {
            return Self::None;
        }
        if is_in_motion(error) {
            // The client joins again by itself; if partitions are lost by it, it says so in its callback.
            return Self::Passing("the group is in motion");
        }
        let ends = matches!(error, KafkaError::MessageConsumptionFatal(_))
            || matches!(
                code,
                Some(C::PollExceeded | C::AutoOffsetReset | C::OffsetOutOfRange)
            )
            || !found.is_temporary();
        if ends {
            Self::End
        } else {
            Self::Passing("reading goes on after an error")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error;

    fn trouble(code: RDKafkaErrorCode) -> Trouble {
        let error = KafkaError::MessageConsumption(code);
        Trouble::of(&error, &error::classify("reading", &error))
    }

    #[test]
    fn a_group_in_motion_does_not_end_a_subscription() {
        use RDKafkaErrorCode as C;
        for code in [
            C::RebalanceInProgress,
            C::IllegalGeneration,
            C::UnknownMemberId,
            C::StaleMemberEpoch,
            C::NotCoordinator,
            C::CoordinatorLoadInProgress,
            C::CoordinatorNotAvailable,
        ] {
            let passes = Trouble::Passing("the group is in motion");
            assert_eq!(trouble(code), passes, "{code}");
        }
    }

    #[test]
    fn what_does_not_pass_ends_a_subscription() {
        use RDKafkaErrorCode as C;
        for code in [
            C::PollExceeded,
            C::AutoOffsetReset,
            C::OffsetOutOfRange,
            C::TopicAuthorizationFailed,
            C::GroupAuthorizationFailed,
        ] {
            assert_eq!(trouble(code), Trouble::End, "{code}");
        }
        let fatal = KafkaError::MessageConsumptionFatal(C::RequestTimedOut);
        let found = error::classify("reading", &fatal);
        assert_eq!(Trouble::of(&fatal, &found), Trouble::End);
    }

    #[test]
    fn what_is_not_wrong_is_no_trouble() {
        assert_eq!(trouble(RDKafkaErrorCode::AllBrokersDown), Trouble::None);
        let end = KafkaError::PartitionEOF(0);
        let found = error::classify("reading", &end);
        assert_eq!(Trouble::of(&end, &found), Trouble::None);
    }
}
