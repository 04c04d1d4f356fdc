//! Chats for measurements: a thread, its portal, and messages through it in both directions.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::Method;
use serde_json::json;
use tokio::time::Instant;

use super::call::{encode, string};
use super::world::{Account, DEADLINE, DEADLINE_MS, World};

/// Chats that one person shares with Anna: a direct one or several groups.
pub(super) struct Chats {
    pub(super) threads: Vec<String>,
    pub(super) rooms: Vec<String>,
    /// Who writes to Anna.
    pub(super) writer: Account,
    /// The writer's ghost.
    pub(super) ghost: String,
}

impl Chats {
    /// A direct chat with somebody new, its portal made and joined.
    pub(super) async fn direct(world: &World, name: &str) -> anyhow::Result<Self> {
        let mut chats = Self::empty(world, name).await?;
        chats.add(world, &[world.account.pk, chats.writer.pk], None).await?;
        Ok(chats)
    }

    /// Groups of Anna, the writer and one more each.
    pub(super) async fn groups(world: &World, name: &str, count: usize) -> anyhow::Result<Self> {
        let mut chats = Self::empty(world, name).await?;
        for index in 0..count {
            let third = world.new_account(&format!("{name}.{index}")).await?;
            let members = [world.account.pk, chats.writer.pk, third.pk];
            chats.add(world, &members, Some(&format!("{name} {index}"))).await?;
        }
        Ok(chats)
    }

    async fn empty(world: &World, name: &str) -> anyhow::Result<Self> {
        let writer = world.new_account(name).await?;
        let domain = world.anna.split_once(':').map(|(_, domain)| domain).unwrap_or_default();
        let ghost = format!("@instagram_{}:{domain}", writer.pk);
        Ok(Self { threads: Vec::new(), rooms: Vec::new(), writer, ghost })
    }

    async fn add(&mut self, world: &World, members: &[u64], title: Option<&str>) -> anyhow::Result<()> {
        let known = rooms_with_messages(world, &self.ghost).await?;
        let made = world.instagram.post("/threads", &json!({"members": members, "title": title})).await?;
        let thread = string(&made, "thread_id")?;
        let body = json!({"from": self.writer.pk, "text": "first"});
        world.instagram.post(&format!("/threads/{thread}/texts"), &body).await?;
        let deadline = Instant::now() + DEADLINE;
        let room = loop {
            let rooms = rooms_with_messages(world, &self.ghost).await?;
            if let Some(room) = rooms.difference(&known).next() {
                break room.clone();
            }
            if Instant::now() > deadline {
                bail!("no portal was made\n{}", world.bridge.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        world.as_anna(Method::POST, &format!("/rooms/{}/join", encode(&room)), &json!({})).await?;
        self.threads.push(thread);
        self.rooms.push(room);
        Ok(())
    }

    /// Has the writer send texts in turn, as fast as they go.
    pub(super) async fn write(&self, world: &World, count: usize, prefix: &str) -> anyhow::Result<()> {
        let body = json!({"from": self.writer.pk, "threads": self.threads, "count": count, "prefix": prefix});
        world.instagram.post("/bulk", &body).await.map(drop)
    }

    /// Has Anna send texts in turn, as fast as they go.
    pub(super) async fn say(&self, world: &World, count: usize, prefix: &str) -> anyhow::Result<()> {
        let body = json!({"user": world.anna, "rooms": self.rooms, "count": count, "prefix": prefix});
        world.homeserver.post("/_sim/burst", &body).await.map(drop)
    }

    /// Messages of the writer in all portals.
    pub(super) async fn said(&self, world: &World) -> anyhow::Result<usize> {
        self.wait_said(world, 0).await
    }

    /// Waits for a number of messages of the writer in all portals together.
    pub(super) async fn wait_said(&self, world: &World, count: usize) -> anyhow::Result<usize> {
        let path = format!("/_sim/wait?sender={}&count={count}&timeout={DEADLINE_MS}", encode(&self.ghost));
        let answer = world.homeserver.get(&path).await;
        let answer = answer.with_context(|| format!("messages are missing\n{}", world.bridge.log_tail()))?;
        Ok(answer["count"].as_u64().context("no count")? as usize)
    }

    /// Items of Anna in each thread.
    pub(super) async fn written(&self, world: &World) -> anyhow::Result<Vec<usize>> {
        let mut counts = Vec::new();
        for thread in &self.threads {
            counts.push(self.wait_written(world, thread, 0).await?);
        }
        Ok(counts)
    }

    /// Waits for a number of items of Anna in a thread.
    pub(super) async fn wait_written(&self, world: &World, thread: &str, count: usize) -> anyhow::Result<usize> {
        let from = world.account.pk;
        let path = format!("/threads/{thread}/wait?count={count}&from={from}&timeout_ms={DEADLINE_MS}");
        let answer = world.instagram.get(&path).await;
        let answer = answer.with_context(|| format!("texts are missing\n{}", world.bridge.log_tail()))?;
        Ok(answer["count"].as_u64().context("no count")? as usize)
    }
}

/// The rooms that a user is in and that have messages.
async fn rooms_with_messages(world: &World, user: &str) -> anyhow::Result<HashSet<String>> {
    let answer = world.homeserver.get(&format!("/_sim/rooms?user={}", encode(user))).await?;
    let rooms = answer["rooms"].as_array().context("no rooms")?.iter();
    let with_messages = rooms.filter(|room| room["messages"].as_u64() > Some(0));
    with_messages.map(|room| string(room, "room_id")).collect()
}
