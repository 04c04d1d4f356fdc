//! The writes as values, so that the writer can run a group of them in one transaction and run one again.

use ruma::{OwnedRoomId, OwnedUserId};
use tokio::sync::oneshot;

use super::delivery::Accepted;
use super::error::StoreError;
use crate::domain::ids::{LaneKey, LoginId, PortalId, PortalKey, RemoteUserId, RequestId, RowId, ThreadId, Timestamp};
use crate::domain::record::{
    Cursor, Effect, Ghost, History, Intended, Login, LoginState, NewRow, OutboxState, OwnChange, Portal, Settlement,
};

/// What the writer is sent.
pub(super) enum Message {
    /// Do this.
    Write(Job),
    /// Stop after what was sent before.
    Close(oneshot::Sender<()>),
}

/// A write and whom to tell.
pub(super) struct Job {
    pub(super) write: Write,
    pub(super) answer: oneshot::Sender<Result<Answer, StoreError>>,
}

/// One write verb with its arguments. Every one may be repeated.
#[derive(Clone, Debug)]
pub(super) enum Write {
    Accept(Acceptance),
    Intend {
        parts: Vec<Intended>,
        now: Timestamp,
    },
    Confirm {
        request: RequestId,
        id: String,
    },
    Settle {
        settlements: Vec<Settlement>,
        now: Timestamp,
    },
    /// Not before a time.
    Rest {
        row: RowId,
        until: Timestamp,
    },
    PutBack {
        row: RowId,
        retry_at: Timestamp,
        reason: String,
    },
    Prune {
        before: Timestamp,
    },
    RetryParked,
    DiscardParked,
    EnsurePortal(PortalKey),
    /// The portal as it was read, and as it is to be.
    SavePortal(Box<(Portal, Portal)>),
    RemovePortal(PortalId),
    Apply(Effect),
    NoteOwnChange(OwnChange),
    AdvanceRead {
        portal: PortalId,
        user: RemoteUserId,
        at: Timestamp,
    },
    BeginHistories {
        histories: Vec<History>,
        first: Option<(LoginId, Cursor)>,
    },
    AddHistoryPage {
        history: History,
        items: Vec<(String, String)>,
    },
    FinishHistory {
        thread: ThreadId,
        login: LoginId,
        lane: LaneKey,
        now: Timestamp,
    },
    NoteLogin {
        thread: ThreadId,
        login: LoginId,
    },
    ForgetLogin {
        thread: ThreadId,
        login: LoginId,
    },
    SaveGhost(Ghost),
    SaveLogin(Login),
    SetLoginState {
        login: LoginId,
        state: LoginState,
        reason: Option<String>,
    },
    RemoveLogin(LoginId),
    SaveSession {
        login: LoginId,
        sealed: Vec<u8>,
    },
    SetManagementRoom {
        user: OwnedUserId,
        room: OwnedRoomId,
    },
    ForgetManagementRoom(OwnedRoomId),
}

/// Rows, and what is committed together with them.
#[derive(Clone, Debug)]
pub(super) struct Acceptance {
    pub(super) source: Source,
    pub(super) rows: Vec<NewRow>,
    pub(super) now: Timestamp,
}

/// Where rows come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Transaction { id: String },
    Session { login: LoginId, cursor: Cursor, rule: CursorRule },
}

/// What to do with the stored cursor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CursorRule {
    /// A lower one changes nothing.
    OnlyGrows,
    /// The stored one was refused; take the new one whatever it says.
    Replace,
}

/// What a write says once it is committed.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Done,
    Accepted(Accepted),
    States(Vec<OutboxState>),
    Portal(Portal),
    Removed(u64),
    Lanes(Vec<LaneKey>),
}

impl Answer {
    /// The error for an answer of another kind than the write has.
    pub(super) fn unexpected() -> StoreError {
        StoreError::Refused("a write was answered with another kind of answer".to_owned())
    }
}
