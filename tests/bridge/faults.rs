//! Faults of Instagram, the homeserver and the network: nothing is lost, doubled or reordered.

use instagram_sim::{CursorRefusal, Fault};
use serde_json::json;

use crate::world::{DEADLINE, Setup, World};

fn numbered(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix} {n}")).collect()
}

fn after_first(texts: Vec<String>) -> Vec<String> {
    let mut all = vec!["first".to_owned()];
    all.extend(texts);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_comes_delays_no_other_chat_and_doubles_nothing() {
    let setup = Setup { instagram: "  answer_timeout: 8s\n".to_owned(), ..Setup::default() };
    let world = World::start_with(&setup).await;
    let carol = world.sim.create_account("carol", "Carol").unwrap();
    let (one, two) = (world.chat_with(&world.bob), world.chat_with(&carol));
    let room_one = world.portal_of(&one, &world.bob).await;
    let room_two = world.portal_of(&two, &carol).await;
    world.sim.inject_on(world.anna_account.pk, "132", Fault::DropSend, 1).unwrap();
    world.homeserver.send_text(&room_one, &world.anna.id, "unanswered").unwrap();
    world.sim.wait_for_faults(world.anna_account.pk, DEADLINE).await.unwrap();
    world.homeserver.send_text(&room_two, &world.anna.id, "elsewhere").unwrap();
    world.expect_written(&two, &world.anna_account, &["elsewhere".to_owned()]).await;
    // It is repeated only once nobody waits for its answer any more.
    let waiting = world.written_by(&one, &world.anna_account);
    assert_eq!(waiting, Vec::<String>::new(), "the other chat waited for the answer");
    world.homeserver.send_text(&room_one, &world.anna.id, "behind it").unwrap();
    world.expect_written(&one, &world.anna_account, &["unanswered".to_owned(), "behind it".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_found_by_its_echo() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    world.sim.inject_on(world.anna_account.pk, "132", Fault::DropAnswer, 3).unwrap();
    for text in numbered("text", 6) {
        world.homeserver.send_text(&room, &world.anna.id, &text).unwrap();
    }
    world.expect_written(&thread, &world.anna_account, &numbered("text", 6)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_twenty_times_loses_nothing() {
    let world = World::start_with(&Setup { instagram: "  reconnect_floor: 0s\n".to_owned(), ..Setup::default() }).await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    for n in 0..100 {
        world.sim.send_text(world.bob.pk, &thread, &format!("in {n}")).unwrap();
        world.homeserver.send_text(&room, &world.anna.id, &format!("out {n}")).unwrap();
        if n % 5 == 4 {
            world.sim.cut_connections(world.anna_account.pk).unwrap();
            world.sim.wait_for_subscription(world.anna_account.pk, DEADLINE).await.unwrap();
        }
    }
    world.expect_said(&room, &world.ghost(&world.bob), &after_first(numbered("in", 100))).await;
    world.expect_written(&thread, &world.anna_account, &numbered("out", 100)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_while_the_bridge_is_down_arrives_afterwards() {
    let mut world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    world.bridge.kill();
    for n in 0..30 {
        world.sim.send_text(world.bob.pk, &thread, &format!("in {n}")).unwrap();
        world.homeserver.send_text(&room, &world.anna.id, &format!("out {n}")).unwrap();
    }
    world.bridge.start();
    world.expect_said(&room, &world.ghost(&world.bob), &after_first(numbered("in", 30))).await;
    world.expect_written(&thread, &world.anna_account, &numbered("out", 30)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_cursor_is_reconciled_in_order() {
    let mut world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    world.bridge.kill();
    for n in 0..100 {
        world.sim.send_text(world.bob.pk, &thread, &format!("missed {n}")).unwrap();
    }
    world.sim.trim_queue(world.anna_account.pk, 5).unwrap();
    world.bridge.start();
    world.expect_said(&room, &world.ghost(&world.bob), &after_first(numbered("missed", 100))).await;
    world.sim.send_text(world.bob.pk, &thread, "live again").unwrap();
    world.until("a live message", |world| world.event(&room, "live again")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_while_nobody_heard_it_is_made_good() {
    let mut world = World::start().await;
    let bob = world.bob.pk;
    let carol = world.sim.create_account("carol", "Carol Carl").unwrap();
    let thread = world.sim.create_thread(&[bob, world.anna_account.pk, carol.pk], Some("Friends")).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    let item = world.sim.send_text(bob, &thread, "before").unwrap();
    let event = world.until("the message", |world| world.event(&room, "before")).await["event_id"].clone();
    world.bridge.kill();
    world.sim.edit(bob, &thread, &item, "before, and better").unwrap();
    world.sim.react(carol.pk, &thread, &item, Some("🔥")).unwrap();
    world.sim.rename_thread(bob, &thread, "Best friends").unwrap();
    world.sim.send_text(bob, &thread, "after").unwrap();
    world.sim.trim_queue(world.anna_account.pk, 0).unwrap();
    world.bridge.start();
    world.until("the message after it", |world| world.event(&room, "after")).await;
    let named =
        |world: &World| (world.homeserver.state(&room, "m.room.name", "")?["name"] == "Best friends").then_some(());
    world.until("the title", named).await;
    let about = |world: &World, kind: &str| {
        let mut events = world.homeserver.events(&room).into_iter();
        events.find(|found| found["content"]["m.relates_to"]["event_id"] == event && found["type"] == kind)
    };
    let edit = world.until("the edit", |world| about(world, "m.room.message")).await;
    assert_eq!(edit["content"]["m.new_content"]["body"], "before, and better");
    let reaction = world.until("the reaction", |world| about(world, "m.reaction")).await;
    assert_eq!(reaction["content"]["m.relates_to"]["key"], "🔥");
    world.sim.send_text(bob, &thread, "live again").unwrap();
    world.until("a live message", |world| world.event(&room, "live again")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_ahead_of_the_queue_is_reconciled_too() {
    let mut world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    world.bridge.kill();
    world.sim.send_text(world.bob.pk, &thread, "missed").unwrap();
    let refusal = Fault::RefuseCursor { reason: CursorRefusal::Overflow };
    world.sim.inject(world.anna_account.pk, refusal, 1).unwrap();
    world.bridge.start();
    world.expect_said(&room, &world.ghost(&world.bob), &after_first(vec!["missed".to_owned()])).await;
}

/// A rest lasts minutes; a restart ends it.
async fn until_resting(world: &World) {
    world.until("a rest", |world| world.bridge.log().contains("Instagram asks for patience").then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_in_the_middle_of_a_reconciliation_loses_no_chat() {
    let mut world = World::start().await;
    let mut chats = Vec::new();
    for n in 0..3 {
        let other = world.sim.create_account(&format!("other{n}"), "").unwrap();
        let thread = world.chat_with(&other);
        let room = world.portal_of(&thread, &other).await;
        chats.push((other, thread, room));
    }
    world.bridge.kill();
    for (other, thread, _) in &chats {
        world.sim.send_text(other.pk, thread, "missed").unwrap();
    }
    world.sim.trim_queue(world.anna_account.pk, 0).unwrap();
    // The latest chat comes first.
    world.sim.inject_on(world.anna_account.pk, &chats[1].1, Fault::FeedbackRequired, 1).unwrap();
    world.bridge.start();
    let missed = |world: &World, chat: usize| world.event(&chats[chat].2, "missed");
    world.until("what was found before the block", |world| missed(world, 2)).await;
    until_resting(&world).await;
    world.bridge.kill();
    world.bridge.start();
    for (other, _, room) in &chats {
        world.expect_said(room, &world.ghost(other), &after_first(vec!["missed".to_owned()])).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_that_is_not_there_any_more_holds_up_no_reconciliation() {
    let mut world = World::start().await;
    let carol = world.sim.create_account("carol", "Carol").unwrap();
    let (gone, thread) = (world.chat_with(&carol), world.chat_with(&world.bob));
    world.portal_of(&gone, &carol).await;
    let room = world.portal_of(&thread, &world.bob).await;
    world.bridge.kill();
    world.sim.send_text(world.bob.pk, &thread, "missed").unwrap();
    world.sim.send_text(carol.pk, &gone, "missed too").unwrap();
    world.sim.trim_queue(world.anna_account.pk, 0).unwrap();
    world.sim.inject_on(world.anna_account.pk, &gone, Fault::NotFoundPage, u32::MAX).unwrap();
    world.bridge.start();
    world.expect_said(&room, &world.ghost(&world.bob), &after_first(vec!["missed".to_owned()])).await;
    world.sim.send_text(world.bob.pk, &thread, "live again").unwrap();
    world.until("a live message", |world| world.event(&room, "live again")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_of_which_nothing_can_be_read_holds_up_no_reconciliation() {
    let mut world = World::start().await;
    let carol = world.sim.create_account("carol", "Carol").unwrap();
    let (broken, thread) = (world.chat_with(&carol), world.chat_with(&world.bob));
    world.portal_of(&broken, &carol).await;
    let room = world.portal_of(&thread, &world.bob).await;
    world.bridge.kill();
    world.sim.send_text(world.bob.pk, &thread, "missed").unwrap();
    world.sim.send_text(carol.pk, &broken, "missed too").unwrap();
    world.sim.trim_queue(world.anna_account.pk, 0).unwrap();
    world.sim.inject_on(world.anna_account.pk, &broken, Fault::HtmlError, u32::MAX).unwrap();
    world.bridge.start();
    world.expect_said(&room, &world.ghost(&world.bob), &after_first(vec!["missed".to_owned()])).await;
    world.sim.send_text(world.bob.pk, &thread, "live again").unwrap();
    world.until("a live message", |world| world.event(&room, "live again")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_read_is_asked_for_after_a_death_too() {
    let mut world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    world.sim.inject(world.anna_account.pk, Fault::UnreadableEnvelope, 1).unwrap();
    world.sim.inject_on(world.anna_account.pk, "inbox", Fault::Status { code: 500 }, u32::MAX).unwrap();
    world.sim.send_text(world.bob.pk, &thread, "unreadable").unwrap();
    world.sim.send_text(world.bob.pk, &thread, "the cursor moves on").unwrap();
    world.until("the message behind it", |world| world.event(&room, "the cursor moves on")).await;
    assert!(world.event(&room, "unreadable").is_none());
    world.bridge.kill();
    world.sim.clear_faults(world.anna_account.pk).unwrap();
    world.bridge.start();
    world.until("what could not be read", |world| world.event(&room, "unreadable")).await;
}

/// The names of requests must not outlive what they say.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_made_good_is_followed_by_a_later_one_after_a_death() {
    let mut world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let item = world.sim.send_text(world.bob.pk, &thread, "one").unwrap();
    let event = world.until("the message", |world| world.event(&room, "one")).await["event_id"].clone();
    world.bridge.kill();
    world.sim.edit(world.bob.pk, &thread, &item, "two").unwrap();
    world.sim.send_text(world.bob.pk, &thread, "after").unwrap();
    world.sim.trim_queue(world.anna_account.pk, 0).unwrap();
    // The second event is the edit.
    world.bridge.start_with(&[("PUPPETGRAM_FAILPOINT", "to-matrix-after-send:2")]);
    assert!(world.bridge.wait_for_death().await);
    world.sim.edit(world.bob.pk, &thread, &item, "three").unwrap();
    world.bridge.start();
    let edited = |world: &World, text: &str| {
        let mut events = world.homeserver.events(&room).into_iter();
        events.find(|found| {
            found["content"]["m.relates_to"]["event_id"] == event && found["content"]["m.new_content"]["body"] == text
        })
    };
    world.until("the first edit", |world| edited(world, "two")).await;
    world.until("the later edit", |world| edited(world, "three")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_is_away_is_waited_for() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    world.homeserver.close();
    for n in 0..30 {
        world.sim.send_text(world.bob.pk, &thread, &format!("in {n}")).unwrap();
    }
    // It stays away until the bridge has felt it.
    world.until("a failed try", |world| world.bridge.log().contains("waiting").then_some(())).await;
    world.homeserver.open();
    world.expect_said(&room, &world.ghost(&world.bob), &after_first(numbered("in", 30))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_forgets_transactions_still_gets_no_event_twice() {
    let setup = Setup { forget_transactions: true, ..Setup::default() };
    let world = World::start_with(&setup).await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    world.homeserver.inject("/send/m.room.message", 3, homeserver_sim::Fault::LoseAnswer);
    for n in 0..10 {
        world.sim.send_text(world.bob.pk, &thread, &format!("in {n}")).unwrap();
    }
    world.expect_said(&room, &world.ghost(&world.bob), &after_first(numbered("in", 10))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_frames_and_payloads_harm_no_neighbour() {
    let world = World::start_with(&Setup { instagram: "  reconnect_floor: 0s\n".to_owned(), ..Setup::default() }).await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let faults = [
        Fault::MalformedPayload,
        Fault::TruncatedZlib,
        Fault::UnknownTopic,
        Fault::HugePayload { bytes: 10_000_000 },
        Fault::DeepNesting { depth: 200_000 },
        Fault::BadPatchBeforeGood,
        Fault::StringIds,
        Fault::ParentProcess,
        Fault::Redeliver,
    ];
    let mut expected = vec!["first".to_owned()];
    for (n, fault) in faults.into_iter().enumerate() {
        world.sim.inject(world.anna_account.pk, fault.clone(), 1).unwrap();
        let text = format!("behind {n}");
        world.sim.send_text(world.bob.pk, &thread, &text).unwrap();
        expected.push(text);
        world.until(&format!("the message behind {fault:?}"), |world| world.event(&room, &format!("behind {n}"))).await;
    }
    let said = world.said_by(&room, &world.ghost(&world.bob));
    let texts: Vec<String> = said.into_iter().filter(|text| text == "first" || text.starts_with("behind")).collect();
    assert_eq!(texts, expected);
    assert_eq!(world.bridge.log().matches("connection lost").count(), 0, "no fault of a payload ends the connection");

    world.sim.inject(world.anna_account.pk, Fault::MalformedFrame, 1).unwrap();
    world.sim.send_text(world.bob.pk, &thread, "behind the frame").unwrap();
    world.until("the message behind a malformed frame", |world| world.event(&room, "behind the frame")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_stops_answering_is_noticed() {
    let instagram = "  ping_interval: 1s\n  ping_timeout: 1s\n  reconnect_floor: 0s\n".to_owned();
    let world = World::start_with(&Setup { instagram, ..Setup::default() }).await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    world.sim.stall_connections(world.anna_account.pk).unwrap();
    world.sim.send_text(world.bob.pk, &thread, "through the new connection").unwrap();
    world.until("the message", |world| world.event(&room, "through the new connection")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_send_is_told_and_the_next_one_goes_on() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let fault = Fault::RejectSend { status_code: 400, message: "this person takes no messages".into() };
    world.sim.inject_on(world.anna_account.pk, "132", fault, 1).unwrap();
    world.homeserver.send_text(&room, &world.anna.id, "refused").unwrap();
    world.homeserver.send_text(&room, &world.anna.id, "accepted").unwrap();
    world.expect_written(&thread, &world.anna_account, &["accepted".to_owned()]).await;
    let bot = world.bot();
    let notice = world.until("the notice", |world| world.said_by(&room, &bot).pop()).await;
    assert!(notice.contains("this person takes no messages"), "{notice}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_realtime_connection_texts_go_over_http() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    world.sim.inject(world.anna_account.pk, Fault::RefuseConnect { code: 3 }, 1000).unwrap();
    world.sim.cut_connections(world.anna_account.pk).unwrap();
    world.homeserver.send_text(&room, &world.anna.id, "by HTTP").unwrap();
    world.expect_written(&thread, &world.anna_account, &["by HTTP".to_owned()]).await;
    // A request is recorded with its answer, a little after the item is there.
    world.sim.wait_for_request("broadcast/text", DEADLINE).await.unwrap();
    assert_eq!(
        world.sim.recorded_requests().iter().filter(|request| request.path.contains("broadcast/text")).count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_at_instagram_holds_back_and_loses_nothing() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let fault = Fault::RejectSend { status_code: 500, message: "try later".into() };
    world.sim.inject_on(world.anna_account.pk, "132", fault, 2).unwrap();
    for n in 0..5 {
        world.homeserver.send_text(&room, &world.anna.id, &format!("out {n}")).unwrap();
    }
    world.expect_written(&thread, &world.anna_account, &numbered("out", 5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_is_refused_for_a_moment_is_said_later() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    world.homeserver.inject("/send/m.room.message", 1, homeserver_sim::Fault::Status(503));
    let file = json!({"msgtype": "m.file", "body": "a.pdf", "url": "https://not.an/mxc"});
    world.homeserver.send(&room, &world.anna.id, "m.room.message", &file).unwrap();
    let said =
        |world: &World| world.said_by(&room, &world.bot()).into_iter().find(|text| text.contains("was not sent"));
    world.until("the notice", said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trouble_of_one_login_hides_nothing_from_another() {
    let world = World::start().await;
    let carol_account = world.sim.create_account("carol", "Carol Carl").unwrap();
    let carol = world.log_in("carol", &carol_account).await;
    let members = [world.anna_account.pk, carol_account.pk, world.bob.pk];
    let thread = world.sim.create_thread(&members, Some("Friends")).unwrap();
    world.sim.inject_on(world.anna_account.pk, "/direct_v2/threads/", Fault::RateLimit, u32::MAX).unwrap();
    world.sim.send_text(world.bob.pk, &thread, "hello").unwrap();
    let key = format!("dev.puppetgram://instagram/{thread}");
    let shown = |world: &World| {
        let rooms = world.homeserver.rooms_of(&carol.id);
        rooms.into_iter().find(|room| {
            world.homeserver.state(room, "m.bridge", &key).is_some() && world.event(room, "hello").is_some()
        })
    };
    world.until("Carol's message", shown).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_dies_while_it_makes_a_room_makes_another() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    world.homeserver.inject("createRoom", 1, homeserver_sim::Fault::HalfRoom);
    let room = world.portal_of(&thread, &world.bob).await;
    world.homeserver.send_text(&room, &world.anna.id, "at last").unwrap();
    world.expect_written(&thread, &world.anna_account, &["at last".to_owned()]).await;
    world.expect_said(&room, &world.ghost(&world.bob), &["first".to_owned()]).await;
}
