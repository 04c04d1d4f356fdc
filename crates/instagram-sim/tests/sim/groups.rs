//! Groups: made, named, pictured, joined and left, and how all members learn of it.

use bytes::Bytes;
use instagram_sim::{Account, Sim, SimOptions, sample};
use serde_json::{Value, json};

use crate::{client::Client, http::Http};

struct Group {
    sim: Sim,
    anna: Account,
    bert: Account,
    cleo: Account,
    id: String,
    http: Http,
    watching: Client,
}

impl Group {
    /// Made by Anna; Cleo watches.
    async fn new() -> Group {
        let sim = Sim::start(SimOptions::default()).await.unwrap();
        let [anna, bert, cleo] = ["anna", "bert", "cleo"].map(|name| sim.create_account(name, name).unwrap());
        let id = sim.create_thread(&[anna.pk, bert.pk, cleo.pk], Some("Trip")).unwrap();
        sim.send_text(anna.pk, &id, "welcome").unwrap();
        let http = Http::new(&sim, &anna);
        let watching = Client::subscribed(&sim, &cleo).await;
        Group { sim, anna, bert, cleo, id, http, watching }
    }

    async fn change(&self, who: &Http, action: &str, pk: u64) -> u16 {
        let users = format!("[\"{pk}\"]");
        who.post(&format!("direct_v2/threads/{}/{action}/", self.id), &[("user_ids", &users)]).await.0
    }

    /// The next log line and the thread object before it.
    async fn told(&mut self) -> (Value, String) {
        let (op, _, thread) = self.watching.next_patch("/inbox/threads/").await;
        assert_eq!(op, "replace");
        (thread, self.line().await)
    }

    async fn line(&mut self) -> String {
        let (_, item) = self.watching.next_item().await;
        item["action_log"]["description"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_new_name_comes_as_the_thread_and_a_log_line() {
    let mut group = Group::new().await;
    let path = format!("direct_v2/threads/{}/update_title/", group.id);
    assert_eq!(group.http.post(&path, &[("title", "Alps 🏔")]).await.0, 200);
    let (thread, line) = group.told().await;
    assert_eq!((&thread["thread_title"], line.as_str()), (&json!("Alps 🏔"), "anna named the group Alps 🏔."));
    assert_eq!(thread["named"], true);
}

#[tokio::test]
async fn members_come_and_go_and_only_admins_remove_them() {
    let mut group = Group::new().await;
    let dora = group.sim.create_account("dora", "dora").unwrap();
    assert_eq!(group.change(&group.http, "add_user", dora.pk).await, 200);
    let (thread, line) = group.told().await;
    assert_eq!((thread["users"].as_array().unwrap().len(), line.as_str()), (3, "anna added dora."));
    let bert = Http::new(&group.sim, &group.bert);
    assert_eq!(group.change(&bert, "remove_users", dora.pk).await, 403);
    assert_eq!(group.change(&group.http, "remove_users", dora.pk).await, 200);
    let (thread, line) = group.told().await;
    assert_eq!((&thread["left_users"][0]["pk"], line.as_str()), (&json!(dora.pk), "anna removed dora."));
    assert_eq!(bert.post(&format!("direct_v2/threads/{}/leave/", group.id), &[("_uuid", "u")]).await.0, 200);
    let (thread, line) = group.told().await;
    assert_eq!((thread["users"].as_array().unwrap().len(), line.as_str()), (1, "bert left the group."));
    group.sim.remove_member(group.anna.pk, &group.id, group.cleo.pk).unwrap();
    assert_eq!(group.watching.next_patch("/inbox/threads/").await.0, "remove");
}

#[tokio::test]
async fn admins_are_made_and_unmade() {
    let mut group = Group::new().await;
    let bert = Http::new(&group.sim, &group.bert);
    assert_eq!(group.change(&bert, "add_admins", group.bert.pk).await, 403);
    for (action, op) in [("add_admins", "add"), ("remove_admins", "remove")] {
        assert_eq!(group.change(&group.http, action, group.bert.pk).await, 200);
        let (got, path, value) = group.watching.next_patch("/admin_user_ids/").await;
        assert_eq!((got.as_str(), value), (op, json!(group.bert.pk)));
        assert!(path.ends_with(&format!("/admin_user_ids/{}", group.bert.pk)));
        assert!(group.line().await.ends_with("as an admin."));
    }
}

#[tokio::test]
async fn new_members_wait_where_an_admin_has_to_approve_them() {
    let mut group = Group::new().await;
    group.sim.set_approval_required(group.anna.pk, &group.id, true).unwrap();
    let (op, _, value) = group.watching.next_patch("/approval_required_for_new_members").await;
    assert_eq!((op.as_str(), value), ("replace", json!(true)));
    assert!(group.line().await.contains("approval"));
    let dora = group.sim.create_account("dora", "dora").unwrap();
    let bert = Http::new(&group.sim, &group.bert);
    assert_eq!(group.change(&bert, "add_user", dora.pk).await, 200);
    let members =
        |group: &Group| group.sim.thread_view(&group.id, group.anna.pk).unwrap()["users"].as_array().unwrap().len();
    assert_eq!(members(&group), 2);
    assert_eq!(group.change(&group.http, "approve_participant_requests", dora.pk).await, 200);
    assert_eq!(members(&group), 3);
}

#[tokio::test]
async fn a_group_gets_a_picture_from_an_upload() {
    let mut group = Group::new().await;
    let bytes = Bytes::from_static(sample::PHOTO.bytes);
    let upload = group.http.client.post(format!("{}messenger_image/p", group.sim.api_url()));
    let headers =
        [("offset", "0".to_owned()), ("x-entity-length", bytes.len().to_string()), ("x-entity-name", "p".into())];
    let upload = headers.iter().fold(upload, |upload, (name, value)| upload.header(*name, value));
    let (_, answer) = group.http.answer(upload.header("x-entity-type", "image/jpeg").body(bytes)).await;
    let attachment = answer["media_id"].to_string();
    let url = format!("{}graphql_www", group.sim.api_url());
    let v2_id = group.sim.thread_view(&group.id, group.anna.pk).unwrap()["thread_v2_id"].clone();
    for (document, variables) in [
        (
            "5576567352987267181917649770",
            json!({ "ig_thread_igid": v2_id, "offline_threading_id": "1", "attachment_fbid": attachment }),
        ),
        ("50027745118339199321503686240", json!({ "ig_thread_igid": group.id })),
    ] {
        let fields = [("client_doc_id", document), ("variables", &variables.to_string())];
        let (status, answer) = group.http.answer(group.http.client.post(&url).form(&fields)).await;
        assert_eq!((status, answer.get("errors")), (200, None));
        assert!(answer["data"].to_string().contains("thread_image"));
        let (op, _, value) = group.watching.next_patch("/thread_image").await;
        assert_eq!(op, "replace");
        let image = &value["thread_image"];
        if variables.get("attachment_fbid").is_some() {
            assert_eq!((image["id"].to_string(), &image["original_width"]), (attachment.clone(), &json!(320)));
            let url = image["image_versions2"]["candidates"][0]["url"].as_str().unwrap();
            assert_eq!(group.http.client.get(url).send().await.unwrap().bytes().await.unwrap(), sample::PHOTO.bytes);
        } else {
            assert!(image.is_null());
        }
        assert!(group.line().await.ends_with("the group photo."));
    }
    let fields = [("client_doc_id", "5576567352987267181917649770"), ("variables", "{}")];
    let (_, answer) = group.http.answer(group.http.client.post(&url).form(&fields)).await;
    assert!(answer["errors"][0]["summary"].is_string());
    let url = group.sim.set_thread_image(group.bert.pk, &group.id, Some(Bytes::from_static(sample::GIF.bytes)));
    assert_eq!(group.sim.media_details(&url.unwrap().unwrap()).unwrap().content_type, "image/gif");
}

#[tokio::test]
async fn a_group_is_made_once_for_one_client_context() {
    let group = Group::new().await;
    let users = format!("[{},{}]", group.bert.pk, group.cleo.pk);
    let fields = [("recipient_users", users.as_str()), ("client_context", "5"), ("thread_title", "")];
    let (status, first) = group.http.post("direct_v2/create_group_thread/", &fields).await;
    assert_eq!((status, &first["is_group"], &first["named"]), (200, &json!(true), &json!(false)));
    let (_, second) = group.http.post("direct_v2/create_group_thread/", &fields).await;
    assert_eq!(first["thread_id"], second["thread_id"]);
    assert_eq!(group.sim.threads().len(), 2);
    let alone = format!("[{}]", group.bert.pk);
    assert_eq!(group.http.post("direct_v2/create_group_thread/", &[("recipient_users", &alone)]).await.0, 400);
}
