//! Client and listener against a homeserver in memory, over loopback.

mod client;
mod listener;
mod self_test;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use homeserver_sim::{Appservice, Homeserver, Options};
use ruma::{OwnedUserId, RoomAliasId, UserId};
use serde_json::{Value, value::RawValue};
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

use super::{Busy, Client, ClientOptions, Inbox, appservice};

const DEADLINE: Duration = Duration::from_secs(10);
const AS_TOKEN: &str = "planted-as-token";
const HS_TOKEN: &str = "planted-hs-token";

fn registration() -> Appservice {
    Appservice { as_token: AS_TOKEN.into(), hs_token: HS_TOKEN.into(), ..Appservice::default() }
}

async fn homeserver() -> Homeserver {
    let options =
        Options { appservice: Some(registration()), first_retry: Duration::from_millis(20), ..Options::default() };
    Homeserver::start(options).await.unwrap()
}

fn options(address: &str) -> ClientOptions {
    ClientOptions::new(
        address.parse().unwrap(),
        "sim.test".try_into().unwrap(),
        AS_TOKEN.into(),
        user("instagrambot"),
        "instagram_".into(),
    )
}

fn client(homeserver: &Homeserver) -> Client {
    Client::new(options(&homeserver.url())).unwrap()
}

fn user(localpart: &str) -> OwnedUserId {
    UserId::parse(format!("@{localpart}:sim.test")).unwrap()
}

/// Transaction id, events, ephemeral events.
type Transaction = (String, Vec<String>, Vec<String>);

/// An inbox that keeps what it gets.
#[derive(Default)]
struct Kept {
    transactions: Mutex<Vec<Transaction>>,
    arrived: Notify,
    is_busy: AtomicBool,
    panics: AtomicBool,
}

impl Kept {
    fn transactions(&self) -> Vec<Transaction> {
        self.transactions.lock().unwrap().clone()
    }

    /// Every event received so far.
    fn events(&self) -> Vec<Value> {
        let parse = |text: &String| serde_json::from_str(text).ok();
        self.transactions().iter().flat_map(|(_, events, _)| events).filter_map(parse).collect()
    }

    async fn wait_for(&self, mut enough: impl FnMut(&Self) -> bool) {
        let waiting = async {
            loop {
                let arrived = self.arrived.notified();
                if enough(self) {
                    return;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(DEADLINE, waiting).await.expect("it should have arrived");
    }
}

#[async_trait]
impl Inbox for Kept {
    async fn accept(
        &self,
        txn_id: &str,
        events: Vec<Box<RawValue>>,
        ephemeral: Vec<Box<RawValue>>,
    ) -> Result<(), Busy> {
        assert!(!self.panics.load(Ordering::Relaxed), "a planted panic");
        if self.is_busy.load(Ordering::Relaxed) {
            return Err(Busy);
        }
        let text = |list: Vec<Box<RawValue>>| list.iter().map(|raw| raw.get().to_owned()).collect();
        self.transactions.lock().unwrap().push((txn_id.to_owned(), text(events), text(ephemeral)));
        self.arrived.notify_waiters();
        Ok(())
    }

    async fn knows_user(&self, user: &UserId) -> bool {
        user.localpart() == "instagram_1"
    }

    fn pinged(&self) {}

    async fn knows_alias(&self, alias: &RoomAliasId) -> bool {
        alias.alias() == "instagram_room"
    }
}

/// A listener on a free port; ends when dropped.
struct Listener {
    url: String,
    kept: Arc<Kept>,
    task: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listener() -> Listener {
    listener_with(HS_TOKEN, 1 << 20).await
}

#[expect(clippy::disallowed_methods, reason = "the task ends with the test")]
async fn listener_with(hs_token: &str, body_limit: usize) -> Listener {
    let kept = Arc::new(Kept::default());
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let router = appservice::router(hs_token, kept.clone(), body_limit);
    let task = tokio::spawn(async move { appservice::serve(socket, router, std::future::pending()).await.unwrap() });
    Listener { url, kept, task }
}
