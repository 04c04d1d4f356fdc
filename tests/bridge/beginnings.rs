//! A ghost is invited to a room that is no chat: what is written to it there begins one.

use instagram_sim::{Account, Fault};
use serde_json::json;

use crate::world::{DEADLINE, World};

async fn said(world: &World, room: &str, who: &str, words: &str) -> String {
    world.until(words, |world| world.said_by(room, who).into_iter().find(|text| text.contains(words))).await
}

/// Somebody with whom there is no chat, whose ghost is known from a group.
async fn carol(world: &World) -> Account {
    let carol = world.sim.create_account("carol", "Carol Carl").unwrap();
    let members = [world.bob.pk, world.anna_account.pk, carol.pk];
    let thread = world.sim.create_thread(&members, Some("Friends")).unwrap();
    world.portal_of(&thread, &world.bob).await;
    carol
}

/// A room in which a ghost waits for the first message.
async fn beginning(world: &World, ghost: &str) -> String {
    let room = world.homeserver.create_room(&world.anna.id, &[]).unwrap();
    world.homeserver.invite(&room, &world.anna.id, ghost).unwrap();
    said(world, &room, ghost, "Your first message here starts it").await;
    room
}

fn chat_with<'a>(world: &World, other: &Account, threads: &'a [String]) -> Option<&'a String> {
    threads.iter().find(|thread| {
        let view = world.sim.thread_view(thread, world.anna_account.pk).unwrap();
        view["is_group"] == false && view["users"][0]["username"] == other.username.as_str()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_message_to_an_invited_ghost_begins_the_chat_and_none_is_lost() {
    let world = World::start().await;
    let carol = carol(&world).await;
    let ghost = world.ghost(&carol);
    let room = beginning(&world, &ghost).await;
    // Its outcome is not known at first.
    world.sim.inject(world.anna_account.pk, Fault::CloseAfterSend, 1).unwrap();
    for text in ["Hello Carol!", "It is me.", "Anna"] {
        world.homeserver.send_text(&room, &world.anna.id, text).unwrap();
    }
    let link = said(&world, &room, &ghost, "Our chat is here: https://matrix.to/#/").await;
    let threads = world.sim.threads();
    let thread = chat_with(&world, &carol, &threads).unwrap();
    let expected = ["Hello Carol!", "It is me.", "Anna"].map(str::to_owned);
    world.expect_written(thread, &world.anna_account, &expected).await;
    let portal = link.rsplit_once("#/").unwrap().1.to_owned();
    world.expect_said(&portal, &world.ghost(&world.anna_account), &expected).await;
    world.sim.send_text(carol.pk, thread, "Hello Anna!").unwrap();
    world.until("the answer", |world| world.event(&portal, "Hello Anna!")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_begin_a_chat_is_said_in_the_room() {
    let world = World::start().await;
    let carol = carol(&world).await;
    let ghost = world.ghost(&carol);
    let room = beginning(&world, &ghost).await;
    let url = world.homeserver.add_media(instagram_sim::sample::PHOTO.bytes, "image/jpeg");
    let picture = json!({"msgtype": "m.image", "body": "a.jpg", "url": url});
    world.homeserver.send(&room, &world.anna.id, "m.room.message", &picture).unwrap();
    said(&world, &room, &world.bot(), "a chat begins with a text").await;
    world.homeserver.send_text(&room, &world.anna.id, "Hello Carol!").unwrap();
    said(&world, &room, &ghost, "Our chat is here").await;
    world.homeserver.send(&room, &world.anna.id, "m.room.message", &picture).unwrap();
    let threads = world.sim.threads();
    let thread = chat_with(&world, &carol, &threads).unwrap();
    world.until("the picture", |world| (world.sim.thread_items(thread).unwrap().len() == 2).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_others_listen_an_invited_ghost_only_says_how_to_begin() {
    let world = World::start().await;
    let carol = carol(&world).await;
    let ghost = world.ghost(&carol);
    let dora = world.homeserver.register("dora", "secret").unwrap();
    let room = world.homeserver.create_room(&world.anna.id, &[&dora.id]).unwrap();
    world.homeserver.invite(&room, &world.anna.id, &ghost).unwrap();
    said(&world, &room, &ghost, "start-chat @carol Hello!").await;
    let is_out = |world: &World| {
        let member = |user: &str| world.homeserver.state(&room, "m.room.member", user);
        let out = |user: &str| member(user).is_none_or(|member| member["membership"] == "leave");
        (out(&ghost) && out(&world.bot())).then_some(())
    };
    world.until("both out", is_out).await;
    assert_eq!(chat_with(&world, &carol, &world.sim.threads()), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_pasted_where_a_chat_may_begin_goes_to_nobody() {
    let world = World::start().await;
    let carol = carol(&world).await;
    let ghost = world.ghost(&carol);
    let room = beginning(&world, &ghost).await;
    let second = world.sim.create_account("anna.two", "Anna Two").unwrap();
    world.homeserver.send_text(&room, &world.anna.id, &second.sessionid).unwrap();
    said(&world, &room, &world.bot(), "as good as your password").await;
    world.homeserver.send_text(&room, &world.anna.id, "Hello Carol!").unwrap();
    said(&world, &room, &ghost, "Our chat is here").await;
    let threads = world.sim.threads();
    let thread = chat_with(&world, &carol, &threads).unwrap();
    world.expect_written(thread, &world.anna_account, &["Hello Carol!".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_chat_is_begun_a_second_time_by_another_account() {
    let mut world = World::start().await;
    let carol = carol(&world).await;
    let ghost = world.ghost(&carol);
    let other = world.sim.create_account("anna.other", "Anna Other").unwrap();
    let answer = world.command(&format!("login {}", other.sessionid)).await;
    assert!(answer.starts_with("Logged in"), "{answer}");
    world.sim.wait_for_subscription(other.pk, DEADLINE).await.unwrap();
    let room = beginning(&world, &ghost).await;
    // The account that has ended may have the chat: nobody can say.
    world.sim.expire_session(other.pk).unwrap();
    world.until_answered("list-logins", "logged out").await;
    let before = world.sim.threads().len();
    world.homeserver.send_text(&room, &world.anna.id, "Hello Carol!").unwrap();
    said(&world, &room, &world.bot(), "another account of yours").await;
    assert_eq!(world.sim.threads().len(), before);
}
