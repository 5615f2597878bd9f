//! The strict decoder: from a tree to a type, with everything that is wrong with it at once.
//!
//! serde stops at the first mistake, so a node that fails is noted and taken out of the tree, and the rest is
//! decoded again until nothing fails any more. Unknown keys are noted on the way and skipped.

mod access;
mod deserializer;
mod error;
mod findings;
mod form;

use super::{Node, Problems};
use deserializer::NodeDeserializer;
use findings::Findings;
use serde::de::DeserializeOwned;

/// Decodes `node`. The value is what the good part of it says, if that is enough for one.
pub(super) fn decode<T: DeserializeOwned>(node: &Node) -> (Option<T>, Problems) {
    let mut tree = node.clone();
    let findings = Findings::default();
    loop {
        match T::deserialize(NodeDeserializer::new(&tree, &findings)) {
            Ok(value) => return (Some(value), findings.into_problems()),
            Err(error) => {
                let failed = findings.note(&tree, error);
                if !tree.remove(&failed) {
                    return (None, findings.into_problems());
                }
            }
        }
    }
}
