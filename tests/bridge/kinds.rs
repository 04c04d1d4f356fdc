//! What is done to messages and seen of people: reactions, edits, unsends, receipts, typing; in both directions.

use serde_json::{Value, json};

use crate::chat::{Chat, edit, reaction};
use crate::world::{Setup, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_on_instagram_is_shown_changed_and_taken_back() {
    let chat = Chat::start().await;
    let (world, bob, ghost) = (&chat.world, chat.world.bob.pk, chat.world.ghost(&chat.world.bob));
    let (event, item) = &chat.own;
    world.sim.react(bob, &chat.thread, item, Some("❤")).unwrap();
    chat.until_reactions(event, &[(&ghost, "❤\u{fe0f}")]).await;
    world.sim.react(bob, &chat.thread, item, Some("😂")).unwrap();
    chat.until_reactions(event, &[(&ghost, "😂")]).await;
    world.sim.react(bob, &chat.thread, item, None).unwrap();
    chat.until_reactions(event, &[]).await;
    // The same again is a new event, not the one that was redacted.
    world.sim.react(bob, &chat.thread, item, Some("😂")).unwrap();
    chat.until_reactions(event, &[(&ghost, "😂")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_in_matrix_replaces_the_one_before() {
    let chat = Chat::start().await;
    let (world, anna) = (&chat.world, chat.world.anna.id.clone());
    let (event, item) = &chat.theirs;
    world.homeserver.send(&chat.room, &anna, "m.reaction", &reaction(event, "👍")).unwrap();
    let own = |emoji: &str| vec![(world.anna_account.pk, emoji.to_owned())];
    world.until("the reaction", |_| (chat.item_reactions(item) == own("👍")).then_some(())).await;
    let second = world.homeserver.send(&chat.room, &anna, "m.reaction", &reaction(event, "🔥")).unwrap();
    world.until("the new reaction", |_| (chat.item_reactions(item) == own("🔥")).then_some(())).await;
    chat.until_reactions(event, &[(&anna, "🔥")]).await;
    chat.settled().await;
    assert_eq!(chat.reactions(event), [(anna.clone(), "🔥".to_owned())], "the echo is no news");
    world.homeserver.redact(&chat.room, &anna, &second).unwrap();
    world.until("no reaction", |_| chat.item_reactions(item).is_empty().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_reaction_in_the_app_replaces_the_one_made_here() {
    let chat = Chat::start().await;
    let (world, anna) = (&chat.world, chat.world.anna.id.clone());
    let (event, item) = &chat.theirs;
    world.homeserver.send(&chat.room, &anna, "m.reaction", &reaction(event, "👍")).unwrap();
    world.until("the reaction", |_| (!chat.item_reactions(item).is_empty()).then_some(())).await;
    chat.settled().await;
    world.sim.react(world.anna_account.pk, &chat.thread, item, Some("😮")).unwrap();
    chat.until_reactions(event, &[(&world.ghost(&world.anna_account), "😮")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_instagram_does_not_take_as_a_reaction_says_so() {
    let chat = Chat::start().await;
    let (world, anna) = (&chat.world, chat.world.anna.id.clone());
    world.homeserver.send(&chat.room, &anna, "m.reaction", &reaction(&chat.theirs.0, "lol")).unwrap();
    let notice = |world: &World| {
        world.said_by(&chat.room, &world.bot()).into_iter().find(|text| text.contains("takes only emoji"))
    };
    world.until("the notice", notice).await;
    assert_eq!(chat.item_reactions(&chat.theirs.1), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsend_removes_the_message_with_its_reactions() {
    let chat = Chat::start().await;
    let (world, bob) = (&chat.world, chat.world.bob.pk);
    let (event, item) = &chat.theirs;
    world.sim.react(bob, &chat.thread, item, Some("😂")).unwrap();
    chat.until_reactions(event, &[(&world.ghost(&world.bob), "😂")]).await;
    world.sim.unsend(bob, &chat.thread, item).unwrap();
    world.until("the redaction", |_| chat.is_redacted(event).then_some(())).await;
    chat.until_reactions(event, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_message_can_be_unsent_from_both_sides() {
    let chat = Chat::start().await;
    let (world, anna) = (&chat.world, chat.world.anna.id.clone());
    world.homeserver.redact(&chat.room, &anna, &chat.own.0).unwrap();
    let gone = |world: &World| {
        let items = world.sim.thread_items(&chat.thread).unwrap();
        (!items.iter().any(|item| item.item_id == chat.own.1)).then_some(())
    };
    world.until("the item is gone", gone).await;
    chat.settled().await;
    let redactions = |world: &World| {
        world.homeserver.events(&chat.room).iter().filter(|event| event["type"] == "m.room.redaction").count()
    };
    assert_eq!(redactions(world), 1, "the echo is no news");

    let again = world.homeserver.send_text(&chat.room, &anna, "once more").unwrap();
    let written = |world: &World| {
        let items = world.sim.thread_items(&chat.thread).unwrap();
        items.into_iter().find(|item| item.text.as_deref() == Some("once more"))
    };
    let item = world.until("the message", written).await;
    chat.settled().await;
    world.sim.unsend(world.anna_account.pk, &chat.thread, &item.item_id).unwrap();
    world.until("the redaction", |_| chat.is_redacted(&again).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_somebody_elses_message_says_that_it_stays_on_instagram() {
    let chat = Chat::start().await;
    let world = &chat.world;
    world.homeserver.redact(&chat.room, &world.anna.id, &chat.theirs.0).unwrap();
    let notice = |world: &World| {
        world.said_by(&chat.room, &world.bot()).into_iter().find(|text| text.contains("removed here only"))
    };
    world.until("the notice", notice).await;
    let items = world.sim.thread_items(&chat.thread).unwrap();
    assert!(items.iter().any(|item| item.item_id == chat.theirs.1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_on_instagram_replaces_the_text_and_keeps_the_history() {
    let chat = Chat::start().await;
    let world = &chat.world;
    world.sim.edit(world.bob.pk, &chat.thread, &chat.theirs.1, "first, corrected").unwrap();
    let edited = |world: &World| {
        let events = world.homeserver.events(&chat.room);
        events.into_iter().find(|event| event["content"]["m.new_content"]["body"] == "first, corrected")
    };
    let event = world.until("the edit", edited).await;
    assert_eq!(event["content"]["m.relates_to"]["event_id"], chat.theirs.0.as_str());
    assert_eq!(event["sender"], world.ghost(&world.bob).as_str());
    assert!(!chat.is_redacted(&chat.theirs.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_in_matrix_changes_the_item_and_its_echo_is_no_news() {
    let chat = Chat::start().await;
    let (world, anna) = (&chat.world, chat.world.anna.id.clone());
    world.homeserver.send(&chat.room, &anna, "m.room.message", &edit(&chat.own.0, "mine, corrected")).unwrap();
    let corrected = |world: &World| world.written_by(&chat.thread, &world.anna_account) == ["mine, corrected"];
    world.until("the corrected item", |world| corrected(world).then_some(())).await;
    chat.settled().await;
    assert_eq!(world.said_by(&chat.room, &world.ghost(&world.anna_account)), Vec::<String>::new());

    world.sim.edit(world.anna_account.pk, &chat.thread, &chat.own.1, "mine, from the phone").unwrap();
    let told = |world: &World| {
        let own = world.said_by(&chat.room, &world.ghost(&world.anna_account));
        own.into_iter().find(|text| text.contains("mine, from the phone"))
    };
    world.until("what was edited in the app", told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_somebody_elses_message_says_why_it_is_not_bridged() {
    let chat = Chat::start().await;
    let world = &chat.world;
    let foreign = edit(&chat.theirs.0, "not yours");
    world.homeserver.send(&chat.room, &world.anna.id, "m.room.message", &foreign).unwrap();
    let notice = |world: &World| {
        world.said_by(&chat.room, &world.bot()).into_iter().find(|text| text.contains("not a message of yours"))
    };
    world.until("the notice", notice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_travel_both_ways_and_only_forwards() {
    let chat = Chat::start().await;
    let (world, anna) = (&chat.world, chat.world.anna.id.clone());
    let ghost = world.ghost(&world.bob);
    let seen = |world: &World, event: &str| (world.homeserver.receipt_of(&chat.room, &ghost)? == event).then_some(());
    world.sim.mark_seen(world.bob.pk, &chat.thread, &chat.own.1).unwrap();
    world.until("Bob's receipt", |world| seen(world, &chat.own.0)).await;
    world.sim.mark_seen(world.bob.pk, &chat.thread, &chat.theirs.1).unwrap();
    chat.settled().await;
    assert!(seen(world, &chat.own.0).is_some(), "a receipt does not go back");

    world.homeserver.mark_read(&chat.room, &anna, &chat.theirs.0).unwrap();
    let path = format!("items/{}/seen/", chat.theirs.1);
    let asked = |world: &World| world.sim.recorded_requests().into_iter().find(|request| request.path.contains(&path));
    world.until("Anna's receipt", asked).await;
    // Her own message is never marked: what Bob wrote before it is, and that is known.
    world.homeserver.mark_read(&chat.room, &anna, &chat.own.0).unwrap();
    chat.settled().await;
    let count = world.sim.recorded_requests().iter().filter(|request| request.path.contains("/seen/")).count();
    assert_eq!(count, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_member_of_a_group_has_a_receipt_of_their_own() {
    let world = World::start().await;
    let carol = world.sim.create_account("carol", "Carol Carl").unwrap();
    let members = [world.bob.pk, world.anna_account.pk, carol.pk];
    let thread = world.sim.create_thread(&members, Some("Friends")).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    let mut said = Vec::new();
    for text in ["one", "two", "three"] {
        let event = world.homeserver.send_text(&room, &world.anna.id, text).unwrap();
        let items = world.sim.wait_for_items(&thread, said.len() + 2, crate::world::DEADLINE).await.unwrap();
        said.push((event, items.last().unwrap().item_id.clone()));
    }
    world.until_idle().await;
    let reads = |reader: u64, n: usize| world.sim.mark_seen(reader, &thread, &said[n].1).unwrap();
    let shown = |account: &instagram_sim::Account, n: usize| {
        let (ghost, wanted) = (world.ghost(account), said[n].0.clone());
        let room = room.clone();
        move |world: &World| (world.homeserver.receipt_of(&room, &ghost)? == wanted).then_some(())
    };
    reads(world.bob.pk, 2);
    reads(carol.pk, 0);
    world.until("Bob's receipt", shown(&world.bob, 2)).await;
    world.until("Carol's receipt", shown(&carol, 0)).await;
    reads(carol.pk, 1);
    world.until("Carol's next receipt", shown(&carol, 1)).await;
    assert!(shown(&world.bob, 2)(&world).is_some(), "Bob's stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_that_were_missed_are_made_good() {
    let mut chat = Chat::start().await;
    chat.world.bridge.kill();
    let world = &chat.world;
    world.sim.send_text(world.anna_account.pk, &chat.thread, "meanwhile").unwrap();
    let last = world.sim.thread_items(&chat.thread).unwrap().pop().unwrap();
    world.sim.mark_seen(world.bob.pk, &chat.thread, &last.item_id).unwrap();
    world.sim.trim_queue(world.anna_account.pk, 0).unwrap();
    chat.world.bridge.start();
    let said = |world: &World| world.event(&chat.room, "meanwhile");
    let event = chat.world.until("the message", said).await;
    let (world, ghost) = (&chat.world, chat.world.ghost(&chat.world.bob));
    let seen = |world: &World| (world.homeserver.receipt_of(&chat.room, &ghost)? == event["event_id"]).then_some(());
    world.until("Bob's receipt", seen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_can_wait_for_a_reply() {
    let setup = Setup { bridge: "  receipts: on_reply\n".to_owned(), ..Setup::default() };
    let chat = Chat::start_with(&setup).await;
    let world = &chat.world;
    let read = |world: &World| -> Vec<String> {
        let paths = world.sim.recorded_requests().into_iter().map(|request| request.path);
        paths.filter(|path| path.contains("/seen/")).collect()
    };
    let is_last = |item: &str| {
        let path = format!("items/{item}/seen/");
        move |world: &World| read(world).pop().filter(|last| last.contains(&path))
    };
    world.until("the receipt that comes with the reply", is_last(&chat.theirs.1)).await;
    // To read alone says nothing.
    let item = world.sim.send_text(world.bob.pk, &chat.thread, "and then?").unwrap();
    let event = world.until("the question", |world| world.event(&chat.room, "and then?")).await;
    world.homeserver.mark_read(&chat.room, &world.anna.id, event["event_id"].as_str().unwrap()).unwrap();
    // What was typed after it is there: so the receipt had its turn.
    world.homeserver.set_typing(&chat.room, &world.anna.id, true).unwrap();
    let typed = |world: &World| world.sim.recorded_requests().into_iter().find(|one| one.body.contains("activity"));
    world.until("Anna types", typed).await;
    let before = read(world);
    assert!(!before.iter().any(|path| path.contains(&item)), "{before:?}");
    world.homeserver.send_text(&chat.room, &world.anna.id, "nothing").unwrap();
    world.until("the receipt that comes with the next reply", is_last(&item)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_is_shown_on_both_sides() {
    let chat = Chat::start().await;
    let (world, anna) = (&chat.world, chat.world.anna.id.clone());
    let ghost = world.ghost(&world.bob);
    let typing = |world: &World| world.homeserver.typing_in(&chat.room).contains(&ghost);
    world.sim.show_typing(world.bob.pk, &chat.thread, true).unwrap();
    world.until("Bob types", |world| typing(world).then_some(())).await;
    // The same again says nothing new; it came on two topics besides.
    world.sim.show_typing(world.bob.pk, &chat.thread, true).unwrap();
    chat.settled().await;
    let asked = world.homeserver.requests().into_iter().filter(|(path, _)| path.contains("typing"));
    let before: u64 = asked.map(|(_, count)| count).sum();
    assert!(before <= 2, "{before} requests: Bob types, and what he wrote ends it");
    world.sim.show_typing(world.bob.pk, &chat.thread, true).unwrap();
    world.until("Bob types on", |world| typing(world).then_some(())).await;
    world.sim.show_typing(world.bob.pk, &chat.thread, false).unwrap();
    world.until("Bob stops", |world| (!typing(world)).then_some(())).await;
    assert!(!world.homeserver.typing_in(&chat.room).contains(&anna));
    world.sim.show_typing(world.bob.pk, &chat.thread, true).unwrap();
    world.until("Bob types again", |world| typing(world).then_some(())).await;
    world.sim.send_text(world.bob.pk, &chat.thread, "written").unwrap();
    world.until("what he wrote ends it", |world| (!typing(world)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_without_a_word_types_no_more_after_a_while() {
    let chat = Chat::start().await;
    let world = &chat.world;
    let ghost = world.ghost(&world.bob);
    let typing = |world: &World| world.homeserver.typing_in(&chat.room).contains(&ghost);
    let value = json!({"sender_id": world.bob.pk.to_string(), "ttl": 1500, "activity_status": 1});
    let path = format!("/direct_v2/threads/{}/activity_indicator_id/7", chat.thread);
    let notice = json!({"event": "patch", "data": [{"op": "add", "path": path, "value": value.to_string()}]});
    world.sim.push_publish(world.anna_account.pk, "149", &notice.to_string()).unwrap();
    world.until("Bob types", |world| typing(world).then_some(())).await;
    world.until("Bob's time is over", |world| (!typing(world)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_in_matrix_is_shown_on_instagram() {
    let chat = Chat::start().await;
    let (world, anna) = (&chat.world, chat.world.anna.id.clone());
    for (typing, status) in [(true, 1), (false, 0)] {
        world.homeserver.set_typing(&chat.room, &anna, typing).unwrap();
        let told = |world: &World| {
            let bodies =
                world.sim.recorded_requests().into_iter().filter_map(|one| serde_json::from_str(&one.body).ok());
            let told: Vec<Value> = bodies.filter(|body: &Value| body["action"] == "indicate_activity").collect();
            told.into_iter().next_back().filter(|last| last["activity_status"] == status)
        };
        let last = world.until("the indicator", told).await;
        assert_eq!(last["thread_id"], chat.thread.as_str());
    }
}
