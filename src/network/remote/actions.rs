//! What a login does besides sending messages: react, take back, edit, show that it has read or types.

use instagram::{api, command};

use super::{Remote, RemoteError};
use crate::domain::ids::{ClientContext, ItemId, ThreadId};

/// The item that something is done to.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Where.
    pub thread: &'a ThreadId,
    /// Which.
    pub item: &'a ItemId,
    /// Its item type; `text` when unknown.
    pub kind: &'a str,
    /// The client context it was sent with.
    pub client_context: Option<&'a ClientContext>,
}

impl Remote {
    /// Sets the login's reaction to an item, or takes it back. Repeating it changes nothing.
    pub async fn react(
        &self,
        target: Target<'_>,
        emoji: Option<&str>,
        context: &ClientContext,
    ) -> Result<(), RemoteError> {
        self.check_cooldown()?;
        self.pace().await;
        let outcome = match self.connected().await {
            Some(handle) => {
                let (thread, item) = (target.thread.as_str(), target.item.as_str());
                let payload = command::react(thread, item, target.kind, emoji, context.as_str());
                let timeout = self.inner.network.pacing().answer_timeout;
                let answer = handle.send(context.as_str(), payload, timeout).await;
                answer.map(drop).map_err(|error| self.send_error(error))
            }
            None => Err(RemoteError::NotConnected),
        };
        match outcome {
            // Without an answer it may or may not be there; the same over HTTP settles it.
            Err(RemoteError::NotConnected | RemoteError::Uncertain) => {
                let request = api::React {
                    thread_id: target.thread.as_str().to_owned(),
                    item_id: target.item.as_str().to_owned(),
                    item_type: target.kind.to_owned(),
                    emoji: emoji.map(str::to_owned),
                    client_context: context.as_str().to_owned(),
                    original_client_context: target.client_context.map(|context| context.as_str().to_owned()),
                };
                self.noted(self.call(request).await.map(drop))
            }
            other => self.noted(other),
        }
    }

    /// Takes back an item of the login. One that is gone already counts as taken back.
    pub async fn unsend(&self, thread: &ThreadId, item: &ItemId) -> Result<(), RemoteError> {
        self.check_cooldown()?;
        self.pace().await;
        let request = api::Unsend { thread_id: thread.as_str().to_owned(), item_id: item.as_str().to_owned() };
        match self.call(request).await.map(drop) {
            Err(RemoteError::NotFound) => Ok(()),
            outcome => self.noted(outcome),
        }
    }

    /// Gives an item of the login another text.
    pub async fn edit(&self, target: Target<'_>, text: &str) -> Result<(), RemoteError> {
        self.check_cooldown()?;
        self.pace().await;
        let request = api::EditText {
            thread_id: target.thread.as_str().to_owned(),
            item_id: target.item.as_str().to_owned(),
            text: text.to_owned(),
            original_client_context: target
                .client_context
                .map(|context| context.as_str().to_owned())
                .unwrap_or_default(),
        };
        self.noted(self.call(request).await.map(drop))
    }

    /// Shows the others that the login has read up to an item: over HTTP, and where that fails over MQTT.
    pub async fn mark_seen(
        &self,
        thread: &ThreadId,
        item: &ItemId,
        context: &ClientContext,
    ) -> Result<(), RemoteError> {
        let request = api::MarkSeen {
            thread_id: thread.as_str().to_owned(),
            item_id: item.as_str().to_owned(),
            client_context: context.as_str().to_owned(),
        };
        let refused = match self.call(request).await {
            Err(error @ (RemoteError::NotFound | RemoteError::Rejected(_) | RemoteError::Server(_))) => error,
            outcome => return outcome.map(drop),
        };
        // Clients that are gone said this over MQTT (docs/protocol.md).
        let Some(handle) = self.connected().await else { return Err(refused) };
        handle.tell(command::mark_seen(thread.as_str(), item.as_str(), context.as_str()));
        Ok(())
    }

    /// Shows the others that the login types, or has stopped. Without a connection nothing is shown.
    pub fn show_typing(&self, thread: &ThreadId, typing: bool, context: &ClientContext) {
        if let Some(handle) = &*self.inner.connection.borrow() {
            handle.tell(command::indicate_activity(thread.as_str(), typing, context.as_str()));
        }
    }
}
