//! What the members of a group have subscribed to, as they told the coordinator.

use rdkafka::groups::GroupInfo as Listed;

/// Whether it cannot be asked for the group's members: librdkafka knows the request for classic groups alone (`DescribeGroups`), and
/// brokers answer it for a group of KIP-848 as if there were no such group, although they have listed it.
pub(super) fn is_hidden(group: &Listed) -> bool {
    group.state() == "Dead"
}

/// Whether members of the group have subscribed to a topic; `None` if there are none, or they do not say so in a known form.
pub(super) fn subscribed(group: &Listed, topic: &str) -> Option<bool> {
    let mut is_known = false;
    for member in group.members() {
        let topics = topics(member.metadata()?)?;
        if topics.contains(&topic.as_bytes()) {
            return Some(true);
        }
        is_known = true;
    }
    is_known.then_some(false)
}

/// The topics of a subscription (`ConsumerProtocolSubscription`, any version: the version, then the topics).
fn topics(metadata: &[u8]) -> Option<Vec<&[u8]>> {
    let rest = &mut &metadata[2.min(metadata.len())..];
    let count = i32::from_be_bytes(*take::<4>(rest)?);
    let mut topics = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(i16::from_be_bytes(*take::<2>(rest)?)).ok()?;
        let (topic, behind) = rest.split_at_checked(length)?;
        *rest = behind;
        topics.push(topic);
    }
    Some(topics)
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::topics;

    #[test]
    fn topics_are_read_and_damage_is_not() {
        let bytes = b"\x00\x03\x00\x00\x00\x02\x00\x01a\x00\x03bcd\xFF\xFF\xFF\xFF";
        assert_eq!(topics(bytes), Some(vec![&b"a"[..], b"bcd"]));
        for end in 0..14 {
            assert_eq!(topics(&bytes[..end]), None, "{end}");
        }
        assert_eq!(topics(b"\x00\x00\x00\x00\x00\x01\xFF\xFF"), None);
    }
}
