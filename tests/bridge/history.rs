//! What was said before the login: imported in order, once, and without a notification for any of it.

use instagram_sim::{Fault, History};

use crate::world::{DEADLINE, Setup, World};

fn setup(chats: usize, messages: usize) -> Setup {
    let bridge = format!("  history_chats: {chats}\n  history_messages: {messages}\n  history_pause: 0s\n");
    Setup { bridge, ..Setup::default() }
}

fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("old {n}")).collect()
}

/// All texts in a room that are no notices of the bot.
fn texts(world: &World, room: &str) -> Vec<String> {
    let bot = world.bot();
    let events = world.homeserver.events(room).into_iter();
    let said = events.filter(|event| event["type"] == "m.room.message" && event["sender"] != bot.as_str());
    said.map(|event| event["content"]["body"].as_str().unwrap_or_default().to_owned()).collect()
}

fn room_of(world: &World, thread: &str) -> Option<String> {
    let key = format!("dev.puppetgram://instagram/{thread}");
    world.homeserver.rooms().into_iter().find(|room| world.homeserver.state(room, "m.bridge", &key).is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_login_brings_its_latest_messages_and_the_invitation_comes_last() {
    let mut world = World::start_logged_out(&setup(5, 30)).await;
    let thread = world.chat_with(&world.bob);
    let items = world.sim.import_history(&thread, 100, &History::default()).unwrap();
    world.sim.mark_seen(world.bob.pk, &thread, items.last().unwrap()).unwrap();
    world.log_in_anna().await;
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    let invited = |world: &World| world.homeserver.rooms_of(&world.anna.id).contains(&room).then_some(());
    world.until("the invitation", invited).await;
    assert_eq!(texts(&world, &room), numbered(70..100));
    let events = world.homeserver.events(&room);
    let place = |wanted: &dyn Fn(&serde_json::Value) -> bool| events.iter().position(wanted).unwrap();
    let invitation = place(&|event| event["type"] == "m.room.member" && event["state_key"] == world.anna.id.as_str());
    let last = place(&|event| event["content"]["body"] == "old 99");
    assert!(invitation > last, "nothing of it is news");
    let bot = world.bot();
    let times: Vec<i64> = events
        .iter()
        .filter(|event| event["type"] == "m.room.message" && event["sender"] != bot.as_str())
        .map(|event| event["origin_server_ts"].as_i64().unwrap())
        .collect();
    let old = world.sim.thread_items(&thread).unwrap();
    let original: Vec<i64> = old[70..].iter().map(|item| item.timestamp_us / 1000).collect();
    assert_eq!(times, original, "original times");
    let reactions: Vec<_> = events.iter().filter(|event| event["type"] == "m.reaction").collect();
    assert_eq!(reactions.len(), 3, "reactions are history too");
    for reaction in reactions {
        let target = &reaction["content"]["m.relates_to"]["event_id"];
        let target = events.iter().find(|event| event["event_id"] == *target).unwrap();
        assert_eq!(reaction["origin_server_ts"], target["origin_server_ts"], "in its own time");
    }
    world.until("Bob's receipt", |world| world.homeserver.receipt_of(&room, &world.ghost(&world.bob))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_import_is_reported_in_one_line() {
    let mut world = World::start_logged_out(&setup(5, 30)).await;
    for n in 0..3 {
        let other = world.sim.create_account(&format!("other{n}"), "").unwrap();
        let thread = world.chat_with(&other);
        world.sim.import_history(&thread, 20, &History::default()).unwrap();
    }
    world.log_in_anna().await;
    let (room, bot) = (world.management_room().to_owned(), world.bot());
    let said = |words: &'static str| {
        let (room, bot) = (room.clone(), bot.clone());
        move |world: &World| {
            let events = world.homeserver.events(&room).into_iter().filter(|event| event["sender"] == bot.as_str());
            events.into_iter().find(|event| event["content"]["body"].as_str().is_some_and(|body| body.contains(words)))
        }
    };
    let begun = world.until("the beginning", said("Fetching earlier messages of 3 chats: 0 done")).await;
    let ended = world.until("the end", said("60 earlier messages of 3 chats have been fetched")).await;
    assert_eq!(ended["content"]["m.relates_to"]["event_id"], begun["event_id"], "an edit of the first line");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_during_the_import_comes_after_it() {
    let mut world = World::start_logged_out(&setup(5, 200)).await;
    let thread = world.chat_with(&world.bob);
    world.sim.import_history(&thread, 200, &History::default()).unwrap();
    world.log_in_anna().await;
    world.sim.send_text(world.bob.pk, &thread, "new").unwrap();
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    world.until("the new message", |world| world.event(&room, "new")).await;
    let mut expected = numbered(0..200);
    expected.push("new".to_owned());
    let said = texts(&world, &room);
    // The new one may have been early enough to be one of the latest two hundred.
    assert!(said == expected || said == expected[1..], "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_messages_survive_five_deaths() {
    const COUNT: usize = 10_000;
    let mut world = World::start_logged_out(&setup(5, COUNT)).await;
    let thread = world.chat_with(&world.bob);
    world.sim.import_history(&thread, COUNT, &History { reaction_every: 0, ..History::default() }).unwrap();
    world.log_in_anna().await;
    // Two deaths while pages come, three while the room fills.
    for moment in ["history-after-page:100", "history-after-finish"] {
        world.bridge.kill();
        world.bridge.start_with(&[("PUPPETGRAM_FAILPOINT", moment)]);
        assert!(world.bridge.wait_for_death().await, "{moment}");
    }
    world.bridge.start();
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    for share in 1..4 {
        let enough = COUNT / 5 * share;
        world.until("a part of it", |world| (texts(world, &room).len() >= enough).then_some(())).await;
        world.bridge.kill();
        world.bridge.start();
    }
    let invited = |world: &World| world.homeserver.rooms_of(&world.anna.id).contains(&room).then_some(());
    world.until("the invitation at the end", invited).await;
    assert!(texts(&world, &room) == numbered(0..COUNT), "all of it, once, in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_can_be_asked_for() {
    let mut world = World::start_logged_out(&setup(5, 10)).await;
    let thread = world.chat_with(&world.bob);
    world.sim.import_history(&thread, 60, &History::default()).unwrap();
    world.log_in_anna().await;
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    let invited = |world: &World| world.homeserver.rooms_of(&world.anna.id).contains(&room).then_some(());
    world.until("the invitation", invited).await;
    world.homeserver.join(&room, &world.anna.id).unwrap();
    world.homeserver.send_text(&room, &world.anna.id, "!ig backfill 30").unwrap();
    world.until("earlier messages", |world| (texts(world, &room).len() >= 41).then_some(())).await;
    let said = texts(&world, &room);
    let old: Vec<String> = said.into_iter().filter(|text| text.starts_with("old ")).collect();
    let mut expected = numbered(50..60);
    expected.extend(numbered(20..50));
    assert_eq!(old, expected);
    world.homeserver.send_text(&room, &world.anna.id, "!ig backfill 30").unwrap();
    expected.extend(numbered(0..20));
    let old = |world: &World| -> Vec<String> {
        texts(world, &room).into_iter().filter(|text| text.starts_with("old ")).collect()
    };
    world.until("the rest", |world| (old(world).len() >= 60).then_some(())).await;
    assert_eq!(old(&world), expected);
}

/// Has the import of everything rest for minutes, which a restart ends.
async fn log_in_to_rest(world: &mut World, fault: Fault) {
    world.sim.inject_on(world.anna_account.pk, "/direct_v2/threads/", fault, 1).unwrap();
    world.log_in_anna().await;
    world.sim.wait_for_faults(world.anna_account.pk, DEADLINE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_during_the_import_costs_patience_and_no_chat() {
    let mut world = World::start_logged_out(&setup(5, 30)).await;
    let mut threads = Vec::new();
    for n in 0..3 {
        let other = world.sim.create_account(&format!("other{n}"), "").unwrap();
        let thread = world.chat_with(&other);
        world.sim.import_history(&thread, 30, &History::default()).unwrap();
        threads.push(thread);
    }
    log_in_to_rest(&mut world, Fault::FeedbackRequired).await;
    let (management, bot) = (world.management_room().to_owned(), world.bot());
    let told = |world: &World| {
        let said = world.said_by(&management, &bot);
        said.into_iter().find(|text| text.contains("Instagram asks for patience"))
    };
    world.until("the report", told).await;
    let asked = world.sim.recorded_requests();
    let asked = asked.iter().filter(|request| request.path.contains("/direct_v2/threads/")).count();
    assert_eq!(asked, 1, "to repeat it gets accounts flagged");
    world.bridge.kill();
    world.bridge.start();
    for thread in &threads {
        let whole = |world: &World| room_of(world, thread).filter(|room| texts(world, room) == numbered(0..30));
        world.until("a chat", whole).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_after_the_last_page_changes_no_order() {
    let mut world = World::start_logged_out(&setup(5, 40)).await;
    let thread = world.chat_with(&world.bob);
    world.sim.import_history(&thread, 40, &History::default()).unwrap();
    log_in_to_rest(&mut world, Fault::RateLimit).await;
    world.bridge.kill();
    world.bridge.start_with(&[("PUPPETGRAM_FAILPOINT", "history-after-page:2")]);
    assert!(world.bridge.wait_for_death().await);
    world.sim.send_text(world.bob.pk, &thread, "new").unwrap();
    world.bridge.start();
    let mut expected = numbered(0..40);
    expected.push("new".to_owned());
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    world.until("the new message", |world| world.event(&room, "new")).await;
    assert_eq!(texts(&world, &room), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_while_the_import_rests_is_no_part_of_it() {
    let mut world = World::start_logged_out(&setup(5, 10)).await;
    let thread = world.chat_with(&world.bob);
    world.sim.import_history(&thread, 40, &History::default()).unwrap();
    log_in_to_rest(&mut world, Fault::RateLimit).await;
    world.bridge.kill();
    let mut expected = numbered(30..40);
    for n in 0..30 {
        expected.push(format!("new {n}"));
        world.sim.send_text(world.bob.pk, &thread, &format!("new {n}")).unwrap();
    }
    world.bridge.start();
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    world.until("the last message", |world| world.event(&room, "new 29")).await;
    assert_eq!(texts(&world, &room), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_while_more_is_fetched_does_not_stay() {
    let mut world = World::start_logged_out(&setup(5, 10)).await;
    let thread = world.chat_with(&world.bob);
    let items = world.sim.import_history(&thread, 60, &History { reaction_every: 0, ..History::default() }).unwrap();
    world.log_in_anna().await;
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    let invited = |world: &World| world.homeserver.rooms_of(&world.anna.id).contains(&room).then_some(());
    world.until("the invitation", invited).await;
    world.homeserver.join(&room, &world.anna.id).unwrap();
    world.bridge.kill();
    world.bridge.configure("history_pause: 0s", "history_pause: 1h");
    world.bridge.start();
    // The first page, then a long pause.
    let before = world.sim.recorded_requests().len();
    world.homeserver.send_text(&room, &world.anna.id, "!ig backfill 40").unwrap();
    let fetched = |world: &World| {
        let asked = world.sim.recorded_requests();
        asked[before..].iter().any(|request| request.path.contains(&thread)).then_some(())
    };
    world.until("the first page", fetched).await;
    let taken_back = world.sim.thread_items(&thread).unwrap();
    let taken_back = taken_back.iter().find(|item| item.text.as_deref() == Some("old 45")).unwrap().clone();
    assert!(items.contains(&taken_back.item_id));
    world.sim.unsend(taken_back.sender, &thread, &taken_back.item_id).unwrap();
    // What is said now waits for nothing.
    world.sim.send_text(world.bob.pk, &thread, "meanwhile").unwrap();
    world.until("the news", |world| world.event(&room, "meanwhile")).await;
    assert!(world.event(&room, "old 49").is_none(), "the pages come later");
    world.bridge.kill();
    world.bridge.configure("history_pause: 1h", "history_pause: 0s");
    world.bridge.start();
    world.until("the oldest", |world| world.event(&room, "old 10")).await;
    world.until("the newest", |world| world.event(&room, "old 49")).await;
    world.until("nothing of it", |world| world.event(&room, "old 45").is_none().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_logins_that_import_one_group_bring_it_once() {
    let mut world = World::start_logged_out(&setup(5, 30)).await;
    let carol_account = world.sim.create_account("carol", "Carol Carl").unwrap();
    let members = [world.anna_account.pk, carol_account.pk, world.bob.pk];
    let thread = world.sim.create_thread(&members, Some("Friends")).unwrap();
    world.sim.import_history(&thread, 50, &History::default()).unwrap();
    world.log_in_anna().await;
    let carol = world.log_in("carol", &carol_account).await;
    let room = world.until("the room", |world| room_of(world, &thread)).await;
    for user in [&world.anna.id, &carol.id] {
        let invited = |world: &World| world.homeserver.rooms_of(user).contains(&room).then_some(());
        world.until("the invitation", invited).await;
    }
    assert_eq!(texts(&world, &room), numbered(20..50));
    world.sim.send_text(world.bob.pk, &thread, "new").unwrap();
    world.until("a live message", |world| world.event(&room, "new")).await;
    assert_eq!(texts(&world, &room).len(), 31);
}
