//! The loop of one connection: requests in, bytes both ways, timers, events out.

use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, trace, warn};

use super::{Request, Shared};
use crate::realtime::{Answer, Command, Event, Realtime, SendError};

/// Events and bytes the consumer may be behind before the driver stops reading. Some room is needed, since answers to
/// sends come on the same stream and somebody may wait for one before taking events.
const BACKLOG_EVENTS: usize = 256;
const BACKLOG_BYTES: usize = 4 << 20;
/// Reads are small while little arrives, since every idle connection holds such a buffer, and larger under load.
const SMALL_READ: usize = 2 << 10;
const LARGE_READ: usize = 16 << 10;
/// For the last bytes, such as DISCONNECT.
const FAREWELL: Duration = Duration::from_secs(2);

type Waiting = HashMap<String, oneshot::Sender<Result<Answer, SendError>>>;

/// Closes the door for requests however the driver ends.
struct Door(Arc<Shared>);

impl Drop for Door {
    fn drop(&mut self) {
        refuse(self.0.close());
    }
}

/// Runs a connection to its end.
pub(super) async fn drive<S>(stream: S, mut machine: Realtime, shared: Arc<Shared>, events: mpsc::Sender<Event>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let door = Door(shared);
    let mut link = Link { stream, outgoing: Bytes::new(), unflushed: false, large_reads: false };
    let mut waiting = Waiting::new();
    let mut timer = pin!(sleep_until(Instant::now()));
    while !machine.is_closed() {
        for request in door.0.take() {
            accept(&mut machine, &mut waiting, request);
        }
        deliver(&mut machine, &events);
        settle(&mut machine, &mut waiting);
        link.fill(&mut machine);
        if machine.is_closed() {
            break;
        }
        let (behind, bytes) = machine.backlog();
        let reading = behind < BACKLOG_EVENTS && bytes < BACKLOG_BYTES;
        machine.set_reading(now(), reading);
        let deadline = machine.poll_timeout().map(Instant::from_std);
        if let Some(deadline) = deadline
            && timer.deadline() != deadline
        {
            timer.as_mut().reset(deadline);
        }
        tokio::select! {
            () = door.0.wake.notified() => {}
            // Only a sign that there is room: the permit goes back, and `deliver` takes it again.
            permit = events.reserve(), if behind > 0 => {
                if permit.is_err() {
                    machine.handle_command(now(), Command::Close);
                }
            }
            () = events.closed() => machine.handle_command(now(), Command::Close),
            result = link.exchange(machine.input_buffer(), reading) => match result {
                Ok(Progress::Written) => {}
                Ok(Progress::Read) => {
                    let now = Instant::now();
                    door.0.heard(now);
                    machine.handle_filled(now.into_std());
                }
                Err(error) => {
                    debug!(kind = %error.kind(), "the socket is closed");
                    machine.handle_disconnected();
                }
            },
            () = timer.as_mut(), if deadline.is_some() => machine.handle_timeout(now()),
        }
    }
    refuse(door.0.close());
    settle(&mut machine, &mut waiting);
    link.farewell(&mut machine).await;
    drop(link);
    while let Some(event) = machine.poll_event() {
        log(&event);
        if events.send(event).await.is_err() {
            break;
        }
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

fn accept(machine: &mut Realtime, waiting: &mut Waiting, request: Request) {
    if let (Command::Send { client_context, .. }, Some(done)) = (&request.command, request.done) {
        if waiting.contains_key(client_context) {
            // The same send is under way, and its answer is the other caller's.
            let _ = done.send(Err(SendError::Uncertain));
            return;
        }
        waiting.insert(client_context.clone(), done);
    }
    machine.handle_command(now(), request.command);
}

/// Requests that were never taken have not left.
fn refuse(requests: VecDeque<Request>) {
    for done in requests.into_iter().filter_map(|request| request.done) {
        let _ = done.send(Err(SendError::NotSent));
    }
}

fn settle(machine: &mut Realtime, waiting: &mut Waiting) {
    while let Some(sent) = machine.poll_sent() {
        if let Some(done) = waiting.remove(&sent.client_context) {
            // A caller who has gone away does not need the answer.
            let _ = done.send(sent.result);
        }
    }
}

/// Hands over as many events as there is room for.
fn deliver(machine: &mut Realtime, events: &mpsc::Sender<Event>) {
    while machine.backlog().0 > 0
        && let Ok(permit) = events.try_reserve()
        && let Some(event) = machine.poll_event()
    {
        log(&event);
        permit.send(event);
    }
}

/// Sizes and types, never content.
fn log(event: &Event) {
    match event {
        Event::Connected => debug!("connected"),
        Event::Subscribed { latest_seq_id } => debug!(latest_seq_id, "subscribed to the queue"),
        Event::CursorRefused { error_type, message } => warn!(error_type, message, "the cursor was refused"),
        Event::Sync { payload, .. } => trace!(size = payload.len(), "a piece of the queue"),
        Event::StrayReply(reply) => {
            debug!(succeeded = reply.succeeded, status = reply.status_code, "an answer to no known send");
        }
        Event::Typing(_) | Event::Presence(_) | Event::Alive => trace!("a sign of life"),
        Event::Notice { topic, size } => debug!(topic = topic.name(), size, "a topic without use"),
        Event::Malformed { topic, reason } => {
            warn!(topic = topic.map(crate::topic::Topic::name), reason, "something unreadable was skipped");
        }
        Event::UnknownTopic { topic, size } => debug!(topic, size, "an unknown topic"),
        Event::Closed { reason } => debug!(%reason, "closed"),
    }
}

enum Progress {
    Read,
    Written,
}

struct Link<S> {
    stream: S,
    /// What the socket has not taken yet.
    outgoing: Bytes,
    unflushed: bool,
    large_reads: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// Takes new bytes from the machine once the socket has taken the old ones.
    fn fill(&mut self, machine: &mut Realtime) {
        if self.outgoing.is_empty()
            && let Some(bytes) = machine.poll_transmit()
        {
            self.outgoing = bytes;
        }
    }

    /// Reads into `input` and writes what is pending, until one of the two is done. Dropping the future loses nothing.
    async fn exchange(&mut self, input: &mut BytesMut, reading: bool) -> io::Result<Progress> {
        poll_fn(|cx| {
            let pending = !self.outgoing.is_empty();
            if let Poll::Ready(Err(error)) = self.poll_write(cx) {
                return Poll::Ready(Err(error));
            }
            if reading && let Poll::Ready(result) = self.poll_read(cx, input) {
                return Poll::Ready(result.map(|()| Progress::Read));
            }
            // The machine may hold the next bytes.
            if pending && self.outgoing.is_empty() { Poll::Ready(Ok(Progress::Written)) } else { Poll::Pending }
        })
        .await
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.outgoing))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.advance(written);
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<()>> {
        input.reserve(if self.large_reads { LARGE_READ } else { SMALL_READ });
        let read = ready!(pin!(self.stream.read_buf(input)).poll(cx))?;
        if read == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.large_reads = read >= SMALL_READ;
        Poll::Ready(Ok(()))
    }

    /// Writes the last bytes and closes the socket, if it lets us.
    async fn farewell(&mut self, machine: &mut Realtime) {
        let goodbye = async {
            loop {
                poll_fn(|cx| self.poll_write(cx)).await?;
                self.fill(machine);
                if self.outgoing.is_empty() {
                    return self.stream.shutdown().await;
                }
            }
        };
        // The connection is over either way.
        let _ = timeout(FAREWELL, goodbye).await;
    }
}
