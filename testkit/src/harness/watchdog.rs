//! Ends what a test has started, also where the test itself is killed.
//!
//! The watchdog is a shell that holds the reading end of a pipe from the test and a list of process groups. However the
//! test ends, the system closes the pipe, and the shell kills the groups that are still on the list.
//! It has a group of its own, so that a Ctrl-C in the terminal does not end it together with the test.
//! The alternative on Linux, a signal at the death of the parent, is bound to the thread that started the child, and
//! the threads of a test come and go.

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::process::Pid;

const SCRIPT: &str = r#"
groups=" "
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) groups="${groups%% $group *} ${groups#* $group }" ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
"#;

/// The one of this process, made when it is first needed.
static WATCHDOG: Mutex<Option<ChildStdin>> = Mutex::new(None);

/// Puts a process group on the list. Where somebody has killed the watchdog, another one begins with this group.
pub(super) fn add(group: Pid) -> io::Result<()> {
    let line = format!("+ {}\n", group.as_raw_nonzero());
    let mut pipe = WATCHDOG.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pipe) = pipe.as_mut()
        && pipe.write_all(line.as_bytes()).is_ok()
    {
        return Ok(());
    }
    pipe.insert(start()?).write_all(line.as_bytes())
}

/// Takes a process group off the list.
pub(super) fn remove(group: Pid) {
    let mut pipe = WATCHDOG.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pipe) = pipe.as_mut() {
        // Where the watchdog is gone there is no list either.
        drop(writeln!(pipe, "- {}", group.as_raw_nonzero()));
    }
}

fn start() -> io::Result<ChildStdin> {
    let mut shell = Command::new("/bin/sh")
        .args(["-c", SCRIPT])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    let pipe = shell.stdin.take();
    pipe.ok_or_else(|| io::Error::other("the watchdog has no standard input"))
}
