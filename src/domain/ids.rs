//! Newtypes for every id. Remote ids are opaque: only the Instagram adapter looks inside.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps the id as the other side wrote it, without NULs: no id has any, and PostgreSQL stores none.
            pub fn new(id: impl Into<String>) -> Self {
                Self(without_nul(id.into()))
            }
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

text_id! {
    /// One Instagram account attached to one Matrix user: the account's numeric id, as text.
    LoginId;
    /// An Instagram chat (39 decimal digits, opaque).
    ThreadId;
    /// One entry of a thread.
    ItemId;
    /// An Instagram user (numeric, opaque).
    RemoteUserId;
    /// Instagram's idempotency key of a send.
    ClientContext;
    /// The computed id of an outgoing request: a Matrix transaction id or a client context.
    RequestId;
    /// An ordered queue of inbox rows with one worker. See [`LaneKey::incoming`] and its neighbours.
    LaneKey;
}

/// A text as PostgreSQL takes it.
pub fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text }
}

impl LaneKey {
    /// What Instagram says in one thread, whichever login heard it.
    pub fn incoming(thread: &ThreadId) -> Self {
        Self(format!("in/{thread}"))
    }

    /// What one Matrix user says in one room. A send that waits holds back nobody else.
    pub fn outgoing(room: &str, sender: &str) -> Self {
        Self(format!("out/{room}/{sender}"))
    }

    /// True for lanes made by [`LaneKey::incoming`].
    pub fn is_incoming(&self) -> bool {
        self.0.starts_with("in/")
    }
}

impl From<RequestId> for ClientContext {
    fn from(id: RequestId) -> Self {
        Self(id.0)
    }
}

impl From<ClientContext> for RequestId {
    fn from(id: ClientContext) -> Self {
        Self(id.0)
    }
}

impl LoginId {
    /// The account as the Instagram user it is.
    pub fn as_remote_user(&self) -> RemoteUserId {
        RemoteUserId(self.0.clone())
    }
}

/// Names a portal: a direct chat has one per login, a group one for all logins in it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PortalKey {
    /// The Instagram chat.
    pub thread: ThreadId,
    /// The login of a direct chat; none for a group shared by all logins in it.
    pub receiver: Option<LoginId>,
}

/// Database key of a portal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PortalId(pub i64);

/// Database key of an inbox row; grows in order of arrival.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RowId(pub i64);

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);
