//! Every recorded request has an endpoint that makes the same one, or a reason why there is none.

use std::collections::BTreeSet;

use http::Request;
use instagram::api::{
    AddAdmins, AddUsers, ApproveThread, AttachmentKind, BroadcastAttachment, BroadcastText, BroadcastTextToUsers,
    ClipItem, Context, CreateGroup, CurrentUser, DeclineThread, EditText, Endpoint, GetThread, HideThread, Inbox,
    LeaveThread, Logout, MarkSeen, MarkUnread, Mute, PendingInbox, RankedRecipients, React, RemoveAdmins, RemoveUsers,
    RenameThread, ReplyTo, SearchUsers, SetThreadImage, SpamInbox, ThreadByParticipants, Unsend, UserByName, UserInfo,
};
use serde_json::{Value as Json, json};
use url::Url;

use super::{THREAD, case, cases, compare, context, is_uuid, pairs, request, session};

const CLIENT_CONTEXT: &str = "6800011223344556677";
const UUID: &str = "1b2c3d4e-2222-4333-8444-555566667777";

fn text(text: &str) -> BroadcastText {
    BroadcastText {
        thread_id: THREAD.to_owned(),
        text: text.to_owned(),
        client_context: CLIENT_CONTEXT.to_owned(),
        reply_to: None,
        mentions: Vec::new(),
    }
}

fn attachment(kind: AttachmentKind) -> BroadcastAttachment {
    BroadcastAttachment {
        thread_id: THREAD.to_owned(),
        kind,
        attachment_fbid: "17900000000000009".to_owned(),
        client_context: CLIENT_CONTEXT.to_owned(),
        reply_to: None,
    }
}

fn reaction(emoji: Option<&str>) -> React {
    React {
        thread_id: THREAD.to_owned(),
        item_id: "30076".to_owned(),
        item_type: "text".to_owned(),
        emoji: emoji.map(str::to_owned),
        client_context: CLIENT_CONTEXT.to_owned(),
        original_client_context: Some("7400".to_owned()),
    }
}

/// Our requests by the name of the recorded case.
fn ours() -> Vec<(&'static str, Request<Vec<u8>>)> {
    let thread_id = || THREAD.to_owned();
    let item_id = || "30076".to_owned();
    let bob = || "bob".to_owned();
    let users = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let reply_to = Some(ReplyTo { item_id: "30075".to_owned(), client_context: "7400".to_owned() });
    let client_context = || CLIENT_CONTEXT.to_owned();
    let upload_id = |id: &str| id.to_owned();
    vec![
        ("inbox_initial", request(&Inbox { cursor: None, limit: 20 })),
        ("inbox_page", request(&Inbox { cursor: Some("CUR".to_owned()), limit: 20 })),
        ("pending_inbox", request(&PendingInbox { cursor: Some("CUR".to_owned()) })),
        ("spam_inbox", request(&SpamInbox { cursor: None })),
        ("approve", request(&ApproveThread { thread_id: thread_id() })),
        ("thread", request(&GetThread { thread_id: thread_id(), cursor: None, limit: 20 })),
        ("send_text", request(&text("h\u{e9}llo"))),
        ("send_reply", request(&BroadcastText { reply_to, ..text("re") })),
        (
            "send_text_to_users",
            request(&BroadcastTextToUsers {
                users: users(&["42", "43"]),
                text: "hi".to_owned(),
                client_context: client_context(),
            }),
        ),
        ("reaction_add", request(&reaction(Some("\u{1f525}")))),
        ("reaction_remove", request(&reaction(None))),
        ("seen", request(&MarkSeen { thread_id: thread_id(), item_id: item_id(), client_context: client_context() })),
        ("unsend", request(&Unsend { thread_id: thread_id(), item_id: item_id() })),
        ("mark_unread", request(&MarkUnread { thread_id: thread_id() })),
        ("mute", request(&Mute { thread_id: thread_id(), muted: true })),
        ("unmute", request(&Mute { thread_id: thread_id(), muted: false })),
        ("hide", request(&HideThread { thread_id: thread_id() })),
        ("update_title", request(&RenameThread { thread_id: thread_id(), title: "New title".to_owned() })),
        ("add_user", request(&AddUsers { thread_id: thread_id(), users: users(&["42"]) })),
        (
            "create_group",
            request(&CreateGroup {
                users: users(&["42", "43"]),
                title: Some("Title".to_owned()),
                client_context: client_context(),
            }),
        ),
        ("get_by_participants", request(&ThreadByParticipants { users: users(&["42"]) })),
        ("ranked_recipients", request(&RankedRecipients { query: bob() })),
        ("current_user", request(&CurrentUser)),
        ("user_info", request(&UserInfo { user_id: "42".to_owned() })),
        ("username_info", request(&UserByName { username: bob() })),
        ("user_search", request(&SearchUsers { query: bob() })),
        ("attachment_photo", request(&attachment(AttachmentKind::Photo))),
        (
            "attachment_video",
            request(&attachment(AttachmentKind::Video {
                upload_id: upload_id("123456789012"),
                width: 720,
                height: 1280,
                duration_ms: 3500,
            })),
        ),
        (
            "attachment_voice",
            request(&attachment(AttachmentKind::Voice {
                upload_id: upload_id("1767225600123"),
                waveform: vec![0.2, 0.5],
            })),
        ),
    ]
}

/// The recorded request that an endpoint answers for: of an attachment, the last; the uploads are in `uploads.rs`.
/// Where we differ on purpose, it is changed to what we mean.
fn recorded(name: &str) -> Json {
    let mut recorded = case("http_requests_instagrapi", name)["output"].as_array().unwrap().last().unwrap().clone();
    match name {
        // Constants in that client, whatever the state; the parameter is optional and we have nothing true to say.
        "thread" => assert_eq!(recorded["query"].as_object_mut().unwrap().remove("seq_id"), Some(json!("40065"))),
        "get_by_participants" => {
            assert_eq!(recorded["query"].as_object_mut().unwrap().remove("seq_id"), Some(json!(2_580_572)));
        }
        // Its caller has to know which emoji is taken back; an account has one reaction only, and the realtime command
        // has none either.
        "reaction_remove" => recorded["body"]["form"]["emoji"] = json!(""),
        // Written as Python writes it; the app's own spelling leaves no doubt what is meant.
        "hide" => {
            let asked = &mut recorded["body"]["form"]["should_move_future_requests_to_spam"];
            assert_eq!(*asked, json!(false));
            *asked = json!("false");
        }
        // An emulator, whatever the user agent says; ours is the phone of the user agent.
        "attachment_video" => {
            recorded["body"]["signed_json"]["device"] = json!({
                "manufacturer": "Google", "model": "Pixel 8 Pro", "android_version": 34, "android_release": "14"
            });
        }
        _ => {}
    }
    recorded
}

/// Recorded by running instagrapi, and not asked by us.
const NOT_OURS: [(&str, &str); 13] = [
    ("inbox_unread", "a filtered inbox: the whole one says what is unread"),
    ("pending_preview", "counters only: the pending inbox itself is read"),
    ("send_link", "over HTTP a link goes as text, whose echo keeps the client context also in groups"),
    ("mute_video_call", "Matrix has no such setting"),
    ("message_search", "rooms are searched in Matrix"),
    ("presence_active", "presence comes over the realtime connection"),
    ("presence_fetch", "presence comes over the realtime connection"),
    ("media_share", "nothing in Matrix becomes a shared post"),
    ("story_share", "nothing in Matrix becomes a shared story"),
    ("profile_share", "nothing in Matrix becomes a shared profile"),
    ("thread_media", "the thread's pages hold the same media, in order"),
    ("channels", "broadcast channels are threads in the inbox"),
    ("logout", "mautrix's form: it forbids to log in again with one tap, which this one allows"),
];

#[test]
fn requests_equal_those_of_instagrapi() {
    let mut left: BTreeSet<_> = NOT_OURS.iter().map(|(name, _)| (*name).to_owned()).collect();
    for (name, ours) in ours() {
        compare(&ours, &recorded(name));
        assert!(left.insert(name.to_owned()), "{name}");
    }
    for case in cases("http_requests_instagrapi") {
        let name = case["name"].as_str().unwrap();
        assert!(left.remove(name), "{name} is neither compared nor excused");
    }
    assert!(left.is_empty(), "not recorded: {left:?}");
}

/// Recorded by running mautrix-instagram, and not asked by us in that form.
const NOT_OURS_EITHER: [(&str, &str); 17] = [
    ("inbox_initial", "instagrapi's later form"),
    ("inbox_page", "instagrapi's later form"),
    ("pending_inbox", "instagrapi's later form"),
    ("spam_inbox", "instagrapi's later form"),
    ("create_group", "instagrapi's later form"),
    ("delete_item", "instagrapi's later form"),
    ("user_search", "instagrapi's later form"),
    ("broadcast_photo_attachment", "instagrapi's later form"),
    ("broadcast_voice_attachment", "instagrapi's later form"),
    ("broadcast_video_attachment", "instagrapi's later form is another endpoint, `raven_attachment`"),
    ("broadcast_giphy", "Matrix has no ids of that service: what is animated there is a file"),
    ("approve_multiple", "requests are accepted one by one"),
    ("login", "logins come from a browser"),
    ("two_factor_totp", "logins come from a browser"),
    ("two_factor_sms", "logins come from a browser"),
    ("resend_2fa_sms", "logins come from a browser"),
    ("mobileconfig", "logins come from a browser"),
];

#[test]
fn requests_equal_those_of_mautrix() {
    let thread_id = || THREAD.to_owned();
    let ours = [
        ("current_user", request(&CurrentUser)),
        ("fetch_clip", request(&ClipItem { clips_media_id: "123".to_owned() })),
        ("thread_page", request(&GetThread { thread_id: thread_id(), cursor: Some("CUR".to_owned()), limit: 20 })),
        ("approve", request(&ApproveThread { thread_id: thread_id() })),
        ("logout", request(&Logout)),
    ];
    let mut left: BTreeSet<_> = NOT_OURS_EITHER.iter().map(|(name, _)| (*name).to_owned()).collect();
    for (name, ours) in ours {
        let mut recorded = case("http_requests_mautrix", name)["output"].clone();
        // It also sends its cursor as `seq_id`, which a thread page does not need.
        let url = recorded["url"].as_str().unwrap().replace("&seq_id=1234", "");
        recorded["url"] = url.replace("/T/", &format!("/{THREAD}/")).into();
        // Its device is another.
        let mut form = recorded["form"].clone();
        if form.get("_uuid").is_some() {
            form["_uuid"] = json!(UUID);
        }
        recorded["body"] = match form["signed_body"].as_str().map(str::to_owned) {
            None => json!({ "form": form }),
            Some(signed) => {
                let mut signed: Json = serde_json::from_str(signed.strip_prefix("SIGNATURE.").unwrap()).unwrap();
                let device = session().device;
                for (key, value) in
                    [("guid", UUID), ("_uuid", UUID), ("phone_id", &device.phone_id), ("device_id", &device.android_id)]
                {
                    assert!(signed[key].is_string());
                    signed[key] = json!(value);
                }
                json!({ "signed_json": signed })
            }
        };
        compare(&ours, &recorded);
        assert!(left.insert(name.to_owned()), "{name}");
    }
    for case in cases("http_requests_mautrix") {
        let name = case["name"].as_str().unwrap();
        assert!(left.remove(name) || name.starts_with("upload_"), "{name} is neither compared nor excused");
    }
    assert!(left.is_empty(), "not recorded: {left:?}");
}

#[test]
fn unrecorded_requests_have_the_documented_address_and_form() {
    let thread_id = || THREAD.to_owned();
    let users = || vec!["42".to_owned(), "43".to_owned()];
    let edit = EditText {
        thread_id: thread_id(),
        item_id: "30076".to_owned(),
        text: "new".to_owned(),
        original_client_context: "7400".to_owned(),
    };
    let members = json!({ "_uuid": UUID, "user_ids": r#"["42","43"]"# });
    let device = json!({ "_uuid": UUID });
    let edited = json!({ "_uuid": UUID, "body": "new", "original_message_client_context": "7400" });
    for (ours, path, form) in [
        (request(&edit), "items/30076/edit", &edited),
        (request(&DeclineThread { thread_id: thread_id() }), "decline", &device),
        (request(&LeaveThread { thread_id: thread_id() }), "leave", &device),
        (request(&RemoveUsers { thread_id: thread_id(), users: users() }), "remove_users", &members),
        (request(&AddAdmins { thread_id: thread_id(), users: users() }), "add_admins", &members),
        (request(&RemoveAdmins { thread_id: thread_id(), users: users() }), "remove_admins", &members),
    ] {
        let url = format!("https://i.instagram.com/api/v1/direct_v2/threads/{THREAD}/{path}/");
        compare(&ours, &json!({ "method": "POST", "url": url, "body": { "form": form } }));
    }
}

#[test]
fn a_groups_picture_is_set_by_a_stored_mutation() {
    let request = request(&SetThreadImage {
        thread_id: "17840000000000001".to_owned(),
        attachment_fbid: "17900000000000009".to_owned(),
        client_context: CLIENT_CONTEXT.to_owned(),
    });
    assert_eq!(
        (request.method().as_str(), request.uri().to_string().as_str()),
        ("POST", "https://i.instagram.com/graphql_www")
    );
    let form = pairs(request.body());
    let variables: Json = serde_json::from_str(&form["variables"]).unwrap();
    let expected = json!({
        "ig_thread_igid": "17840000000000001",
        "offline_threading_id": CLIENT_CONTEXT,
        "attachment_fbid": "17900000000000009",
    });
    assert_eq!(variables, expected);
    assert_eq!(form["client_doc_id"], "5576567352987267181917649770");
    assert_eq!(request.headers()["x-client-doc-id"], "5576567352987267181917649770");
    assert_eq!(request.headers()["x-root-field-name"], "xig_direct_update_thread_image");
}

#[test]
fn attachments_may_answer_a_message() {
    let reply_to = Some(ReplyTo { item_id: "30075".to_owned(), client_context: "7400".to_owned() });
    let video = AttachmentKind::Video { upload_id: "1".to_owned(), width: 1, height: 1, duration_ms: 1 };
    let voice = AttachmentKind::Voice { upload_id: "1".to_owned(), waveform: vec![f32::NAN, -1.0, 7.0, 1.0e-8] };
    for kind in [AttachmentKind::Photo, video, voice] {
        let form = pairs(request(&BroadcastAttachment { reply_to: reply_to.clone(), ..attachment(kind) }).body());
        let fields: Json = match form.get("signed_body") {
            Some(signed) => serde_json::from_str(signed.strip_prefix("SIGNATURE.").unwrap()).unwrap(),
            None => json!(form),
        };
        assert_eq!(
            (&fields["replied_to_item_id"], &fields["replied_to_client_context"]),
            (&json!("30075"), &json!("7400"))
        );
        if let Some(waveform) = fields["waveform"].as_str() {
            let heights: Vec<f32> = serde_json::from_str(waveform).unwrap();
            assert_eq!(heights, [0.0, 0.0, 1.0, 1.0e-8], "whatever is given, it is JSON");
        }
    }
}

#[test]
fn strange_ids_stay_in_their_place() {
    let uri = request(&GetThread { thread_id: "../../a b/c?d#e".to_owned(), cursor: None, limit: 5 }).uri().clone();
    assert_eq!(uri.path(), "/api/v1/direct_v2/threads/..%2F..%2Fa%20b%2Fc%3Fd%23e/");
    let uri = request(&UserByName { username: "a/../b".to_owned() }).uri().clone();
    assert_eq!(uri.path(), "/api/v1/users/a%2F..%2Fb/usernameinfo/");
    let text = BroadcastText {
        thread_id: "x\"]".to_owned(),
        client_context: "7".to_owned(),
        mentions: vec!["42".to_owned(), "43".to_owned()],
        ..text("a&b=c")
    };
    let form = pairs(request(&text).body());
    assert_eq!((form["thread_ids"].as_str(), form["text"].as_str()), (r#"["x\"]"]"#, "a&b=c"));
    assert_eq!(form["mentioned_user_ids"], r#"["42","43"]"#);
}

#[test]
fn endpoints_do_not_show_what_people_write_and_look_for() {
    let planted = || "planted".to_owned();
    let shown = [
        format!("{:?}", text("planted")),
        format!("{:?}", BroadcastTextToUsers { users: Vec::new(), text: planted(), client_context: String::new() }),
        format!("{:?}", React { emoji: Some(planted()), ..reaction(None) }),
        format!("{:?}", RenameThread { thread_id: String::new(), title: planted() }),
        format!("{:?}", CreateGroup { users: Vec::new(), title: Some(planted()), client_context: String::new() }),
        format!("{:?}", SearchUsers { query: planted() }),
        format!("{:?}", RankedRecipients { query: planted() }),
        format!("{:?}", UserByName { username: planted() }),
        format!(
            "{:?}",
            EditText {
                thread_id: String::new(),
                item_id: String::new(),
                text: planted(),
                original_client_context: String::new(),
            }
        ),
    ];
    assert!(shown.iter().all(|shown| !shown.contains("planted")), "{shown:?}");
}

#[test]
fn a_base_address_may_have_a_port_and_a_path() {
    let context = Context { api_url: Url::parse("https://127.0.0.1:8443/proxy").unwrap(), ..context() };
    let uri = CurrentUser.request(&session(), &context).uri().to_string();
    assert_eq!(uri, "https://127.0.0.1:8443/proxy/api/v1/accounts/current_user/?edit=true");
}

#[test]
fn a_request_repeated_is_the_same_request() {
    let (one, two) = (request(&PendingInbox { cursor: None }), request(&PendingInbox { cursor: None }));
    assert_eq!((one.uri(), one.headers()), (two.uri(), two.headers()));
    assert!(is_uuid(&pairs(one.uri().query().unwrap().as_bytes())["request_session_id"]));
}
