//! Taking a folder, and saying who has it.

use std::{
    io,
    path::Path,
    time::{Duration, Instant},
};

use mq_core::error::Error;

use crate::{error, format::FORMAT, storage::Storage};

/// A process that has just been killed may hold the lock for another moment.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long until the lock is tried again.
const PAUSE: Duration = Duration::from_millis(20);
/// What errors call the file.
const FILE: &str = "LOCK";

/// Takes the folder and writes down who has it.
pub(super) fn take(storage: &dyn Storage, path: &Path) -> Result<(), Error> {
    let begin = Instant::now();
    loop {
        match storage.lock() {
            Ok(()) => break,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                let error = error::io("locking the folder", error);
                return Err(error.context("path", path.display()));
            }
            Err(_) if begin.elapsed() > PATIENCE => return Err(in_use(storage, path)),
            Err(_) => std::thread::park_timeout(PAUSE),
        }
    }
    let owned = own(storage);
    if owned.is_err() {
        storage.unlock();
    }
    owned.map_err(|error| error.context("path", path.display()))
}

/// Writes down that this process has the folder, unless a later version had it last.
fn own(storage: &dyn Storage) -> Result<(), Error> {
    let note = storage
        .note()
        .map_err(|error| error::io("reading the lock", error))?;
    let format = field(&note, "format").and_then(|format| format.parse().ok());
    if let Some(format) = format.filter(|format| *format > u32::from(FORMAT)) {
        return Err(error::newer(FILE, format));
    }
    write(storage, "");
    Ok(())
}

/// Writes down where the holder can be asked, or why it cannot.
pub(super) fn announce(storage: &dyn Storage, socket: Result<&str, &str>) {
    write(
        storage,
        &match socket {
            Ok(name) => format!("socket = {name}\n"),
            Err(reason) => format!("no-socket = {}\n", reason.replace(char::is_control, " ")),
        },
    );
}

fn write(storage: &dyn Storage, socket: &str) {
    let note = format!(
        "format = {FORMAT}\npid = {}\nprogram = {}\n{socket}",
        std::process::id(),
        program()
    );
    if let Err(error) = storage.set_note(note.as_bytes()) {
        tracing::warn!(%error, "nobody can be told who has the folder; the lock is held all the same");
    }
}

fn in_use(storage: &dyn Storage, path: &Path) -> Error {
    let note = storage.note().unwrap_or_default();
    let pid = field(&note, "pid").and_then(|pid| pid.parse().ok());
    let (socket, reason) = (field(&note, "socket"), field(&note, "no-socket"));
    let socket = socket.as_deref().map(Ok);
    let socket = socket.or(reason.as_deref().map(Err));
    error::in_use(path, pid, field(&note, "program").as_deref(), socket)
}

/// What this process is called.
fn program() -> String {
    let path = std::env::current_exe().ok();
    let name = path.as_deref().and_then(Path::file_name);
    let name = name.map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_default().replace(char::is_control, " ")
}

/// The value behind `name = ` in a note.
fn field(note: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(note);
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "))?;
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::sim::Disk;

    #[test]
    fn the_holder_is_named_and_a_later_version_is_not_pushed_aside() {
        let (disk, path) = (Disk::new(), Path::new("mq-data"));
        take(&disk, path).unwrap();
        let said = format!("{:?}", in_use(&disk, path));
        let process = format!("process {}", std::process::id());
        assert!(said.contains(&process), "{said}");
        assert!(said.contains(&program()), "{said}");
        for (socket, expected) in [
            (Ok("admin.sock"), "at the socket `mq-data/admin.sock`"),
            (Err("its path\nis long"), "no socket (its path is long)"),
        ] {
            announce(&disk, socket);
            let said = format!("{:?}", in_use(&disk, path));
            assert!(said.contains(expected) && said.contains(&process), "{said}");
        }
        disk.unlock();
        let later = format!("format = {}\npid = 4\nprogram = shop\n", FORMAT + 1);
        disk.set_note(later.as_bytes()).unwrap();
        let error = take(&disk, path).unwrap_err();
        assert!(error.message().contains("newer version"), "{error}");
        // It was given back, and says what it said.
        disk.lock().unwrap();
        assert_eq!(field(&disk.note().unwrap(), "pid").as_deref(), Some("4"));
    }

    #[test]
    fn a_note_that_is_not_there_or_not_whole_says_nothing() {
        for note in [
            &b""[..],
            b"pid",
            b"pid = ",
            b"\xff\xfe\npid=4",
            b"program = x",
        ] {
            assert_eq!(field(note, "pid"), None);
        }
    }
}
