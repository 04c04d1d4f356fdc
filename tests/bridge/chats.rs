//! Chats themselves: started, changed and answered from Matrix; groups; relaying.

use serde_json::json;

use crate::world::{Setup, World};

fn room_of(world: &World, thread: &str) -> Option<String> {
    let key = format!("dev.puppetgram://instagram/{thread}");
    world.homeserver.rooms().into_iter().find(|room| world.homeserver.state(room, "m.bridge", &key).is_some())
}

async fn group(world: &World) -> (String, String) {
    let carol = world.sim.create_account("carol", "Carol Carl").unwrap();
    let members = [world.anna_account.pk, world.bob.pk, carol.pk];
    let thread = world.sim.create_thread(&members, Some("Friends")).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    (thread, room)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_is_started_by_a_command() {
    let mut world = World::start().await;
    let answer = world.command("search bob").await;
    assert!(answer.contains("@bob – Bob Berg"), "{answer}");
    let answer = world.command("start-chat @bob").await;
    assert!(answer.contains("You have no chat with @bob yet"), "{answer}");
    let answer = world.command("start-chat @bob Hello Bob!").await;
    assert!(answer.contains("https://matrix.to/#/!"), "{answer}");
    let thread = world.sim.threads().pop().unwrap();
    world.expect_written(&thread, &world.anna_account, &["Hello Bob!".to_owned()]).await;
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    assert!(answer.contains(&room));
    let answer = world.command("start-chat @nobody hi").await;
    assert!(answer.contains("There is no @nobody"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_made_by_a_command() {
    let mut world = World::start().await;
    world.sim.create_account("carol", "Carol Carl").unwrap();
    let answer = world.command("create-group @bob @carol Our holidays").await;
    assert!(answer.contains("https://matrix.to/#/!"), "{answer}");
    let thread = world.sim.threads().pop().unwrap();
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    assert_eq!(world.homeserver.state(&room, "m.room.name", "").unwrap()["name"], "Our holidays");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_to_a_groups_room_is_done_to_the_group() {
    let world = World::start().await;
    let (thread, room) = group(&world).await;
    let dora = world.sim.create_account("dora", "Dora D").unwrap();
    let title = |world: &World| world.sim.thread_view(&thread, world.anna_account.pk).unwrap()["thread_title"].clone();
    // Anna may do this in her client once she has the power; here the homeserver lets her.
    world.homeserver.set_state(&room, &world.anna.id, "m.room.name", "", &json!({"name": "Best friends"})).unwrap();
    world.until("the new title", |world| (title(world) == "Best friends").then_some(())).await;
    world.sim.rename_thread(world.bob.pk, &thread, "Old friends").unwrap();
    let named =
        |world: &World| (world.homeserver.state(&room, "m.room.name", "")?["name"] == "Old friends").then_some(());
    world.until("the title from Instagram", named).await;
    world.homeserver.invite(&room, &world.anna.id, &world.ghost(&dora)).unwrap();
    let members = |world: &World| {
        let view = world.sim.thread_view(&thread, world.anna_account.pk).unwrap();
        view["users"].as_array().unwrap().iter().any(|user| user["username"] == "dora").then_some(())
    };
    world.until("Dora in the group", members).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_pictures_rules_and_vanish_mode_are_shown() {
    let world = World::start().await;
    let (thread, room) = group(&world).await;
    let power =
        |world: &World, user: &str| world.homeserver.state(&room, "m.room.power_levels", "")?["users"][user].as_i64();
    let bob = world.ghost(&world.bob);
    world.sim.set_admin(world.anna_account.pk, &thread, world.bob.pk, true).unwrap();
    world.until("Bob's power", |world| (power(world, &bob) == Some(50)).then_some(())).await;
    world.sim.set_admin(world.anna_account.pk, &thread, world.bob.pk, false).unwrap();
    world.until("Bob's end", |world| power(world, &bob).is_none().then_some(())).await;
    let says = |words: &'static str| {
        let (room, bot) = (room.clone(), world.bot());
        move |world: &World| world.said_by(&room, &bot).into_iter().find(|text| text.contains(words))
    };
    world.sim.set_vanish_mode(world.bob.pk, &thread, true).unwrap();
    world.until("vanish mode", says("Vanish mode was switched on")).await;
    world.sim.set_approval_required(world.anna_account.pk, &thread, true).unwrap();
    world.until("approval", says("have to be let in by an admin")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_speaks_for_people_without_a_login_and_its_echo_does_not_come_back() {
    let bridge = "  relay_formats: {m.image: \"a picture by {name}\"}\n".to_owned();
    let world = World::start_with(&Setup { bridge, ..Setup::default() }).await;
    let (thread, room) = group(&world).await;
    let guest = world.homeserver.register("carol", "secret").unwrap();
    world.homeserver.invite(&room, &world.anna.id, &guest.id).unwrap();
    world.homeserver.join(&room, &guest.id).unwrap();
    world.homeserver.send_text(&room, &guest.id, "can you hear me?").unwrap();
    let bot = world.bot();
    let said = |words: &'static str| {
        let (room, bot) = (room.clone(), bot.clone());
        move |world: &World| world.said_by(&room, &bot).into_iter().find(|text| text.contains(words))
    };
    world.until("the refusal", said("you have no Instagram login in this chat")).await;
    world.homeserver.send_text(&room, &world.anna.id, "!ig set-relay").unwrap();
    world.until("the answer", said("is sent by your account")).await;
    world.homeserver.send_text(&room, &guest.id, "and now?").unwrap();
    let emote = json!({"msgtype": "m.emote", "body": "waves"});
    world.homeserver.send(&room, &guest.id, "m.room.message", &emote).unwrap();
    let profile = json!({"msgtype": "m.text", "body": "under another name",
        "com.beeper.per_message_profile": {"id": "1", "displayname": "Caroline"}});
    world.homeserver.send(&room, &guest.id, "m.room.message", &profile).unwrap();
    let photo = world.homeserver.add_media(instagram_sim::sample::PHOTO.bytes, "image/jpeg");
    let photo = json!({"msgtype": "m.image", "body": "a.jpg", "url": photo});
    world.homeserver.send(&room, &guest.id, "m.room.message", &photo).unwrap();
    let expected = ["carol: and now?", "* carol waves", "Caroline: under another name", "a picture by carol"];
    world.expect_written(&thread, &world.anna_account, &expected.map(str::to_owned)).await;
    world.sim.send_text(world.bob.pk, &thread, "yes").unwrap();
    world.until("the end", |world| world.event(&room, "yes")).await;
    assert_eq!(world.said_by(&room, &world.ghost(&world.anna_account)), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_groups_picture_is_changed_from_its_room() {
    let world = World::start().await;
    let (thread, room) = group(&world).await;
    let mxc = world.homeserver.add_media(instagram_sim::sample::PHOTO.bytes, "image/jpeg");
    world.homeserver.set_state(&room, &world.anna.id, "m.room.avatar", "", &json!({"url": mxc})).unwrap();
    let changed = |world: &World| {
        let view = world.sim.thread_view(&thread, world.anna_account.pk).unwrap();
        view["thread_image"].is_object().then_some(())
    };
    world.until("the picture", changed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inviting_a_ghost_leads_to_the_chat() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let portal = world.portal_of(&thread, &world.bob).await;
    let room = world.homeserver.create_room(&world.anna.id, &[]).unwrap();
    let ghost = world.ghost(&world.bob);
    world.homeserver.invite(&room, &world.anna.id, &ghost).unwrap();
    let told = |world: &World| world.said_by(&room, &ghost).into_iter().find(|text| text.contains(&portal));
    world.until("the way to the chat", told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_a_room_is_invited_again_by_its_next_message() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let here = |world: &World| world.homeserver.rooms_of(&world.anna.id).contains(&room);
    for (times, text) in [(1, "are you there?"), (2, "and now?")] {
        let leave = json!({"membership": "leave"});
        world.homeserver.set_state(&room, &world.anna.id, "m.room.member", &world.anna.id, &leave).unwrap();
        assert!(!here(&world));
        let left =
            |world: &World| (world.bridge.log().matches("left the room of a chat").count() == times).then_some(());
        world.until("the bridge knows", left).await;
        world.sim.send_text(world.bob.pk, &thread, text).unwrap();
        world.until("the invitation", |world| here(world).then_some(())).await;
        world.homeserver.join(&room, &world.anna.id).unwrap();
        world.until("the message", |world| world.event(&room, text)).await;
    }
    world.homeserver.send_text(&room, &world.anna.id, "yes").unwrap();
    world.expect_written(&thread, &world.anna_account, &["yes".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_several_logins_says_which() {
    let mut world = World::start().await;
    let second = world.sim.create_account("anna.work", "Anna Alm").unwrap();
    let answer = world.command(&format!("login {}", second.sessionid)).await;
    assert!(answer.starts_with("Logged in"), "{answer}");
    let answer = world.command("start-chat @bob Hello").await;
    assert!(answer.contains("`as @anna ping`"), "{answer}");
    let answer = world.command("as @anna.work start-chat @bob Hello").await;
    assert!(answer.contains("https://matrix.to/#/!"), "{answer}");
    let thread = world.sim.threads().pop().unwrap();
    world.expect_written(&thread, &second, &["Hello".to_owned()]).await;
    // In a chat its login is meant.
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    world.homeserver.join(&room, &world.anna.id).unwrap();
    world.homeserver.send_text(&room, &world.anna.id, "!ig start-chat @bob").unwrap();
    let bot = world.bot();
    let told = |world: &World| world.said_by(&room, &bot).into_iter().find(|text| text.contains("is here"));
    world.until("the answer", told).await;
    let answer = world.command("as @nobody search bob").await;
    assert!(answer.contains("There is no such login"), "{answer}");
}
