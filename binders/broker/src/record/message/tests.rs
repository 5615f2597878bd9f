use super::*;

fn pass_through(message: &Message) -> Message {
    let mut buffer = vec![7; 3];
    let target = Target {
        destination: 5,
        partition: 2,
        key: 99,
        producer: 4,
        sequence: 8,
        epoch: 3,
    };
    encode(&mut buffer, message, &target);
    assert!(
        buffer.len() - 3 <= size(message),
        "the size is an upper bound"
    );
    let record = Bytes::from(buffer).slice(3..);
    assert!(is_intact(&record));
    let head = PublishHead::read(&record).unwrap();
    assert_eq!(head.len as usize, record.len());
    assert_eq!((head.target.destination, head.target.key), (5, 99));
    assert_eq!((head.target.sequence, head.target.epoch), (8, 3));
    decode(&record).unwrap()
}

#[test]
fn everything_that_a_message_holds_comes_back() {
    let message = Message::new("päyload")
        .key("key")
        .id("an id")
        .content_type("application/xml; charset=utf-8")
        .timestamp(time(1_234_567_890_123_456_789))
        .deliver_at(time(5))
        .expires_at(time(6))
        .priority(9)
        .correlation_id("corr")
        .reply_to("answers")
        .header("b", "1")
        .header("ä", vec![0, 255])
        .header("b", "");
    let back = pass_through(&message);
    assert_eq!(back.as_payload(), message.as_payload());
    assert_eq!(back.as_key(), message.as_key());
    assert_eq!(back.as_id(), message.as_id());
    assert_eq!(back.as_content_type(), message.as_content_type());
    assert_eq!(back.as_timestamp(), message.as_timestamp());
    assert_eq!(back.as_headers(), message.as_headers());
    assert_eq!(back.properties(), message.properties());
}

#[test]
fn tombstones_empty_payloads_and_plain_messages_differ() {
    assert!(pass_through(&Message::tombstone()).as_payload().is_none());
    let empty = pass_through(&Message::new(Bytes::new()));
    assert_eq!(empty.as_payload().map(Bytes::len), Some(0));
    assert!(empty.is_plain());
    let json = pass_through(&Message::new("{}").content_type(ContentType::JSON));
    assert_eq!(json.as_content_type(), Some(&ContentType::JSON));
}

#[test]
fn any_cut_or_changed_record_is_noticed() {
    let mut buffer = Vec::new();
    let message = Message::new("payload").key("key").header("a", "b");
    encode(&mut buffer, &message, &Target::default());
    for bit in 64..buffer.len() * 8 {
        let mut damaged = buffer.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(!is_intact(&damaged), "bit {bit}");
        // Whatever it says, reading it is no panic.
        let _ = decode(&Bytes::from(damaged)).is_ok();
    }
    for len in 0..buffer.len() {
        assert!(!is_intact(&buffer[..len]));
        let _ = decode(&Bytes::copy_from_slice(&buffer[..len])).is_ok();
    }
}
