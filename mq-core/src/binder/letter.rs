//! What a dead letter says of its origin, where a broker moves it by itself.

use crate::message::{IdSeed, Message, MessageId, names};

/// Where a message was read.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The destination.
    pub destination: &'a str,
    /// The partition.
    pub partition: u32,
    /// The position there.
    pub position: u64,
    /// The group; `None` is anonymous.
    pub group: Option<&'a str>,
}

/// Where the dead letters of a group go, unless its consumer says otherwise.
#[must_use]
pub fn dead_letters(destination: &str, group: Option<&str>) -> String {
    match group {
        Some(group) => format!("{destination}.{group}.dlq"),
        None => format!("{destination}.dlq"),
    }
}

/// At most this much of a reason is kept, in bytes.
const REASON: usize = 1_024;

/// The message as it was, and why it was given up; the first origin of a letter that dies again stays.
#[must_use]
pub fn dead_letter(message: &Message, origin: &Origin<'_>, reason: &str, attempts: u32) -> Message {
    let id = message
        .as_id()
        .cloned()
        .unwrap_or_else(|| derived_id(origin));
    let mut letter = message.clone().id(id);
    let properties = letter.properties_mut();
    properties.destination = None;
    properties.partition = None;
    properties.deliver_at = None;
    properties.expires_at = None;
    let headers = letter.headers_mut();
    if headers.get(names::ORIGINAL_DESTINATION).is_none() {
        headers.append(names::ORIGINAL_DESTINATION, origin.destination);
        headers.append(names::ORIGINAL_PARTITION, u64::from(origin.partition));
        headers.append(names::ORIGINAL_POSITION, origin.position);
    }
    if let Some(group) = origin.group {
        headers.set(names::ORIGINAL_GROUP, group);
    }
    headers.set(names::ATTEMPT, u64::from(attempts));
    headers.set(names::ERROR_REASON, cut(reason));
    letter
}

/// The id by which the framework knows a message that has none.
fn derived_id(origin: &Origin<'_>) -> MessageId {
    IdSeed::new(&[origin.destination]).position(origin.partition, origin.position)
}

fn cut(reason: &str) -> &str {
    let ends = reason
        .char_indices()
        .map(|(at, character)| at + character.len_utf8());
    &reason[..ends.take_while(|end| *end <= REASON).last().unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: Origin<'_> = Origin {
        destination: "orders",
        partition: 3,
        position: 17,
        group: Some("billing"),
    };

    #[test]
    fn a_letter_is_the_message_and_says_where_it_died() {
        let message = Message::new("x").key("k").header("mine", "1").partition(3);
        let letter = dead_letter(&message, &ORIGIN, "rejected", 2);
        assert_eq!(
            (letter.as_bytes(), letter.as_key().map(|key| &key[..])),
            (&b"x"[..], Some(&b"k"[..]))
        );
        let expected = [
            ("mine", "1"),
            (names::ORIGINAL_DESTINATION, "orders"),
            (names::ORIGINAL_PARTITION, "3"),
            (names::ORIGINAL_POSITION, "17"),
            (names::ORIGINAL_GROUP, "billing"),
            (names::ATTEMPT, "2"),
            (names::ERROR_REASON, "rejected"),
        ];
        for (name, value) in expected {
            assert_eq!(letter.as_headers().text(name), Some(value), "{name}");
        }
        assert_eq!(letter.properties().partition, None);
        assert_eq!(letter.as_id(), Some(&derived_id(&ORIGIN)));
    }

    #[test]
    fn a_letter_that_dies_again_keeps_its_first_origin() {
        let first = dead_letter(&Message::new("x"), &ORIGIN, "rejected", 2);
        let again = Origin {
            destination: "orders.billing.dlq",
            group: Some("mending"),
            ..ORIGIN
        };
        let second = dead_letter(&first, &again, "rejected", 1);
        assert_eq!(
            second.as_headers().text(names::ORIGINAL_DESTINATION),
            Some("orders")
        );
        assert_eq!(
            second
                .as_headers()
                .get_all(names::ORIGINAL_POSITION)
                .count(),
            1
        );
        assert_eq!(
            second.as_headers().text(names::ORIGINAL_GROUP),
            Some("mending")
        );
        assert_eq!(second.as_id(), first.as_id());
    }

    #[test]
    fn long_reasons_are_cut_between_characters() {
        let letter = dead_letter(&Message::new("x"), &ORIGIN, &"ü".repeat(2_000), 1);
        assert_eq!(
            letter.as_headers().text(names::ERROR_REASON).map(str::len),
            Some(REASON)
        );
        assert_eq!(dead_letters("orders", None), "orders.dlq");
    }
}
