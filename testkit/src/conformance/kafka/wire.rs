//! A proxy that knows Kafka's frames: it can lose the answer to a certain request, and tell when another one was answered.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until},
};

use super::{
    TIMEOUT,
    frames::{Api, Batch, Named, Request},
};

/// A connection that keeps the end of a transaction to itself is cut after this time: who has sent it waits for less, and who repeats it is
/// to be answered.
const UNSURE: Duration = Duration::from_secs(TIMEOUT.as_secs() * 3 / 2);

/// Something that is to happen once.
#[derive(Debug)]
enum Order {
    /// The confirmation of the next batch for a topic, and of its repetitions, or of the next transaction with it.
    LoseConfirm { topic: Named, batch: Option<Batch> },
    /// The next commit of positions in a topic: it is told, with the request, when its answer has passed.
    Tell {
        topic: Named,
        teller: oneshot::Sender<Vec<u8>>,
    },
}

/// What happens to an answer.
#[derive(Debug)]
enum Fate {
    Lost,
    /// The connection ends some time later.
    LostAndCut,
    Told(oneshot::Sender<Vec<u8>>, Vec<u8>),
}

#[derive(Debug, Default)]
struct State {
    orders: Mutex<Vec<Order>>,
    /// What was told of the partitions of transactions, by their ids.
    steps: Mutex<HashMap<Vec<u8>, Vec<Vec<u8>>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The proxy; it ends when it is dropped, and its connections with it.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) addr: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

impl Wire {
    pub(super) async fn open(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let state = Arc::<State>::default();
        let own = state.clone();
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    client = listener.accept() => if let Ok((client, _)) = client {
                        let state = own.clone();
                        connections.spawn(async move { forward(client, upstream, &state).await });
                    },
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Ok(Self {
            addr,
            state,
            accepting,
        })
    }

    /// The broker stores the next batch for a topic that is no part of a transaction, or ends the next transaction with the topic; that it
    /// has, does not arrive.
    pub(super) fn lose_confirm(&self, topic: &str) {
        locked(&self.state.orders).push(Order::LoseConfirm {
            topic: Named::new(topic),
            batch: None,
        });
    }

    /// The next commit of positions in a topic, as soon as it was answered.
    pub(super) fn next_commit(&self, topic: &str) -> oneshot::Receiver<Vec<u8>> {
        let (teller, told) = oneshot::channel();
        locked(&self.state.orders).push(Order::Tell {
            topic: Named::new(topic),
            teller,
        });
        told
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl State {
    /// What is to happen to the answer of a request.
    fn fate(&self, frame: &[u8]) -> Option<Fate> {
        let request = Request(frame);
        match request.api()? {
            Api::Produce => self.produced(request),
            Api::OffsetCommit => self.committed(request),
            Api::AddPartitionsToTxn => {
                let step = request.transaction()?.to_vec();
                let mut steps = locked(&self.steps);
                steps.entry(step).or_default().push(frame.to_vec());
                None
            }
            Api::EndTxn => self.ended(request),
        }
    }

    fn produced(&self, request: Request<'_>) -> Option<Fate> {
        let mut orders = locked(&self.orders);
        orders.iter_mut().find_map(|order| {
            let Order::LoseConfirm { topic, batch } = order else {
                return None;
            };
            let found = request.batch(topic)?;
            if found.is_transactional {
                return None;
            }
            let first = batch.get_or_insert(found);
            (*first == found).then_some(Fate::Lost)
        })
    }

    fn committed(&self, request: Request<'_>) -> Option<Fate> {
        let mut orders = locked(&self.orders);
        let is_it =
            |order: &Order| matches!(order, Order::Tell { topic, .. } if request.names(topic));
        let index = orders.iter().position(is_it)?;
        match orders.remove(index) {
            Order::Tell { teller, .. } => Some(Fate::Told(teller, request.0.to_vec())),
            Order::LoseConfirm { .. } => None,
        }
    }

    fn ended(&self, request: Request<'_>) -> Option<Fate> {
        let step = locked(&self.steps).remove(request.transaction()?)?;
        let mut orders = locked(&self.orders);
        let index = orders.iter().position(|order| match order {
            Order::LoseConfirm { topic, batch: None } => {
                step.iter().any(|part| Request(part).names(topic))
            }
            _ => false,
        })?;
        if !request.commits() {
            return None;
        }
        orders.remove(index);
        Some(Fate::LostAndCut)
    }
}

type Fates = Mutex<HashMap<[u8; 4], Fate>>;

async fn forward(mut client: TcpStream, upstream: SocketAddr, state: &State) -> io::Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let fates = Fates::default();
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::select! {
        ended = requests(from_client, to_server, &fates, state) => ended,
        ended = answers(from_server, to_client, &fates) => ended,
    }
}

async fn requests(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    fates: &Fates,
    state: &State,
) -> io::Result<()> {
    loop {
        let frame = frame(&mut from).await?;
        if let (Some(fate), Some(number)) = (state.fate(&frame), Request(&frame).number()) {
            locked(fates).insert(number, fate);
        }
        to.write_all(&frame).await?;
    }
}

async fn answers(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, fates: &Fates) -> io::Result<()> {
    let mut end = None;
    loop {
        let frame = tokio::select! {
            frame = frame(&mut from) => frame?,
            () = until(end) => return Ok(()),
        };
        let number = frame.get(4..8).and_then(|number| number.try_into().ok());
        let fate = number.and_then(|number: [u8; 4]| locked(fates).remove(&number));
        match fate {
            None => to.write_all(&frame).await?,
            Some(Fate::Lost) => {}
            Some(Fate::LostAndCut) => end = Some(Instant::now() + UNSURE),
            Some(Fate::Told(teller, request)) => {
                to.write_all(&frame).await?;
                // Nobody listens any more where the case is over.
                drop(teller.send(request));
            }
        }
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// A frame with its length before it.
async fn frame(from: &mut ReadHalf<'_>) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    let mut frame = vec![0; 4 + length as usize];
    frame[..4].copy_from_slice(&length.to_be_bytes());
    from.read_exact(&mut frame[4..]).await?;
    Ok(frame)
}
