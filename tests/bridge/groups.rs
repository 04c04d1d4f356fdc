//! Several users of one bridge in one thread: nothing appears twice, each speaks through their own login.

use instagram_sim::Fault;

use crate::world::{DEADLINE, Setup, World};

fn numbered(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix} {n}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_in_a_group_share_one_room_and_nothing_appears_twice() {
    let world = World::start().await;
    let carol_account = world.sim.create_account("carol", "Carol Carl").unwrap();
    let carol = world.log_in("carol", &carol_account).await;
    let members = [world.anna_account.pk, carol_account.pk, world.bob.pk];
    let thread = world.sim.create_thread(&members, Some("Friends")).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    let invited = |world: &World| world.homeserver.rooms_of(&carol.id).contains(&room).then_some(());
    world.until("Carol's invitation", invited).await;
    world.homeserver.join(&room, &carol.id).unwrap();
    for n in 0..20 {
        world.sim.send_text(world.bob.pk, &thread, &format!("bob {n}")).unwrap();
        world.homeserver.send_text(&room, &world.anna.id, &format!("anna {n}")).unwrap();
        world.homeserver.send_text(&room, &carol.id, &format!("carol {n}")).unwrap();
    }
    let mut expected = vec!["first".to_owned()];
    expected.extend(numbered("bob", 20));
    world.expect_said(&room, &world.ghost(&world.bob), &expected).await;
    world.expect_written(&thread, &world.anna_account, &numbered("anna", 20)).await;
    world.expect_written(&thread, &carol_account, &numbered("carol", 20)).await;
    world.sim.send_text(world.bob.pk, &thread, "end").unwrap();
    world.until("the end", |world| world.event(&room, "end")).await;
    for account in [&world.anna_account, &carol_account] {
        assert_eq!(world.said_by(&room, &world.ghost(account)), Vec::<String>::new(), "echoes are not bridged");
    }
    let portals = world.homeserver.rooms();
    let key = format!("dev.puppetgram://instagram/{thread}");
    assert_eq!(portals.iter().filter(|room| world.homeserver.state(room, "m.bridge", &key).is_some()).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_who_talk_to_each_other_have_a_room_each() {
    let world = World::start().await;
    let carol_account = world.sim.create_account("carol", "Carol Carl").unwrap();
    let carol = world.log_in("carol", &carol_account).await;
    let thread = world.chat_with(&carol_account);
    world.sim.send_text(carol_account.pk, &thread, "hello").unwrap();
    let key = format!("dev.puppetgram://instagram/{thread}");
    let room_of = |user: &str| {
        let rooms = world.homeserver.rooms_of(user);
        rooms.into_iter().find(|room| world.homeserver.state(room, "m.bridge", &key).is_some())
    };
    let annas = world.until("Anna's room", |_| room_of(&world.anna.id)).await;
    let carols = world.until("Carol's room", |_| room_of(&carol.id)).await;
    assert_ne!(annas, carols);
    world.homeserver.join(&annas, &world.anna.id).unwrap();
    world.homeserver.send_text(&annas, &world.anna.id, "hi Carol").unwrap();
    world.until("Anna's words in Carol's room", |world| world.event(&carols, "hi Carol")).await;
    assert_eq!(world.said_by(&annas, &world.ghost(&carol_account)), ["hello"]);
    assert_eq!(world.said_by(&annas, &world.ghost(&world.anna_account)), Vec::<String>::new());
}

/// What the bot has said in a room.
fn told(world: &World, room: &str, words: &str) -> Option<String> {
    world.said_by(room, &world.bot()).into_iter().find(|text| text.contains(words))
}

/// A group of Anna, Bob and Carol, and its room.
async fn group(world: &World) -> (String, String) {
    let carol = world.sim.create_account("carol", "Carol Carl").unwrap();
    let members = [world.bob.pk, world.anna_account.pk, carol.pk];
    let thread = world.sim.create_thread(&members, Some("Friends")).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    (thread, room)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_can_be_left_from_its_room() {
    let world = World::start().await;
    let (thread, room) = group(&world).await;
    world.homeserver.send_text(&room, &world.anna.id, "!ig leave-group").unwrap();
    world.until("the answer", |world| told(world, &room, "You have left the group")).await;
    let view = world.sim.thread_view(&thread, world.bob.pk).unwrap();
    assert!(!view["users"].as_array().unwrap().iter().any(|user| user["username"] == "anna.alm"));
    world.until("what it means", |world| told(world, &room, "no longer in this Instagram group")).await;
    // Nothing that she writes now can go anywhere, and that is said.
    world.homeserver.send_text(&room, &world.anna.id, "still there?").unwrap();
    world.until("the refusal", |world| told(world, &room, "was not sent")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_from_a_group_is_told_and_comes_back_to_the_same_room() {
    let world = World::start().await;
    let (thread, room) = group(&world).await;
    world.sim.remove_member(world.bob.pk, &thread, world.anna_account.pk).unwrap();
    world.until("the end", |world| told(world, &room, "no longer in this Instagram group")).await;
    world.sim.add_member(world.bob.pk, &thread, world.anna_account.pk).unwrap();
    world.sim.send_text(world.bob.pk, &thread, "welcome back").unwrap();
    world.until("the next message", |world| world.event(&room, "welcome back")).await;
    world.homeserver.send_text(&room, &world.anna.id, "thank you").unwrap();
    world.expect_written(&thread, &world.anna_account, &["thank you".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_can_be_deleted_from_its_room_and_goes_on_there() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    world.homeserver.send_text(&room, &world.anna.id, "!ig delete-chat").unwrap();
    world.until("the answer", |world| told(world, &room, "The chat is deleted from your list")).await;
    let hidden = |request: &instagram_sim::RecordedRequest| request.path.contains(&format!("{thread}/hide"));
    assert!(world.sim.recorded_requests().iter().any(hidden));
    world.until("what it means", |world| told(world, &room, "This chat was deleted on Instagram")).await;
    world.sim.send_text(world.bob.pk, &thread, "hello again").unwrap();
    world.until("the next message", |world| world.event(&room, "hello again")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_user_imports_holds_up_no_other() {
    let setup = Setup { bridge: "  history_pause: 1h\n".to_owned(), ..Setup::default() };
    let world = World::start_with(&setup).await;
    let (thread, room) = group(&world).await;
    let dora_account = world.sim.create_account("dora", "Dora D").unwrap();
    world.sim.add_member(world.bob.pk, &thread, dora_account.pk).unwrap();
    let long = world.sim.create_thread(&[world.bob.pk, dora_account.pk], None).unwrap();
    for n in 0..30 {
        world.sim.send_text(world.bob.pk, &long, &format!("long {n}")).unwrap();
    }
    // The first page of this is followed by a pause that outlasts the test.
    world.log_in("carol", &dora_account).await;
    world.sim.send_text(world.bob.pk, &thread, "can you hear me?").unwrap();
    world.until("the message", |world| world.event(&room, "can you hear me?")).await;
}

/// A group of Anna, Bob and Carol, who has logged in too and is in its room.
async fn shared_group(world: &World) -> (String, String, instagram_sim::Account, homeserver_sim::User) {
    let carol_account = world.sim.create_account("carol", "Carol Carl").unwrap();
    let carol = world.log_in("carol", &carol_account).await;
    let members = [world.bob.pk, world.anna_account.pk, carol_account.pk];
    let thread = world.sim.create_thread(&members, Some("Friends")).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    let invited = |world: &World| world.homeserver.rooms_of(&carol.id).contains(&room).then_some(());
    world.until("Carol's invitation", invited).await;
    world.homeserver.join(&room, &carol.id).unwrap();
    (thread, room, carol_account, carol)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_several_share_is_told_once_of_each_rule() {
    let world = World::start().await;
    let (thread, room, carol, _) = shared_group(&world).await;
    world.sim.set_vanish_mode(world.bob.pk, &thread, true).unwrap();
    world.sim.set_approval_required(world.anna_account.pk, &thread, true).unwrap();
    world.until("approval", |world| told(world, &room, "have to be let in")).await;
    world.until("vanish mode", |world| told(world, &room, "switched on")).await;
    let power = |world: &World| {
        let ghost = world.ghost(&world.bob);
        world.homeserver.state(&room, "m.room.power_levels", "")?["users"][ghost].as_i64()
    };
    world.sim.set_admin(world.bob.pk, &thread, world.bob.pk, true).unwrap();
    world.until("Bob's power", power).await;
    // An object that says nothing of rules, admins and requests changes nothing of them.
    let path = format!("/direct_v2/inbox/threads/{thread}");
    let partial = format!(r#"{{"thread_id":"{thread}","is_group":true,"named":true,"thread_title":"Fiends"}}"#);
    for account in [&world.anna_account, &carol] {
        world.sim.push_patch(account.pk, "replace", &path, Some(&partial)).unwrap();
    }
    let renamed = |world: &World| world.homeserver.state(&room, "m.room.name", "")?.get("name").cloned();
    world.until("the title", |world| renamed(world).filter(|name| name == "Fiends")).await;
    world.sim.set_vanish_mode(world.bob.pk, &thread, false).unwrap();
    world.until("the end of vanish mode", |world| told(world, &room, "switched off")).await;
    world.sim.send_text(world.bob.pk, &thread, "end").unwrap();
    world.until("the end", |world| world.event(&room, "end")).await;
    assert_eq!(world.said_by(&room, &world.bot()).len(), 3);
    assert_eq!(power(&world), Some(50));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vanishing_chat_says_so_in_its_new_room() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    world.sim.set_vanish_mode(world.bob.pk, &thread, true).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    world.until("vanish mode", |world| told(world, &room, "switched on")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_deletes_a_group_from_the_list_of_the_app_goes_on_in_it() {
    let world = World::start().await;
    let (thread, room) = group(&world).await;
    world.sim.hide_thread(world.anna_account.pk, &thread).unwrap();
    world.until("what it means", |world| told(world, &room, "still in the group")).await;
    world.homeserver.send_text(&room, &world.anna.id, "still there").unwrap();
    world.expect_written(&thread, &world.anna_account, &["still there".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_from_a_group_leaves_the_room_to_those_who_stay() {
    let world = World::start().await;
    let (thread, room, carol_account, carol) = shared_group(&world).await;
    world.sim.remove_member(world.bob.pk, &thread, carol_account.pk).unwrap();
    world.until("the end", |world| told(world, &room, "@carol is no longer in this Instagram group")).await;
    let membership =
        |world: &World| Some(world.homeserver.state(&room, "m.room.member", &carol.id)?["membership"].clone());
    world.until("Carol's end", |world| membership(world).filter(|membership| membership == "leave")).await;
    world.homeserver.send_text(&room, &world.anna.id, "she is gone").unwrap();
    world.expect_written(&thread, &world.anna_account, &["she is gone".to_owned()]).await;
    world.sim.add_member(world.bob.pk, &thread, carol_account.pk).unwrap();
    world.sim.send_text(world.bob.pk, &thread, "welcome back").unwrap();
    world.until("Carol's invitation", |world| membership(world).filter(|membership| membership == "invite")).await;
}

/// Keeps an account from connecting until its faults are cleared.
fn keep_away(world: &World, account: &instagram_sim::Account) {
    world.sim.inject(account.pk, Fault::CloseBeforeConnAck, 1_000).unwrap();
    world.sim.cut_connections(account.pk).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_login_has_brought_is_not_repeated_by_another_that_lags() {
    let world = World::start().await;
    let (thread, room, carol, _) = shared_group(&world).await;
    let joke = world.sim.send_text(world.bob.pk, &thread, "a joke").unwrap();
    world.until("the message", |world| world.event(&room, "a joke")).await;
    keep_away(&world, &carol);
    let count = |world: &World, kind: &str| {
        let events = world.homeserver.events(&room);
        events.into_iter().filter(|event| event["type"] == kind).count()
    };
    let enough = async |what: &str, kind: &str, expected: usize| {
        world.until(what, |world| (count(world, kind) >= expected).then_some(())).await;
    };
    for (n, emoji) in [(1, "😂"), (2, "🔥")] {
        world.sim.react(world.bob.pk, &thread, &joke, Some(emoji)).unwrap();
        enough("a reaction", "m.reaction", n).await;
        world.sim.react(world.bob.pk, &thread, &joke, None).unwrap();
        enough("its end", "m.room.redaction", n).await;
        world.sim.edit(world.bob.pk, &thread, &joke, &format!("a better joke {n}")).unwrap();
        let edited = format!("a better joke {n}");
        let is_shown = |event: &serde_json::Value| event["content"]["m.new_content"]["body"] == edited.as_str();
        world.until("an edit", |world| world.homeserver.events(&room).into_iter().find(is_shown)).await;
        world.sim.rename_thread(world.bob.pk, &thread, &format!("Jokers {n}")).unwrap();
        let name = |world: &World| world.homeserver.state(&room, "m.room.name", "")?.get("name").cloned();
        world.until("a title", |world| name(world).filter(|name| *name == format!("Jokers {n}"))).await;
        world.sim.set_vanish_mode(world.bob.pk, &thread, n == 1).unwrap();
        let words = if n == 1 { "switched on" } else { "switched off" };
        world.until("vanish mode", |world| told(world, &room, words)).await;
    }
    world.until("the last line", |world| world.event(&room, "bob turned off vanish mode.")).await;
    let before = world.homeserver.events(&room).len();
    world.sim.clear_faults(carol.pk).unwrap();
    world.sim.wait_for_subscription(carol.pk, DEADLINE).await.unwrap();
    // What comes now comes through Carol, after all that she has missed.
    keep_away(&world, &world.anna_account);
    world.sim.react(world.bob.pk, &thread, &joke, Some("🔥")).unwrap();
    world.sim.send_text(world.bob.pk, &thread, "the end").unwrap();
    world.until("the end", |world| world.event(&room, "the end")).await;
    let events = world.homeserver.events(&room).split_off(before);
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap_or_default()).collect();
    assert_eq!(kinds, ["m.reaction", "m.room.message"], "{events:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_types_in_a_shared_room_types_there_once() {
    let world = World::start().await;
    let (thread, room, carol_account, carol) = shared_group(&world).await;
    world.homeserver.set_typing(&room, &carol.id, true).unwrap();
    let told = |world: &World| {
        let requests = world.sim.recorded_requests();
        requests.into_iter().find(|request| request.body.contains("indicate_activity"))
    };
    world.until("typing on Instagram", told).await;
    let typing = |world: &World, account: &instagram_sim::Account| {
        world.homeserver.typing_in(&room).contains(&world.ghost(account))
    };
    world.sim.show_typing(world.bob.pk, &thread, true).unwrap();
    world.until("Bob types", |world| typing(world, &world.bob).then_some(())).await;
    assert!(!typing(&world, &carol_account));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_later_bears_the_nickname_of_the_chat() {
    let world = World::start().await;
    let (thread, room) = group(&world).await;
    let dora = world.sim.create_account("dora", "Dora D").unwrap();
    world.sim.set_nickname(world.bob.pk, &thread, dora.pk, "Dodo").unwrap();
    world.sim.add_member(world.bob.pk, &thread, dora.pk).unwrap();
    let name = |world: &World| {
        let member = world.homeserver.state(&room, "m.room.member", &world.ghost(&dora))?;
        member["displayname"].as_str().filter(|name| name.contains("Dodo")).map(str::to_owned)
    };
    world.until("her nickname", name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ghost_of_a_new_login_stays_in_the_room() {
    let setup = Setup { bridge: "  history_chats: 0\n".to_owned(), ..Setup::default() };
    let world = World::start_with(&setup).await;
    let carol = world.sim.create_account("carol", "Carol Carl").unwrap();
    let members = [world.bob.pk, world.anna_account.pk, carol.pk];
    let thread = world.sim.create_thread(&members, Some("Friends")).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    let ghost = world.ghost(&carol);
    let here = |world: &World| world.homeserver.rooms_of(&ghost).contains(&room);
    world.until("Carol's ghost", |world| here(world).then_some(())).await;
    world.log_in("carol", &carol).await;
    keep_away(&world, &world.anna_account);
    // The thread alone, as Carol is told of it: she is not among its users.
    let view = world.sim.thread_view(&thread, carol.pk).unwrap();
    let renamed = view.to_string().replace("Friends", "Fiends");
    let path = format!("/direct_v2/inbox/threads/{thread}");
    world.sim.push_patch(carol.pk, "replace", &path, Some(&renamed)).unwrap();
    let name = |world: &World| world.homeserver.state(&room, "m.room.name", "")?.get("name").cloned();
    world.until("the title", |world| name(world).filter(|name| name == "Fiends")).await;
    world.sim.set_vanish_mode(world.bob.pk, &thread, true).unwrap();
    world.until("what comes next", |world| told(world, &room, "switched on")).await;
    assert!(here(&world));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_loses_its_title_is_named_after_its_members() {
    let world = World::start().await;
    let (thread, room) = group(&world).await;
    let name = |world: &World| world.homeserver.state(&room, "m.room.name", "")?.get("name").cloned();
    world.sim.rename_thread(world.bob.pk, &thread, "").unwrap();
    world.until("their names", |world| name(world).filter(|name| name == "Bob Berg, Carol Carl")).await;
    let dora = world.sim.create_account("dora", "Dora D").unwrap();
    world.sim.add_member(world.bob.pk, &thread, dora.pk).unwrap();
    world.until("her name too", |world| name(world).filter(|name| name == "Bob Berg, Carol Carl, Dora D")).await;
}
