//! The partition of a key, as Spring Cloud Stream chooses it.

use std::sync::atomic::{AtomicU32, Ordering};

use rdkafka::producer::Partitioner;

/// Messages without a key that go to one partition before the next one takes its turn: whole batches are cheaper than single messages.
const TURN: u32 = 64;

/// The absolute value of Java's `String.hashCode` of the key, modulo the number of partitions
/// (Spring's `DefaultPartitionSelector`); in turn where there is no key, or one that is no text.
#[derive(Debug, Default)]
pub(crate) struct SpringPartitioner {
    keyless: AtomicU32,
}

impl Partitioner for SpringPartitioner {
    fn partition(
        &self,
        _topic: &str,
        key: Option<&[u8]>,
        count: i32,
        _is_available: impl Fn(i32) -> bool,
    ) -> i32 {
        let count = count.max(1);
        match key.and_then(|key| std::str::from_utf8(key).ok()) {
            Some(key) => of_key(key, count),
            None => {
                let turn = self.keyless.fetch_add(1, Ordering::Relaxed) / TURN;
                i32::try_from(turn % count.unsigned_abs()).unwrap_or_default()
            }
        }
    }
}

fn of_key(key: &str, count: i32) -> i32 {
    let hash = key.encode_utf16().fold(0_i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    });
    // Java's absolute value of its smallest number is that number; Spring takes 0 for it.
    hash.checked_abs().unwrap_or(0) % count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_where_a_spring_application_sends_them() {
        let observed = [0, 2, 1, 0, 2, 1, 0];
        for (number, partition) in observed.into_iter().enumerate() {
            assert_eq!(
                of_key(&format!("customer-{number}"), 3),
                partition,
                "{number}"
            );
        }
        assert_eq!(of_key("žluťoučký 🐎", i32::MAX), java("žluťoučký 🐎"));
        // Its hash is the smallest number there is.
        assert_eq!(of_key("polygenelubricants", 7), 0);
    }

    /// The definition, term by term, with numbers that do not overflow.
    fn java(text: &str) -> i32 {
        let hash = text.encode_utf16().fold(0_i64, |hash, unit| {
            (hash * 31 + i64::from(unit)) & 0xFFFF_FFFF
        });
        i32::from_ne_bytes(u32::try_from(hash).expect("32 bits").to_ne_bytes()).abs() % i32::MAX
    }

    #[test]
    fn what_has_no_key_reaches_every_partition() {
        let partitioner = SpringPartitioner::default();
        let mut seen = [0; 3];
        for _ in 0..TURN * 3 {
            let partition = partitioner.partition("t", None, 3, |_| true);
            seen[usize::try_from(partition).expect("not negative")] += 1;
        }
        assert_eq!(seen, [TURN, TURN, TURN]);
    }
}
