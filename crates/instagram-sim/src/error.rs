//! Why the simulator cannot do what a test asked of it.

use std::fmt;

/// A verb of the library or the control API that cannot be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SimError {
    /// No account has this number.
    UnknownAccount(u64),
    /// No thread has this id.
    UnknownThread(String),
    /// No item of the thread has this id.
    UnknownItem(String),
    /// The account is not in the thread.
    NotAMember(u64),
    /// The media host has no such file.
    UnknownMedia,
    /// Another account has this name or number.
    NameTaken(String),
    /// The account may not do this; the text says why.
    Forbidden(&'static str),
    /// The request makes no sense; the text says why.
    Invalid(String),
    /// What was waited for did not happen in time; the text says what.
    DeadlinePassed(String),
}

impl fmt::Display for SimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SimError::UnknownAccount(pk) => write!(f, "there is no account {pk}"),
            SimError::UnknownThread(id) => write!(f, "there is no thread {id}"),
            SimError::UnknownItem(id) => write!(f, "there is no item {id}"),
            SimError::NotAMember(pk) => write!(f, "account {pk} is not in the thread"),
            SimError::UnknownMedia => f.write_str("the media host has no such file"),
            SimError::NameTaken(name) => write!(f, "the name or number {name} is taken"),
            SimError::Forbidden(why) => f.write_str(why),
            SimError::Invalid(why) => f.write_str(why),
            SimError::DeadlinePassed(what) => write!(f, "did not happen in time: {what}"),
        }
    }
}

impl std::error::Error for SimError {}
