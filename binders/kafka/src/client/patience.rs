//! Questions that are asked again while coordinators move or load.

use std::{
    thread::park_timeout,
    time::{Duration, Instant},
};

use rdkafka::{
    error::{KafkaError, KafkaResult},
    types::RDKafkaErrorCode,
};

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks until there is an answer or `patience` is over, as long as what stands in the way passes by itself; blocks.
pub(crate) fn patiently<T>(
    patience: Duration,
    mut ask: impl FnMut() -> KafkaResult<T>,
) -> KafkaResult<T> {
    let begin = Instant::now();
    loop {
        match ask() {
            Err(error) if is_moving(&error) && begin.elapsed() < patience => park_timeout(PAUSE),
            answer => return answer,
        }
    }
}

/// Whether a coordinator is being chosen or is loading.
pub(crate) fn is_moving(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as C;
    matches!(
        error.rdkafka_error_code(),
        Some(
            C::NotCoordinator
                | C::CoordinatorNotAvailable
                | C::CoordinatorLoadInProgress
                | C::WaitingForCoordinator
                | C::LeaderNotAvailable
                | C::NotLeaderForPartition
        )
    )
}
