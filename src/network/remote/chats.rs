//! What a login does to chats: find people, start, join, change, leave and put away.

use instagram::api;
use instagram::client::http::CallError;

use super::{Remote, RemoteError, decode};
use crate::domain::event::{RemoteThread, RemoteUser};
use crate::domain::ids::{ClientContext, RemoteUserId, ThreadId};

/// A change of a chat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChatChange {
    /// Another title of a group.
    Title(String),
    /// A new member of a group.
    Add(RemoteUserId),
    /// A member less.
    Remove(RemoteUserId),
    /// The login leaves the group.
    Leave,
    /// Notifications on Instagram off, or on again.
    Mute(bool),
    /// Marked as not read.
    Unread,
    /// Put away from this login's list; Instagram calls it deleting.
    Hide,
    /// A message request is accepted.
    Accept,
    /// A message request is declined.
    Decline,
}

impl Remote {
    /// Finds people by name.
    pub async fn search(&self, query: &str) -> Result<Vec<RemoteUser>, RemoteError> {
        let users = self.call(api::SearchUsers { query: query.to_owned() }).await?;
        Ok(users.iter().map(decode::to_user).collect())
    }

    /// The person with a handle.
    pub async fn user_by_name(&self, username: &str) -> Result<RemoteUser, RemoteError> {
        let user = self.call(api::UserByName { username: username.to_owned() }).await?;
        Ok(decode::to_user(&user))
    }

    /// The chat with these people, if there is one.
    pub async fn thread_with(&self, users: &[RemoteUserId]) -> Result<Option<RemoteThread>, RemoteError> {
        let thread = self.call(api::ThreadByParticipants { users: super::texts(users) }).await?;
        Ok(thread.as_ref().map(decode::to_thread))
    }

    /// Starts a chat by a first text; the same one again makes no second text. `Err(Uncertain)` means that it may have
    /// arrived.
    pub async fn start_chat(
        &self,
        users: &[RemoteUserId],
        text: &str,
        context: &ClientContext,
    ) -> Result<Option<ThreadId>, RemoteError> {
        self.check_cooldown()?;
        self.pace().await;
        let request = api::BroadcastTextToUsers {
            users: super::texts(users),
            text: text.to_owned(),
            client_context: context.as_str().to_owned(),
        };
        let sent = self.noted(self.call_once(request).await)?;
        Ok(sent.thread_id.map(ThreadId::new))
    }

    /// Makes a group; the same context again makes no second one. `Err(Uncertain)` means that it may have been made.
    pub async fn create_group(
        &self,
        users: &[RemoteUserId],
        title: Option<&str>,
        context: &ClientContext,
    ) -> Result<RemoteThread, RemoteError> {
        self.check_cooldown()?;
        self.pace().await;
        let request = api::CreateGroup {
            users: super::texts(users),
            title: title.map(str::to_owned),
            client_context: context.as_str().to_owned(),
        };
        let made = self.noted(self.call_once(request).await)?;
        Ok(decode::to_thread(&made))
    }

    /// As `call`, for what must not be done twice: where the outcome is unknown, it says so.
    async fn call_once<E: api::Endpoint>(&self, endpoint: E) -> Result<E::Answer, RemoteError> {
        match self.inner.http.call(&self.inner.session, endpoint).await {
            Err(CallError::Transport(_)) => Err(RemoteError::Uncertain),
            outcome => match outcome.map_err(RemoteError::from) {
                Err(RemoteError::Server(_)) => Err(RemoteError::Uncertain),
                outcome => outcome,
            },
        }
    }

    /// Changes a chat. Doing it twice changes nothing more.
    pub async fn change(&self, thread: &ThreadId, change: &ChatChange) -> Result<(), RemoteError> {
        self.check_cooldown()?;
        self.pace().await;
        let thread_id = thread.as_str().to_owned();
        let outcome = match change {
            ChatChange::Title(title) => self.call(api::RenameThread { thread_id, title: title.clone() }).await,
            ChatChange::Add(user) => {
                self.call(api::AddUsers { thread_id, users: vec![user.as_str().to_owned()] }).await
            }
            ChatChange::Remove(user) => {
                self.call(api::RemoveUsers { thread_id, users: vec![user.as_str().to_owned()] }).await
            }
            ChatChange::Leave => self.call(api::LeaveThread { thread_id }).await,
            ChatChange::Mute(muted) => self.call(api::Mute { thread_id, muted: *muted }).await,
            ChatChange::Unread => self.call(api::MarkUnread { thread_id }).await,
            ChatChange::Hide => self.call(api::HideThread { thread_id }).await,
            ChatChange::Accept => self.call(api::ApproveThread { thread_id }).await,
            ChatChange::Decline => self.call(api::DeclineThread { thread_id }).await,
        };
        self.noted(outcome.map(drop))
    }
}
