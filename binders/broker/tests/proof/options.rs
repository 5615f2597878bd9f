//! Destinations that get other options.

use mq_broker::Full as RealFull;

use crate::{
    model::{Destination, Full, Lane, Partition},
    sharing::Reader,
    world::World,
};

impl Full {
    pub(crate) fn real(self) -> RealFull {
        match self {
            Self::Reject => RealFull::Reject,
            Self::DropOldest => RealFull::DropOldest,
        }
    }
}

impl Destination {
    fn has_open_keys(&self) -> bool {
        let mut places = self.places().into_iter();
        places.any(|at| {
            let kept = self.kept(at).expect("a place");
            kept.message.key.is_some() && !self.is_done(at)
        })
    }

    /// Adds partitions, and shares them.
    fn grow(&mut self, more: u32, first: u64) {
        for _ in 0..more {
            self.partitions.push(Partition {
                next: first,
                ..Partition::default()
            });
            for group in self.groups.values_mut() {
                group.lanes.push(Lane {
                    from: first,
                    reader: Reader::at(first),
                    ..Lane::default()
                });
            }
        }
        let groups: Vec<String> = self.groups.keys().cloned().collect();
        groups.iter().for_each(|group| self.share(group));
    }
}

impl World {
    pub(crate) async fn change_options(&mut self, name: &str, more: u32, limit: u64, full: Full) {
        let Some(known) = self.model.destinations.get(name) else {
            return;
        };
        let more = if known.partitions.len() < 4 { more } else { 0 };
        let grows = more > 0;
        let may_grow = !known.has_open_keys();
        let mut options = self.broker().destination(name).expect("there");
        options.partitions += more;
        options.max_messages = limit;
        options.full = full.real();
        let is_same = self
            .broker()
            .differences(name, &options)
            .expect("there")
            .is_empty();
        let said = self.broker().change(name, &options).await;
        if grows && !may_grow {
            let error = said.expect_err("keys would lose their order");
            assert!(error.is_temporary() || self.disk.is_crashed(), "{error:?}");
            return;
        }
        let mut after = self.model.clone();
        let first = u64::from(self.broker().boots()) << 40;
        let destination = after.destinations.get_mut(name).expect("there");
        let is_memory = destination.durability == mq_broker::Durability::Memory;
        (destination.limit, destination.full) = (limit, full);
        destination.drop_oldest();
        destination.grow(more, if is_memory { first } else { 0 });
        if self.end(said, after, !is_same).is_some() && !is_same {
            let rest = self.broker().differences(name, &options).expect("there");
            assert!(rest.is_empty(), "{rest:?}");
        }
    }
}
