//! Servers by hand: `servers fetch [NAME ..]` has them at hand, `servers start NAME [NODES]` runs one until Ctrl-C.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command talks to its user"
)]

use std::process::ExitCode;
use std::time::Instant;

use mq_core::error::Result;
use mq_testkit::harness::{Kind, ServerOptions, fetch, is_required};

const USAGE: &str = "usage: servers fetch [NAME ..] | servers start NAME [NODES]\nnames: redis, postgres, mariadb, rabbitmq, kafka";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match *args {
        ["fetch"] => fetch_all(&Kind::ALL).await,
        ["fetch", ref names @ ..] => match kinds(names) {
            Ok(kinds) => fetch_all(&kinds).await,
            Err(error) => Err(error),
        },
        ["start", name] => start(name, "1").await,
        ["start", name, nodes] => start(name, nodes).await,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}

fn kinds(names: &[&str]) -> Result<Vec<Kind>> {
    names.iter().map(|name| name.parse()).collect()
}

/// Fails where one that `MQ_REQUIRE` names cannot be had, once all were tried.
async fn fetch_all(kinds: &[Kind]) -> Result<()> {
    let mut failed = Ok(());
    for kind in kinds {
        let begin = Instant::now();
        match fetch(*kind).await {
            Ok(()) => println!(
                "{kind}: there, after {:.1} s",
                begin.elapsed().as_secs_f64()
            ),
            Err(error) => {
                println!("{kind}: {}", error.chain());
                if is_required(*kind) {
                    failed = Err(error);
                }
            }
        }
    }
    failed
}

async fn start(name: &str, nodes: &str) -> Result<()> {
    let nodes = nodes.parse().unwrap_or(0);
    let server = ServerOptions::new(name.parse()?)
        .nodes(nodes)
        .start()
        .await?;
    println!(
        "{} {}",
        server.kind(),
        server.version().unwrap_or("of your own")
    );
    println!("{}", server.url());
    if let Some(logs) = server.logs() {
        println!("logs: {}; Ctrl-C ends it", logs.display());
    }
    // An error says that there is no Ctrl-C to wait for.
    drop(tokio::signal::ctrl_c().await);
    Ok(())
}
