//! Has servers at hand before they are started.

use std::collections::BTreeMap;

use mq_core::error::{Error, ErrorKind, Result};
use tokio::sync::Mutex;

use super::recipe::Missing;
use super::store::Store;
use super::tools::Tools;
use super::{Kind, variable};

/// What this process knows already: each server is looked for once.
static KNOWN: Mutex<BTreeMap<Kind, Result<Tools, Missing>>> = Mutex::const_new(BTreeMap::new());

/// Finds the programs of a server on this machine, or downloads them into the folder for servers. Where an address was given, there is nothing to
/// do.
///
/// With `MQ_FETCH=never` nothing is downloaded.
///
/// # Errors
/// `Unsupported` where the server cannot be had, with what to do about it.
pub async fn fetch(kind: Kind) -> Result<()> {
    if variable(kind.variable()).is_some() {
        return Ok(());
    }
    tools(kind, &Store::open()?).await.map(drop)
}

/// Whether `MQ_REQUIRE` names a server: `MQ_REQUIRE=kafka,redis`.
#[must_use]
pub fn is_required(kind: Kind) -> bool {
    let names = variable("MQ_REQUIRE").unwrap_or_default();
    let mut names = names.split(',').map(str::trim);
    names.any(|name| name.eq_ignore_ascii_case(kind.name()))
}

/// Whether programs may be downloaded.
pub(super) fn may_download() -> bool {
    variable("MQ_FETCH").as_deref() != Some("never")
}

/// The programs of a server.
pub(super) async fn tools(kind: Kind, store: &Store) -> Result<Tools> {
    let mut known = KNOWN.lock().await;
    let found = match known.get(&kind) {
        Some(found) => found.clone(),
        None => {
            let _lock = store.lock().await?;
            let found = kind.recipe().fetch(store).await;
            let found = remembered(found, kind, store);
            known.insert(kind, found.clone());
            found
        }
    };
    found.map_err(|why| missing(kind, &why))
}

/// Who may not download says why the last one who did could not.
fn remembered(found: Result<Tools, Missing>, kind: Kind, store: &Store) -> Result<Tools, Missing> {
    let path = store.path(format!("{kind}.missing"));
    match found {
        Err(why) if may_download() => {
            // Only the reason is lost where it cannot be written.
            drop(std::fs::write(path, &why));
            Err(why)
        }
        Err(why) => Err(std::fs::read_to_string(path).unwrap_or(why)),
        Ok(tools) => {
            drop(std::fs::remove_file(path));
            Ok(tools)
        }
    }
}

fn missing(kind: Kind, why: &str) -> Error {
    let what = format!(
        "{why}; or set {}=host:port to a server of your own",
        kind.variable()
    );
    Error::new(ErrorKind::Unsupported, what).operation("Server::start")
}
