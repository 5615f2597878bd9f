//! The rules of the contract, by name.

use std::{collections::BTreeSet, fmt};

/// Makes the enum and its tables from one line a rule: the name, the sentence, and what must hold before it can be judged.
macro_rules! rules {
    ($($(#[doc = $text:literal])+ $rule:ident = $name:literal after [$($before:ident)*];)*) => {
        /// A rule of the contract. Each [`Case`](super::Case) shows one.
        ///
        /// The text of a rule is what its cases show; [`Rule::after`] names the rules without which they show nothing.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[doc = $text])+ $rule,)*
        }

        impl Rule {
            /// Every rule, those first that others rest on.
            pub const ALL: &'static [Self] = &[$(Self::$rule,)*];

            /// The short name, as reports show it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$rule => $name,)*
                }
            }

            /// The rule as a sentence.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$rule => concat!($($text),+).trim_ascii(),)*
                }
            }

            /// What must hold before a failure says anything about this rule; see also [`Rule::rests_on`].
            #[must_use]
            pub fn after(self) -> &'static [Self] {
                match self {
                    $(Self::$rule => &[$(Self::$before,)*],)*
                }
            }
        }
    };
}

rules! {
    /// The first event of a consumer is an assignment, which names every lane that it reads.
    Assignment = "assignment" after [];
    /// A destination has the partitions that it was made with, and a lonely consumer reads them all.
    Lanes = "lanes" after [Assignment];
    /// A group keeps what is published while nobody reads.
    Kept = "kept" after [Lanes];
    /// What is published arrives, once.
    Arrival = "arrival" after [Kept];
    /// Messages are stored and delivered in the order in which they were published.
    Order = "order" after [Arrival];
    /// No more is handed over than was asked for, and what the buffer held stays.
    Handover = "handover" after [Order];
    /// A payload arrives byte for byte, or not at all.
    Payload = "payload" after [Handover];
    /// A key arrives byte for byte, and none comes into being.
    Key = "key" after [Handover];
    /// Headers arrive with their bytes, order and repetitions, and none comes into being.
    Headers = "headers" after [Handover];
    /// Id, time, content type, correlation, reply address and trace arrive.
    Properties = "properties" after [Headers];
    /// Nothing is reported as sent that the broker has not confirmed.
    Confirmed = "confirmed" after [Handover];
    /// `publish` returns one result a message, and each belongs to its message.
    Results = "results" after [Confirmed Key];
    /// A message goes where it, or its producer, says.
    Destination = "destination" after [Handover];
    /// A receipt says where its message is.
    Receipt = "receipt" after [Results];
    /// A message over the declared size is refused by itself; one of that size is not.
    MaxMessage = "max-message" after [Results Payload Headers];
    /// Behind a message that failed for a while, later ones of its key in the same call fail too.
    KeyFailsTogether = "key-fails-together" after [Results Settled];
    /// A key always goes to one partition, one that is named is kept, and each keeps its order.
    Partition = "partition" after [Results];
    /// A position is committed as it was said, neither before nor behind.
    Commit = "commit" after [Handover];
    /// What is not settled comes again: when a consumer leaves, crashes, or its instance is closed.
    Unsettled = "unsettled" after [Commit];
    /// What is settled does not come again.
    Settled = "settled" after [Unsettled];
    /// A closed instance, and what was opened through it, does nothing any more, and gives back what it had; others are not touched.
    Closed = "closed" after [Progress Woken];
    /// What cannot be settled is named, and the rest of the call takes effect.
    SettleResults = "settle-results" after [Settled];
    /// A delivery is settled once: what is done with cannot be released or extended.
    SettledOnce = "settled-once" after [SettleResults];
    /// Only who has the delivery can settle it.
    Fence = "fence" after [SettleResults];
    /// A group goes on where it was.
    Progress = "progress" after [Settled];
    /// Every delivery of a message is the same message.
    Unchanged = "unchanged" after [Payload Key Headers Properties Copies];
    /// A message has an id that redelivery keeps.
    StableIds = "stable-ids" after [Unsettled Properties];
    /// Every group gets every message, whatever others do.
    Copies = "copies" after [Settled Payload];
    /// Of a group one member gets a message.
    Shared = "shared" after [Settled];
    /// A new group begins where it was told to, and one that was made beforehand misses nothing.
    Start = "start" after [Progress Copies Provision];
    /// A reader without a group gets its own copy of what is new, and leaves nothing behind.
    Anonymous = "anonymous" after [Start];
    /// One consumer reads all its destinations, and says which a message is from.
    Destinations = "destinations" after [Settled];
    /// Dropping `receive` loses nothing.
    CancelSafe = "cancel-safe" after [Handover];
    /// A waiting `receive` is woken by what it waits for.
    Woken = "woken" after [Handover];
    /// Settling goes on while the other half receives.
    Halves = "halves" after [Settled Woken];
    /// No more messages are unsettled than the window allows; settling makes room.
    Window = "window" after [Halves];
    /// Who does not receive for a while keeps its place, and what it has.
    Alive = "alive" after [Settled];
    /// A paused lane is silent, and keeps its place.
    Pause = "pause" after [Settled Woken CancelSafe Partition];
    /// Lanes move between members without loss, and what was lost is said.
    Members = "members" after [Shared Fence CancelSafe Window];
    /// No two assignments of a consumer have number and epoch in common.
    Epochs = "epochs" after [Members Destinations];
    /// A released message comes again.
    Release = "release" after [SettleResults];
    /// Failed attempts are recorded with the message.
    Attempts = "attempts" after [Release Progress];
    /// A held message stays with its consumer, and its time is recorded.
    Hold = "hold" after [Attempts];
    /// Deliveries are counted.
    DeliveryCount = "delivery-count" after [Release];
    /// The deadline of a delivery can be extended, as long as it is not done with.
    Extend = "extend" after [SettledOnce];
    /// What is saved beside a position comes back with it.
    Notes = "notes" after [Commit];
    /// Positions are committed where they are, messages settled where they are, and not the other way round.
    SettleStyle = "settle-style" after [SettleResults];
    /// A message is not delivered before its time, and then it is.
    DelayedDelivery = "delayed-delivery" after [Settled Woken];
    /// A delayed release is not early, and comes.
    DelayedRedelivery = "delayed-redelivery" after [Release Woken Progress];
    /// A key keeps its order through release, delay and change of consumer.
    KeyOrder = "key-order" after [Key Partition Members Release Progress DelayedRedelivery];
    /// The end of a message arrives with it.
    Expiry = "expiry" after [Handover];
    /// A higher priority comes first; priorities arrive.
    Priority = "priority" after [Results Settled];
    /// Lag counts what a group has not settled.
    Lag = "lag" after [Copies DelayedRedelivery];
    /// A filter lets through what matches, and settles the rest.
    Filter = "filter" after [Headers Lag];
    /// A dead letter is moved with all that it has.
    DeadLetter = "dead-letter" after [Payload Properties Key SettleResults Copies];
    /// Nothing of a step is seen before its commit.
    Isolation = "isolation" after [Destination Unsettled Woken];
    /// A step takes effect as a whole, or not at all.
    Atomic = "atomic" after [Isolation Settled MaxMessage];
    /// An aborted or dropped step leaves nothing.
    Abort = "abort" after [Atomic];
    /// Who has lost its lanes cannot commit.
    StepFence = "step-fence" after [Atomic Fence Members];
    /// A commit that was not confirmed is found out by repeating it.
    StepConfirmed = "step-confirmed" after [Atomic];
    /// Destinations and groups are listed as they are.
    Listing = "listing" after [Shared Copies];
    /// Browsing shows everything once and consumes nothing.
    Browse = "browse" after [Payload Headers];
    /// What is purged or deleted is gone.
    Removal = "removal" after [Listing];
    /// What is not there is reported as not found.
    NotFound = "not-found" after [];
    /// A group or lane is moved, or begins, at the time or position that it was told, and no other is.
    Seek = "seek" after [Start];
    /// What is missing is made, once; what is there stays, and differences are said.
    Provision = "provision" after [Arrival];
    /// Verifying makes nothing and names everything.
    Verify = "verify" after [Provision];
    /// A cut is reported, and passes: the same instance works again.
    Reconnect = "reconnect" after [Confirmed Settled];
    /// Health tells the truth.
    Health = "health" after [Closed Reconnect];
    /// What was stored and settled survives the broker's restart.
    Durable = "durable" after [Settled DelayedDelivery];
    /// What is not declared is refused.
    Refusal = "refusal" after [Results SettleResults];
    /// What is declared is there, and the same for every instance.
    Declared = "declared" after [];
    /// The source of a dead letter that could not be published stays unsettled.
    LastResort = "last-resort" after [Confirmed Unsettled Woken];
    /// The framework keeps its promises over this binder.
    ///
    /// Its cases show what no case of the contract has shown.
    Framework = "framework" after [
        Assignment Lanes Kept Arrival Order Handover Payload Key Headers Properties Confirmed Results Destination Receipt MaxMessage
        KeyFailsTogether Partition Commit Unsettled Settled Closed SettleResults SettledOnce Fence Progress Unchanged StableIds
        Copies Shared Start Anonymous Destinations CancelSafe Woken Halves Window Alive Pause Members Epochs Release Attempts Hold DeliveryCount
        Extend Notes SettleStyle DelayedDelivery DelayedRedelivery KeyOrder Expiry Priority Lag Filter DeadLetter Isolation Atomic
        Abort StepFence StepConfirmed Seek Provision Verify Reconnect Health Refusal Declared LastResort
    ];
}

impl Rule {
    /// Whether this rule can only be judged where `other` is kept, directly or by way of others.
    #[must_use]
    pub fn rests_on(self, other: Self) -> bool {
        let (mut open, mut seen) = (self.after().to_vec(), BTreeSet::new());
        while let Some(before) = open.pop() {
            if before == other {
                return true;
            }
            if seen.insert(before) {
                open.extend(before.after());
            }
        }
        false
    }

    /// The rule of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.name() == name)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails where a rule would be judged after itself, instead of looking for the end of that.
    fn climb(rule: Rule, path: &mut Vec<Rule>, done: &mut BTreeSet<Rule>) {
        assert!(!path.contains(&rule), "{rule} rests on itself: {path:?}");
        if done.contains(&rule) {
            return;
        }
        path.push(rule);
        for before in rule.after() {
            climb(*before, path, done);
        }
        path.pop();
        done.insert(rule);
    }

    #[test]
    fn no_rule_rests_on_itself() {
        let mut done = BTreeSet::new();
        for rule in Rule::ALL {
            climb(*rule, &mut Vec::new(), &mut done);
        }
    }

    #[test]
    fn every_rule_has_a_name_of_its_own() {
        for rule in Rule::ALL {
            assert_eq!(Rule::from_name(rule.name()), Some(*rule));
        }
    }
}
