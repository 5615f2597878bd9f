//! The suite itself.

use crate::conformance::Suite;

use super::prelude::*;

/// What is declared and cannot be shown here is not to be believed.
pub(crate) fn every_declared_capability_is_exercised() -> Case {
    Case::new(|c| async move {
        let suite = Suite::new();
        let runs = |case: &&Case| case.missing(c.subject(), c.capabilities()).is_none();
        let running: Vec<_> = suite.cases().iter().filter(runs).collect();
        let idle = |one: &Capability| !running.iter().any(|case| case.exercises(*one));
        let idle: Vec<_> = c.capabilities().iter().filter(idle).collect();
        ensure!(
            idle.is_empty(),
            "declared, but no case could exercise it: {idle:?}"
        );
        Ok(())
    })
}
