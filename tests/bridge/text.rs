//! Texts in both directions, and what belongs to them: replies, emotes, order, time, names.

use instagram_sim::NewText;
use serde_json::json;

use crate::world::World;

fn numbered(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix} {n}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_from_instagram_makes_a_portal_with_name_ghost_and_time() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let ghost = world.ghost(&world.bob);
    let event = world.event(&room, "first").unwrap();
    assert_eq!(event["sender"], ghost.as_str());
    let item = &world.sim.thread_items(&thread).unwrap()[0];
    assert_eq!(event["origin_server_ts"], json!(item.timestamp_us / 1000));
    assert_eq!(world.homeserver.profile(&ghost).unwrap().0.unwrap(), "Bob Berg (Instagram)");
    world.until("the ghost's picture", |world| world.homeserver.profile(&ghost)?.1).await;
    let bridge = world.homeserver.state(&room, "m.bridge", &format!("dev.puppetgram://instagram/{thread}")).unwrap();
    assert_eq!(bridge["protocol"]["id"], "instagram");
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_travel_both_ways_in_order() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let (from_bob, from_anna) = (numbered("bob", 50), numbered("anna", 50));
    for (bob, anna) in from_bob.iter().zip(&from_anna) {
        world.sim.send_text(world.bob.pk, &thread, bob).unwrap();
        world.homeserver.send_text(&room, &world.anna.id, anna).unwrap();
    }
    let mut expected = vec!["first".to_owned()];
    expected.extend(from_bob);
    world.expect_said(&room, &world.ghost(&world.bob), &expected).await;
    world.expect_written(&thread, &world.anna_account, &from_anna).await;
    assert_eq!(world.said_by(&room, &world.ghost(&world.anna_account)), Vec::<String>::new(), "echoes are not bridged");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_texts_survive_byte_for_byte() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let odd = [
        " ",
        "\n",
        "a\nb\n\nc\n",
        "\u{202e}right to left\u{202c}",
        "👩‍👩‍👧‍👦 🇩🇪 𝕏",
        "\u{1}\u{7f}\u{85}\u{2028}",
        "\"\\/<b>&amp;",
        "a\u{0}b",
    ];
    let mut expected = vec!["first".to_owned()];
    for text in odd {
        world.sim.send_text(world.bob.pk, &thread, text).unwrap();
        expected.push(text.to_owned());
    }
    world.expect_said(&room, &world.ghost(&world.bob), &expected).await;
    let sent: Vec<String> = odd.iter().map(|text| (*text).to_owned()).collect();
    for text in odd {
        world.homeserver.send_text(&room, &world.anna.id, text).unwrap();
    }
    world.expect_written(&thread, &world.anna_account, &sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_find_their_target_in_both_directions() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let first = world.event(&room, "first").unwrap();
    let reply = json!({"msgtype": "m.text", "body": "to first",
        "m.relates_to": {"m.in_reply_to": {"event_id": first["event_id"]}}});
    world.homeserver.send(&room, &world.anna.id, "m.room.message", &reply).unwrap();
    let items = world.sim.wait_for_items(&thread, 2, crate::world::DEADLINE).await.unwrap();
    assert_eq!(items[1].reply_to.as_deref(), Some(items[0].item_id.as_str()));

    let answer = NewText {
        text: "to anna".into(),
        reply_to: Some(items[1].item_id.clone()),
        client_context: None,
        mentions: Vec::new(),
    };
    world.sim.send(world.bob.pk, &thread, answer).unwrap();
    let event = world.until("the reply", |world| world.event(&room, "to anna")).await;
    let target = world.event(&room, "to first").unwrap();
    assert_eq!(event["content"]["m.relates_to"]["m.in_reply_to"]["event_id"], target["event_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_read_as_actions_on_both_sides() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let emote = json!({"msgtype": "m.emote", "body": "waves"});
    world.homeserver.send(&room, &world.anna.id, "m.room.message", &emote).unwrap();
    world.expect_written(&thread, &world.anna_account, &["* Anna Alm waves".to_owned()]).await;
    world.sim.send_text(world.bob.pk, &thread, "/me nods").unwrap();
    let event = world.until("the emote", |world| world.event(&room, "nods")).await;
    assert_eq!(event["content"]["msgtype"], "m.emote");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_user_writes_in_the_app_appears_from_their_own_ghost() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    world.sim.send_text(world.anna_account.pk, &thread, "from my phone").unwrap();
    let event = world.until("the own message", |world| world.event(&room, "from my phone")).await;
    let ghost = world.ghost(&world.anna_account);
    assert_eq!(event["sender"], ghost.as_str());
    let member = world.homeserver.state(&room, "m.room.member", &ghost).unwrap();
    assert!(member["displayname"].as_str().unwrap().contains("you, in the Instagram app"), "{member}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_one_room_with_its_title_and_members() {
    let world = World::start().await;
    let carol = world.sim.create_account("carol", "Carol Carl").unwrap();
    let members = [world.anna_account.pk, world.bob.pk, carol.pk];
    let thread = world.sim.create_thread(&members, Some("Friends")).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    assert_eq!(world.homeserver.state(&room, "m.room.name", "").unwrap()["name"], "Friends");
    let joined = |account| {
        let member = world.homeserver.state(&room, "m.room.member", &world.ghost(account));
        member.is_some_and(|member| member["membership"] == "join")
    };
    world.until("the members", |_| (joined(&world.bob) && joined(&carol)).then_some(())).await;
    world.sim.send_text(carol.pk, &thread, "hello").unwrap();
    world.expect_said(&room, &world.ghost(&carol), &["hello".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsupported_item_becomes_a_notice_with_a_link() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let item = json!({"item_type": "media", "media": {"id": "1", "media_type": 1}});
    world.sim.send_item(world.bob.pk, &thread, item.as_object().unwrap().clone()).unwrap();
    let said = world.until("the notice", |world| world.said_by(&room, &world.ghost(&world.bob)).get(1).cloned()).await;
    assert!(
        said.contains("photo") && said.contains(&format!("https://www.instagram.com/direct/t/{thread}/")),
        "{said}"
    );
    world.sim.send_text(world.bob.pk, &thread, "after").unwrap();
    world.until("the next message", |world| world.event(&room, "after")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_larger_than_an_event_is_not_dropped() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let long: String = (0..30_000).map(|n| format!("{n} ")).collect();
    world.sim.send_text(world.bob.pk, &thread, &long).unwrap();
    world.sim.send_text(world.bob.pk, &thread, "after").unwrap();
    world.until("the next message", |world| world.event(&room, "after")).await;
    let said = world.said_by(&room, &world.ghost(&world.bob));
    assert_eq!(said[1..said.len() - 1].concat(), long);
    let out = "wörter ".repeat(1000);
    world.homeserver.send_text(&room, &world.anna.id, &out).unwrap();
    world.homeserver.send_text(&room, &world.anna.id, "end").unwrap();
    world
        .until("the end", |world| {
            world.written_by(&thread, &world.anna_account).contains(&"end".to_owned()).then_some(())
        })
        .await;
    let written = world.written_by(&thread, &world.anna_account);
    assert_eq!(written[..written.len() - 1].concat(), out);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_chats_at_once_are_complete_and_in_order() {
    let world = World::start().await;
    let mut chats = Vec::new();
    for n in 0..20 {
        let other = world.sim.create_account(&format!("friend{n}"), &format!("Friend {n}")).unwrap();
        let thread = world.chat_with(&other);
        chats.push((other, thread));
    }
    let mut rooms = Vec::new();
    for (other, thread) in &chats {
        rooms.push(world.portal_of(thread, other).await);
    }
    for n in 0..25 {
        for ((other, thread), room) in chats.iter().zip(&rooms) {
            world.sim.send_text(other.pk, thread, &format!("in {n}")).unwrap();
            world.homeserver.send_text(room, &world.anna.id, &format!("out {n}")).unwrap();
        }
    }
    for ((other, thread), room) in chats.iter().zip(&rooms) {
        let mut expected = vec!["first".to_owned()];
        expected.extend(numbered("in", 25));
        world.expect_said(room, &world.ghost(other), &expected).await;
        world.expect_written(thread, &world.anna_account, &numbered("out", 25)).await;
    }
}
