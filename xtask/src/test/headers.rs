//! What building the C parts of the workspace takes beside a C compiler.

use crate::{
    Result,
    cargo::{command, run},
};

/// Debian's packages: librdkafka is built with make, and with TLS from the system's OpenSSL, which pkg-config finds.
const PACKAGES: [&str; 3] = ["make", "pkg-config", "libssl-dev"];

/// Sees to it that the C parts can be built; what is missing is installed where root asks for it.
///
/// # Errors
/// Something is missing and cannot be installed.
pub(super) fn prepare() -> Result {
    if have() {
        return Ok(());
    }
    println!("    installing {}", PACKAGES.join(", "));
    // The list of packages may be there already, or be old.
    drop(apt(&["update"]));
    drop(apt(&[
        &["install", "--no-install-recommends"][..],
        &PACKAGES,
    ]
    .concat()));
    if have() {
        return Ok(());
    }
    let wanted = PACKAGES.join(" ");
    Err(format!("the binder for Kafka cannot be built without make, pkg-config and the headers of OpenSSL; as root: apt-get install {wanted}").into())
}

fn have() -> bool {
    works("make", "--version") && works("pkg-config", "--version") && {
        let mut openssl = command("pkg-config");
        openssl.args(["--exists", "openssl"]);
        openssl.status().is_ok_and(|status| status.success())
    }
}

fn works(program: &str, argument: &str) -> bool {
    let output = command(program).arg(argument).output();
    output.is_ok_and(|output| output.status.success())
}

fn apt(arguments: &[&str]) -> Result {
    let mut apt = command("apt-get");
    apt.args(["-q", "-y"])
        .env("DEBIAN_FRONTEND", "noninteractive");
    run(apt.args(arguments))
}
