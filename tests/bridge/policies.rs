//! What the admin decides, and what has an end: receipts, what disappears, relays, links, edits, imports.

use instagram_sim::{AccountOptions, History};
use serde_json::json;

use crate::chat::{Chat, edit};
use crate::world::{DEADLINE, Setup, World};

async fn told(world: &World, room: &str, words: &str) -> String {
    let bot = world.bot();
    world.until(words, |world| world.said_by(room, &bot).into_iter().find(|text| text.contains(words))).await
}

fn room_of(world: &World, thread: &str) -> Option<String> {
    let key = format!("dev.puppetgram://instagram/{thread}");
    world.homeserver.rooms().into_iter().find(|room| world.homeserver.state(room, "m.bridge", &key).is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_want_receipts_sends_none() {
    let chat = Chat::start_with(&Setup { bridge: "  receipts: never\n".to_owned(), ..Setup::default() }).await;
    let world = &chat.world;
    world.homeserver.mark_read(&chat.room, &world.anna.id, &chat.theirs.0).unwrap();
    // Typing is told after the receipt, and is told.
    world.homeserver.set_typing(&chat.room, &world.anna.id, true).unwrap();
    let typing = |world: &World| {
        let requests = world.sim.recorded_requests();
        requests.into_iter().find(|request| request.body.contains("indicate_activity"))
    };
    world.until("typing", typing).await;
    world.homeserver.send_text(&chat.room, &world.anna.id, "an answer").unwrap();
    chat.settled().await;
    let requests = world.sim.recorded_requests();
    assert!(!requests.iter().any(|request| request.path.contains("/seen/") || request.body.contains("mark_seen")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_disappears_can_be_kept() {
    let sections = "media:\n  ffmpeg: /nowhere/ffmpeg\n  disappearing: media\n  redact_after: 1s\n".to_owned();
    let chat = Chat::start_with(&Setup { sections, ..Setup::default() }).await;
    let world = &chat.world;
    let photo = instagram_sim::kinds::named("raven_photo_once").unwrap().item(&world.sim);
    world.sim.send_item(world.bob.pk, &chat.thread, photo).unwrap();
    let shown = |world: &World| {
        let events = world.homeserver.events(&chat.room);
        events.into_iter().find(|event| event["content"]["msgtype"] == "m.image")
    };
    world.until("the photo", shown).await;
    let seen = world.sim.recorded_requests();
    assert!(!seen.iter().any(|request| request.path.contains("visual_item_seen")), "looking at it is the user's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_ends_when_its_owner_says_so() {
    let chat = Chat::start().await;
    let world = &chat.world;
    let guest = world.homeserver.register("carol", "secret").unwrap();
    world.homeserver.invite(&chat.room, &world.anna.id, &guest.id).unwrap();
    world.homeserver.join(&chat.room, &guest.id).unwrap();
    world.homeserver.send_text(&chat.room, &world.anna.id, "!ig set-relay").unwrap();
    told(world, &chat.room, "by your account").await;
    world.homeserver.send_text(&chat.room, &guest.id, "hello").unwrap();
    let both = ["mine".to_owned(), "carol: hello".to_owned()];
    world.expect_written(&chat.thread, &world.anna_account, &both).await;
    world.homeserver.send_text(&chat.room, &world.anna.id, "!ig unset-relay").unwrap();
    told(world, &chat.room, "no longer relayed").await;
    world.homeserver.send_text(&chat.room, &guest.id, "still there?").unwrap();
    told(world, &chat.room, "you have no Instagram login in this chat").await;
    world.expect_written(&chat.thread, &world.anna_account, &both).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_a_file_ends() {
    let sections =
        "media:\n  ffmpeg: /nowhere/ffmpeg\n  public_address: http://127.0.0.1:1\n  link_lifetime: 4s\n".to_owned();
    let chat = Chat::start_with(&Setup { sections, ..Setup::default() }).await;
    let world = &chat.world;
    let pdf = world.homeserver.add_media(&b"%PDF-1.7 a long paper"[..], "application/pdf");
    let file = json!({"msgtype": "m.file", "body": "paper.pdf", "url": pdf});
    world.homeserver.send(&chat.room, &world.anna.id, "m.room.message", &file).unwrap();
    let written = |world: &World| world.written_by(&chat.thread, &world.anna_account).pop();
    let text = world.until("the link", |world| written(world).filter(|text| text.starts_with("paper.pdf"))).await;
    let path = text.strip_prefix("paper.pdf: http://127.0.0.1:1/").unwrap();
    let address = format!("{}/{path}", world.bridge.address());
    let fetched = reqwest::get(&address).await.unwrap();
    assert_eq!(fetched.bytes().await.unwrap(), &b"%PDF-1.7 a long paper"[..], "at first it leads to the file");
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while reqwest::get(&address).await.unwrap().status() != 404 {
        assert!(tokio::time::Instant::now() < deadline, "the link does not end");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_to_be_edited_says_so() {
    let bridge = "  history_chats: 5\n  history_messages: 10\n  history_pause: 0s\n".to_owned();
    let mut world = World::start_logged_out(&Setup { bridge, ..Setup::default() }).await;
    let thread = world.chat_with(&world.bob);
    world.sim.import_history(&thread, 10, &History { spacing_seconds: 600, ..History::default() }).unwrap();
    world.log_in_anna().await;
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    let invited = |world: &World| world.homeserver.rooms_of(&world.anna.id).contains(&room).then_some(());
    world.until("the invitation", invited).await;
    world.homeserver.join(&room, &world.anna.id).unwrap();
    let own = world.ghost(&world.anna_account);
    let events = world.homeserver.events(&room);
    let old = events.iter().find(|event| event["sender"] == own.as_str() && event["type"] == "m.room.message").unwrap();
    let change = edit(old["event_id"].as_str().unwrap(), "on second thoughts");
    world.homeserver.send(&room, &world.anna.id, "m.room.message", &change).unwrap();
    told(&world, &room, "Instagram takes edits in the first 15 minutes only").await;
    assert!(!world.written_by(&thread, &world.anna_account).contains(&"on second thoughts".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_is_counted() {
    let mut world = World::start().await;
    let thread = world.chat_with(&world.bob);
    world.portal_of(&thread, &world.bob).await;
    world.bridge.kill();
    for n in 0..30 {
        world.sim.send_text(world.bob.pk, &thread, &format!("missed {n}")).unwrap();
    }
    world.sim.trim_queue(world.anna_account.pk, 0).unwrap();
    world.bridge.start();
    let management = world.management_room().to_owned();
    told(&world, &management, "30 messages were missed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_during_the_import_goes_on_with_the_next() {
    let bridge = "  history_chats: 5\n  history_messages: 100\n  history_pause: 300ms\n".to_owned();
    let mut world = World::start_logged_out(&Setup { bridge, ..Setup::default() }).await;
    let thread = world.chat_with(&world.bob);
    world.sim.import_history(&thread, 100, &History { reaction_every: 0, ..History::default() }).unwrap();
    world.log_in_anna().await;
    world.sim.wait_for_request(&format!("threads/{thread}"), DEADLINE).await.unwrap();
    world.sim.expire_session(world.anna_account.pk).unwrap();
    let management = world.management_room().to_owned();
    told(&world, &management, "Your Instagram login stopped").await;
    world.anna_account.sessionid = world.sim.create_session(world.anna_account.pk).unwrap();
    world.log_in_anna().await;
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    let invited = |world: &World| world.homeserver.rooms_of(&world.anna.id).contains(&room).then_some(());
    world.until("the invitation at the end", invited).await;
    let events = world.homeserver.events(&room);
    let old: Vec<&str> = events.iter().filter_map(|event| event["content"]["body"].as_str()).collect();
    let expected: Vec<String> = (0..100).map(|n| format!("old {n}")).collect();
    assert_eq!(old.into_iter().filter(|text| text.starts_with("old ")).collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_a_stranger_opens_is_a_request_too() {
    let world = World::start().await;
    let options = AccountOptions { requests_are_pending: true, ..AccountOptions::default() };
    world.sim.set_options(world.anna_account.pk, options).unwrap();
    let carol = world.sim.create_account("carol", "Carol Carl").unwrap();
    let members = [world.bob.pk, carol.pk, world.anna_account.pk];
    let thread = world.sim.create_thread(&members, Some("Offers")).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    told(&world, &room, "This is a message request").await;
    world.homeserver.send_text(&room, &world.anna.id, "!ig accept").unwrap();
    let accepted = |world: &World| {
        (world.sim.thread_view(&thread, world.anna_account.pk).unwrap()["pending"] == false).then_some(())
    };
    world.until("accepted", accepted).await;
}
