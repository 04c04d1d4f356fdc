//! The writes as values, so that the writer can run a group of them in one transaction and run one again.

use ruma::{OwnedRoomId, OwnedUserId};
use tokio::sync::oneshot;

use super::delivery::Accepted;
use super::error::StoreError;
use crate::domain::ids::{LaneKey, LoginId, PortalId, PortalKey, RemoteUserId, RequestId, RowId, ThreadId, Timestamp};
use crate::domain::record::{
    Cursor, Effect, Ghost, History, Intended, Login, LoginState, Mapping, NewRow, OutboxState, OwnChange, Portal,
    Settlement, Standing,
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
    Map(Vec<Mapping>),
    ForgetFetched {
        thread: ThreadId,
        login: LoginId,
        keys: Vec<String>,
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
    BeginHistories(Vec<History>),
    /// The first cursor of a login, what is known of its chats already, and the histories to be fetched.
    BeginLogin {
        histories: Vec<History>,
        acceptance: Acceptance,
    },
    /// Not the last page.
    AddHistoryPage(HistoryPage),
    /// The last page, and rows of the inbox from all pages.
    EndHistory {
        page: HistoryPage,
        lane: LaneKey,
        now: Timestamp,
    },
    CloseGap(LoginId),
    NoteLogin {
        thread: ThreadId,
        login: LoginId,
    },
    ForgetLogin {
        thread: ThreadId,
        login: LoginId,
    },
    SetStanding {
        thread: ThreadId,
        login: LoginId,
        standing: Standing,
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

/// A page of history.
#[derive(Clone, Debug)]
pub(super) struct HistoryPage {
    /// As it stands with this page.
    pub(super) history: History,
    /// Key and sealed payload of each row, newest first.
    pub(super) items: Vec<(String, String)>,
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
    Transaction {
        id: String,
    },
    Session {
        login: LoginId,
        cursor: Cursor,
        rule: CursorRule,
    },
    /// As a session whose cursor only grows; something that came before it could not be read.
    SessionWithGap {
        login: LoginId,
        cursor: Cursor,
    },
}

impl Source {
    /// The login that heard the rows, where one did.
    pub(super) fn login(&self) -> Option<&LoginId> {
        match self {
            Self::Transaction { .. } => None,
            Self::Session { login, .. } | Self::SessionWithGap { login, .. } => Some(login),
        }
    }

    /// The cursor that comes with the rows, and what to do with it.
    pub(super) fn cursor(&self) -> Option<(&LoginId, &Cursor, CursorRule)> {
        match self {
            Self::Transaction { .. } => None,
            Self::Session { login, cursor, rule } => Some((login, cursor, *rule)),
            Self::SessionWithGap { login, cursor } => Some((login, cursor, CursorRule::OnlyGrows)),
        }
    }
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
