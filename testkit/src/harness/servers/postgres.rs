//! PostgreSQL, without passwords.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use async_trait::async_trait;
use mq_core::error::Result;

use super::debian;
use super::probe::{Probe, between, odd};
use super::recipe::{Missing, Plan, Recipe, file_error, not_as_root};
use super::store::Store;
use super::tools::Tools;
use crate::harness::Program;

/// Where Debian has the programs of a version.
const BASE: &str = "/usr/lib/postgresql";

/// The newest version that is looked for, and the oldest.
const VERSIONS: std::ops::RangeInclusive<u32> = 13..=18;

/// The version that is downloaded.
const DOWNLOADED: &str = "usr/lib/postgresql/15/bin";

#[derive(Debug)]
pub(super) struct Postgres;

#[async_trait]
impl Recipe for Postgres {
    async fn fetch(&self, store: &Store) -> Result<Tools, Missing> {
        let programs = ["postgres", "initdb", "psql"];
        for version in VERSIONS.rev() {
            let folder = format!("{BASE}/{version}/bin");
            if PathBuf::from(&folder).join("initdb").is_file() {
                return Ok(Tools::system(&[&folder]));
            }
        }
        if Tools::system(&[]).have(&programs) {
            return Ok(Tools::system(&[]));
        }
        let root = debian::tree(store, "postgres", &["postgresql-15"]).await?;
        Ok(Tools::tree(root, &[DOWNLOADED]))
    }

    async fn prepare(&self, plan: &Plan) -> Result<()> {
        let data = plan.own(0)?;
        let initdb = plan
            .tools
            .program("initdb")
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8"])
            .args(["--locale=C.UTF-8", "--no-sync", "-D"])
            .arg(&data)
            .folder("/");
        plan.run(not_as_root(initdb)).await?;
        let path = data.join("postgresql.auto.conf");
        let written = std::fs::write(&path, settings(plan));
        written.map_err(|e| file_error("cannot write a server's configuration", &path, e))
    }

    fn program(&self, plan: &Plan, node: usize) -> Program {
        let program = plan
            .tools
            .program("postgres")
            .arg("-D")
            .arg(plan.data(node));
        not_as_root(program.folder("/"))
    }

    async fn probe(&self, addr: SocketAddr, _nodes: usize) -> io::Result<Option<String>> {
        let mut probe = Probe::connect(addr).await?;
        probe.send(&hello()).await?;
        let mut version = None;
        loop {
            let kind = probe.take(1).await?;
            let length = probe.length().await?.checked_sub(4).ok_or_else(odd)?;
            let body = probe.take(length).await?;
            match kind[0] {
                b'S' => version = version.or_else(|| between(&body, "server_version\0", &['\0'])),
                // Ready for a query.
                b'Z' => return Ok(version),
                // It starts, recovers or stops.
                b'E' => return Ok(None),
                _ => {}
            }
        }
    }
}

/// Decoding of the log is on, for outboxes that follow it.
fn settings(plan: &Plan) -> String {
    format!(
        "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = ''\nfsync = on\nsynchronous_commit = on\n\
         wal_level = logical\nshared_buffers = 64MB\nmax_connections = 100\n",
        plan.port(0, 0)
    )
}

/// The first message of protocol 3: who we are.
fn hello() -> Vec<u8> {
    let names = b"user\0postgres\0database\0postgres\0\0";
    let length = u32::try_from(names.len() + 8).unwrap_or_default();
    let mut hello = length.to_be_bytes().to_vec();
    hello.extend_from_slice(&196_608_u32.to_be_bytes());
    hello.extend_from_slice(names);
    hello
}
