//! Publishers that number their messages: what each has stored, and who publishes in its name.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::record::Change;

/// A publisher that numbers its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publisher {
    pub(crate) name: Arc<str>,
    /// The highest number that was stored.
    pub(crate) last: u64,
    /// How often it was opened: what those publish who opened it before is not stored any more.
    pub(crate) epoch: u32,
}

/// What becomes of a numbered message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    New,
    /// Its number was stored before.
    Repeated,
    /// Somebody else has opened the publisher since.
    Fenced,
}

/// Every publisher, by its number.
#[derive(Debug, Default)]
pub(crate) struct Publishers {
    pub(super) all: BTreeMap<u64, Publisher>,
    names: HashMap<Arc<str>, u64>,
    /// Numbers and epochs that were given out, and may not be in the journal yet.
    reserved: HashMap<Arc<str>, (u64, u32)>,
}

impl Publishers {
    /// The publisher of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Publisher> {
        self.all.get(self.names.get(name)?)
    }

    /// Every publisher, in the order in which they came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Publisher> {
        self.all.values()
    }

    /// A number and an epoch for somebody who opens the publisher, and the changes that make them count.
    pub(crate) fn open(&mut self, name: &str) -> (u64, u32, Vec<Change>) {
        let known = self.names.get(name).copied();
        let (id, epoch) = match (self.reserved.get(name), known) {
            (Some(reserved), _) => *reserved,
            (None, Some(id)) => (id, self.all.get(&id).map_or(0, |found| found.epoch)),
            (None, None) => (self.next(), 0),
        };
        let epoch = epoch.saturating_add(1);
        self.reserved.insert(name.into(), (id, epoch));
        let name = name.to_owned();
        let new = known.is_none().then_some(Change::Producer { id, name });
        let changes = new.into_iter().chain([Change::Epoch { id, epoch }]);
        (id, epoch, changes.collect())
    }

    /// A number that nobody has.
    fn next(&self) -> u64 {
        let reserved = self.reserved.values().map(|(id, _)| *id);
        let used = self.all.keys().next_back().copied();
        reserved.chain(used).max().unwrap_or(0).saturating_add(1)
    }

    /// There is a publisher of this name from now on.
    ///
    /// In journals of earlier formats, two that were asked for at the same time may have been meant to have the same number.
    pub(super) fn add(&mut self, id: u64, name: &str) {
        if self.names.contains_key(name) {
            return;
        }
        let last = self.all.keys().next_back().copied().unwrap_or(0);
        let id = match self.all.contains_key(&id) {
            true => last.saturating_add(1),
            false => id,
        };
        let name: Arc<str> = name.into();
        self.names.insert(name.clone(), id);
        let publisher = Publisher {
            name,
            last: 0,
            epoch: 0,
        };
        self.all.insert(id, publisher);
    }

    /// Somebody has opened the publisher.
    pub(super) fn fence(&mut self, id: u64, epoch: u32) {
        if let Some(publisher) = self.all.get_mut(&id) {
            publisher.epoch = publisher.epoch.max(epoch);
        }
    }

    /// Whether a message of this number is stored.
    pub(super) fn admit(&mut self, id: u64, epoch: u32, sequence: u64) -> Admission {
        match self.all.get_mut(&id) {
            Some(publisher) if epoch < publisher.epoch => Admission::Fenced,
            Some(publisher) if sequence <= publisher.last => Admission::Repeated,
            Some(publisher) => {
                publisher.last = sequence;
                Admission::New
            }
            None => Admission::New,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies what opening a publisher has said.
    fn apply(publishers: &mut Publishers, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Producer { id, name } => publishers.add(*id, name),
                Change::Epoch { id, epoch } => publishers.fence(*id, *epoch),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn whoever_opens_a_publisher_last_is_the_only_one_that_stores() {
        let mut publishers = Publishers::default();
        let (id, first, changes) = publishers.open("shop");
        apply(&mut publishers, &changes);
        assert_eq!(publishers.admit(id, first, 5), Admission::New);
        let (same, second, changes) = publishers.open("shop");
        assert_eq!((same, second), (id, first + 1));
        // Until the journal has it, the first one goes on.
        assert_eq!(publishers.admit(id, first, 6), Admission::New);
        apply(&mut publishers, &changes);
        assert_eq!(publishers.admit(id, first, 7), Admission::Fenced);
        assert_eq!(publishers.admit(id, first, 6), Admission::Fenced);
        assert_eq!(publishers.admit(id, second, 6), Admission::Repeated);
        assert_eq!(publishers.admit(id, second, 7), Admission::New);
        assert_eq!(publishers.get("shop").map(|found| found.last), Some(7));
    }

    #[test]
    fn those_who_open_at_the_same_time_have_one_number_and_one_of_them_stores() {
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut publishers = Publishers::default();
            let opened = ["shop", "shop", "till"].map(|name| publishers.open(name));
            for index in order {
                apply(&mut publishers, &opened[index].2);
            }
            let admitted = opened
                .each_ref()
                .map(|(id, epoch, _)| publishers.admit(*id, *epoch, 1));
            assert_eq!(
                admitted,
                [Admission::Fenced, Admission::New, Admission::New]
            );
            assert_eq!((opened[0].0, publishers.iter().count()), (opened[1].0, 2));
        }
    }

    #[test]
    fn two_of_an_old_journal_that_were_meant_to_have_one_number_have_two() {
        let mut publishers = Publishers::default();
        publishers.add(1, "a");
        publishers.add(1, "b");
        assert_eq!(publishers.all.keys().copied().collect::<Vec<_>>(), [1, 2]);
        // They were opened without an epoch.
        assert_eq!(publishers.admit(2, 0, 1), Admission::New);
    }
}
