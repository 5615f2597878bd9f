//! Requests that are sent while at most 1,000 of them are not confirmed.

use std::{
    error::Error,
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use super::IN_FLIGHT;

type Failure = Box<dyn Error + Send + Sync>;

/// Reads confirmations.
pub(super) trait Confirmed: Send + 'static {
    /// Takes the next bytes of the server; returns how many requests are confirmed altogether.
    fn read(&mut self, bytes: &[u8]) -> Result<u64, Failure>;
}

/// Sends a request so often; returns how many were confirmed a second.
pub(super) fn send(
    stream: &TcpStream,
    request: &[u8],
    count: u64,
    confirmed: impl Confirmed,
) -> Result<f64, Box<dyn Error>> {
    let begin = Instant::now();
    let done = Arc::new(AtomicU64::new(0));
    let reader = {
        let (stream, done, sender) = (stream.try_clone()?, done.clone(), thread::current());
        thread::spawn(move || {
            let read = read(stream, count, &done, &sender, confirmed);
            done.store(u64::MAX, Ordering::Release);
            sender.unpark();
            read
        })
    };
    write(stream, request, count, &done)?;
    reader
        .join()
        .map_err(|_| "the reader has panicked")?
        .map_err(|error| error.to_string())?;
    Ok(count as f64 / begin.elapsed().as_secs_f64())
}

fn write(
    mut stream: &TcpStream,
    request: &[u8],
    count: u64,
    done: &AtomicU64,
) -> Result<(), Box<dyn Error>> {
    let all = request.repeat(usize::try_from(IN_FLIGHT)?);
    let mut sent = 0;
    while sent < count {
        let room = match done.load(Ordering::Acquire) {
            u64::MAX => return Ok(()),
            done => (done + IN_FLIGHT).min(count) - sent,
        };
        if room == 0 {
            thread::park();
            continue;
        }
        stream.write_all(&all[..request.len() * usize::try_from(room)?])?;
        sent += room;
    }
    Ok(())
}

fn read(
    mut stream: TcpStream,
    count: u64,
    done: &AtomicU64,
    sender: &thread::Thread,
    mut confirmed: impl Confirmed,
) -> Result<(), Failure> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Err("the server has closed the connection".into());
        }
        let so_far = confirmed.read(&buffer[..read])?;
        if so_far >= count {
            return Ok(());
        }
        done.store(so_far, Ordering::Release);
        sender.unpark();
    }
}
