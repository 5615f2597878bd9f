//! Members that are taken out of their group without being asked.

use std::time::Duration;

use mq_core::error::{Error, ErrorKind, Result};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::spawn_blocking,
};

use super::frames::{Named, Request};

pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
/// `LeaveGroup`, in the first version in which somebody else can speak for a member.
const LEAVE_GROUP: (i16, i16) = (13, 3);
/// An answer to this has some hundred bytes.
const LONGEST: usize = 64 << 10;

/// Takes everyone out of their groups who has subscribed to the destination: their partitions are lost to them, and they join again.
pub(super) async fn expel(address: &str, destination: String) -> Result<()> {
    let servers = address.to_owned();
    let found = spawn_blocking(move || members(&servers, &destination))
        .await
        .map_err(|error| failed("asking for groups has panicked").source(error))?
        .map_err(|error| failed("groups cannot be listed").source(error))?;
    for (group, members) in found {
        leave(address, &group, &members).await?;
    }
    Ok(())
}

/// The groups of a destination's readers, with the identities of these.
pub(super) fn members(
    servers: &str,
    destination: &str,
) -> std::result::Result<Vec<(String, Vec<String>)>, KafkaError> {
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .create()?;
    let list = client.fetch_group_list(None, TIMEOUT)?;
    let name = Named::new(destination);
    let reads = |subscription: &[u8]| Request(subscription).names(&name);
    let groups = list.groups().iter().map(|group| {
        let readers = group
            .members()
            .iter()
            .filter(|member| member.metadata().is_some_and(reads));
        let ids = readers.map(|member| member.id().to_owned()).collect();
        (group.name().to_owned(), ids)
    });
    Ok(groups
        .filter(|(_, ids): &(_, Vec<_>)| !ids.is_empty())
        .collect())
}

/// Says in the members' names that they leave. The broker has one node, which coordinates every group.
pub(super) async fn leave(address: &str, group: &str, members: &[String]) -> Result<()> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&request(group, members)).await?;
        let size = stream.read_u32().await? as usize;
        let mut answer = vec![0; size.min(LONGEST)];
        stream.read_exact(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = asked
        .await
        .map_err(|error| failed("the coordinator does not answer").source(error))?;
    // The number of the request, a time to wait, the error.
    match answer.get(8..10) {
        Some([0, 0]) => Ok(()),
        code => Err(failed(&format!("members cannot be expelled: {code:?}"))),
    }
}

fn request(group: &str, members: &[String]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(LEAVE_GROUP.0.to_be_bytes());
    body.extend(LEAVE_GROUP.1.to_be_bytes());
    body.extend(1_i32.to_be_bytes());
    string(&mut body, "suite");
    string(&mut body, group);
    body.extend((members.len() as u32).to_be_bytes());
    for member in members {
        string(&mut body, member);
        // No static membership.
        body.extend((-1_i16).to_be_bytes());
    }
    let mut request = (body.len() as u32).to_be_bytes().to_vec();
    request.extend(body);
    request
}

fn string(body: &mut Vec<u8>, text: &str) {
    body.extend((text.len() as u16).to_be_bytes());
    body.extend(text.as_bytes());
}

pub(super) fn failed(text: &str) -> Error {
    Error::new(ErrorKind::Unavailable, text)
}
