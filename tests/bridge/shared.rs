//! What is shared: whom it is about, several things at once, kinds not seen before.

use instagram_sim::{kinds, sample};
use serde_json::{Value, json};

use crate::chat::Chat;
use crate::world::Setup;

/// What Bob's item becomes.
async fn becomes(chat: &Chat, item: Value) -> Vec<Value> {
    let before = chat.world.homeserver.events(&chat.room).len();
    let item = item.as_object().unwrap().clone();
    chat.world.sim.send_item(chat.world.bob.pk, &chat.thread, item).unwrap();
    chat.settled().await;
    let mut events = chat.world.homeserver.events(&chat.room).split_off(before);
    events.retain(|event| event["type"] == "m.room.message" || event["type"] == "m.sticker");
    events.pop();
    events.into_iter().map(|event| event["content"].clone()).collect()
}

fn kind(chat: &Chat, name: &str) -> Value {
    Value::Object(kinds::named(name).unwrap().item(&chat.world.sim))
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_story_or_a_post_is_about_is_named() {
    let chat = Chat::start().await;
    let bob = chat.world.bob.pk;
    for (who, name) in [(chat.world.anna_account.pk, "you"), (bob, "@bob"), (987, "somebody")] {
        let mut story = kind(&chat, "story_mention");
        story["reel_share"]["mentioned_user_id"] = json!(who);
        let body = becomes(&chat, story).await[0]["body"].as_str().unwrap().to_owned();
        assert!(body.starts_with(&format!("A story by @bob that mentions {name}\n")), "{body}");
        let mut post = kind(&chat, "post_tagged");
        post["direct_media_share"]["tagged_user_id"] = json!(who);
        let body = becomes(&chat, post).await[0]["body"].as_str().unwrap().to_owned();
        assert!(body.starts_with(&format!("A post by @bob that tags {name}\n")), "{body}");
    }
    let body = becomes(&chat, kind(&chat, "xma_story_mention")).await[0]["body"].as_str().unwrap().to_owned();
    assert!(body.starts_with("A story by @bob\nMentioned you in their story\n"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_cards_keep_their_words_and_links() {
    let chat = Chat::start().await;
    let url = chat.world.sim.add_media(sample::PHOTO.bytes, "image/jpeg");
    let card = |name: &str, link: &str, with_picture: bool| {
        let mut card = json!({"header_title_text": name, "title_text": format!("by {name}"),
            "target_url": format!("https://www.instagram.com/p/{link}/")});
        if with_picture {
            card["preview_url"] = json!(url);
        }
        card
    };
    let cards =
        [card("bob", "AAA", true), card("bob", "AAA", true), card("carol", "BBB", true), card("dora", "CCC", false)];
    let shown = becomes(&chat, json!({"item_type": "xma_media_share", "text": "look", "xma_media_share": cards})).await;
    let bodies: Vec<&str> = shown.iter().map(|content| content["body"].as_str().unwrap()).collect();
    let expected = [
        "A post by @bob\nby bob\nhttps://www.instagram.com/p/AAA/\n1/3",
        "2/3",
        "A post by @carol\nby carol\nhttps://www.instagram.com/p/BBB/\n3/3",
        "A post by @dora\nby dora\nhttps://www.instagram.com/p/CCC/",
        "look",
    ];
    assert_eq!(bodies, expected);
    assert!(shown[..3].iter().all(|content| content["msgtype"] == "m.image"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_expired_is_asked_for_again_for_the_right_card() {
    let chat = Chat::start().await;
    let [first, second] =
        [sample::PHOTO, sample::PHOTO_SMALL].map(|one| chat.world.sim.add_media(one.bytes, "image/jpeg"));
    chat.world.sim.spoil_media(&second, instagram_sim::MediaFault::Expired, 1).unwrap();
    let card = |name: &str, url: &str| {
        json!({"header_title_text": name, "preview_url": url,
        "target_url": format!("https://www.instagram.com/p/{name}/")})
    };
    let cards = [card("bob", &first), card("carol", &second)];
    let shown = becomes(&chat, json!({"item_type": "xma_media_share", "xma_media_share": cards})).await;
    let (bytes, _) = chat.world.homeserver.media(shown[1]["url"].as_str().unwrap()).unwrap();
    assert_eq!(bytes, sample::PHOTO_SMALL.bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_not_seen_before_keeps_its_raw_form() {
    let chat = Chat::start().await;
    let poll = json!({"title_text": "Poll", "question": "Pizza?", "options": ["yes", "no"]});
    let shown = becomes(&chat, json!({"item_type": "xma_poll", "xma_poll": [poll]})).await;
    let kept = &shown[0]["dev.puppetgram.item"];
    assert_eq!(kept["item_type"], "xma_poll");
    assert!(kept["raw"].as_str().unwrap().contains("Pizza?") && kept["truncated"].is_null(), "{kept}");
    // What does not fit is cut, not left out; the same without its file.
    let long =
        json!({"title_text": "Poll", "preview_url": "https://127.0.0.1:1/a.jpg", "options": ["\"\\".repeat(20_000)]});
    let shown = becomes(&chat, json!({"item_type": "xma_poll", "xma_poll": [long]})).await;
    let kept = &shown[0]["dev.puppetgram.item"];
    assert!(shown[0]["body"].as_str().unwrap().contains("could not fetch"), "{}", shown[0]["body"]);
    assert_eq!(kept["truncated"], true);
    assert!(serde_json::to_string(kept).unwrap().len() < 17_000 && kept["raw"].as_str().unwrap().len() > 4_000);
    // Of a known kind all is known.
    let shown = becomes(&chat, kind(&chat, "xma_post")).await;
    assert!(shown[0]["dev.puppetgram.item"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_message_is_a_sound_whatever_its_container_is_called() {
    let sections = "media:\n  ffmpeg: /nowhere/ffmpeg\n".to_owned();
    let chat = Chat::start_with(&Setup { sections, ..Setup::default() }).await;
    for brand in [b"isom", b"mp42", b"dash"] {
        let mut bytes = sample::VOICE.bytes.to_vec();
        bytes[8..12].copy_from_slice(brand);
        let url = chat.world.sim.add_media(bytes, "video/mp4");
        let audio = json!({"audio_src": url, "duration": 3000, "waveform_data": [0.5]});
        let item = json!({"item_type": "voice_media", "voice_media": {"media": {"id": "9", "media_type": 11, "audio": audio}}});
        let shown = becomes(&chat, item).await;
        assert_eq!(shown[0]["info"]["mimetype"], "audio/mp4", "{brand:?}: {}", shown[0]);
        assert_eq!(shown[0]["body"], "voice message.m4a");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_video_of_a_reels_card_has_its_own_size() {
    let chat = Chat::start().await;
    let shown = becomes(&chat, kind(&chat, "xma_reel")).await;
    let (video, info) = (sample::VIDEO, &shown[0]["info"]);
    assert_eq!(shown[0]["msgtype"], "m.video");
    assert_eq!((&info["w"], &info["h"]), (&json!(video.width), &json!(video.height)));
    assert_eq!(info["duration"], json!(video.duration_ms));
    assert!(info["thumbnail_url"].is_string(), "{info}");
}

#[tokio::test(flavor = "multi_thread")]
async fn words_beside_something_keep_their_mentions() {
    let chat = Chat::start().await;
    let mut post = kind(&chat, "xma_post_with_text");
    post["text"] = json!("@anna look");
    post["text_entities"] = json!({"mentioned_user_ids": [chat.world.anna_account.pk]});
    let shown = becomes(&chat, post).await;
    assert_eq!(shown[1]["body"], "@anna look");
    assert_eq!(shown[1]["m.mentions"]["user_ids"], json!([chat.world.anna.id]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_mentioned_by_name_only_is_found_in_the_chat() {
    let chat = Chat::start().await;
    let text = format!("@{} look", chat.world.anna_account.username);
    let length = chat.world.anna_account.username.len() + 1;
    let entities = json!([{"fbid": "110000000000001", "offset": 0, "length": length}]);
    let shown = becomes(&chat, json!({"item_type": "text", "text": text, "mentioned_entities": entities})).await;
    assert_eq!(shown[0]["m.mentions"]["user_ids"], json!([chat.world.anna.id]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_vanishes_tells_of_vanish_mode_once() {
    let chat = Chat::start().await;
    let world = &chat.world;
    let told = || world.said_by(&chat.room, &world.bot()).iter().filter(|text| text.contains("switched on")).count();
    let vanishing = |text: &str| {
        let item = json!({"item_type": "text", "text": text, "is_shh_mode": true});
        world.sim.send_item(world.bob.pk, &chat.thread, item.as_object().unwrap().clone()).unwrap();
    };
    for n in 0..5 {
        vanishing(&format!("psst {n}"));
    }
    chat.settled().await;
    assert_eq!(told(), 1);
    let first = world.event(&chat.room, "psst 0").unwrap();
    assert_eq!(first["content"]["dev.puppetgram.vanish_mode"], true);
    // The chat itself knows nothing of it: nobody is told to and fro.
    world.sim.rename_thread(world.bob.pk, &chat.thread, "Psst").unwrap();
    chat.settled().await;
    vanishing("psst again");
    chat.settled().await;
    assert_eq!(told(), 1);
    // What the chat says is said again.
    world.sim.set_vanish_mode(world.bob.pk, &chat.thread, true).unwrap();
    chat.settled().await;
    assert_eq!(told(), 2);
}
