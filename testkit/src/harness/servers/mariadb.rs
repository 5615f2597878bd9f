//! MariaDB, without passwords.

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
pub(super) struct MariaDb;

#[async_trait]
impl Recipe for MariaDb {
    async fn fetch(&self, store: &Store) -> Result<Tools, Missing> {
        let system = Tools::system(&["/usr/sbin"]);
        if system.have(&["mariadbd", "mariadb-install-db", "mariadb"]) {
            return Ok(system);
        }
        let packages = ["mariadb-server-core", "mariadb-client-core"];
        let root = debian::tree(store, "mariadb", &packages).await?;
        Ok(Tools::tree(root, &[]))
    }

    async fn prepare(&self, plan: &Plan) -> Result<()> {
        let data = plan.own(0)?;
        let mut install = plan
            .tools
            .program("mariadb-install-db")
            .arg("--no-defaults");
        if let Some(root) = &plan.tools.root {
            install = install.arg(format!("--basedir={}", root.join("usr").display()));
        }
        let install = install
            .arg(format!("--datadir={}", data.display()))
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
            .args(["--skip-name-resolve", "--force"])
            .folder("/");
        plan.run(not_as_root(install)).await
    }

    fn program(&self, plan: &Plan, node: usize) -> Program {
        let data = plan.data(node);
        // The first argument keeps the settings of the system away.
        let mut program = plan.tools.program("mariadbd").arg("--no-defaults");
        if let Some(root) = &plan.tools.root {
            program = program.arg(format!("--basedir={}", root.join("usr").display()));
        }
        let program = program
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--port={}", plan.port(node, 0)))
            .arg(format!("--socket={}", data.join("s").display()))
            .arg(format!("--pid-file={}", data.join("pid").display()))
            .args(["--bind-address=127.0.0.1", "--skip-name-resolve"])
            .args([
                "--innodb-flush-log-at-trx-commit=1",
                "--innodb-buffer-pool-size=64M",
            ])
            .folder("/");
        not_as_root(program)
    }

    async fn probe(&self, addr: SocketAddr, _nodes: usize) -> io::Result<Option<String>> {
        let mut probe = Probe::connect(addr).await?;
        // The server speaks first: a length of three bytes, a number, the protocol, its version.
        let head = probe.take(5).await?;
        if head[4] != 10 {
            return Ok(None);
        }
        let greeting = probe.some().await?;
        Ok(between(&greeting, "", &['\0']).map(|version| version.replace("5.5.5-", "")))
    }
}
