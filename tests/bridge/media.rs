//! Files in both directions, and files that are not what they should be.

use homeserver_sim::Fault;
use instagram_sim::{MediaFault, RawItem, sample};
use serde_json::{Value, json};

use crate::chat::reaction;
use crate::world::{Setup, World};

struct Chat {
    world: World,
    thread: String,
    room: String,
}

fn photo(url: &str) -> RawItem {
    let item = json!({"item_type": "media", "media": {"id": "27", "media_type": 1, "original_width": 320,
        "original_height": 400, "image_versions2": {"candidates": [{"url": url, "width": 320, "height": 400}]}}});
    item.as_object().unwrap().clone()
}

impl Chat {
    async fn start() -> Self {
        Self::start_with(Setup { instagram: "  http_timeout: 2s\n".to_owned(), ..Setup::default() }).await
    }

    async fn start_with(setup: Setup) -> Self {
        let world = World::start_with(&setup).await;
        let thread = world.chat_with(&world.bob);
        let room = world.portal_of(&thread, &world.bob).await;
        Self { world, thread, room }
    }

    /// What Bob sent last, once the marker after it is there.
    async fn shown(&self, item: RawItem) -> Value {
        let before = self.world.homeserver.events(&self.room).len();
        self.world.sim.send_item(self.world.bob.pk, &self.thread, item).unwrap();
        let marker = format!("marker {before}");
        self.world.sim.send_text(self.world.bob.pk, &self.thread, &marker).unwrap();
        self.world.until("what comes after", |world| world.event(&self.room, &marker)).await;
        self.world.homeserver.events(&self.room)[before].clone()
    }

    /// Sends a file as Anna and waits for the item.
    async fn send(&self, content: &Value) -> instagram_sim::Item {
        let before = self.world.sim.item_count_of(&self.thread, self.world.anna_account.pk).unwrap();
        self.world.homeserver.send(&self.room, &self.world.anna.id, "m.room.message", content).unwrap();
        let account = self.world.anna_account.pk;
        let arrived = |world: &World| {
            let items = world.sim.thread_items(&self.thread).unwrap();
            items.into_iter().filter(|item| item.sender == account).nth(before)
        };
        self.world.until("the item", arrived).await
    }

    async fn notice(&self, words: &str) -> String {
        let bot = self.world.bot();
        let said = |world: &World| world.said_by(&self.room, &bot).into_iter().find(|text| text.contains(words));
        self.world.until(words, said).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_from_instagram_arrives_byte_for_byte_with_its_preview() {
    let chat = Chat::start().await;
    let url = chat.world.sim.add_media(sample::PHOTO.bytes, "image/jpeg");
    let event = chat.shown(photo(&url)).await;
    let content = &event["content"];
    assert_eq!((&content["msgtype"], &content["info"]["mimetype"]), (&json!("m.image"), &json!("image/jpeg")));
    assert_eq!((&content["info"]["w"], &content["info"]["h"]), (&json!(320), &json!(400)));
    assert!(content["info"]["xyz.amorgan.blurhash"].is_string());
    let (bytes, _) = chat.world.homeserver.media(content["url"].as_str().unwrap()).unwrap();
    assert_eq!(bytes, sample::PHOTO.bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_address_is_asked_for_again() {
    let chat = Chat::start().await;
    let url = chat.world.sim.add_media(sample::PHOTO.bytes, "image/jpeg");
    chat.world.sim.spoil_media(&url, MediaFault::Expired, 1).unwrap();
    let event = chat.shown(photo(&url)).await;
    assert_eq!(event["content"]["msgtype"], "m.image");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_had_becomes_a_notice_with_the_link_and_harms_no_neighbour() {
    let setup = Setup { instagram: "  http_timeout: 2s\n".to_owned(), ..Setup::default() };
    let world = World::start_with(&setup).await;
    let faults = [
        MediaFault::Gone,
        MediaFault::NotFound,
        MediaFault::Endless,
        MediaFault::Stalled { after: 1000 },
        MediaFault::LengthTooLong { extra: 1000 },
        MediaFault::Cut { after: 500 },
        MediaFault::Disguised { what: instagram_sim::Disguise::Html },
        MediaFault::Disguised { what: instagram_sim::Disguise::Svg },
        MediaFault::Disguised { what: instagram_sim::Disguise::Executable },
        MediaFault::GzipBomb { bytes: 200 << 20 },
    ];
    // A chat each: some are tried again and again before they are given up.
    let mut rooms = Vec::new();
    for (n, fault) in faults.iter().enumerate() {
        let other = world.sim.create_account(&format!("other{n}"), "").unwrap();
        let thread = world.chat_with(&other);
        let room = world.portal_of(&thread, &other).await;
        let url = world.sim.add_media(sample::PHOTO.bytes, "image/jpeg");
        world.sim.spoil_media(&url, fault.clone(), u32::MAX).unwrap();
        world.sim.send_item(other.pk, &thread, photo(&url)).unwrap();
        world.sim.send_text(other.pk, &thread, "after it").unwrap();
        rooms.push((room, world.ghost(&other)));
    }
    for (fault, (room, ghost)) in faults.iter().zip(rooms) {
        world.until("what comes after", |world| world.event(&room, "after it")).await;
        let events = world.homeserver.events(&room).into_iter();
        let said = events.filter(|event| event["type"] == "m.room.message" && event["sender"] == ghost.as_str());
        let said: Vec<Value> = said.map(|event| event["content"].clone()).collect();
        assert_eq!(said.len(), 3, "{fault:?}: {said:#?}");
        let body = said[1]["body"].as_str().unwrap_or_default();
        assert_eq!(said[1]["msgtype"], "m.notice", "{fault:?}: {said:#?}");
        assert!(body.contains("could not fetch") && body.contains("https://www.instagram.com/direct/t/"), "{body}");
    }
}

/// Where the host says that the file ends, it ends: nothing of HTTP tells that there was more. What came is passed on as
/// it is (a picture that breaks off shows its upper part), and the next message is not harmed.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_longer_than_announced_ends_where_it_was_announced_to_end() {
    let chat = Chat::start().await;
    let url = chat.world.sim.add_media(sample::PHOTO.bytes, "image/jpeg");
    chat.world.sim.spoil_media(&url, MediaFault::LengthTooShort { missing: 1000 }, u32::MAX).unwrap();
    let event = chat.shown(photo(&url)).await;
    assert_eq!(event["content"]["msgtype"], "m.image", "{event}");
    let (bytes, _) = chat.world.homeserver.media(event["content"]["url"].as_str().unwrap()).unwrap();
    assert_eq!(bytes, sample::PHOTO.bytes[..sample::PHOTO.bytes.len() - 1000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_homeserver_does_not_take_becomes_a_smaller_picture_or_a_notice() {
    let chat = Chat::start_with(Setup { upload_limit: Some(20_000), ..Setup::default() }).await;
    let sim = &chat.world.sim;
    let padded = [sample::PHOTO.bytes, &[0; 20_000]].concat();
    let (large, small) = (sim.add_media(padded, "image/jpeg"), sim.add_media(sample::PHOTO.bytes, "image/jpeg"));
    let mut two_sizes = photo(&large);
    two_sizes["media"]["image_versions2"]["candidates"]
        .as_array_mut()
        .unwrap()
        .push(json!({"url": small, "width": 80}));
    let event = chat.shown(two_sizes).await;
    let (bytes, _) = chat.world.homeserver.media(event["content"]["url"].as_str().unwrap()).unwrap();
    assert_eq!(bytes, sample::PHOTO.bytes);
    let event = chat.shown(photo(&large)).await;
    assert_eq!(event["content"]["msgtype"], "m.notice");
    // A proxy that breaks off says nothing about its limit.
    chat.world.homeserver.inject("media/v3/upload", u32::MAX, Fault::LoseAnswer);
    let event = chat.shown(photo(&small)).await;
    assert!(event["content"]["body"].as_str().unwrap().contains("could not fetch"), "{event}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_from_matrix_is_uploaded_and_its_caption_follows() {
    let chat = Chat::start().await;
    let mxc = chat.world.homeserver.add_media(sample::PHOTO.bytes, "image/jpeg");
    let content = json!({"msgtype": "m.image", "body": "look!", "filename": "a.jpg", "url": mxc,
        "info": {"mimetype": "image/jpeg", "size": sample::PHOTO.bytes.len()}});
    let item = chat.send(&content).await;
    assert_eq!(item.item_type, "media");
    let uploads = chat.world.sim.uploads();
    assert_eq!(uploads.len(), 1);
    let media_id = uploads[0].media_id.clone().unwrap();
    assert_eq!(chat.world.sim.upload_bytes(&media_id).unwrap(), sample::PHOTO.bytes);
    chat.world.expect_written(&chat.thread, &chat.world.anna_account, &["look!".to_owned()]).await;
    let own = chat.world.ghost(&chat.world.anna_account);
    assert_eq!(chat.world.said_by(&chat.room, &own), Vec::<String>::new(), "the echo is no news");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_instagram_does_not_take_is_made_into_what_it_takes() {
    let chat = Chat::start().await;
    let sticker = chat.world.homeserver.add_media(sample::STICKER.bytes, "image/webp");
    let item = chat.send(&json!({"msgtype": "m.image", "body": "sticker.webp", "url": sticker})).await;
    assert_eq!(item.item_type, "media");
    let upload = chat.world.sim.uploads().pop().unwrap();
    assert_eq!(upload.detected, "image/jpeg");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_message_keeps_its_waveform() {
    let chat = Chat::start().await;
    let mxc = chat.world.homeserver.add_media(sample::VOICE.bytes, "audio/mp4");
    let content = json!({"msgtype": "m.audio", "body": "voice.m4a", "url": mxc, "org.matrix.msc3245.voice": {},
        "org.matrix.msc1767.audio": {"duration": 3000, "waveform": [0, 512, 1024]}});
    let item = chat.send(&content).await;
    assert_eq!(item.item_type, "voice_media");
    let requests = chat.world.sim.recorded_requests();
    let sent = requests.iter().find(|request| request.path.contains("voice_attachment")).unwrap();
    assert!(sent.body.contains("waveform="), "{}", sent.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_instagram_cannot_take_say_what_it_can() {
    let chat = Chat::start().await;
    let pdf = chat.world.homeserver.add_media(&b"%PDF-1.7 not a picture"[..], "application/pdf");
    let file = json!({"msgtype": "m.file", "body": "a.pdf", "url": pdf});
    chat.world.homeserver.send(&chat.room, &chat.world.anna.id, "m.room.message", &file).unwrap();
    assert!(chat.notice("does not take such files").await.contains("link"));
    let huge = json!({"msgtype": "m.video", "body": "a.mp4", "url": pdf, "info": {"size": 1_u64 << 40}});
    chat.world.homeserver.send(&chat.room, &chat.world.anna.id, "m.room.message", &huge).unwrap();
    chat.notice("too large").await;
    assert!(chat.world.sim.uploads().is_empty(), "nothing was uploaded");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_where_it_broke_off_and_waits_while_instagram_transcodes() {
    let chat = Chat::start().await;
    let mut video = sample::VIDEO.bytes.to_vec();
    video.resize(600_000, 0);
    let mxc = chat.world.homeserver.add_media(video.clone(), "video/mp4");
    let (sim, account) = (&chat.world.sim, chat.world.anna_account.pk);
    sim.inject(account, instagram_sim::Fault::CutUpload { after: 100_000 }, 1).unwrap();
    sim.inject(account, instagram_sim::Fault::Transcoding, 2).unwrap();
    let item = chat.send(&json!({"msgtype": "m.video", "body": "a.mp4", "url": mxc})).await;
    assert!(["media", "raven_media"].contains(&item.item_type.as_str()), "{}", item.item_type);
    assert_eq!(sim.faults_left(account).unwrap(), 0);
    let uploads = sim.uploads();
    assert_eq!((uploads.len(), uploads[0].requests), (1, 2), "one upload, resumed once");
    let same = sim.add_media(video, "video/mp4");
    assert_eq!(uploads[0].sha256, sim.media_details(&same).unwrap().sha256, "whole");
    let requests = sim.recorded_requests();
    let parts = requests.iter().filter(|request| request.method == "POST" && request.path.contains("messenger_video"));
    let offsets: Vec<&str> = parts.filter_map(|request| request.header("offset")).collect();
    assert_eq!(offsets, ["0", "100000"]);
    let sends: Vec<u16> = requests
        .iter()
        .filter(|request| request.path.contains("broadcast/") && request.method == "POST")
        .map(|request| request.status)
        .collect();
    assert_eq!(sends, [500, 500, 200], "asked again while it transcodes");
}

fn video(url: &str) -> RawItem {
    let video = json!({"item_type": "media", "media": {"id": "28", "media_type": 2,
        "video_versions": [{"url": url, "width": 720, "height": 1280}]}});
    video.as_object().unwrap().clone()
}

/// What memory may hold of a file of 25 MB, in KiB: pieces.
const PIECES: u64 = 10 << 10;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_five_megabytes_pass_both_ways_through_little_memory() {
    const SIZE: u64 = 25 << 20;
    let chat = Chat::start().await;
    let before = chat.world.bridge.forget_peak();
    let url = chat.world.sim.add_generated_media(SIZE, "video/mp4");
    let event = chat.shown(video(&url)).await;
    assert_eq!((&event["content"]["msgtype"], &event["content"]["info"]["size"]), (&json!("m.video"), &json!(SIZE)));
    let grown = chat.world.bridge.peak_kib().saturating_sub(before);
    assert!(grown < PIECES, "grown by {grown} KiB on the way to Matrix");
    let mxc = event["content"]["url"].clone();
    let before = chat.world.bridge.forget_peak();
    let item = chat.send(&json!({"msgtype": "m.video", "body": "b.mp4", "url": mxc})).await;
    assert!(!item.item_id.is_empty());
    let upload = chat.world.sim.uploads().pop().unwrap();
    assert_eq!(upload.sha256, chat.world.sim.media_details(&url).unwrap().sha256);
    let grown = chat.world.bridge.peak_kib().saturating_sub(before);
    assert!(grown < PIECES, "grown by {grown} KiB on the way to Instagram");
}

/// Pictures are decoded for their preview, or to be made anew: that is the exception. It is bounded by the decoder's
/// limits, whatever the file is, and one picture of that kind is decoded at a time.
#[tokio::test(flavor = "multi_thread")]
async fn a_picture_of_twenty_five_megabytes_takes_no_more_memory_than_decoding_may() {
    const SIZE: u64 = 25 << 20;
    /// The file, which the decoder reads whole, and 48 MiB of pixels; in KiB.
    const DECODING: u64 = (25 + 48) << 10;
    let chat = Chat::start().await;
    let before = chat.world.bridge.forget_peak();
    let url = chat.world.sim.add_generated_media(SIZE, "image/jpeg");
    let event = chat.shown(photo(&url)).await;
    assert_eq!((&event["content"]["msgtype"], &event["content"]["info"]["size"]), (&json!("m.image"), &json!(SIZE)));
    let grown = chat.world.bridge.peak_kib().saturating_sub(before);
    assert!(grown < DECODING, "grown by {grown} KiB on the way to Matrix");
    let before = chat.world.bridge.forget_peak();
    chat.send(&json!({"msgtype": "m.image", "body": "b.jpg", "url": event["content"]["url"]})).await;
    let upload = chat.world.sim.uploads().pop().unwrap();
    assert_eq!(upload.sha256, chat.world.sim.media_details(&url).unwrap().sha256);
    let grown = chat.world.bridge.peak_kib().saturating_sub(before);
    assert!(grown < DECODING, "grown by {grown} KiB on the way to Instagram");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_files_at_once_pass_both_ways_through_little_memory() {
    const CHATS: usize = 100;
    const SIZE: u64 = 9 << 20;
    /// In KiB: less than half of the eight files that are on their way at any moment.
    const MOST: u64 = 32 << 10;
    let bridge = "  rooms_per_hour: 1000\n".to_owned();
    let world = World::start_with(&Setup { bridge, kept_media: 1 << 20, ..Setup::default() }).await;
    // A chat each: those of one chat come one after the other.
    let mut chats = Vec::new();
    for n in 0..CHATS {
        let other = world.sim.create_account(&format!("other{n}"), "").unwrap();
        let thread = world.chat_with(&other);
        let room = world.portal_of(&thread, &other).await;
        chats.push((other, thread, room));
    }
    let before = world.bridge.forget_peak();
    for (other, thread, _) in &chats {
        let url = world.sim.add_generated_media(SIZE, "video/mp4");
        world.sim.send_item(other.pk, thread, video(&url)).unwrap();
    }
    let shown = |world: &World, room: &str| {
        let events = world.homeserver.events(room).into_iter();
        let mut videos = events.filter(|event| event["content"]["msgtype"] == "m.video");
        videos.any(|event| event["content"]["info"]["size"] == SIZE)
    };
    let all = |world: &World| chats.iter().all(|(_, _, room)| shown(world, room)).then_some(());
    world.until("a hundred videos in Matrix", all).await;
    let grown = world.bridge.peak_kib().saturating_sub(before);
    assert!(grown < MOST, "grown by {grown} KiB on the way to Matrix");
    let mut large = sample::VIDEO.bytes.to_vec();
    large.resize(usize::try_from(SIZE).unwrap(), 0);
    let url = world.homeserver.add_media(large, "video/mp4");
    let before = world.bridge.forget_peak();
    for (_, _, room) in &chats {
        let content = json!({"msgtype": "m.video", "body": "b.mp4", "url": url});
        world.homeserver.send(room, &world.anna.id, "m.room.message", &content).unwrap();
    }
    let sent = |world: &World| {
        let count = |thread: &String| world.sim.item_count_of(thread, world.anna_account.pk).unwrap();
        chats.iter().all(|(_, thread, _)| count(thread) == 1).then_some(())
    };
    world.until("a hundred videos on Instagram", sent).await;
    let grown = world.bridge.peak_kib().saturating_sub(before);
    assert!(grown < MOST, "grown by {grown} KiB on the way to Instagram");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_drips_comes_and_one_that_takes_for_ever_is_given_up() {
    let setup = Setup { instagram: "  http_timeout: 1s\n".to_owned(), ..Setup::default() };
    let world = World::start_with(&setup).await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let chat = Chat { world, thread, room };
    for (bytes, expected) in [(2_000, "m.image"), (10, "m.notice")] {
        let url = chat.world.sim.add_media(sample::PHOTO.bytes, "image/jpeg");
        chat.world.sim.spoil_media(&url, MediaFault::Slow { bytes, every_ms: 100 }, u32::MAX).unwrap();
        let event = chat.shown(photo(&url)).await;
        assert_eq!(event["content"]["msgtype"], expected, "{bytes} bytes at a time");
        assert_eq!(chat.world.sim.media_details(&url).unwrap().requests, 1, "what takes too long is tried once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_disappears_can_be_shown_for_a_while() {
    let bridge = "media:\n  ffmpeg: /nowhere/ffmpeg\n  disappearing: media_then_redact\n  redact_after: 1s\n";
    let world = World::start_with(&Setup { sections: bridge.to_owned(), ..Setup::default() }).await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let kind = instagram_sim::kinds::named("raven_photo_once").unwrap();
    world.sim.send_item(world.bob.pk, &thread, kind.item(&world.sim)).unwrap();
    // Whoever looks late finds it without its content: what tells is that it was there, and that it went.
    let ghost = world.ghost(&world.bob);
    let shown = |world: &World| {
        let events = world.homeserver.events(&room).into_iter();
        let mut messages =
            events.filter(|event| event["type"] == "m.room.message" && event["sender"] == ghost.as_str());
        messages.find(|event| event["content"]["body"] != "first")
    };
    let event = world.until("the photo", shown).await;
    let gone = |world: &World| {
        let events = world.homeserver.events(&room);
        let found = events.into_iter().find(|other| other["event_id"] == event["event_id"])?;
        found["content"]["url"].is_null().then_some(())
    };
    world.until("its end", gone).await;
    let uploads = world.homeserver.requests().into_iter().filter(|(path, _)| path.contains("upload"));
    assert!(uploads.map(|(_, count)| count).sum::<u64>() > 0, "it was the photo that went, not a line in its place");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_admin_allows_it_a_file_is_sent_as_a_link_that_holds_for_a_while() {
    let sections =
        "media:\n  ffmpeg: /nowhere/ffmpeg\n  public_address: http://127.0.0.1:1\n  link_lifetime: 1h\n".to_owned();
    let world = World::start_with(&Setup { sections, ..Setup::default() }).await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let pdf = world.homeserver.add_media(&b"%PDF-1.7 a long paper"[..], "application/pdf");
    let file = json!({"msgtype": "m.file", "body": "paper.pdf", "url": pdf});
    let sent = world.homeserver.send(&room, &world.anna.id, "m.room.message", &file).unwrap();
    let text = world.until("the link", |world| world.written_by(&thread, &world.anna_account).pop()).await;
    // To Instagram it is a text like any other.
    world.homeserver.send(&room, &world.anna.id, "m.reaction", &reaction(&sent, "👍")).unwrap();
    let reacted = |world: &World| {
        let requests = world.sim.recorded_requests().into_iter();
        requests.map(|request| request.body).find(|body| body.contains("target_item_type"))
    };
    let reacted = world.until("the reaction", reacted).await;
    assert!(reacted.contains(r#""target_item_type":"text""#), "{reacted}");
    let path = text.strip_prefix("paper.pdf: http://127.0.0.1:1/").unwrap();
    let fetched = reqwest::get(format!("{}/{path}", world.bridge.address())).await.unwrap();
    assert_eq!(fetched.headers()["content-disposition"], "attachment; filename=\"paper.pdf\"");
    assert_eq!(fetched.bytes().await.unwrap(), &b"%PDF-1.7 a long paper"[..]);
    let forged = format!("{}/{}x", world.bridge.address(), &path[..path.len() - 1]);
    assert_eq!(reqwest::get(forged).await.unwrap().status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_too_large_is_sent_as_a_link_that_leads_to_it() {
    let sections =
        "media:\n  ffmpeg: /nowhere/ffmpeg\n  public_address: http://127.0.0.1:1\n  max_upload: 1000\n".to_owned();
    let world = World::start_with(&Setup { sections, ..Setup::default() }).await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let photo = world.homeserver.add_media(sample::PHOTO.bytes, "image/jpeg");
    let file = json!({"msgtype": "m.image", "body": "a.jpg", "url": photo});
    world.homeserver.send(&room, &world.anna.id, "m.room.message", &file).unwrap();
    let text = world.until("the link", |world| world.written_by(&thread, &world.anna_account).pop()).await;
    let path = text.strip_prefix("a.jpg: http://127.0.0.1:1/").unwrap();
    let fetched = reqwest::get(format!("{}/{path}", world.bridge.address())).await.unwrap();
    assert_eq!(fetched.bytes().await.unwrap(), sample::PHOTO.bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_converter_sounds_and_animations_become_what_the_other_side_likes() {
    let Ok(ffmpeg) = std::env::var("PUPPETGRAM_FFMPEG") else {
        assert!(std::env::var_os("PUPPETGRAM_REQUIRE_SERVERS").is_none(), "PUPPETGRAM_FFMPEG is not set");
        std::io::Write::write_all(&mut std::io::stderr(), b"SKIPPED: conversions: run `cargo xtask test`\n").unwrap();
        return;
    };
    let sections = format!("media:\n  ffmpeg: {ffmpeg}\n");
    let world = World::start_with(&Setup { sections, ..Setup::default() }).await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let chat = Chat { world, thread, room };

    let voice = instagram_sim::kinds::named("voice").unwrap().item(&chat.world.sim);
    let event = chat.shown(voice).await;
    assert_eq!(event["content"]["info"]["mimetype"], "audio/ogg");
    assert!(event["content"]["org.matrix.msc3245.voice"].is_object());
    let (opus, _) = chat.world.homeserver.media(event["content"]["url"].as_str().unwrap()).unwrap();
    assert!(opus.starts_with(b"OggS"));

    let mxc = chat.world.homeserver.add_media(opus, "audio/ogg");
    let item = chat.send(&json!({"msgtype": "m.audio", "body": "voice.ogg", "url": mxc})).await;
    assert_eq!(item.item_type, "voice_media");
    let upload = chat.world.sim.uploads().pop().unwrap();
    assert!(["audio/mp4", "video/mp4"].contains(&upload.detected.as_str()), "{}", upload.detected);

    let gif = chat.world.homeserver.add_media(sample::GIF.bytes, "image/gif");
    chat.send(&json!({"msgtype": "m.image", "body": "a.gif", "url": gif})).await;
    let upload = chat.world.sim.uploads().pop().unwrap();
    assert_eq!(upload.detected, "video/mp4");

    // A video of another codec, of which its sender says nothing.
    let directory = tempfile::tempdir().unwrap();
    let (source, other) = (directory.path().join("a.mp4"), directory.path().join("b.mp4"));
    std::fs::write(&source, sample::VIDEO.bytes).unwrap();
    let mut command = std::process::Command::new(&ffmpeg);
    command.args(["-loglevel", "error", "-i"]).arg(&source).args(["-c:v", "mpeg4", "-c:a", "copy"]).arg(&other);
    assert!(command.status().unwrap().success());
    let mxc = chat.world.homeserver.add_media(std::fs::read(other).unwrap(), "video/mp4");
    let item = chat.send(&json!({"msgtype": "m.video", "body": "b.mp4", "url": mxc})).await;
    assert_eq!(item.item_type, "raven_media");
    let upload = chat.world.sim.uploads().pop().unwrap();
    let bytes = chat.world.sim.upload_bytes(&upload.media_id.unwrap()).unwrap();
    assert!(bytes.windows(4).any(|word| word == b"avc1"));
}
