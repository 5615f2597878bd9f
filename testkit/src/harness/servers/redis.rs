//! Redis, with every write on disk before it is answered.

use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use mq_core::error::Result;

use super::debian;
use super::probe::{Probe, between};
use super::recipe::{Missing, Plan, Recipe, not_as_root};
use super::store::Store;
use super::tools::Tools;
use crate::harness::Program;

#[derive(Debug)]
pub(super) struct Redis;

#[async_trait]
impl Recipe for Redis {
    async fn fetch(&self, store: &Store) -> Result<Tools, Missing> {
        let system = Tools::system(&[]);
        if system.have(&["redis-server", "redis-cli"]) {
            return Ok(system);
        }
        let root = debian::tree(store, "redis", &["redis-server"]).await?;
        Ok(Tools::tree(root, &[]))
    }

    async fn prepare(&self, plan: &Plan) -> Result<()> {
        plan.own(0).map(drop)
    }

    fn program(&self, plan: &Plan, node: usize) -> Program {
        let program = plan
            .tools
            .program("redis-server")
            .args(["--port", &plan.port(node, 0).to_string()])
            .args(["--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
            .arg(plan.data(node));
        not_as_root(program)
    }

    async fn probe(&self, addr: SocketAddr, _nodes: usize) -> io::Result<Option<String>> {
        let mut probe = Probe::connect(addr).await?;
        probe.send(b"INFO server\r\n").await?;
        let info = probe.some().await?;
        // While it loads its data it answers with an error.
        Ok(between(&info, "redis_version:", &['\r', '\n']))
    }
}
