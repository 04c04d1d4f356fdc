//! One user's iris queue: numbered envelopes, kept up to a limit, replayed on subscription.

use std::{collections::VecDeque, sync::Arc};

use serde::Serialize;
use tokio::sync::watch;

use crate::fault::CursorRefusal;

/// The number before a new account's first envelope.
const START: i64 = 1000;

/// One patch, as it stands in an envelope's `data`.
#[derive(Serialize)]
pub(crate) struct Patch<'a> {
    pub(crate) op: &'a str,
    pub(crate) path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<&'a str>,
}

impl Patch<'_> {
    /// The JSON array of this patch alone.
    pub(crate) fn data(&self) -> Arc<str> {
        serde_json::to_string(&[self]).expect("strings always serialise").into()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) seq_id: i64,
    /// JSON array of patches.
    pub(crate) data: Arc<str>,
    pub(crate) mutation_token: Option<Arc<str>>,
    /// Not delivered before this time; 0 for at once.
    pub(crate) not_before_us: i64,
}

pub(crate) struct Queue {
    kept: VecDeque<Envelope>,
    head: i64,
    limit: usize,
    grown: watch::Sender<i64>,
}

impl Queue {
    pub(crate) fn new(limit: usize) -> Queue {
        Queue { kept: VecDeque::new(), head: START, limit: limit.max(1), grown: watch::Sender::new(START) }
    }

    pub(crate) fn push(&mut self, data: Arc<str>, mutation_token: Option<&str>, not_before_us: i64) -> i64 {
        self.head += 1;
        let mutation_token = mutation_token.map(Arc::from);
        self.kept.push_back(Envelope { seq_id: self.head, data, mutation_token, not_before_us });
        if self.kept.len() > self.limit {
            self.kept.pop_front();
        }
        self.grown.send_replace(self.head);
        self.head
    }

    /// The number of the newest envelope.
    pub(crate) fn head(&self) -> i64 {
        self.head
    }

    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Told the head whenever it grows.
    pub(crate) fn watch(&self) -> watch::Receiver<i64> {
        self.grown.subscribe()
    }

    /// Whether a client that has handled everything up to `seq_id` can go on from there.
    pub(crate) fn accepts(&self, seq_id: i64) -> Result<(), CursorRefusal> {
        if seq_id > self.head {
            Err(CursorRefusal::Overflow)
        } else if seq_id < self.head - self.kept.len() as i64 {
            Err(CursorRefusal::Underflow)
        } else {
            Ok(())
        }
    }

    /// The envelopes after `seq_id`, oldest first, at most `limit`.
    pub(crate) fn after(&self, seq_id: i64, limit: usize) -> impl Iterator<Item = &Envelope> {
        let first = self.head - self.kept.len() as i64 + 1;
        let skip = (seq_id + 1 - first).max(0) as usize;
        self.kept.iter().skip(skip).take(limit)
    }

    /// Forgets all but the newest `keep`, as Instagram does after a while.
    pub(crate) fn trim(&mut self, keep: usize) {
        while self.kept.len() > keep {
            self.kept.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(limit: usize, count: i64) -> Queue {
        let mut queue = Queue::new(limit);
        for _ in 0..count {
            queue.push("[]".into(), None, 0);
        }
        queue
    }

    #[test]
    fn what_is_after_the_cursor_is_replayed_in_order() {
        let queue = filled(10, 5);
        let seqs: Vec<i64> = queue.after(START + 2, 10).map(|envelope| envelope.seq_id).collect();
        assert_eq!(seqs, [START + 3, START + 4, START + 5]);
        assert_eq!(queue.after(START + 5, 10).count(), 0);
    }

    #[test]
    fn a_cursor_outside_of_what_is_kept_is_refused() {
        let mut queue = filled(3, 5);
        assert_eq!(queue.accepts(START + 2), Ok(()));
        assert_eq!(queue.accepts(START + 1), Err(CursorRefusal::Underflow));
        assert_eq!(queue.accepts(START + 6), Err(CursorRefusal::Overflow));
        queue.trim(0);
        assert_eq!(queue.accepts(START + 4), Err(CursorRefusal::Underflow));
        assert_eq!(queue.accepts(START + 5), Ok(()));
    }
}
