//! Java programs, by Maven.

use std::fs;
use std::path::{Path, PathBuf};

use super::debian::run;
use super::fetch::{is_required, may_download};
use super::recipe::{Missing, is_root};
use super::store::Store;
use super::{Kind, tools::Tools};
use crate::harness::Program;
use crate::harness::program::find;

/// A folder with the jars of these artifacts, `group:artifact:version`, and of what they need at run time. Copied once.
///
/// Maven's own settings say where they come from.
pub(super) async fn jars(
    store: &Store,
    name: &str,
    artifacts: &[&str],
) -> Result<PathBuf, Missing> {
    let folder = store.path(name);
    let done = folder.join("copied");
    if done.is_file() {
        return Ok(folder);
    }
    if !may_download() {
        return Err(format!(
            "{name} is not there, and MQ_FETCH forbids to download it"
        ));
    }
    if !Tools::default().have(&["mvn"]) {
        return Err("maven is not installed: apt-get install maven".to_owned());
    }
    let copied = copy(&folder, name, artifacts).await;
    let copied = copied.and_then(|()| fs::write(&done, "").map_err(|e| e.to_string()));
    match copied {
        Ok(()) => Ok(folder),
        Err(why) => Err(format!("maven cannot get {name}: {why}")),
    }
}

/// Java and Maven. They are not looked for elsewhere: Java trusts only what the system has set up for it. Where root asks for a server by `MQ_REQUIRE`, they are
/// installed.
pub(super) async fn java(kind: Kind) -> Result<(), Missing> {
    let have = || Tools::default().have(&["java", "mvn"]);
    let apt =
        is_root() && is_required(kind) && may_download() && find(Path::new("apt-get")).is_some();
    if !have() && apt {
        install().await?;
    }
    match have() {
        true => Ok(()),
        false => Err(
            "java or maven is not installed: apt-get install default-jre-headless maven".to_owned(),
        ),
    }
}

async fn install() -> Result<(), Missing> {
    let apt = || {
        Program::new("apt-get")
            .args(["-q", "-y"])
            .env("DEBIAN_FRONTEND", "noninteractive")
    };
    let install = || {
        apt().args([
            "install",
            "--no-install-recommends",
            "default-jre-headless",
            "maven",
        ])
    };
    if run(install()).await.is_err() {
        run(apt().arg("update")).await?;
        run(install())
            .await
            .map_err(|why| format!("java and maven cannot be installed: {why}"))?;
    }
    Ok(())
}

async fn copy(folder: &Path, name: &str, artifacts: &[&str]) -> Result<(), String> {
    drop(fs::remove_dir_all(folder));
    fs::create_dir_all(folder).map_err(|e| e.to_string())?;
    fs::write(folder.join("pom.xml"), pom(name, artifacts)).map_err(|e| e.to_string())?;
    let maven = Program::new("mvn")
        .args(["-q", "-B", "dependency:copy-dependencies"])
        .args(["-DincludeScope=runtime", "-DoutputDirectory=libs"])
        .folder(folder);
    run(maven).await
}

fn pom(name: &str, artifacts: &[&str]) -> String {
    let dependencies: String = artifacts
        .iter()
        .map(|artifact| dependency(artifact))
        .collect();
    format!(
        "<project><modelVersion>4.0.0</modelVersion>\n<groupId>mq.test</groupId><artifactId>{name}</artifactId>\
         <version>1</version>\n<dependencies>\n{dependencies}</dependencies></project>\n"
    )
}

fn dependency(artifact: &str) -> String {
    let parts = ["groupId", "artifactId", "version"]
        .into_iter()
        .zip(artifact.split(':'));
    let parts: String = parts
        .map(|(tag, part)| format!("<{tag}>{part}</{tag}>"))
        .collect();
    format!("<dependency>{parts}</dependency>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pom_has_a_dependency_for_each_artifact() {
        let pom = pom("kafka", &["a.b:c:1", "d:e:2"]);
        assert!(pom.contains(
            "<dependency><groupId>a.b</groupId><artifactId>c</artifactId><version>1</version></dependency>\n\
             <dependency><groupId>d</groupId>"
        ), "{pom}");
    }
}
