//! What is looked at in a request: its kind and number, the topics that it names, a batch, a transaction.
//!
//! Requests are searched more than read, so that versions of the protocol that put other things between do no harm.

/// The kinds of requests that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    Produce,
    OffsetCommit,
    AddPartitionsToTxn,
    EndTxn,
}

/// A name as requests hold it: behind its length, in one of two forms. A name with one more letter behind it may pass for it; no case has such.
#[derive(Clone, Debug)]
pub(super) struct Named([Vec<u8>; 2]);

impl Named {
    pub(super) fn new(name: &str) -> Self {
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        let mut plain = length.to_be_bytes().to_vec();
        plain.extend(name.as_bytes());
        let mut compact = varint(u32::from(length) + 1);
        compact.extend(name.as_bytes());
        Self([plain, compact])
    }
}

fn varint(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// What tells a batch from others: producer, epoch and first number. A repetition has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    identity: [u8; 14],
    pub(super) is_transactional: bool,
}

/// Bytes of a batch before its records (message format 2).
const HEAD: usize = 61;
/// The magic byte in it, and the number of the format.
const MAGIC: (usize, u8) = (16, 2);
const ATTRIBUTES: usize = 22;
const TRANSACTIONAL: u8 = 0x10;
const IDENTITY: std::ops::Range<usize> = 43..57;
/// So far behind the name of a topic its first batch begins at most.
const NEAR: usize = 32;

/// Names are looked for in so many bytes of a request: what is behind them is payload.
const FRONT: usize = 64 << 10;

/// A frame with its length before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a>(pub(super) &'a [u8]);

impl<'a> Request<'a> {
    pub(super) fn api(self) -> Option<Api> {
        match self.0.get(4..6)? {
            [0, 0] => Some(Api::Produce),
            [0, 8] => Some(Api::OffsetCommit),
            [0, 24] => Some(Api::AddPartitionsToTxn),
            [0, 26] => Some(Api::EndTxn),
            _ => None,
        }
    }

    /// The number that the answer repeats.
    pub(super) fn number(self) -> Option<[u8; 4]> {
        self.0.get(8..12)?.try_into().ok()
    }

    /// What follows the name.
    fn behind(self, name: &Named) -> Option<&'a [u8]> {
        let (mut forms, front) = (name.0.iter(), &self.0[..self.0.len().min(FRONT)]);
        forms.find_map(|form| {
            let mut places = front.windows(form.len());
            let place = places.position(|bytes| bytes == form)?;
            self.0.get(place + form.len()..)
        })
    }

    pub(super) fn names(self, name: &Named) -> bool {
        self.behind(name).is_some()
    }

    /// The first batch for a topic.
    pub(super) fn batch(self, topic: &Named) -> Option<Batch> {
        let rest = self.behind(topic)?;
        let heads = rest.windows(HEAD).take(NEAR);
        let is_head =
            |head: &&[u8]| head[..8] == [0; 8] && head[8..12] != [0; 4] && head[MAGIC.0] == MAGIC.1;
        let head = heads.into_iter().find(is_head)?;
        Some(Batch {
            identity: head[IDENTITY].try_into().ok()?,
            is_transactional: head[ATTRIBUTES] & TRANSACTIONAL != 0,
        })
    }

    /// What follows the head of a request whose versions are not flexible.
    fn body(self) -> Option<&'a [u8]> {
        let (_, body) = text(self.0.get(12..)?)?;
        Some(body)
    }

    /// The id of the transaction that the request is about.
    pub(super) fn transaction(self) -> Option<&'a [u8]> {
        text(self.body()?).map(|(id, _)| id)
    }

    /// Whether the end of a transaction is a commit.
    pub(super) fn commits(self) -> bool {
        // Behind the id come the producer and its epoch.
        let rest = self.body().and_then(text).map(|(_, rest)| rest);
        rest.and_then(|rest| rest.get(10)) == Some(&1)
    }
}

/// A text behind its length, and what follows.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = i16::from_be_bytes(bytes.get(..2)?.try_into().ok()?);
    bytes[2..].split_at_checked(usize::try_from(length).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(api: u16, body: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 4];
        frame.extend(api.to_be_bytes());
        frame.extend([0, 1, 0, 0, 0, 7, 0, 1, b'c']);
        frame.extend(body);
        frame
    }

    fn batch(attributes: u8, producer: u8) -> Vec<u8> {
        let mut bytes = vec![0; HEAD];
        bytes[11] = 50;
        bytes[MAGIC.0] = MAGIC.1;
        bytes[ATTRIBUTES] = attributes;
        bytes[IDENTITY.start + 7] = producer;
        bytes
    }

    #[test]
    fn a_batch_is_found_behind_the_name_of_its_topic() {
        let plain = [
            &[0, 6][..],
            b"orders",
            &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 61],
            &batch(0, 9),
        ];
        let compact = [&[7][..], b"orders", &[2, 0, 0, 0, 0, 62], &batch(0x10, 9)];
        let (plain, compact) = (request(0, &plain.concat()), request(0, &compact.concat()));
        let orders = Named::new("orders");
        let found = [&plain, &compact].map(|frame| Request(frame).batch(&orders).unwrap());
        assert_eq!(found[0].identity, found[1].identity);
        assert_eq!(found.map(|one| one.is_transactional), [false, true]);
        assert_eq!(Request(&plain).api(), Some(Api::Produce));
        assert_eq!(Request(&plain).number(), Some([0, 0, 0, 7]));
        assert!(!Request(&plain).names(&Named::new("orde")));
        assert!(!Request(&plain).names(&Named::new("rders")));
    }

    #[test]
    fn the_end_of_a_transaction_says_which_and_how() {
        let end = |commits: u8| {
            let body = [&[0, 2][..], b"id", &[0; 10], &[commits]].concat();
            request(26, &body)
        };
        assert_eq!(Request(&end(1)).transaction(), Some(&b"id"[..]));
        assert!(Request(&end(1)).commits());
        assert!(!Request(&end(0)).commits());
        assert_eq!(Request(&[0, 0, 0, 0, 0, 26]).transaction(), None);
    }
}
