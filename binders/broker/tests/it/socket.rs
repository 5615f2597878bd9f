//! Looking at a broker that another process has open.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::Path,
    time::Duration,
};

use mq_broker::{Broker, ReadFrom, Remote, Request, Subscribe};
use mq_core::{error::ErrorKind, message::Message};
use serde_json::{Value, json};

const SOCKET: &str = "admin.sock";

/// A broker with two orders, of which one is settled.
async fn start(path: &Path) -> Broker {
    let broker = Broker::open(path).await.unwrap();
    let orders = [
        Message::new("A1").key("key").header("h", vec![0, 255]),
        Message::new(vec![0xff, 0xfe]),
    ];
    for stored in broker.publish("orders", &orders).await {
        stored.unwrap();
    }
    let wanted = Subscribe::to("orders").group("billing");
    let mut billing = broker.subscribe(&wanted).await.unwrap();
    billing.receive(1).await.unwrap()[0].ack().await.unwrap();
    broker
}

fn lag() -> Request {
    let (destination, group) = ("orders".into(), "billing".into());
    Request::Lag { destination, group }
}

#[tokio::test]
async fn a_second_process_can_look_and_move_and_remove() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let mut remote = Remote::connect(folder.path()).await.unwrap();
    let status = remote.ask(&Request::Status {}).await.unwrap();
    assert_eq!(status["pid"], std::process::id());
    assert_eq!(
        (&status["failure"], &status["format"]),
        (&Value::Null, &json!(3))
    );
    let all = remote.ask(&Request::Destinations {}).await.unwrap();
    assert_eq!(all[0]["name"], "orders");
    assert_eq!(
        (&all[0]["partitions"], &all[0]["published"]),
        (&json!(1), &json!(2))
    );
    let destination = || "orders".to_owned();
    let groups = Request::Groups {
        destination: destination(),
    };
    assert_eq!(
        remote.ask(&groups).await.unwrap(),
        json!([{"name": "billing", "members": 0}])
    );
    assert_eq!(remote.ask(&lag()).await.unwrap()["messages"], 1);
    let replay = Request::Replay {
        destination: destination(),
        group: "billing".into(),
        from: ReadFrom::Earliest,
    };
    remote.ask(&replay).await.unwrap();
    assert_eq!(remote.ask(&lag()).await.unwrap()["messages"], 2);
    let handled = Request::Handled {
        destination: destination(),
        partition: 0,
        position: 0,
    };
    remote.ask(&handled).await.unwrap();
    assert_eq!(broker.lag("orders", "billing").unwrap().messages, 1);
    let purge = Request::Purge {
        destination: destination(),
    };
    assert_eq!(remote.ask(&purge).await.unwrap(), json!({"removed": 2}));
    let error = remote.ask(&handled).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    // The connection goes on after an error.
    assert_eq!(remote.ask(&lag()).await.unwrap()["messages"], 0);
}

#[tokio::test]
async fn a_second_process_sees_messages_page_by_page_whatever_bytes_they_have() {
    let folder = tempfile::tempdir().unwrap();
    let _broker = start(folder.path()).await;
    let mut remote = Remote::connect(folder.path()).await.unwrap();
    let mut seen = Vec::new();
    let mut cursor = Vec::new();
    loop {
        let browse = Request::Browse {
            destination: "orders".into(),
            cursor,
            max: 1,
            bytes: 100,
        };
        let mut page = remote.ask(&browse).await.unwrap();
        let Value::Array(mut messages) = page["messages"].take() else {
            panic!("{page}")
        };
        if messages.is_empty() {
            break;
        }
        seen.append(&mut messages);
        cursor = serde_json::from_value(page["cursor"].take()).unwrap();
    }
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0]["payload"], json!({"text": "A1"}));
    assert_eq!(
        (&seen[0]["key"], &seen[0]["headers"]),
        (&json!({"text": "key"}), &json!([["h", {"base64": "AP8="}]]))
    );
    assert_eq!(
        (&seen[1]["payload"], &seen[1]["position"]),
        (&json!({"base64": "//4="}), &json!(1))
    );
}

#[tokio::test]
async fn only_the_owner_may_connect_and_a_closed_broker_leaves_no_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(SOCKET);
    let broker = start(folder.path()).await;
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let error = Broker::open(folder.path()).await.unwrap_err();
    let said = error.message();
    assert!(
        said.contains(&format!("process {}", std::process::id())),
        "{said}"
    );
    assert!(said.contains(&format!("`{}`", path.display())), "{said}");
    let mut remote = Remote::connect(folder.path()).await.unwrap();
    broker.close().await.unwrap();
    assert!(!path.exists());
    let error = remote.ask(&lag()).await.unwrap_err();
    assert!(error.is_temporary(), "{error:?}");
    let error = Remote::connect(folder.path()).await.unwrap_err();
    assert!(error.message().contains("start the program"), "{error}");
}

#[tokio::test]
async fn a_socket_that_a_crash_has_left_is_replaced_and_another_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(SOCKET);
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let broker = start(folder.path()).await;
    let mut remote = Remote::connect(folder.path()).await.unwrap();
    assert_eq!(remote.ask(&lag()).await.unwrap()["messages"], 1);
    drop(broker);
    std::fs::write(&path, "somebody's").unwrap();
    let broker = Broker::open(folder.path()).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"somebody's");
    let error = Broker::open(folder.path()).await.unwrap_err();
    assert!(error.message().contains("serves no socket"), "{error}");
    broker.close().await.unwrap();
    assert!(path.exists());
}

#[tokio::test]
async fn a_path_that_is_too_long_for_a_socket_is_named_and_the_broker_works() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x".repeat(120));
    let broker = start(&path).await;
    assert_eq!(broker.lag("orders", "billing").unwrap().messages, 1);
    let error = Broker::open(&path).await.unwrap_err();
    let said = error.message();
    assert!(
        said.contains("serves no socket") && said.contains("shorter `path`"),
        "{said}"
    );
}

/// What is answered to some bytes, on a connection of their own.
fn raw(path: &Path, bytes: &[u8]) -> Vec<Value> {
    let mut stream = UnixStream::connect(path).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    // Who is refused may not be listened to to the end.
    let _refused = stream.write_all(bytes);
    let _gone = stream.shutdown(std::net::Shutdown::Write);
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    lines
        .map(|line| serde_json::from_str(&line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_gets_an_answer_and_disturbs_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(SOCKET);
    let _broker = start(folder.path()).await;
    let said = raw(
        &path,
        b"\n{}\nnull\n\xff\xff\n{\"v\":9,\"do\":\"status\"}\n{\"v\":1,\"do\":\"explode\"}\n",
    );
    assert_eq!(said.len(), 6);
    for one in &said {
        assert_eq!(one["v"], 1);
        let text = one["error"]["message"].as_str().unwrap();
        assert!(text.contains(';'), "how to go on: {text}");
    }
    assert_eq!(said[4]["error"]["kind"], "unsupported");
    let too_much = raw(
        &path,
        br#"{"v":1,"do":"browse","destination":"orders","max":101}"#,
    );
    assert_eq!(too_much[0]["error"]["kind"], "config");
    let long = raw(&path, &vec![b'x'; 200_000]);
    assert!(
        long.is_empty() || long[0]["error"]["kind"] == "too_large",
        "{long:?}"
    );
    // Half a line, and then nothing; more than there are places for.
    let mut held: Vec<_> = (0..8)
        .map(|_| UnixStream::connect(&path).unwrap())
        .collect();
    held[0].write_all(b"{\"v\"").unwrap();
    drop(held.split_off(4));
    let mut remote = Remote::connect(folder.path()).await.unwrap();
    assert_eq!(remote.ask(&lag()).await.unwrap()["messages"], 1);
    let mut rest = Vec::new();
    held[1].set_nonblocking(true).unwrap();
    assert!(held[1].read_to_end(&mut rest).is_err(), "nobody is cut off");
}
