//! What is done to items and threads, over the API and by verbs, and how everybody learns of it.

use std::time::Duration;

use instagram_sim::{Fault, Sim, SimOptions, kinds};
use serde_json::{Value, json};

use crate::{client::Client, http::Http, two_people, two_people_with};

async fn post(http: &Http, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
    http.post(&format!("direct_v2/threads/{path}/"), fields).await
}

#[tokio::test]
async fn a_text_can_be_edited_for_15_minutes_and_only_by_its_sender() {
    let options = SimOptions { edits_add_history: true, ..SimOptions::default() };
    let (sim, anna, bert, thread) = two_people_with(options).await;
    let own = sim.send_text(anna.pk, &thread, "helo").unwrap();
    let foreign = sim.send_text(bert.pk, &thread, "hi").unwrap();
    let mut client = Client::subscribed(&sim, &bert).await;
    let http = Http::new(&sim, &anna);
    let edit = async |item: &str| post(&http, &format!("{thread}/items/{item}/edit"), &[("body", "hello")]).await.0;
    assert_eq!(edit(&own).await, 200);
    let (op, path, value) = client.next_patch("/items/").await;
    assert_eq!((op.as_str(), &value["text"]), ("replace", &json!("hello")));
    assert!(path.ends_with(&own));
    let (op, _, history) = client.next_patch("/items/").await;
    assert_eq!(
        (op.as_str(), &history["item_type"], &history["history_edit"]["item_id"]),
        ("add", &json!("history_edit"), &json!(own))
    );
    assert_eq!(edit(&foreign).await, 400);
    sim.backdate(&thread, &own, Duration::from_secs(16 * 60)).unwrap();
    assert_eq!(edit(&own).await, 400);
    let photo = sim.send_item(anna.pk, &thread, kinds::named("photo").unwrap().item(&sim)).unwrap();
    assert_eq!(edit(&photo).await, 400);
}

#[tokio::test]
async fn reactions_are_added_changed_and_removed_over_both_ways() {
    let (sim, anna, bert, thread) = two_people().await;
    let item = sim.send_text(bert.pk, &thread, "joke").unwrap();
    let mut watching = Client::subscribed(&sim, &bert).await;
    let mut client = Client::subscribed(&sim, &anna).await;
    let http = Http::new(&sim, &anna);
    let ids = format!("[\"{thread}\"]");
    let fields = |status, emoji, context| {
        [
            ("thread_ids", ids.clone()),
            ("item_id", item.clone()),
            ("item_type", "reaction".to_owned()),
            ("reaction_type", "like".to_owned()),
            ("reaction_status", String::from(status)),
            ("emoji", String::from(emoji)),
            ("client_context", String::from(context)),
        ]
    };
    let over_http = async |status, emoji, context| {
        let fields = fields(status, emoji, context);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(key, value)| (*key, value.as_str())).collect();
        assert_eq!(post(&http, "broadcast/reaction", &fields).await.0, 200);
    };
    let path = format!("/direct_v2/threads/{thread}/items/{item}/reactions/emojis/{}", anna.pk);
    over_http("created", "😂", "1").await;
    let (op, got, value) = watching.next_patch("/reactions/").await;
    assert_eq!((op.as_str(), got, &value["emoji"]), ("add", path.clone(), &json!("😂")));
    let command = json!({
        "action": "send_item", "item_type": "reaction", "thread_id": thread, "item_id": item, "node_type": "item",
        "reaction_type": "like", "reaction_status": "created", "emoji": "🔥", "client_context": "2",
    });
    client.publish("132", &command).await;
    let (op, _, value) = watching.next_patch("/reactions/").await;
    assert_eq!((op.as_str(), &value["emoji"]), ("add", &json!("🔥")));
    let shown = http.items(&thread).await;
    assert_eq!(shown[0]["reactions"]["emojis"].as_array().unwrap().len(), 1);
    over_http("deleted", "", "3").await;
    assert_eq!(watching.next_patch("/reactions/").await.0, "remove");
    assert!(http.items(&thread).await[0].get("reactions").is_none());
}

#[tokio::test]
async fn a_heart_of_the_old_way_has_its_own_path_and_gives_way_to_an_emoji() {
    let (sim, anna, bert, thread) = two_people().await;
    let item = sim.send_text(bert.pk, &thread, "joke").unwrap();
    let mut watching = Client::subscribed(&sim, &bert).await;
    sim.like(anna.pk, &thread, &item).unwrap();
    let (op, path, value) = watching.next_patch("/reactions/").await;
    assert_eq!((op.as_str(), value.get("emoji")), ("add", None));
    assert!(path.ends_with(&format!("/reactions/likes/{}", anna.pk)));
    let http = Http::new(&sim, &anna);
    assert_eq!(http.items(&thread).await[0]["reactions"]["likes"][0]["sender_id"], anna.pk);
    sim.react(anna.pk, &thread, &item, Some("👍")).unwrap();
    let (op, path, _) = watching.next_patch("/reactions/").await;
    assert!(op == "remove" && path.contains("/likes/"));
    assert!(watching.next_patch("/reactions/").await.1.contains("/emojis/"));
    sim.restate_item(&thread, &item).unwrap();
    let (op, _, whole) = watching.next_patch(&item).await;
    assert_eq!((op.as_str(), &whole["reactions"]["emojis"][0]["emoji"]), ("replace", &json!("👍")));
}

#[tokio::test]
async fn a_picture_to_be_seen_once_is_gone_after_that() {
    let (sim, anna, bert, thread) = two_people().await;
    let once = sim.send_item(bert.pk, &thread, kinds::named("raven_photo_once").unwrap().item(&sim)).unwrap();
    let kept = sim.send_item(bert.pk, &thread, kinds::named("raven_photo_replayable").unwrap().item(&sim)).unwrap();
    let mut client = Client::subscribed(&sim, &anna).await;
    for item in [&once, &kept] {
        let command = json!({ "action": "mark_visual_item_seen", "thread_id": thread, "item_id": item });
        client.publish("132", &command).await;
        let (op, _, value) = client.next_patch(item).await;
        let visual = &value["visual_media"];
        assert_eq!(
            (op.as_str(), &visual["seen_count"], &visual["seen_user_ids"]),
            ("replace", &json!(1), &json!([anna.pk.to_string()]))
        );
        assert_eq!(visual["media"].get("image_versions2").is_some(), *item == kept);
    }
}

#[tokio::test]
async fn a_placeholder_becomes_what_it_stood_for() {
    let (sim, anna, bert, thread) = two_people().await;
    let item = sim.send_item(bert.pk, &thread, kinds::named("placeholder").unwrap().item(&sim)).unwrap();
    let mut client = Client::subscribed(&sim, &anna).await;
    sim.replace_item(&thread, &item, kinds::named("photo").unwrap().item(&sim)).unwrap();
    let (op, _, value) = client.next_patch(&item).await;
    assert_eq!((op.as_str(), &value["item_type"]), ("replace", &json!("media")));
    assert!(value.get("placeholder").is_none());
}

#[tokio::test]
async fn muting_and_unread_marks_concern_only_the_one_who_sets_them() {
    let (sim, anna, bert, thread) = two_people().await;
    let item = sim.send_text(bert.pk, &thread, "hi").unwrap();
    let mut client = Client::subscribed(&sim, &anna).await;
    let http = Http::new(&sim, &anna);
    let before = sim.queue_head(bert.pk).unwrap();
    let signed = [("signed_body", "SIGNATURE.{\"_uuid\":\"u\"}")];
    for (action, field, value) in [
        ("mute", "muted", json!(true)),
        ("unmute", "muted", json!(false)),
        ("mute_video_call", "vc_muted", json!(true)),
        ("unmute_video_call", "vc_muted", json!(false)),
        ("mark_unread", "read_state", json!(1)),
    ] {
        assert_eq!(post(&http, &format!("{thread}/{action}"), &signed).await.0, 200);
        let (op, _, shown) = client.next_patch("/inbox/threads/").await;
        assert_eq!((op.as_str(), &shown[field]), ("replace", &value), "{action}");
    }
    assert_eq!(sim.queue_head(bert.pk).unwrap(), before);
    assert_eq!(post(&http, &format!("{thread}/items/{item}/seen"), &[("action", "mark_seen")]).await.0, 200);
    let shown = sim.thread_view(&thread, anna.pk).unwrap();
    assert_eq!(
        (&shown["read_state"], &shown["last_seen_at"][anna.pk.to_string()]["item_id"]),
        (&json!(0), &json!(item))
    );
    let (op, path, value) = client.next_patch("/has_seen").await;
    assert_eq!((op.as_str(), &value["item_id"]), ("replace", &json!(item)));
    assert!(path.contains(&anna.pk.to_string()));
}

#[tokio::test]
async fn a_hidden_thread_leaves_the_inbox_and_comes_back_with_the_next_message() {
    let (sim, anna, bert, thread) = two_people().await;
    sim.send_text(bert.pk, &thread, "hi").unwrap();
    let mut client = Client::subscribed(&sim, &anna).await;
    let http = Http::new(&sim, &anna);
    let listed = async || http.get("direct_v2/inbox/").await.1["inbox"]["threads"].as_array().unwrap().len();
    assert_eq!(post(&http, &format!("{thread}/hide"), &[("_uuid", "u")]).await.0, 200);
    assert_eq!(client.next_patch("/inbox/threads/").await.0, "remove");
    assert_eq!(listed().await, 0);
    sim.send_text(bert.pk, &thread, "hello?").unwrap();
    assert_eq!(client.next_patch("/inbox/threads/").await.0, "add");
    assert_eq!(client.next_item().await.1["text"], "hello?");
    assert_eq!(listed().await, 1);
}

#[tokio::test]
async fn requests_are_accepted_and_declined_one_by_one_or_together() {
    let (sim, anna, ..) = two_people().await;
    let http = Http::new(&sim, &anna);
    let mut client = Client::subscribed(&sim, &anna).await;
    let threads: Vec<String> = (0..5).map(|index| stranger(&sim, anna.pk, index)).collect();
    for _ in &threads {
        let (op, _, shown) = client.next_patch("/inbox/threads/").await;
        assert_eq!((op.as_str(), &shown["pending"]), ("add", &json!(false)));
        assert_eq!(client.next_patch("/inbox/threads/").await.2["pending"], true);
    }
    let waiting = async || http.get("direct_v2/pending_inbox/").await.1["inbox"]["threads"].as_array().unwrap().len();
    assert_eq!(waiting().await, 5);
    assert_eq!(post(&http, &format!("{}/approve", threads[0]), &[("filter", "DEFAULT")]).await.0, 200);
    assert_eq!(client.next_patch("/inbox/threads/").await.2["pending"], false);
    assert_eq!(post(&http, &format!("{}/decline", threads[1]), &[("_uuid", "u")]).await.0, 200);
    assert_eq!(client.next_patch("/inbox/threads/").await.0, "remove");
    let body = format!("SIGNATURE.{{\"thread_ids\":\"[\\\"{}\\\"]\"}}", threads[2]);
    assert_eq!(post(&http, "approve_multiple", &[("signed_body", body.as_str())]).await.0, 200);
    assert_eq!(waiting().await, 2);
    assert_eq!(post(&http, "decline_all", &[("_uuid", "u")]).await.0, 200);
    assert_eq!(waiting().await, 0);
    assert_eq!(http.get("direct_v2/inbox/").await.1["inbox"]["threads"].as_array().unwrap().len(), 3);
    assert_eq!(http.get("direct_v2/inbox/").await.1["pending_requests_total"], 0);
    // Whoever was declined and writes again is a request again.
    let declined = sim.thread_items(&threads[1]).unwrap()[0].sender;
    sim.send_text(declined, &threads[1], "please").unwrap();
    assert_eq!(waiting().await, 1);
    sim.decline_thread(anna.pk, &threads[1]).unwrap();
    // An answer to a request accepts it.
    sim.make_pending(anna.pk, &threads[0]).unwrap();
    sim.send_text(anna.pk, &threads[0], "fine").unwrap();
    assert_eq!(waiting().await, 0);
}

/// A message request from somebody unknown.
fn stranger(sim: &Sim, to: u64, index: usize) -> String {
    let who = sim.create_account(&format!("stranger{index}"), "Stranger").unwrap();
    let thread = sim.create_thread(&[who.pk, to], None).unwrap();
    sim.send_text(who.pk, &thread, "do you know me").unwrap();
    sim.make_pending(to, &thread).unwrap();
    thread
}

#[tokio::test]
async fn vanish_mode_is_announced_and_marks_what_is_sent_in_it() {
    let (sim, anna, bert, thread) = two_people().await;
    sim.send_text(bert.pk, &thread, "before").unwrap();
    let mut client = Client::subscribed(&sim, &anna).await;
    sim.set_vanish_mode(bert.pk, &thread, true).unwrap();
    let (op, _, value) = client.next_patch("/shh_mode_enabled").await;
    assert_eq!((op.as_str(), value), ("replace", json!(true)));
    assert_eq!(client.next_item().await.1["action_log"]["description"], "bert turned on vanish mode.");
    sim.send_text(bert.pk, &thread, "secret").unwrap();
    assert_eq!(client.next_item().await.1["is_shh_mode"], true);
    assert_eq!(sim.thread_view(&thread, anna.pk).unwrap()["shh_mode_enabled"], true);
}

#[tokio::test]
async fn people_and_groups_are_found_by_parts_of_their_names() {
    let (sim, anna, bert, _) = two_people().await;
    let cleo = sim.create_account("cleo", "Cleopatra").unwrap();
    let group = sim.create_thread(&[anna.pk, bert.pk, cleo.pk], Some("Patrol")).unwrap();
    let http = Http::new(&sim, &anna);
    let (_, found) = http.get("direct_v2/ranked_recipients/?mode=universal&show_threads=true&query=patr").await;
    let list = found["ranked_recipients"].as_array().unwrap();
    assert_eq!((&list[0]["user"]["username"], &list[1]["thread"]["thread_id"]), (&json!("cleo"), &json!(group)));
    assert_eq!(http.get("users/search/?query=cle&count=30").await.1["users"][0]["pk"], cleo.pk);
    assert_eq!(http.get("users/cleo/usernameinfo/").await.1["user"]["pk"], cleo.pk);
    assert_eq!(http.get("users/nobody/usernameinfo/").await.0, 404);
}

#[tokio::test]
async fn the_media_of_a_thread_are_listed() {
    let (sim, anna, bert, thread) = two_people().await;
    for name in ["photo", "text", "post_photo", "video"] {
        sim.send_item(bert.pk, &thread, kinds::named(name).unwrap().item(&sim)).unwrap();
    }
    let http = Http::new(&sim, &anna);
    let (_, shares) = http.get(&format!("direct_v2/threads/{thread}/media/?media_type=media_shares&limit=20")).await;
    assert_eq!((shares["items"].as_array().unwrap().len(), &shares["more_available"]), (1, &json!(false)));
    let (_, media) = http.get(&format!("direct_v2/threads/{thread}/media/?media_type=photos_and_videos&limit=1")).await;
    assert_eq!((&media["items"][0]["media"]["media_type"], &media["more_available"]), (&json!(2), &json!(true)));
    sim.inject_on(anna.pk, "media", Fault::RateLimit, 1).unwrap();
    assert_eq!(http.get(&format!("direct_v2/threads/{thread}/media/")).await.0, 429);
}
