//! What is done around the chats: relaying, commands to the bot, message requests, and the end of chats.

use serde_json::{Value, json};

use super::in_client::{command, message, text};
use super::{Deed, Ground, Place};

/// All of it, in an order in which each finds what it needs. Leaving comes last.
pub(super) fn deeds() -> Vec<Deed> {
    let mut all = relayed();
    all.extend(commands());
    all.extend(requests());
    all.extend(ends());
    all
}

/// The guest has no account at Instagram.
fn relayed() -> Vec<Deed> {
    vec![
        Deed::in_client("a relay", |g, p| {
            Box::pin(async move {
                g.anna.invite(&p.room, g.guest.user_id()).await?;
                g.guest.join(&p.room).await?;
                g.anna.send(&p.room, "!ig set-relay").await.map(drop)
            })
        })
        .until(|g, p| g.bot_said(p, "is sent by your account")),
        Deed::in_client("relayed: a text", |g, p| {
            Box::pin(async move { g.guest.send(&p.room, "May I join in?").await.map(drop) })
        })
        .until(|g, p| is_written(g, p, "grace: May I join in?")),
        Deed::in_client("relayed: an action", |g, p| {
            Box::pin(async move {
                g.guest.send_content(&p.room, &json!({"msgtype": "m.emote", "body": "waves"})).await.map(drop)
            })
        })
        .until(|g, p| is_written(g, p, "* grace waves")),
        Deed::in_client("relayed: under another name", |g, p| {
            Box::pin(async move {
                let mut content = text("I am somebody else");
                content["com.beeper.per_message_profile"] = json!({"id": "1", "displayname": "Gracie"});
                g.guest.send_content(&p.room, &content).await.map(drop)
            })
        })
        .until(|g, p| is_written(g, p, "Gracie: I am somebody else")),
        Deed::in_client("relayed: an edit", |g, p| {
            Box::pin(async move {
                let relation = json!({"rel_type": "m.replace", "event_id": last_of_guest(g, p, "May I join in?")});
                let new = json!({"msgtype": "m.text", "body": "* May I listen?", "m.relates_to": relation,
                    "m.new_content": text("May I listen?")});
                g.guest.send_content(&p.room, &new).await.map(drop)
            })
        })
        .until(|g, p| is_written(g, p, "grace: May I listen?")),
        Deed::in_client("relayed: unsending", |g, p| {
            Box::pin(async move { g.guest.redact(&p.room, &last_of_guest(g, p, "I am somebody else")).await })
        })
        .until(|g, p| !is_written(g, p, "Gracie: I am somebody else")),
        Deed::in_client("no relay any more", |g, p| command(g, p, "!ig unset-relay"))
            .until(|g, p| g.bot_said(p, "no longer relayed")),
        Deed::in_client("somebody without an account", |g, p| {
            Box::pin(async move { g.guest.send(&p.room, "Still there?").await.map(drop) })
        })
        .until(|g, p| g.bot_said(p, "you have no Instagram login")),
    ]
}

fn commands() -> Vec<Deed> {
    vec![
        Deed::in_client("to the bot: a search", |g, p| command(g, p, "search bob.everything"))
            .until(|g, p| g.bot_lines(p) > 1),
        Deed::in_client("to the bot: a new chat", |g, p| command(g, p, "start-chat @dora.everything Hello Dora!"))
            .until(|g, p| g.bot_lines(p) > 2),
        Deed::in_client("to the bot: a new group", |g, p| {
            command(g, p, "create-group @bob.everything @dora.everything Our holidays")
        })
        .until(|g, p| g.bot_lines(p) > 3),
        Deed::in_client("elsewhere: an invitation of somebody there is no chat with", |g, p| {
            Box::pin(async move { g.anna.invite(&p.room, &format!("@instagram_{}:{}", g.carol.pk, g.domain)).await })
        })
        .until(|g, p| carol_said(g, p, "Your first message here starts it")),
        Deed::in_client("elsewhere: the first message to them", |g, p| message(g, p, text("Hello Carol!")))
            .until(|g, p| carol_said(g, p, "Our chat is here")),
        Deed::in_client("elsewhere: an invitation of somebody there is one with", |g, p| {
            Box::pin(async move { g.anna.invite(&p.room, &format!("@instagram_{}:{}", g.bob.pk, g.domain)).await })
        })
        .until(|g, p| is_out(g, p, g.bob.pk)),
    ]
}

fn requests() -> Vec<Deed> {
    let asked = |g: &Ground<'_>, p: &Place, what: &str| {
        let path = format!("threads/{}/{what}", p.thread);
        g.sim.recorded_requests().iter().any(|request| request.path.contains(&path))
    };
    vec![
        Deed::in_client("request: accepted by a reaction", |g, p| {
            let relation = json!({"rel_type": "m.annotation", "event_id": p.theirs.0, "key": "👍"});
            super::in_client::event(g, p, "m.reaction", json!({"m.relates_to": relation}))
        })
        .until(move |g, p| asked(g, p, "approve")),
        Deed::in_client("another request: declined", |g, p| command(g, p, "!ig decline"))
            .until(|g, p| g.bot_said(p, "Declined")),
        Deed::in_client("third request: accepted by a command", |g, p| command(g, p, "!ig accept"))
            .until(move |g, p| asked(g, p, "approve") && g.bot_said(p, "Accepted")),
    ]
}

fn ends() -> Vec<Deed> {
    vec![
        Deed::in_app("former group: Anna is removed", |g, p| {
            Ok(g.sim.remove_member(g.bob.pk, &p.thread, g.account.pk)?)
        })
        .until(|g, p| g.bot_said(p, "no longer in this Instagram group")),
        // Only their own account can mark it for somebody: see `tests/bridge/puppets.rs`.
        Deed::in_app("marked as unread", |g, p| Ok(g.sim.mark_unread(g.account.pk, &p.thread)?)),
        Deed::in_app("the chat deleted", |g, p| Ok(g.sim.hide_thread(g.account.pk, &p.thread)?)),
        Deed::in_client("the chat deleted", |g, p| command(g, p, "!ig delete-chat"))
            .until(|g, p| g.bot_said(p, "deleted from your list")),
        Deed::in_client("last in the group: leaving it", |g, p| command(g, p, "!ig leave-group"))
            .until(|g, p| g.bot_said(p, "no longer in this Instagram group")),
        Deed::in_client("last in the group: a text that goes nowhere", |g, p| message(g, p, text("Still there?")))
            .until(|g, p| g.bot_said(p, "you have no Instagram login")),
    ]
}

fn last_of_guest(ground: &Ground<'_>, place: &Place, body: &str) -> String {
    let guest = ground.guest.user_id();
    let found = ground.last(place, |event: &Value| event["sender"] == guest && event["content"]["body"] == body);
    found.unwrap_or_default()
}

/// Whether somebody shows a text on Instagram.
fn is_written(ground: &Ground<'_>, place: &Place, text: &str) -> bool {
    let items = ground.sim.thread_items(&place.thread).unwrap_or_default();
    items.iter().any(|item| item.text.as_deref() == Some(text))
}

/// Whether a ghost has come, said what there is to say, and gone.
fn carol_said(ground: &Ground<'_>, place: &Place, words: &str) -> bool {
    let ghost = format!("@instagram_{}:{}", ground.carol.pk, ground.domain);
    ground.anna.seen().said_by(&place.room, &ghost).iter().any(|text| text.contains(words))
}

fn is_out(ground: &Ground<'_>, place: &Place, pk: u64) -> bool {
    let ghost = format!("@instagram_{pk}:{}", ground.domain);
    let seen = ground.anna.seen();
    seen.state(&place.room, "m.room.member", &ghost).is_some_and(|member| member["membership"] == "leave")
}
