//! Requests of the client, the usual and the unlucky ones.

use std::time::Duration;

use homeserver_sim::{Fault, Homeserver};
use ruma::{OwnedEventId, OwnedRoomId};
use serde_json::json;

use super::{AS_TOKEN, Client, DEADLINE, client, homeserver, options, user};
use crate::{
    domain::ids::{RequestId, Timestamp},
    matrix::{ClientError, HomeserverError, Intent, NewRoom, REQUEST_KEY},
};

/// A homeserver with a bot, a ghost and a room of both.
async fn world() -> (Homeserver, Client, Intent, OwnedRoomId) {
    let homeserver = homeserver().await;
    let client = client(&homeserver);
    client.ensure_registered(client.bot()).await.unwrap();
    let ghost = user("instagram_1");
    client.ensure_registered(&ghost).await.unwrap();
    let room = client.create_room(&NewRoom { invite: vec![ghost.clone()], ..NewRoom::default() }).await.unwrap();
    client.ensure_joined(&ghost, &room).await.unwrap();
    (homeserver, client, Intent::As(ghost), room)
}

async fn send(client: &Client, intent: &Intent, room: &OwnedRoomId, id: &str) -> Result<OwnedEventId, HomeserverError> {
    let content = json!({ "msgtype": "m.text", "body": id });
    client.send(intent, room, "m.room.message", &content, &RequestId::new(id), Some(Timestamp(1_500_000_000_123))).await
}

fn count(homeserver: &Homeserver, endpoint: &str) -> u64 {
    homeserver.requests().iter().filter(|(name, _)| name.contains(endpoint)).map(|(_, count)| count).sum()
}

#[tokio::test]
async fn an_event_carries_its_sender_time_and_request_id() {
    let (homeserver, client, ghost, room) = world().await;
    let id = send(&client, &ghost, &room, "v1.abc").await.unwrap();
    let event = homeserver.events(room.as_str()).pop().unwrap();
    assert_eq!(event["event_id"], id.as_str());
    assert_eq!(event["sender"], "@instagram_1:sim.test");
    assert_eq!(event["origin_server_ts"], 1_500_000_000_123_i64);
    assert_eq!(event["content"][REQUEST_KEY], "v1.abc");
    assert_eq!(event["content"]["body"], "v1.abc");
}

#[tokio::test]
async fn a_repeated_send_is_the_same_event() {
    let (homeserver, client, ghost, room) = world().await;
    let first = send(&client, &ghost, &room, "v1.abc").await.unwrap();
    assert_eq!(send(&client, &ghost, &room, "v1.abc").await.unwrap(), first);
    let before = homeserver.events(room.as_str()).len();
    homeserver.forget_transactions();
    assert_ne!(send(&client, &ghost, &room, "v1.abc").await.unwrap(), first);
    assert_eq!(homeserver.events(room.as_str()).len(), before + 1);
}

#[tokio::test]
async fn what_was_sent_is_found_again_and_a_forged_request_id_is_not() {
    let (homeserver, client, ghost, room) = world().await;
    let first = send(&client, &ghost, &room, "v1.first").await.unwrap();
    let alice = homeserver.register("alice", "pw").unwrap();
    client.invite(&room, &user("alice")).await.unwrap();
    homeserver.join(room.as_str(), &alice.id).unwrap();
    let forged = json!({ "body": "x", REQUEST_KEY: "v1.forged" });
    homeserver.send(room.as_str(), &alice.id, "m.room.message", &forged).unwrap();
    homeserver.send(room.as_str(), &alice.id, "m.room.message", &json!({ REQUEST_KEY: 3 })).unwrap();
    for n in 0..250 {
        homeserver.send_text(room.as_str(), &alice.id, &n.to_string()).unwrap();
    }
    let last = send(&client, &Intent::Bot, &room, "v1.last").await.unwrap();
    let wanted = ["v1.first", "v1.last", "v1.forged", "v1.never"].map(RequestId::new);
    let found = client.find_sent(&room, &wanted, &[]).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[&RequestId::new("v1.first")], first);
    assert_eq!(found[&RequestId::new("v1.last")], last);
    assert_eq!(count(&homeserver, "/messages"), 3);
}

#[tokio::test]
async fn a_lost_answer_is_the_callers_to_look_up() {
    let (homeserver, client, ghost, room) = world().await;
    let before = homeserver.events(room.as_str()).len();
    homeserver.inject("/send/", 1, Fault::LoseAnswer);
    let error = send(&client, &ghost, &room, "v1.abc").await.unwrap_err();
    assert!(matches!(error, HomeserverError::Unreachable(_)), "{error:?}");
    assert!(error.is_transient());
    assert_eq!(homeserver.events(room.as_str()).len(), before + 1);
}

#[tokio::test]
async fn a_short_wait_is_waited_and_a_long_one_is_the_callers() {
    let (homeserver, client, ghost, room) = world().await;
    homeserver.inject("/send/", 2, Fault::RateLimit { retry_after: Duration::from_millis(5) });
    send(&client, &ghost, &room, "v1.abc").await.unwrap();
    homeserver.inject("/send/", 1, Fault::RateLimit { retry_after: Duration::from_secs(60) });
    let error = send(&client, &ghost, &room, "v1.def").await.unwrap_err();
    assert_eq!(error, HomeserverError::RateLimited { retry_after: Some(Duration::from_secs(60)) });
    homeserver.inject("/send/", 9, Fault::RateLimit { retry_after: Duration::from_millis(1) });
    let before = count(&homeserver, "/send/");
    assert!(send(&client, &ghost, &room, "v1.ghi").await.is_err());
    assert_eq!(count(&homeserver, "/send/") - before, 4);
}

#[tokio::test]
async fn a_homeserver_in_trouble_is_worth_another_try() {
    let (homeserver, client, ghost, room) = world().await;
    homeserver.pause();
    let error = send(&client, &ghost, &room, "v1.abc").await.unwrap_err();
    assert_eq!(error, HomeserverError::Server { status: 503, errcode: String::new() });
    assert!(error.is_transient());
    homeserver.resume();
    homeserver.close();
    let refused = async {
        loop {
            match send(&client, &ghost, &room, "v1.abc").await {
                Err(error @ HomeserverError::Unreachable(_)) => return error,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    let error = tokio::time::timeout(DEADLINE, refused).await.unwrap();
    assert!(error.is_transient());
    homeserver.open();
    let reopened = async {
        while send(&client, &ghost, &room, "v1.def").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, reopened).await.unwrap();
}

#[tokio::test]
async fn a_late_answer_is_a_timeout() {
    let (homeserver, _, ghost, room) = world().await;
    let mut options = options(&homeserver.url());
    options.timeout = Duration::from_millis(50);
    let client = Client::new(options).unwrap();
    homeserver.inject("/send/", 1, Fault::Delay(Duration::from_secs(5)));
    assert_eq!(send(&client, &ghost, &room, "v1.abc").await, Err(HomeserverError::Timeout));
}

#[tokio::test]
async fn a_second_room_under_the_same_alias_is_refused_and_the_first_is_found() {
    let (homeserver, client, ..) = world().await;
    let room = NewRoom { alias_localpart: Some("instagram_t=abc".into()), ..NewRoom::default() };
    assert_eq!(client.resolve_alias("instagram_t=abc").await, Ok(None));
    let first = client.create_room(&room).await.unwrap();
    assert_eq!(client.create_room(&room).await, Err(HomeserverError::AliasInUse));
    // As Synapse says it to the later of two that found the alias free.
    homeserver.inject("createRoom", 1, Fault::Refuse { status: 409, errcode: "M_UNKNOWN".into() });
    assert_eq!(client.create_room(&room).await, Err(HomeserverError::AliasInUse));
    assert_eq!(client.resolve_alias("instagram_t=abc").await, Ok(Some(first)));
    client.remove_alias("instagram_t=abc").await.unwrap();
    client.remove_alias("instagram_t=abc").await.unwrap();
    client.create_room(&room).await.unwrap();
}

#[tokio::test]
async fn a_room_is_made_whole_and_the_bot_keeps_its_power() {
    let (homeserver, client, ..) = world().await;
    let bridge = json!({ "bridgebot": client.bot(), "channel": { "id": "1" } });
    let room = NewRoom {
        name: Some("Anna".into()),
        topic: Some("Instagram".into()),
        is_direct: true,
        invite: vec![user("alice")],
        initial_state: vec![json!({ "type": "m.bridge", "state_key": "ig/1", "content": bridge })],
        power_levels: Some(json!({ "users": { client.bot(): 100, "@instagram_1:sim.test": 50 }, "invite": 50 })),
        ..NewRoom::default()
    };
    let room = client.create_room(&room).await.unwrap();
    assert_eq!(client.state(&room, "m.bridge", "ig/1").await, Ok(Some(bridge)));
    assert_eq!(client.state(&room, "m.room.name", "").await, Ok(Some(json!({ "name": "Anna" }))));
    let levels = client.state(&room, "m.room.power_levels", "").await.unwrap().unwrap();
    assert_eq!(levels["users"], json!({ "@instagram_1:sim.test": 50 }));
    assert_eq!(homeserver.state(room.as_str(), "m.room.member", "@alice:sim.test").unwrap()["is_direct"], true);
    assert_eq!(client.state(&room, "m.room.avatar", "").await, Ok(None));
}

#[tokio::test]
async fn a_ghost_gets_into_a_room_whatever_is_missing() {
    let (_homeserver, client, _, room) = world().await;
    let ghost = user("instagram_never_seen");
    client.ensure_joined(&ghost, &room).await.unwrap();
    client.ensure_joined(&ghost, &room).await.unwrap();
    let mut members = client.joined_members(&room).await.unwrap();
    members.sort();
    assert_eq!(members, [user("instagram_1"), ghost.clone(), user("instagrambot")]);
    client.kick(&room, &ghost, Some("left the thread")).await.unwrap();
    client.ensure_joined(&ghost, &room).await.unwrap();
    client.leave(&Intent::As(ghost), &room).await.unwrap();
    assert_eq!(client.joined_members(&room).await.unwrap().len(), 2);
}

#[tokio::test]
async fn names_pictures_and_media_arrive() {
    let (homeserver, client, ..) = world().await;
    let ghost = user("instagram_1");
    let picture = client.upload("picture".into(), "image/png", Some("ä b.png")).await.unwrap();
    client.set_displayname(&ghost, "Ann\u{e4} \u{1f600}").await.unwrap();
    client.set_avatar(&ghost, &picture).await.unwrap();
    let profile = homeserver.profile(ghost.as_str()).unwrap();
    assert_eq!(profile, (Some("Ann\u{e4} \u{1f600}".into()), Some(picture.to_string())));
    let download = client.download(&picture).await.unwrap();
    assert_eq!((&download.bytes[..], download.content_type.as_deref()), (&b"picture"[..], Some("image/png")));
    let unknown = "mxc://sim.test/unknown".into();
    assert_eq!(client.download(unknown).await.unwrap_err(), HomeserverError::NotFound);
}

#[tokio::test]
async fn redactions_receipts_and_typing_are_taken() {
    let (homeserver, client, ghost, room) = world().await;
    let event = send(&client, &ghost, &room, "v1.abc").await.unwrap();
    let user = client.user_of(&ghost);
    client.send_receipt(user, &room, &event).await.unwrap();
    client.start_typing(user, &room, Duration::from_secs(5)).await.unwrap();
    client.stop_typing(user, &room).await.unwrap();
    let request = RequestId::new("v1.redact");
    let first = client.redact(&ghost, &room, &event, &request, Some("unsent")).await.unwrap();
    assert_eq!(client.redact(&ghost, &room, &event, &request, Some("unsent")).await.unwrap(), first);
    let events = homeserver.events(room.as_str());
    let redacted = events.iter().find(|found| found["event_id"] == event.as_str()).unwrap();
    assert_eq!(redacted["content"], json!({}));
}

#[tokio::test]
async fn refusals_say_what_they_are() {
    let (_homeserver, client, ghost, room) = world().await;
    client.leave(&ghost, &room).await.unwrap();
    let error = send(&client, &ghost, &room, "v1.abc").await.unwrap_err();
    assert!(matches!(error, HomeserverError::Forbidden(_)) && !error.is_transient(), "{error:?}");
    let content = json!({ "body": "x".repeat(70_000) });
    let request = RequestId::new("v1.def");
    let sent = client.send(&Intent::Bot, &room, "m.room.message", &content, &request, None).await;
    assert_eq!(sent, Err(HomeserverError::TooLarge));
    let foreign = client.ensure_registered(&user("alice")).await;
    assert!(matches!(foreign, Err(HomeserverError::Refused { errcode, .. }) if errcode == "M_EXCLUSIVE"));
}

#[tokio::test]
async fn odd_ids_keep_their_shape_on_the_way() {
    let (homeserver, client, ghost, room) = world().await;
    let key = "instagram://thread/1?a=b&c=d#e f%2F+é";
    client.set_state(&Intent::Bot, &room, "dev.puppetgram.x", key, &json!({ "a": 1 }), None).await.unwrap();
    assert_eq!(homeserver.state(room.as_str(), "dev.puppetgram.x", key), Some(json!({ "a": 1 })));
    assert_eq!(client.state(&room, "dev.puppetgram.x", key).await, Ok(Some(json!({ "a": 1 }))));
    send(&client, &ghost, &room, "a/b?c=d#e").await.unwrap();
    assert_eq!(homeserver.events(room.as_str()).pop().unwrap()["content"]["body"], "a/b?c=d#e");
}

#[tokio::test]
async fn no_error_and_no_debug_text_shows_a_token() {
    let homeserver = homeserver().await;
    let options = options(&homeserver.url());
    assert!(!format!("{options:?}").contains(AS_TOKEN));
    let client = Client::new(options).unwrap();
    assert!(!format!("{client:?}").contains(AS_TOKEN));
    drop(homeserver);
    let error = client.resolve_alias("instagram_x").await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("user_id"), "{error:?}");
}

#[test]
fn unusable_options_are_told_apart() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let wrong_scheme = options("ftp://matrix.example");
    assert!(matches!(Client::new(wrong_scheme), Err(ClientError::Address)));
    let mut wrong_token = options("http://matrix.example");
    wrong_token.as_token = "a\nb".into();
    assert!(matches!(Client::new(wrong_token), Err(ClientError::Token)));
    let mut wrong_authority = options("https://matrix.example");
    wrong_authority.ca_pem = Some(b"nothing".to_vec());
    assert!(matches!(Client::new(wrong_authority), Err(ClientError::Authority)));
}
