//! Misbehaviour on request: the next requests to some path fail in a chosen way.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// One way to misbehave.
#[derive(Clone, Debug)]
pub enum Fault {
    /// 429 with this wait; the request is not carried out.
    RateLimit {
        /// What `retry_after_ms` says.
        retry_after: Duration,
    },
    /// This status without a Matrix body, as a proxy gives it; the request is not carried out.
    Status(u16),
    /// This status with this Matrix error code; the request is not carried out.
    Refuse {
        /// For example 403.
        status: u16,
        /// For example `M_FORBIDDEN`.
        errcode: String,
    },
    /// The request is carried out and the connection breaks before the answer.
    LoseAnswer,
    /// A room's alias is stored, and the homeserver dies before it makes the room; the answer is a 502.
    HalfRoom,
    /// The request is carried out and answered so much later.
    Delay(Duration),
}

/// The faults still to come.
#[derive(Default)]
pub(crate) struct Faults {
    /// Lets the usual case, no faults, cost nothing.
    any: AtomicBool,
    rules: Mutex<Vec<Rule>>,
}

struct Rule {
    path_contains: String,
    left: u32,
    fault: Fault,
}

impl Faults {
    pub(crate) fn add(&self, path_contains: &str, count: u32, fault: Fault) {
        let rule = Rule { path_contains: path_contains.to_owned(), left: count, fault };
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).push(rule);
        self.any.store(true, Ordering::Release);
    }

    /// Takes the fault meant for a request, if there is one.
    pub(crate) fn take(&self, path: &str) -> Option<Fault> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let rule = rules.iter_mut().find(|rule| path.contains(&rule.path_contains))?;
        rule.left = rule.left.saturating_sub(1);
        let fault = rule.fault.clone();
        rules.retain(|rule| rule.left > 0);
        self.any.store(!rules.is_empty(), Ordering::Release);
        Some(fault)
    }
}
