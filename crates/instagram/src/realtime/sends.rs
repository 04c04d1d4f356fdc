//! Commands on their way: a bounded queue, the window of packets in flight, and the sends that await an answer.
//!
//! Answers are matched by client context. One without a context belongs to the only send outstanding, provided that
//! nothing given up earlier might still be answered; otherwise nobody knows whose it is.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::{SendError, Sent};
use crate::mqttot::EncodeError;
use crate::mqttot::window::Window;
use crate::topic::Topic;

/// How long an answer to something given up may still come; known clients wait as long for theirs.
const LATE: Duration = Duration::from_secs(180);
/// Remembered contexts of the given up.
const LATE_MAX: usize = 256;

/// Whose answer it is.
pub(super) enum Attribution {
    /// This send's, which is now over.
    Send(String),
    /// That of a send which is over already.
    Late,
    /// Nobody's we know.
    Stray,
}

struct Queued {
    topic: Topic,
    payload: Bytes,
    client_context: Option<String>,
}

struct Outstanding {
    deadline: Instant,
    /// Absent while the send waits in the queue.
    packet_id: Option<u16>,
}

pub(super) struct Sends {
    window: Window,
    queue_limit: usize,
    queue: VecDeque<Queued>,
    outstanding: HashMap<String, Outstanding>,
    /// What has been published, is over for us, and may still be answered; commands without context included.
    late: VecDeque<(Instant, Option<String>)>,
    /// No deadline is earlier than this one.
    next_deadline: Option<Instant>,
}

impl Sends {
    pub(super) fn new(window: u16, queue_limit: usize) -> Sends {
        Sends {
            window: Window::new(window.max(1)),
            queue_limit,
            queue: VecDeque::new(),
            outstanding: HashMap::new(),
            late: VecDeque::new(),
            next_deadline: None,
        }
    }

    /// Queues a send. Refuses it when the queue is full, or when the same send is under way, which may have arrived.
    pub(super) fn add(&mut self, client_context: String, payload: Bytes, deadline: Instant) -> Result<(), Sent> {
        if self.outstanding.contains_key(&client_context) {
            return Err(Sent { client_context, result: Err(SendError::Uncertain) });
        }
        if self.queue.len() >= self.queue_limit {
            return Err(Sent { client_context, result: Err(SendError::NotSent) });
        }
        // A repetition: the answer to either of the two will do.
        self.late.retain(|(_, late)| late.as_deref() != Some(&client_context));
        self.next_deadline = Some(self.next_deadline.map_or(deadline, |next| next.min(deadline)));
        self.outstanding.insert(client_context.clone(), Outstanding { deadline, packet_id: None });
        self.queue.push_back(Queued { topic: Topic::SendMessage, payload, client_context: Some(client_context) });
        Ok(())
    }

    /// Queues a command nobody waits for; dropped when the queue is full.
    pub(super) fn tell(&mut self, now: Instant, payload: Bytes) {
        if self.queue.len() < self.queue_limit {
            self.queue.push_back(Queued { topic: Topic::SendMessage, payload, client_context: None });
            self.remember(now, None);
        }
    }

    /// Queues a subscription ahead of everything else.
    pub(super) fn control(&mut self, topic: Topic, payload: Bytes) {
        self.queue.push_front(Queued { topic, payload, client_context: None });
    }

    /// Publishes from the queue while the window is open.
    pub(super) fn publish(&mut self, now: Instant, output: &mut BytesMut) -> Result<(), EncodeError> {
        self.window.expire(now);
        while self.window.is_open()
            && let Some(queued) = self.queue.pop_front()
        {
            let packet_id = self.window.publish(now, queued.topic.wire(), queued.payload, output)?;
            if let Some(send) = queued.client_context.and_then(|context| self.outstanding.get_mut(&context)) {
                send.packet_id = Some(packet_id);
            }
        }
        if self.queue.is_empty() && self.queue.capacity() > 64 {
            self.queue = VecDeque::new();
        }
        Ok(())
    }

    /// The server has a packet.
    pub(super) fn acknowledged(&mut self, packet_id: u16) {
        self.window.release(packet_id);
    }

    /// Finds and ends the send that an answer belongs to.
    pub(super) fn answered(&mut self, now: Instant, client_context: Option<&str>) -> Attribution {
        while self.late.front().is_some_and(|(since, _)| now.duration_since(*since) > LATE) {
            self.late.pop_front();
        }
        let client_context = match client_context {
            Some(context) if self.outstanding.contains_key(context) => context.to_owned(),
            Some(context) => {
                let known = self.late.iter().position(|(_, late)| late.as_deref() == Some(context));
                return match known.and_then(|at| self.late.remove(at)) {
                    Some(_) => Attribution::Late,
                    None => Attribution::Stray,
                };
            }
            None => match self.only_candidate() {
                Some(context) => context,
                None => return Attribution::Stray,
            },
        };
        self.end(&client_context);
        Attribution::Send(client_context)
    }

    /// Ends a send whose echo arrived. Returns false when it is over already.
    pub(super) fn settle(&mut self, now: Instant, client_context: &str) -> bool {
        let Some(published) = self.end(client_context) else { return false };
        if published {
            self.remember(now, Some(client_context.to_owned()));
        } else {
            // The echo of an earlier attempt: this one need not leave.
            self.queue.retain(|queued| queued.client_context.as_deref() != Some(client_context));
        }
        true
    }

    /// Ends the sends whose deadline has passed.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<(String, SendError)> {
        if self.next_deadline.is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        let expired: Vec<String> = self
            .outstanding
            .iter()
            .filter(|(_, send)| send.deadline <= now)
            .map(|(context, _)| context.clone())
            .collect();
        let ended = expired.into_iter().map(|context| {
            let error = self.give_up(now, &context);
            (context, error)
        });
        let ended = ended.collect();
        self.next_deadline = self.outstanding.values().map(|send| send.deadline).min();
        ended
    }

    /// Ends all sends: what was published may have arrived, what waits in the queue has not left.
    pub(super) fn close(&mut self) -> Vec<(String, SendError)> {
        let queued = std::mem::take(&mut self.queue).into_iter().filter_map(|queued| queued.client_context);
        let not_sent: Vec<String> = queued.filter(|context| self.outstanding.remove(context).is_some()).collect();
        let uncertain = self.outstanding.drain().map(|(context, _)| (context, SendError::Uncertain));
        let ended = uncertain.chain(not_sent.into_iter().map(|context| (context, SendError::NotSent))).collect();
        self.next_deadline = None;
        ended
    }

    /// When [`Sends::expire`] or a stuck window needs attention.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let stuck = if self.queue.is_empty() { None } else { self.window.next_expiry() };
        self.next_deadline.into_iter().chain(stuck).min()
    }

    fn only_candidate(&self) -> Option<String> {
        let mut published = self.outstanding.iter().filter(|(_, send)| send.packet_id.is_some());
        match (published.next(), published.next(), self.late.is_empty()) {
            (Some((context, _)), None, true) => Some(context.clone()),
            _ => None,
        }
    }

    fn give_up(&mut self, now: Instant, client_context: &str) -> SendError {
        if self.end(client_context) == Some(true) {
            self.remember(now, Some(client_context.to_owned()));
            return SendError::Uncertain;
        }
        self.queue.retain(|queued| queued.client_context.as_deref() != Some(client_context));
        SendError::NotSent
    }

    /// Removes a send and frees its place in the window: whatever is known of it, the packet arrived or is given up.
    /// Returns whether it had been published.
    fn end(&mut self, client_context: &str) -> Option<bool> {
        let send = self.outstanding.remove(client_context)?;
        if let Some(packet_id) = send.packet_id {
            self.window.release(packet_id);
        }
        if self.outstanding.is_empty() {
            self.next_deadline = None;
        }
        Some(send.packet_id.is_some())
    }

    fn remember(&mut self, now: Instant, client_context: Option<String>) {
        if self.late.len() >= LATE_MAX {
            self.late.pop_front();
        }
        self.late.push_back((now, client_context));
    }
}
