//! Uploads and the messages made from them.

use bytes::Bytes;
use instagram_sim::{Fault, Sim, sample};
use serde_json::{Value, json};

use crate::{client::Client, http::Http, two_people};

struct Uploader<'a> {
    http: &'a Http,
    host: String,
}

impl Uploader<'_> {
    fn new<'a>(sim: &Sim, http: &'a Http) -> Uploader<'a> {
        Uploader { http, host: sim.api_url().to_string() }
    }

    async fn offset(&self, path: &str) -> (u16, Value) {
        self.http.answer(self.http.client.get(format!("{}{path}", self.host))).await
    }

    fn request(&self, path: &str, mime: &str, offset: usize, length: usize, body: Bytes) -> reqwest::RequestBuilder {
        let request = self.http.client.post(format!("{}{path}", self.host));
        request
            .header("content-type", "application/octet-stream")
            .header("offset", offset)
            .header("x-entity-length", length)
            .header("x-entity-name", path.split('/').next_back().unwrap())
            .header("x-entity-type", mime)
            .header("x-ig-salt-ids", "51052545")
            .body(body)
    }

    /// Uploads a whole file; the answer is its media id.
    async fn upload(&self, path: &str, sample: sample::Sample) -> String {
        let bytes = Bytes::from_static(sample.bytes);
        let request = self.request(path, sample.content_type, 0, bytes.len(), bytes);
        let (status, answer) = self.http.answer(request).await;
        assert_eq!(status, 200, "{answer}");
        answer["media_id"].as_u64().unwrap().to_string()
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_goes_on_where_it_was() {
    let (sim, anna, ..) = two_people().await;
    let http = Http::new(&sim, &anna);
    let uploader = Uploader::new(&sim, &http);
    let path = "messenger_video/0123-0-15156-1-1";
    let bytes = Bytes::from_static(sample::VIDEO.bytes);
    assert_eq!(uploader.offset(path).await, (200, json!({ "offset": 0 })));
    sim.inject(anna.pk, Fault::CutUpload { after: 5000 }, 1).unwrap();
    let request = uploader.request(path, "video/mp4", 0, bytes.len(), bytes.clone());
    let broken = match request.header("authorization", &http.authorization).send().await {
        Ok(response) => response.bytes().await.is_err(),
        Err(_) => true,
    };
    assert!(broken);
    assert_eq!(uploader.offset(path).await, (200, json!({ "offset": 5000 })));
    let wrong = uploader.request(path, "video/mp4", 4000, bytes.len(), bytes.slice(4000..));
    assert_eq!(http.answer(wrong).await.0, 412);
    let rest = uploader.request(path, "video/mp4", 5000, bytes.len(), bytes.slice(5000..));
    let (status, answer) = http.answer(rest).await;
    assert_eq!((status, &answer["id"]), (200, &json!(0)));
    let [upload] = &sim.uploads()[..] else { panic!("one upload") };
    assert_eq!((upload.received, upload.requests, upload.detected.as_str()), (bytes.len() as u64, 2, "video/mp4"));
    assert_eq!(upload.media_id, Some(answer["media_id"].as_u64().unwrap().to_string()));
    assert_eq!(sim.upload_bytes(upload.media_id.as_deref().unwrap()), Some(bytes));
    let recorded = sim.recorded_requests();
    let last = recorded.iter().rfind(|request| request.path.contains("messenger_video")).unwrap();
    assert_eq!((last.body.as_str(), last.body_size, last.status), ("", 10_156, 200));
}

#[tokio::test]
async fn requests_with_the_apps_own_headers_are_not_found() {
    let (sim, anna, ..) = two_people().await;
    let http = Http::new(&sim, &anna);
    let uploader = Uploader::new(&sim, &http);
    for header in ["X-IG-App-ID", "X-Bloks-Version-Id", "X-Pigeon-Session-Id"] {
        let request = uploader.request("messenger_image/a", "image/jpeg", 0, 1, "x".into());
        let request = request.header(header, "1").header("authorization", &http.authorization);
        let response = request.send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (404, &"text/html; charset=utf-8".parse().unwrap())
        );
    }
    let nameless = http.client.post(format!("{}messenger_image/a", sim.api_url())).header("offset", 0).body("x");
    assert_eq!(http.answer(nameless).await.0, 400);
    let stranger = http.client.post(format!("{}messenger_image/a", sim.api_url())).body("x").send().await.unwrap();
    assert_eq!(stranger.status(), 403);
    assert!(sim.uploads().is_empty());
}

#[tokio::test]
async fn uploads_become_messages_whose_media_are_the_uploaded_bytes() {
    let (sim, anna, bert, thread) = two_people().await;
    sim.send_text(bert.pk, &thread, "first").unwrap();
    let mut client = Client::subscribed(&sim, &bert).await;
    let http = Http::new(&sim, &anna);
    let uploader = Uploader::new(&sim, &http);
    let ids = format!("[{thread}]");
    for (kind, path, sample, item_type, address) in [
        ("photo_attachment", "messenger_image/a", sample::PHOTO, "media", "/media/image_versions2/candidates/0/url"),
        ("video_attachment", "messenger_video/b", sample::VIDEO, "media", "/media/video_versions/0/url"),
        (
            "raven_attachment",
            "messenger_video/c",
            sample::VIDEO,
            "raven_media",
            "/visual_media/media/video_versions/0/url",
        ),
        ("voice_attachment", "messenger_audio/d", sample::VOICE, "voice_media", "/voice_media/media/audio/audio_src"),
    ] {
        let id = uploader.upload(path, sample).await;
        let fields = [
            ("thread_ids", ids.as_str()),
            ("client_context", path),
            ("attachment_fbid", &id),
            ("view_mode", "permanent"),
            ("waveform", "[0,0.5,1]"),
            ("waveform_sampling_frequency_hz", "10"),
        ];
        let url = format!("direct_v2/threads/broadcast/{kind}/");
        sim.inject_on(anna.pk, kind, Fault::Transcoding, 2).unwrap();
        for _ in 0..2 {
            assert_eq!(http.post(&url, &fields).await.0, if kind == "photo_attachment" { 503 } else { 500 });
        }
        let (status, first) = http.post(&url, &fields).await;
        assert_eq!((status, &first["status"]), (200, &json!("ok")), "{kind}: {first}");
        let (_, second) = http.post(&url, &fields).await;
        assert_eq!(first["payload"]["item_id"], second["payload"]["item_id"]);
        let (_, item) = client.next_item().await;
        assert_eq!((&item["item_type"], &item["client_context"]), (&json!(item_type), &json!(path)));
        let media = item.pointer(address).unwrap().as_str().unwrap();
        assert_eq!(http.client.get(media).send().await.unwrap().bytes().await.unwrap(), sample.bytes);
        if kind == "voice_attachment" {
            let audio = &item["voice_media"]["media"]["audio"];
            assert_eq!((&audio["duration"], &audio["waveform_data"]), (&json!(3120), &json!([0, 0.5, 1])));
        }
    }
    assert_eq!(sim.item_count_of(&thread, anna.pk).unwrap(), 4);
    let photo = sim.uploads()[0].media_id.clone().unwrap();
    for (kind, id) in [("voice_attachment", photo.as_str()), ("photo_attachment", "17900"), ("tulip_attachment", "1")] {
        let fields = [("thread_ids", ids.as_str()), ("client_context", "x"), ("attachment_fbid", id)];
        assert_eq!(http.post(&format!("direct_v2/threads/broadcast/{kind}/"), &fields).await.0, 400);
    }
}

#[tokio::test]
async fn shares_hearts_and_gifs_are_sent_by_their_ids() {
    let (sim, anna, bert, thread) = two_people().await;
    sim.send_text(bert.pk, &thread, "first").unwrap();
    let mut client = Client::subscribed(&sim, &bert).await;
    let http = Http::new(&sim, &anna);
    let ids = format!("[\"{thread}\"]");
    let post = instagram_sim::kinds::named("post_photo").unwrap().item(&sim);
    let known = post["media_share"]["id"].as_str().unwrap();
    let person = bert.pk.to_string();
    for (kind, field, value, pointer, expected) in [
        ("media_share", "media_id", known, "/media_share/caption/media_id", post["media_share"]["pk"].clone()),
        ("media_share", "media_id", "2800000000000000007_9", "/media_share/pk", json!("2800000000000000007")),
        ("animated_media", "id", "3o7abc", "/animated_media/id", json!("3o7abc")),
        ("story_share", "story_media_id", known, "/story_share/media/id", json!(known)),
        ("profile", "profile_user_id", &person, "/profile/username", json!("bert")),
        ("like", "text", "", "/item_type", json!("like")),
        ("link", "link_text", "see https://example.com/", "/link/text", json!("see https://example.com/")),
    ] {
        let context = format!("{kind}{value}");
        let fields = [("thread_ids", ids.as_str()), ("client_context", &context), (field, value)];
        let (status, answer) = http.post(&format!("direct_v2/threads/broadcast/{kind}/"), &fields).await;
        assert_eq!(status, 200, "{kind}: {answer}");
        assert_eq!(client.next_item().await.1.pointer(pointer), Some(&expected), "{kind}");
    }
}

#[tokio::test]
async fn a_large_upload_is_hashed_but_not_kept() {
    let (sim, anna, ..) = two_people().await;
    let http = Http::new(&sim, &anna);
    let uploader = Uploader::new(&sim, &http);
    let size = 12_000_000;
    let body = Bytes::from(vec![5; size]);
    let held = sim.add_media(body.clone(), "video/mp4");
    let request = uploader.request("messenger_video/large", "video/mp4", 0, size, body);
    let (status, answer) = http.answer(request).await;
    assert_eq!(status, 200);
    let id = answer["media_id"].as_u64().unwrap().to_string();
    assert_eq!(sim.upload_bytes(&id), None);
    assert_eq!(sim.uploads()[0].sha256, sim.media_details(&held).unwrap().sha256);
}
