//! What Instagram refuses is taken back in the room and said; what it takes in another way goes that way.

use instagram_sim::Fault;
use serde_json::{Value, json};

use crate::chat::Chat;
use crate::world::World;

/// A group that Bob administrates, and its room.
async fn group(world: &World) -> (String, String) {
    let carol = world.sim.create_account("carol", "Carol Carl").unwrap();
    let members = [world.bob.pk, world.anna_account.pk, carol.pk];
    let thread = world.sim.create_thread(&members, Some("Friends")).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    (thread, room)
}

async fn told(world: &World, room: &str, words: &str) -> String {
    let bot = world.bot();
    world.until(words, |world| world.said_by(room, &bot).into_iter().find(|text| text.contains(words))).await
}

fn membership(world: &World, room: &str, user: &str) -> Value {
    world.homeserver.state(room, "m.room.member", user).map(|member| member["membership"].clone()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_title_that_is_refused_is_taken_back() {
    let world = World::start().await;
    let (_, room) = group(&world).await;
    world.sim.inject_on(world.anna_account.pk, "update_title", Fault::Status { code: 400 }, 1).unwrap();
    world.homeserver.set_state(&room, &world.anna.id, "m.room.name", "", &json!({"name": "Enemies"})).unwrap();
    told(&world, &room, "was not").await;
    let name = world.homeserver.state(&room, "m.room.name", "").unwrap()["name"].clone();
    assert_eq!(name, "Friends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_cannot_be_changed_stays() {
    let world = World::start().await;
    let (thread, room) = group(&world).await;
    let photo = instagram_sim::sample::PHOTO.file();
    world.sim.set_thread_image(world.bob.pk, &thread, Some(photo)).unwrap();
    let picture =
        |world: &World| world.homeserver.state(&room, "m.room.avatar", "")?["url"].as_str().map(str::to_owned);
    world.until("the picture", picture).await;
    world.sim.inject_on(world.anna_account.pk, "graphql", Fault::Status { code: 400 }, 1).unwrap();
    world.homeserver.set_state(&room, &world.anna.id, "m.room.avatar", "", &json!({})).unwrap();
    told(&world, &room, "The group's picture on Instagram was not changed").await;
    world.until("the picture again", picture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_is_set_or_removed_in_matrix_is_so_once() {
    let world = World::start().await;
    let (thread, room) = group(&world).await;
    let has_picture = |world: &World| {
        let view = world.sim.thread_view(&thread, world.bob.pk).unwrap();
        view["thread_image"].is_object()
    };
    let url = world.homeserver.add_media(instagram_sim::sample::PHOTO.bytes, "image/jpeg");
    world.homeserver.set_state(&room, &world.anna.id, "m.room.avatar", "", &json!({"url": url})).unwrap();
    world.until("the picture on Instagram", |world| has_picture(world).then_some(())).await;
    world.sim.send_text(world.bob.pk, &thread, "nice").unwrap();
    world.until("what comes after its echo", |world| world.event(&room, "nice")).await;
    let shown = world.homeserver.state(&room, "m.room.avatar", "").unwrap();
    assert_eq!(shown["url"], url.as_str(), "no copy of it takes its place");
    world.homeserver.set_state(&room, &world.anna.id, "m.room.avatar", "", &json!({})).unwrap();
    world.until("no picture on Instagram", |world| (!has_picture(world)).then_some(())).await;
    // What somebody else sets at once is theirs.
    world.sim.set_thread_image(world.bob.pk, &thread, Some(instagram_sim::sample::PHOTO.file())).unwrap();
    let theirs = |world: &World| {
        let url = world.homeserver.state(&room, "m.room.avatar", "")?["url"].as_str()?.to_owned();
        Some(url)
    };
    world.until("Bob's picture", theirs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_added_or_removed_is_so_in_the_room() {
    let world = World::start().await;
    let (_, room) = group(&world).await;
    let dora = world.sim.create_account("dora", "Dora D").unwrap();
    world.sim.inject_on(world.anna_account.pk, "add_user", Fault::Status { code: 400 }, 1).unwrap();
    world.homeserver.invite(&room, &world.anna.id, &world.ghost(&dora)).unwrap();
    let out = |world: &World| (membership(world, &room, &world.ghost(&dora)) == "leave").then_some(());
    world.until("Dora's invitation withdrawn", out).await;
    // Anna is no admin of this group.
    let bob = world.ghost(&world.bob);
    let gone = json!({"membership": "leave"});
    world.homeserver.set_state(&room, &world.anna.id, "m.room.member", &bob, &gone).unwrap();
    world.until("Bob again", |world| (membership(world, &room, &bob) == "join").then_some(())).await;
    world.sim.send_text(world.bob.pk, &world.sim.threads()[0], "still here").unwrap();
    world.until("Bob's words", |world| world.event(&room, "still here")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_of_two_takes_no_third() {
    let chat = Chat::start().await;
    let world = &chat.world;
    let dora = world.sim.create_account("dora", "Dora D").unwrap();
    world.homeserver.invite(&chat.room, &world.anna.id, &world.ghost(&dora)).unwrap();
    told(world, &chat.room, "create-group").await;
    assert_eq!(membership(world, &chat.room, &world.ghost(&dora)), "leave");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_http_refuses_goes_over_mqtt() {
    let chat = Chat::start().await;
    let world = &chat.world;
    world.sim.inject_on(world.anna_account.pk, "/seen/", Fault::Status { code: 404 }, 1).unwrap();
    world.homeserver.mark_read(&chat.room, &world.anna.id, &chat.theirs.0).unwrap();
    let published = |world: &World| {
        let requests = world.sim.recorded_requests().into_iter();
        requests.filter(|request| request.method == "PUBLISH").find(|request| request.body.contains("mark_seen"))
    };
    let command = world.until("the command", published).await;
    assert!(command.body.contains(&chat.theirs.1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_a_line_of_the_bot_has_read_what_came_before_it() {
    let chat = Chat::start().await;
    let world = &chat.world;
    world.homeserver.send_text(&chat.room, &world.anna.id, "!ig ping").unwrap();
    let bot = world.bot();
    let line = |world: &World| {
        let mut events = world.homeserver.events(&chat.room).into_iter();
        events.find(|event| event["sender"] == bot.as_str() && event["type"] == "m.room.message")
    };
    let line = world.until("the bot's line", line).await["event_id"].as_str().unwrap().to_owned();
    let seen = |world: &World| -> Vec<String> {
        let requests = world.sim.recorded_requests().into_iter().map(|request| request.path);
        requests.filter(|path| path.contains("/seen/")).collect()
    };
    let before = world.sim.thread_items(&chat.thread).unwrap();
    let newest = before.iter().rfind(|item| item.sender == world.bob.pk).unwrap().item_id.clone();
    world.sim.send_text(world.bob.pk, &chat.thread, "later").unwrap();
    world.until("what comes later", |world| world.event(&chat.room, "later")).await;
    world.homeserver.mark_read(&chat.room, &world.anna.id, &line).unwrap();
    let path = world.until("the receipt", |world| seen(world).pop()).await;
    assert!(path.contains(&newest), "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_the_bridge_is_mentioned_like_anybody() {
    let world = World::start().await;
    let carol_account = world.sim.create_account("carol", "Carol Carl").unwrap();
    let carol = world.log_in("carol", &carol_account).await;
    let members = [world.bob.pk, world.anna_account.pk, carol_account.pk];
    let thread = world.sim.create_thread(&members, Some("Friends")).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    let invited = |world: &World| world.homeserver.rooms_of(&carol.id).contains(&room).then_some(());
    world.until("Carol's invitation", invited).await;
    let html = format!("<a href=\"https://matrix.to/#/{}\">Carol</a> look", carol.id);
    let content = json!({"msgtype": "m.text", "body": "Carol look", "format": "org.matrix.custom.html",
        "formatted_body": html, "m.mentions": {"user_ids": [carol.id]}});
    world.homeserver.send(&room, &world.anna.id, "m.room.message", &content).unwrap();
    world.expect_written(&thread, &world.anna_account, &["@carol look".to_owned()]).await;
    let requests = world.sim.recorded_requests();
    let sent = requests.iter().find(|request| request.body.contains("@carol look")).unwrap();
    assert!(sent.body.contains(&carol_account.pk.to_string()), "{}", sent.body);
}
