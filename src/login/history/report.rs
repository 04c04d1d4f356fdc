//! What the owner is told of a long import: one line that is renewed.

use std::time::Duration;

use tokio::time::Instant;

use crate::bridge::Bridge;
use crate::command::Progress;
use crate::domain::ids::LoginId;
use crate::domain::record::History;

/// An import of one chat with more messages than this is worth a report.
const SHORT: i64 = 200;
/// How often the report is renewed.
const EVERY: Duration = Duration::from_secs(5);

/// How far an import is.
pub(super) struct Report {
    progress: Option<Progress>,
    told_at: Instant,
    waiting: usize,
    chats: usize,
    items: i64,
    absent: usize,
}

impl Report {
    pub(super) async fn begin(bridge: &Bridge, login: &LoginId) -> Self {
        let histories = bridge.store.histories().await.unwrap_or_default();
        let own: Vec<&History> = histories.iter().filter(|history| history.login == *login).collect();
        let is_long = own.len() > 1 || own.iter().any(|history| history.wanted > SHORT);
        let waiting = own.len();
        let mut report = Self { progress: None, told_at: Instant::now(), waiting, chats: 0, items: 0, absent: 0 };
        if is_long {
            report.progress = Progress::begin(bridge, login, &report.text()).await;
        }
        report
    }

    /// Messages have come.
    pub(super) async fn note(&mut self, bridge: &Bridge, items: i64) {
        self.items = self.items.saturating_add(items);
        if self.told_at.elapsed() >= EVERY {
            let text = self.text();
            self.tell(bridge, &text).await;
        }
    }

    /// A chat is finished.
    pub(super) fn finished(&mut self) {
        self.chats += 1;
        self.waiting = self.waiting.max(self.chats + self.absent);
    }

    /// A chat could not be had.
    pub(super) fn refused(&mut self) {
        self.absent += 1;
        self.waiting = self.waiting.max(self.chats + self.absent);
    }

    /// Nothing comes for a while, because Instagram wants that.
    pub(super) async fn rest(&mut self, bridge: &Bridge) {
        let text = format!("{} Instagram asks for patience: it goes on by itself later.", self.text());
        self.tell(bridge, &text).await;
    }

    /// Nothing is left to be fetched.
    pub(super) async fn end(mut self, bridge: &Bridge) {
        let (items, chats) = (messages(self.items), many_chats(self.chats));
        let mut text = format!("{items} of {chats} have been fetched; their rooms fill up now.");
        if self.absent > 0 {
            let absent = many_chats(self.absent);
            text.push_str(&format!(
                " Instagram did not hand out {absent}, or not all of it: who writes there next is bridged as usual."
            ));
        }
        self.tell(bridge, &text).await;
    }

    fn text(&self) -> String {
        let (waiting, chats, items) = (many_chats(self.waiting), self.chats, self.items);
        format!(
            "Fetching earlier messages of {waiting}: {chats} done, {items} messages. You are invited to each when it is \
             there."
        )
    }

    async fn tell(&mut self, bridge: &Bridge, text: &str) {
        self.told_at = Instant::now();
        if let Some(progress) = &mut self.progress {
            progress.update(bridge, text).await;
        }
    }
}

fn messages(count: i64) -> String {
    if count == 1 { "1 earlier message".to_owned() } else { format!("{count} earlier messages") }
}

fn many_chats(count: usize) -> String {
    if count == 1 { "1 chat".to_owned() } else { format!("{count} chats") }
}
