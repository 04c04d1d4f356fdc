//! The HTTPS API: credentials, inbox, threads, sends, pictures, failures, rotated headers, the control API.

use std::sync::Arc;

use instagram_sim::{AccountOptions, Fault, Sim, control, sample};
use serde_json::{Value, json};

use crate::{
    DEADLINE,
    client::Client,
    http::{Http, bearer},
    two_people,
};

#[tokio::test]
async fn only_good_credentials_are_let_in() {
    let (sim, anna, bert, _) = two_people().await;
    let mut http = Http::new(&sim, &anna);
    let (status, answer) = http.get("accounts/current_user/?edit=true").await;
    assert_eq!((status, &answer["user"]["username"], &answer["status"]), (200, &json!("anna"), &json!("ok")));
    // The cookie decoded, as some clients keep it, is the same session.
    http.authorization = bearer(anna.pk, &anna.sessionid.replace("%3A", ":"));
    assert_eq!(http.get("accounts/current_user/").await.0, 200);
    for wrong in ["", "Bearer IGT:2:", &bearer(anna.pk, "x"), &bearer(anna.pk, &bert.sessionid)] {
        http.authorization = wrong.to_owned();
        let (status, answer) = http.get("accounts/current_user/").await;
        assert_eq!((status, &answer["message"]), (403, &json!("login_required")));
    }
    let request = http.client.get(format!("{}accounts/current_user/", http.base));
    let answer = request.header("cookie", format!("mid=1; sessionid={}", anna.sessionid)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn inbox_and_threads_come_in_pages_newest_first() {
    let (sim, anna, bert, thread) = two_people().await;
    let mut others = Vec::new();
    for index in 0..25 {
        let other = sim.create_account(&format!("other{index}"), "Other").unwrap();
        let id = sim.create_thread(&[other.pk, anna.pk], None).unwrap();
        sim.send_text(other.pk, &id, "hi").unwrap();
        others.push(id);
    }
    for index in 0..45 {
        sim.send_text(bert.pk, &thread, &format!("{index}")).unwrap();
    }
    let http = Http::new(&sim, &anna);
    let (_, first) = http.get("direct_v2/inbox/?limit=20&thread_message_limit=10").await;
    assert_eq!(first["seq_id"], sim.queue_head(anna.pk).unwrap());
    assert!(first["snapshot_at_ms"].as_i64().unwrap() > 1_700_000_000_000);
    assert_eq!(first["inbox"]["threads"][0]["thread_id"], thread);
    assert_eq!(first["inbox"]["threads"][0]["items"].as_array().unwrap().len(), 10);
    assert_eq!(first["inbox"]["threads"][0]["items"][0]["text"], "44");
    assert_eq!(first["inbox"]["has_older"], true);
    let cursor = first["inbox"]["oldest_cursor"].as_str().unwrap();
    let (_, second) = http.get(&format!("direct_v2/inbox/?limit=20&cursor={cursor}&direction=older")).await;
    assert_eq!(
        (second["inbox"]["threads"].as_array().unwrap().len(), &second["inbox"]["has_older"]),
        (6, &json!(false))
    );

    let mut texts = Vec::new();
    let mut cursor = String::new();
    loop {
        let (_, page) = http.get(&format!("direct_v2/threads/{thread}/?limit=20&cursor={cursor}")).await;
        let items = page["thread"]["items"].as_array().unwrap().clone();
        texts.extend(items.iter().map(|item| item["text"].as_str().unwrap().parse::<usize>().unwrap()));
        if page["thread"]["has_older"] != true {
            break;
        }
        cursor = page["thread"]["oldest_cursor"].as_str().unwrap().to_owned();
    }
    assert_eq!(texts, (0..45).rev().collect::<Vec<_>>());
    assert_eq!(http.get("direct_v2/threads/1/").await.0, 404);
}

#[tokio::test]
async fn sends_over_http_dedup_with_those_over_realtime() {
    let (sim, anna, bert, thread) = two_people().await;
    let http = Http::new(&sim, &anna);
    let ids = format!("[{thread}]");
    let fields = [("action", "send_item"), ("thread_ids", &ids), ("client_context", "77"), ("text", "hej")];
    let (status, first) = http.post("direct_v2/threads/broadcast/text/", &fields).await;
    assert_eq!((status, &first["status"]), (200, &json!("ok")));
    let mut client = Client::subscribed(&sim, &anna).await;
    client.send_text(&thread, "hej", "77").await;
    assert_eq!(client.next("133").await["payload"]["item_id"], first["payload"]["item_id"]);
    assert_eq!(sim.item_count(&thread).unwrap(), 1);
    // A one-to-one with somebody is found again, not made twice.
    let people = format!("[[{}]]", bert.pk);
    let fields = [("recipient_users", people.as_str()), ("client_context", "78"), ("text", "du")];
    let (_, answer) = http.post("direct_v2/threads/broadcast/text/", &fields).await;
    assert_eq!(answer["payload"]["thread_id"], thread);
    let item = answer["payload"]["item_id"].as_str().unwrap();
    let signed = [("signed_body", "SIGNATURE.{\"_uuid\":\"x\"}")];
    assert_eq!(http.post(&format!("direct_v2/threads/{thread}/items/{item}/delete/"), &signed).await.0, 200);
    assert_eq!(sim.thread_items(&thread).unwrap().len(), 1);
    let seen = sim.recorded_requests();
    assert_eq!(
        seen.iter().filter(|request| request.path.contains("broadcast") && request.pk == Some(anna.pk)).count(),
        2
    );
}

#[tokio::test]
async fn an_answer_over_http_can_be_lost_with_or_without_the_send() {
    let (sim, anna, _, thread) = two_people().await;
    let http = Http::new(&sim, &anna);
    for (fault, items) in [(Fault::DropSend, 0), (Fault::DropAnswer, 1)] {
        sim.inject_on(anna.pk, "broadcast", fault, 1).unwrap();
        let ids = format!("[{thread}]");
        let fields = [("thread_ids", ids.as_str()), ("client_context", "1"), ("text", "hej")];
        let request = http.client.post(format!("{}direct_v2/threads/broadcast/text/", http.base)).form(&fields);
        let lost = match request.header("authorization", &http.authorization).send().await {
            Ok(response) => response.bytes().await.is_err(),
            Err(_) => true,
        };
        assert!(lost);
        assert_eq!(sim.item_count(&thread).unwrap(), items);
    }
}

#[tokio::test]
async fn profile_pictures_are_real_files_at_signed_addresses() {
    let (sim, anna, bert, _) = two_people().await;
    let http = Http::new(&sim, &anna);
    let (_, answer) = http.get(&format!("users/{}/info/", bert.pk)).await;
    let url = answer["user"]["profile_pic_url"].as_str().unwrap();
    let response = http.client.get(url).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "image/png");
    let bytes = response.bytes().await.unwrap();
    assert!(bytes.starts_with(b"\x89PNG"));
    let spoilt = url.replace("AY/", "AY%2F");
    assert_ne!(url, spoilt);
    assert_eq!(http.client.get(spoilt).send().await.unwrap().status(), 403);
    sim.change_picture(bert.pk).unwrap();
    let (_, answer) = http.get("users/bert/usernameinfo/").await;
    let changed = answer["user"]["profile_pic_url"].as_str().unwrap();
    assert_ne!(http.client.get(changed).send().await.unwrap().bytes().await.unwrap(), bytes);
}

#[tokio::test]
async fn http_faults_look_like_instagrams_failures() {
    let (sim, anna, ..) = two_people().await;
    let http = Http::new(&sim, &anna);
    for (fault, status, message) in [
        (Fault::RateLimit, 429, "Please wait a few minutes before you try again."),
        (Fault::LoginRequired, 403, "login_required"),
        (Fault::Challenge, 400, "challenge_required"),
        (Fault::Checkpoint, 400, "checkpoint_required"),
        (Fault::Consent, 400, "consent_required"),
        (Fault::FeedbackRequired, 400, "feedback_required"),
    ] {
        sim.inject_on(anna.pk, "inbox", fault, 1).unwrap();
        assert_eq!(http.get("accounts/current_user/").await.0, 200);
        let (got, answer) = http.get("direct_v2/inbox/").await;
        assert_eq!((got, answer["message"].as_str().unwrap()), (status, message));
    }
    let url = format!("{}direct_v2/inbox/", http.base);
    let ask = || http.client.get(&url).header("authorization", &http.authorization).send();
    sim.inject(anna.pk, Fault::HtmlError, 1).unwrap();
    assert!(ask().await.unwrap().text().await.unwrap().starts_with("<!DOCTYPE html>"));
    sim.inject(anna.pk, Fault::CutJson, 1).unwrap();
    assert!(ask().await.unwrap().json::<Value>().await.is_err());
    sim.inject(anna.pk, Fault::DropHttpAnswer, 1).unwrap();
    assert!(match ask().await {
        Ok(response) => response.bytes().await.is_err(),
        Err(_) => true,
    });
    assert_eq!(ask().await.unwrap().status(), 200);
}

#[tokio::test]
async fn unknown_endpoints_are_answered_404_and_recorded() {
    let (sim, anna, ..) = two_people().await;
    let http = Http::new(&sim, &anna);
    let (status, answer) = http.get("feed/timeline/").await;
    assert_eq!((status, &answer["status"]), (404, &json!("fail")));
    let request = sim.wait_for_request("feed/timeline", DEADLINE).await.unwrap();
    assert_eq!((request.status, request.known, request.pk), (404, false, Some(anna.pk)));
    assert_eq!(sim.stats().unknown_requests, 1);
}

#[tokio::test]
async fn rotated_values_come_and_the_old_ones_end_with_their_first_use() {
    let (sim, anna, ..) = two_people().await;
    let mut http = Http::new(&sim, &anna);
    let ask = async |http: &Http| {
        let request = http.client.get(format!("{}accounts/current_user/", http.base));
        request.header("authorization", &http.authorization).send().await.unwrap()
    };
    let first = ask(&http).await;
    assert!(first.headers().contains_key("x-ig-set-www-claim"));
    for _ in 0..3 {
        assert!(!ask(&http).await.headers().contains_key("ig-set-ig-u-rur"));
    }
    assert!(ask(&http).await.headers().contains_key("ig-set-ig-u-rur"));
    for fault in [Fault::RotateAuthorization, Fault::RotateSession] {
        sim.inject(anna.pk, fault, 1).unwrap();
        let rotated = ask(&http).await.headers()["ig-set-authorization"].to_str().unwrap().to_owned();
        assert_eq!(ask(&http).await.status(), 200);
        let old = std::mem::replace(&mut http.authorization, rotated);
        assert_eq!(ask(&http).await.status(), 200);
        let new = std::mem::replace(&mut http.authorization, old);
        assert_eq!(ask(&http).await.status(), 403);
        http.authorization = new;
    }
}

#[tokio::test]
async fn a_logout_closes_the_connection_and_ends_the_session() {
    let (sim, anna, ..) = two_people().await;
    let mut client = Client::subscribed(&sim, &anna).await;
    let http = Http::new(&sim, &anna);
    assert_eq!(http.post("accounts/logout/", &[("signed_body", "SIGNATURE.{}")]).await.0, 200);
    assert_eq!(client.read().await, None);
    assert_eq!(http.get("accounts/current_user/").await.1["message"], "login_required");
}

#[tokio::test]
async fn messages_from_strangers_wait_in_the_pending_inbox_until_approved() {
    let (sim, anna, ..) = two_people().await;
    sim.set_options(anna.pk, AccountOptions { requests_are_pending: true, ..AccountOptions::default() }).unwrap();
    let cleo = sim.create_account("cleo", "Cleo").unwrap();
    let thread = sim.create_thread(&[cleo.pk, anna.pk], None).unwrap();
    sim.send_text(cleo.pk, &thread, "do you know me").unwrap();
    let http = Http::new(&sim, &anna);
    let listed = |answer: &Value| answer["inbox"]["threads"].to_string().contains(&thread);
    assert!(!listed(&http.get("direct_v2/inbox/").await.1));
    let (_, pending) = http.get("direct_v2/pending_inbox/").await;
    assert!(listed(&pending));
    assert_eq!(pending["inbox"]["threads"][0]["pending"], true);
    http.post(&format!("direct_v2/threads/{thread}/approve/"), &[("filter", "DEFAULT")]).await;
    assert!(listed(&http.get("direct_v2/inbox/").await.1));
}

#[tokio::test]
async fn the_control_api_does_what_the_library_does() {
    let sim = Arc::new(Sim::start(instagram_sim::SimOptions::default()).await.unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let serving = axum::serve(listener, control::router(sim.clone()));
    let acting = async {
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder().build().unwrap();
        let post = async |path: &str, body: Value| -> Value {
            let response = client.post(format!("{base}{path}")).json(&body).send().await.unwrap();
            assert!(response.status().is_success(), "{path}: {}", response.status());
            response.json().await.unwrap()
        };
        let anna = post("/accounts", json!({ "username": "anna", "full_name": "Anna" })).await["pk"].as_u64().unwrap();
        let bert = post("/accounts", json!({ "username": "bert" })).await["pk"].as_u64().unwrap();
        let thread =
            post("/threads", json!({ "members": [anna, bert] })).await["thread_id"].as_str().unwrap().to_owned();
        let text = json!({ "from": anna, "text": "hej" });
        post(&format!("/threads/{thread}/texts"), text).await;
        post("/bulk", json!({ "from": bert, "threads": [thread], "count": 500, "prefix": "n " })).await;
        let wait = format!("{base}/threads/{thread}/wait?count=500&from={bert}&timeout_ms=5000");
        let counted: Value = client.get(wait).send().await.unwrap().json().await.unwrap();
        assert_eq!(counted["count"], 500);
        let items = format!("{base}/threads/{thread}/items?skip=500");
        let listed: Value = client.get(items).send().await.unwrap().json().await.unwrap();
        assert_eq!((&listed["total"], &listed["items"][0]["text"]), (&json!(501), &json!("n 499")));
        post(&format!("/accounts/{anna}/faults"), json!({ "fault": { "kind": "rate_limit" }, "times": 2 })).await;
        assert_eq!(sim.faults_left(anna).unwrap(), 2);
        let kind = post(&format!("/threads/{thread}/kinds"), json!({ "from": bert, "kind": "photo" })).await;
        let (item, url) = (&kind["item_id"], kind["media"][0].as_str().unwrap());
        post(&format!("/threads/{thread}/like"), json!({ "from": anna, "item_id": item })).await;
        post("/media/faults", json!({ "url": url, "fault": { "kind": "cut", "after": 3 }, "times": 2 })).await;
        post("/media/expire", json!({ "url": url })).await;
        let renewed = post("/media/details", json!({ "url": url })).await;
        assert_ne!(renewed["url"], url);
        let file = post("/media", json!({ "size": 1_000_000, "content_type": "video/mp4" })).await;
        assert!(file["url"].as_str().unwrap().contains(".mp4?"));
        post(&format!("/threads/{thread}/history"), json!({ "count": 30, "prefix": "h" })).await;
        post(&format!("/threads/{thread}/treat"), json!({ "from": anna, "action": "mute" })).await;
        let view: Value =
            client.get(format!("{base}/threads/{thread}?viewer={anna}")).send().await.unwrap().json().await.unwrap();
        assert_eq!(view["muted"], true);
        let group = json!({ "members": [anna, bert], "title": "Two" });
        let group = post("/threads", group).await["thread_id"].as_str().unwrap().to_owned();
        for (path, body) in [
            ("title", json!({ "from": anna, "title": "Both" })),
            ("admins", json!({ "from": anna, "add": bert })),
            ("approval", json!({ "from": anna, "on": true })),
            ("vanish", json!({ "from": anna, "on": true })),
            ("image", json!({ "from": anna, "base64": data_encoding::BASE64.encode(sample::PHOTO.bytes) })),
            ("past", json!({ "items": [{ "from": bert, "item": { "item_type": "text", "text": "old" } }] })),
            ("members", json!({ "from": bert, "remove": bert })),
        ] {
            post(&format!("/threads/{group}/{path}"), body).await;
        }
        assert_eq!(sim.thread_view(&group, anna).unwrap()["thread_image"]["original_width"], 320);
        let missing = client.get(format!("{base}/threads/1/items")).send().await.unwrap();
        assert_eq!(missing.status(), 404);
        let paths = control::paths();
        assert!(paths.lines().count() > 40 && paths.contains("POST /media"), "{paths}");
    };
    tokio::select! {
        result = serving => panic!("the control API ended: {result:?}"),
        () = acting => {}
    }
}
