//! Debian packages, unpacked into a folder: no root is needed, and the system stays as it is.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fetch::may_download;
use super::recipe::{Missing, is_root};
use super::store::Store;
use crate::harness::Program;
use crate::harness::program::find;

/// How long apt may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Packages that must fit the loader of the system, and so are never taken from elsewhere.
const SYSTEM: [&str; 3] = ["libc6_", "libc-bin_", "libc6-dev_"];

/// The folder with these packages and what they need beyond what is installed. Unpacked once.
pub(super) async fn tree(store: &Store, name: &str, packages: &[&str]) -> Result<PathBuf, Missing> {
    let root = store.path(format!("debian-{name}"));
    let done = root.join("unpacked");
    if done.is_file() {
        return Ok(root);
    }
    let wanted = packages.join(" ");
    if !may_download() {
        return Err(format!(
            "{wanted} is not installed, and MQ_FETCH forbids to download it"
        ));
    }
    if find(Path::new("apt-get")).is_none() || find(Path::new("dpkg-deb")).is_none() {
        return Err(format!(
            "{wanted} is not installed, and there is no apt to get it with; install it"
        ));
    }
    let unpacked = unpack(&root, packages).await;
    let unpacked =
        unpacked.and_then(|()| fs::write(&done, wanted.as_bytes()).map_err(|e| e.to_string()));
    match unpacked {
        Ok(()) => Ok(root),
        Err(why) => Err(format!(
            "{wanted} is not installed, and apt cannot download it: {why}"
        )),
    }
}

async fn unpack(root: &Path, packages: &[&str]) -> Result<(), String> {
    drop(fs::remove_dir_all(root));
    let archives = root.join("apt/archives");
    for folder in ["apt/archives/partial", "apt/lists/partial"] {
        fs::create_dir_all(root.join(folder)).map_err(|e| e.to_string())?;
    }
    if download(root, packages, Lists::OfTheSystem).await.is_err() {
        // The lists of the system are missing or too old: ours, then.
        run(apt(root, Lists::Own).arg("update")).await?;
        download(root, packages, Lists::Own).await?;
    }
    for package in files(&archives).map_err(|e| e.to_string())? {
        let name = package
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.ends_with(".deb") && !SYSTEM.iter().any(|system| name.starts_with(system)) {
            run(Program::new("dpkg-deb").arg("-x").arg(&package).arg(root)).await?;
        }
    }
    drop(fs::remove_dir_all(root.join("apt")));
    relink(root, root).map_err(|e| e.to_string())
}

/// Whose lists of packages apt reads.
#[derive(Clone, Copy)]
enum Lists {
    OfTheSystem,
    Own,
}

async fn download(root: &Path, packages: &[&str], lists: Lists) -> Result<(), String> {
    let apt = apt(root, lists).args([
        "--download-only",
        "-y",
        "--no-install-recommends",
        "install",
    ]);
    run(apt.args(packages)).await
}

/// An apt that locks and changes nothing of the system.
fn apt(root: &Path, lists: Lists) -> Program {
    let archives = root.join("apt/archives");
    let mut apt = Program::new("apt-get")
        .args(["-q", "-o", "Debug::NoLocking=1", "-o"])
        .arg(format!("Dir::Cache::archives={}/", archives.display()))
        .env("LC_ALL", "C")
        .env("DEBIAN_FRONTEND", "noninteractive");
    if is_root() {
        apt = apt.args(["-o", "APT::Sandbox::User=root"]);
    }
    match lists {
        Lists::OfTheSystem => apt,
        Lists::Own => {
            let lists = root.join("apt/lists");
            let cache = root.join("apt");
            apt.arg("-o")
                .arg(format!("Dir::State::lists={}/", lists.display()))
                .arg("-o")
                .arg(format!("Dir::Cache={}/", cache.display()))
        }
    }
}

/// Runs a program to its end; the error is the last thing it said.
pub(super) async fn run(program: Program) -> Result<(), String> {
    let mut process = program.start().await.map_err(|e| e.chain())?;
    let status = process.wait(PATIENCE).await.map_err(|e| e.chain())?;
    if status.success() {
        return Ok(());
    }
    let output = process.output().unwrap_or_default();
    let telling = output
        .lines()
        .rev()
        .find(|line| line.starts_with("E:") || line.contains("ERROR"));
    let line = telling
        .or_else(|| output.lines().last())
        .unwrap_or("it said nothing");
    Err(format!("{line} ({status})"))
}

/// Makes links that lead to `/…` lead to the same place below the root.
fn relink(folder: &Path, root: &Path) -> io::Result<()> {
    for path in files(folder)? {
        let found = fs::symlink_metadata(&path)?;
        if found.is_dir() {
            relink(&path, root)?;
        } else if found.is_symlink() {
            let to = fs::read_link(&path)?;
            let Ok(inside) = to.strip_prefix("/") else {
                continue;
            };
            let inside = root.join(inside);
            if fs::symlink_metadata(&inside).is_ok() {
                fs::remove_file(&path)?;
                symlink(inside, &path)?;
            }
        }
    }
    Ok(())
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let found = fs::read_dir(folder)?;
    found.map(|found| found.map(|found| found.path())).collect()
}
