//! Has the servers at hand that tests start.

use crate::cargo::{command, run};

/// The program of the testkit that downloads them.
pub(super) const PROGRAM: &str = "servers";

/// The variable that keeps tests from trying again what has failed before them.
pub(super) const DOWNLOAD: &str = "MQ_FETCH";

/// Downloads what is missing. What cannot be had is told here; the tests that need it then skip, or fail where `MQ_REQUIRE` names it.
///
/// Where only some tests are asked for, they see to it themselves.
pub(super) fn fetch(program: &str, some: bool) {
    if some {
        println!("    left to the tests that need them");
        return;
    }
    if let Err(error) = run(command(program).arg("fetch")) {
        println!("    {error}");
    }
}
