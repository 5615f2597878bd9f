//! The proxy before a real echo server.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mq_testkit::harness::{Cut, Direction, Incoming, Proxy, ProxyOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::SOON;

/// Shorter than anything that is waited for; for what must not come.
const NOT_NOW: Duration = Duration::from_millis(60);

/// Sends back what it gets, and the end too.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = socket.split();
                drop(tokio::io::copy(&mut from, &mut to).await);
                drop(to.shutdown().await);
            });
        }
    });
    addr
}

async fn proxy() -> Proxy {
    Proxy::to(echo().await.to_string()).unwrap()
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.addr()).await.unwrap()
}

/// Sends and gets it back, or what came instead.
async fn ping(socket: &mut TcpStream, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    socket.write_all(bytes).await?;
    pong(socket, bytes.len()).await
}

async fn pong(socket: &mut TcpStream, length: usize) -> std::io::Result<Vec<u8>> {
    let mut back = vec![0; length];
    let reading = socket.read_exact(&mut back);
    let read = tokio::time::timeout(SOON, reading).await;
    read.expect("an answer or an error")?;
    Ok(back)
}

async fn nothing_comes(socket: &mut TcpStream) {
    let read = tokio::time::timeout(NOT_NOW, socket.read_u8()).await;
    assert!(read.is_err(), "{read:?}");
}

#[tokio::test]
async fn bytes_pass_both_ways_and_are_counted() {
    let proxy = proxy().await;
    let mut socket = connect(&proxy).await;
    let bytes: Vec<u8> = (0..=255).cycle().take(1_000_000).collect();
    let (mut from, mut to) = socket.split();
    let (sent, back) = tokio::join!(
        async {
            to.write_all(&bytes).await?;
            to.shutdown().await
        },
        async {
            let mut back = Vec::new();
            from.read_to_end(&mut back).await.map(|_| back)
        }
    );
    sent.unwrap();
    assert!(back.unwrap() == bytes);
    let statistics = proxy.until(|seen| seen.open == 0, SOON).await.unwrap();
    assert_eq!((statistics.accepted, statistics.cut), (1, 0));
    assert_eq!(
        (statistics.to_server, statistics.to_client),
        (1_000_000, 1_000_000)
    );
}

#[tokio::test]
async fn a_reset_is_an_error_and_the_next_connection_works() {
    let proxy = proxy().await;
    let mut socket = connect(&proxy).await;
    ping(&mut socket, b"one").await.unwrap();
    proxy.cut(Cut::Reset);
    let error = socket.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(
        ping(&mut connect(&proxy).await, b"two").await.unwrap(),
        b"two"
    );
    assert_eq!(proxy.statistics().cut, 1);
}

#[tokio::test]
async fn a_close_is_the_end() {
    let proxy = proxy().await;
    let mut socket = connect(&proxy).await;
    ping(&mut socket, b"one").await.unwrap();
    proxy.cut(Cut::Close);
    assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 0);
    drop(socket);
    proxy
        .until(|seen| seen.open == 0 && seen.cut == 1, SOON)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_delay_counts_for_each_direction_and_ends_when_healed() {
    let proxy = proxy().await;
    let mut socket = connect(&proxy).await;
    ping(&mut socket, b"warm").await.unwrap();
    proxy.delay(
        Direction::ToServer,
        Duration::from_millis(40),
        Duration::ZERO,
    );
    proxy.delay(
        Direction::ToClient,
        Duration::from_millis(20),
        Duration::from_millis(10),
    );
    let begin = Instant::now();
    ping(&mut socket, b"slow").await.unwrap();
    assert!(
        begin.elapsed() >= Duration::from_millis(60),
        "{:?}",
        begin.elapsed()
    );
    proxy.delay(Direction::Both, Duration::from_secs(3600), Duration::ZERO);
    socket.write_all(b"held").await.unwrap();
    nothing_comes(&mut socket).await;
    proxy.heal();
    assert_eq!(pong(&mut socket, 4).await.unwrap(), b"held");
}

#[tokio::test]
async fn a_delay_keeps_the_order_of_bytes() {
    let proxy = ProxyOptions::default()
        .seed(3)
        .to(echo().await.to_string())
        .unwrap();
    proxy.delay(Direction::Both, Duration::ZERO, Duration::from_millis(5));
    let mut socket = connect(&proxy).await;
    socket.set_nodelay(true).unwrap();
    let bytes: Vec<u8> = (0..200).collect();
    for chunk in bytes.chunks(4) {
        socket.write_all(chunk).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(pong(&mut socket, 200).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_limit_holds_the_rate_down() {
    let proxy = proxy().await;
    let mut socket = connect(&proxy).await;
    proxy.limit(Direction::ToServer, 20_000);
    let begin = Instant::now();
    ping(&mut socket, &[1; 4_000]).await.unwrap();
    assert!(
        begin.elapsed() >= Duration::from_millis(180),
        "{:?}",
        begin.elapsed()
    );
    proxy.heal();
    ping(&mut socket, &[1; 100_000]).await.unwrap();
}

#[tokio::test]
async fn half_open_stops_one_direction_and_loses_nothing() {
    for direction in [Direction::ToServer, Direction::ToClient] {
        let proxy = proxy().await;
        let mut socket = connect(&proxy).await;
        ping(&mut socket, b"before").await.unwrap();
        proxy.half_open(direction);
        socket.write_all(b"during").await.unwrap();
        nothing_comes(&mut socket).await;
        let to_server = if direction == Direction::ToServer {
            6
        } else {
            12
        };
        proxy
            .until(|seen| seen.to_server == to_server, SOON)
            .await
            .unwrap();
        assert_eq!(proxy.statistics().to_client, 6);
        assert_eq!(proxy.statistics().open, 1);
        proxy.heal();
        assert_eq!(pong(&mut socket, 6).await.unwrap(), b"during");
    }
}

#[tokio::test]
async fn the_end_of_a_side_does_not_pass_a_half_open_direction() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::to(listener.local_addr().unwrap().to_string()).unwrap();
    let client = connect(&proxy).await;
    let (mut server, _) = listener.accept().await.unwrap();
    proxy.half_open(Direction::ToServer);
    client.set_zero_linger().unwrap();
    drop(client);
    nothing_comes(&mut server).await;
    server.write_all(b"are you there?").await.unwrap();
    nothing_comes(&mut server).await;
    proxy.heal();
    let error = server.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn corruption_is_the_same_for_the_same_seed() {
    let mut seen = Vec::new();
    for seed in [1, 1, 2] {
        let proxy = ProxyOptions::default()
            .seed(seed)
            .to(echo().await.to_string())
            .unwrap();
        proxy.corrupt(Direction::ToServer, 100);
        let back = ping(&mut connect(&proxy).await, &[0; 20_000])
            .await
            .unwrap();
        let changed = back.iter().filter(|byte| **byte != 0).count();
        assert!((100..400).contains(&changed), "{changed}");
        assert_eq!(proxy.statistics().corrupted, changed as u64);
        seen.push(back);
    }
    assert!(seen[0] == seen[1] && seen[1] != seen[2]);
}

#[tokio::test]
async fn refused_connections_are_refused_by_the_system_until_healed() {
    let proxy = proxy().await;
    let mut before = connect(&proxy).await;
    ping(&mut before, b"before").await.unwrap();
    proxy.incoming(Incoming::Refuse);
    let refused = async {
        loop {
            // One that waits to be accepted at that moment is reset.
            let connected = TcpStream::connect(proxy.addr()).await;
            if connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused) {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, refused).await.unwrap();
    ping(&mut before, b"goes on").await.unwrap();
    proxy.heal();
    let again = async {
        loop {
            match TcpStream::connect(proxy.addr()).await {
                Ok(socket) => break socket,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let mut socket = tokio::time::timeout(SOON, again).await.unwrap();
    ping(&mut socket, b"again").await.unwrap();
}

#[tokio::test]
async fn the_black_hole_accepts_and_says_nothing() {
    let proxy = proxy().await;
    proxy.incoming(Incoming::BlackHole);
    let mut socket = connect(&proxy).await;
    socket.write_all(b"hello?").await.unwrap();
    nothing_comes(&mut socket).await;
    let mut other = connect(&proxy).await;
    proxy.until(|seen| seen.open == 2, SOON).await.unwrap();
    proxy.heal();
    assert_eq!(pong(&mut socket, 6).await.unwrap(), b"hello?");
    ping(&mut other, b"hello").await.unwrap();
    proxy.incoming(Incoming::BlackHole);
    let mut third = connect(&proxy).await;
    proxy.until(|seen| seen.open == 3, SOON).await.unwrap();
    proxy.cut(Cut::Reset);
    assert!(third.read_u8().await.is_err());
}

#[tokio::test]
async fn a_server_that_is_not_there_resets_the_client_and_is_found_again() {
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let proxy = Proxy::to(port.to_string()).unwrap();
    assert!(ping(&mut connect(&proxy).await, b"hello").await.is_err());
    assert_eq!(proxy.statistics().unreachable, 1);
    let listener = TcpListener::bind(port).await.unwrap();
    let mut client = connect(&proxy).await;
    let (mut server, _) = listener.accept().await.unwrap();
    server.write_all(b"here").await.unwrap();
    assert_eq!(pong(&mut client, 4).await.unwrap(), b"here");
}

#[tokio::test]
async fn a_dropped_proxy_resets_its_connections() {
    let proxy = proxy().await;
    let mut socket = connect(&proxy).await;
    ping(&mut socket, b"one").await.unwrap();
    drop(proxy);
    assert!(socket.read_u8().await.is_err());
}
