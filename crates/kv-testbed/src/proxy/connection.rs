//! One connection through the proxy: two directions, each a reader, a queue and a writer.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::cut::{Place, Replies, ReplyCut, Requests};
use super::{Direction, Mode, Shared, lock};

const READ_SIZE: usize = 64 << 10;
/// What a direction holds back at most, in bytes; beyond it the sender is not read.
const QUEUE_BYTES: usize = 64 << 20;
/// What a chunk counts at least, since it costs memory of its own.
const CHUNK_BYTES: usize = 256;

/// Bytes on their way, with the time at which they are due.
struct Chunk {
    due: Instant,
    bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

/// What the two directions of a connection have in common.
struct Relay<'a> {
    shared: &'a Shared,
    reply_cut: Mutex<Option<ReplyCut>>,
}

/// Carries one client's connection until both sides have closed it or it is cut.
pub(super) async fn carry(mut client: TcpStream, upstream: SocketAddr, shared: Arc<Shared>) {
    let mut resets = shared.resets.subscribe();
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        return reset(&client);
    };
    let outcome = tokio::select! {
        outcome = both_ways(&mut client, &mut server, &shared) => outcome,
        _ = resets.changed() => Err(io::ErrorKind::ConnectionReset.into()),
    };
    if outcome.is_err() {
        reset(&client);
        reset(&server);
    }
}

/// Has the socket send a reset when it is closed, rather than an orderly end.
pub(super) fn reset(stream: &TcpStream) {
    // It fails on a socket that is closed already, which is what is wanted.
    let _ = stream.set_zero_linger();
}

async fn both_ways(
    client: &mut TcpStream,
    server: &mut TcpStream,
    shared: &Shared,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let relay = Relay { shared, reply_cut: Mutex::new(None) };
    let (client_read, client_write) = client.split();
    let (server_read, server_write) = server.split();
    let (requests_in, requests_out) = mpsc::unbounded_channel();
    let (replies_in, replies_out) = mpsc::unbounded_channel();
    tokio::try_join!(
        relay.read(client_read, requests_in, Direction::Request),
        relay.read(server_read, replies_in, Direction::Reply),
        relay.write_requests(server_write, requests_out),
        relay.write_replies(client_write, replies_out),
    )?;
    Ok(())
}

impl Relay<'_> {
    /// Reads one side and stamps what it sends with the time at which the other side is to get it.
    async fn read(
        &self,
        mut from: ReadHalf<'_>,
        queue: mpsc::UnboundedSender<Chunk>,
        direction: Direction,
    ) -> io::Result<()> {
        // The queue is bounded by bytes: a chunk holds its part of the room until it is written.
        let room = Arc::new(Semaphore::new(QUEUE_BYTES));
        let mut mode = self.shared.mode.subscribe();
        let mut buffer = vec![0; READ_SIZE];
        loop {
            wait_until_open(&mut mode, direction).await?;
            let read = from.read(&mut buffer).await?;
            let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
                return Ok(());
            };
            let due = Instant::now().checked_add(mode.borrow().delay(direction));
            let due = due.ok_or(io::ErrorKind::InvalidInput)?;
            let size = u32::try_from(read.max(CHUNK_BYTES)).map_err(io::Error::other)?;
            let permit = room.clone().acquire_many_owned(size).await.map_err(io::Error::other)?;
            let chunk = Chunk { due, bytes: bytes.to_vec(), _room: permit };
            queue.send(chunk).map_err(|_| io::ErrorKind::BrokenPipe)?;
        }
    }

    async fn write_requests(
        &self,
        mut to: WriteHalf<'_>,
        mut queue: mpsc::UnboundedReceiver<Chunk>,
    ) -> io::Result<()> {
        let mut mode = self.shared.mode.subscribe();
        let mut requests = Requests::new();
        let mut pace = Pace::new();
        while let Some(chunk) = next_due(&mut queue, &mut mode, Direction::Request).await? {
            pace.wait(&mode, chunk.bytes.len()).await;
            let passes = self.find_cut(&mut requests, &chunk.bytes);
            let (bytes, is_cut) = until(&chunk.bytes, passes);
            to.write_all(bytes).await?;
            self.shared.count(Direction::Request, bytes.len(), requests.largest());
            if is_cut {
                return Err(self.shared.cut_done());
            }
        }
        to.shutdown().await
    }

    async fn write_replies(
        &self,
        mut to: WriteHalf<'_>,
        mut queue: mpsc::UnboundedReceiver<Chunk>,
    ) -> io::Result<()> {
        let mut mode = self.shared.mode.subscribe();
        let mut replies = Replies::new();
        let mut pace = Pace::new();
        while let Some(chunk) = next_due(&mut queue, &mut mode, Direction::Reply).await? {
            pace.wait(&mode, chunk.bytes.len()).await;
            let passes = replies.take(&chunk.bytes, *lock(&self.reply_cut));
            let (bytes, is_cut) = until(&chunk.bytes, passes);
            to.write_all(bytes).await?;
            self.shared.count(Direction::Reply, bytes.len(), replies.largest());
            if is_cut {
                return Err(self.shared.cut_done());
            }
        }
        to.shutdown().await
    }

    /// Takes the armed cut if it is for a command in this chunk. A cut of the request says how
    /// many bytes still pass; one of the reply is handed to the other direction, before the
    /// command is sent.
    fn find_cut(&self, requests: &mut Requests, chunk: &[u8]) -> Option<usize> {
        let mut armed = lock(&self.shared.armed);
        let found = requests.take(chunk, armed.as_ref().map(|cut| cut.needle.as_slice()))?;
        match armed.take()?.place {
            Place::Request => Some(found.before),
            Place::Reply { after } => {
                *lock(&self.reply_cut) = Some(ReplyCut { reply: found.command, after });
                None
            }
        }
    }
}

/// When a direction has passed on what it was given.
struct Pace {
    free: Instant,
}

impl Pace {
    fn new() -> Self {
        Self { free: Instant::now() }
    }

    /// Waits as long as the bytes take, behind those before them.
    async fn wait(&mut self, mode: &watch::Receiver<Mode>, bytes: usize) {
        let takes = mode.borrow().duration(bytes);
        if !takes.is_zero() {
            self.free = self.free.max(Instant::now()) + takes;
            sleep_until(self.free).await;
        }
    }
}

/// The next chunk, when its time has come and the direction is open.
async fn next_due(
    queue: &mut mpsc::UnboundedReceiver<Chunk>,
    mode: &mut watch::Receiver<Mode>,
    direction: Direction,
) -> io::Result<Option<Chunk>> {
    let Some(chunk) = queue.recv().await else { return Ok(None) };
    if chunk.due > Instant::now() {
        sleep_until(chunk.due).await;
    }
    wait_until_open(mode, direction).await?;
    Ok(Some(chunk))
}

async fn wait_until_open(mode: &mut watch::Receiver<Mode>, direction: Direction) -> io::Result<()> {
    let opened = mode.wait_for(|mode| !mode.holds(direction)).await;
    opened.map(drop).map_err(io::Error::other)
}

/// The bytes that pass, and whether the connection is cut after them.
fn until(bytes: &[u8], passes: Option<usize>) -> (&[u8], bool) {
    match passes {
        Some(count) => (bytes.get(..count).unwrap_or(bytes), true),
        None => (bytes, false),
    }
}
