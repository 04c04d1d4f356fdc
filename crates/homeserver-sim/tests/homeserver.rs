//! The homeserver as its users see it: over HTTP, and as a program.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail by panicking, as tests do")]

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use homeserver_sim::{Appservice, Fault, Homeserver, Options, User};
use http::{Method, StatusCode};
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_secs(10);

struct World {
    homeserver: Homeserver,
    http: reqwest::Client,
    alice: User,
    bob: User,
}

impl World {
    async fn start(options: Options) -> Self {
        let homeserver = Homeserver::start(options).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let alice = homeserver.register("alice", "pw").unwrap();
        let bob = homeserver.register("bob", "pw").unwrap();
        Self { homeserver, http, alice, bob }
    }

    async fn request(&self, method: Method, token: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.homeserver.url());
        let request = self.http.request(method.clone(), url).bearer_auth(token);
        let request = if method == Method::GET { request } else { request.json(&body) };
        let answer = request.send().await.unwrap();
        (answer.status(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null))
    }

    async fn get(&self, user: &User, path: &str) -> Value {
        let (status, body) = self.request(Method::GET, &user.token, path, Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }
}

/// A program that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Fails when it has ended already, as it should have.
        let _ended_already = self.0.kill();
        let _status = self.0.wait();
    }
}

fn bodies(events: &Value) -> Vec<&str> {
    events.as_array().unwrap().iter().filter_map(|event| event["content"]["body"].as_str()).collect()
}

#[tokio::test]
async fn an_account_is_made_and_used_by_password() {
    let world = World::start(Options::default()).await;
    let v3 = "/_matrix/client/v3";
    let new = json!({ "username": "carol", "password": "secret", "auth": { "type": "m.login.dummy" } });
    let (status, made) = world.request(Method::POST, "", &format!("{v3}/register"), new.clone()).await;
    assert_eq!((status, &made["user_id"]), (StatusCode::OK, &json!("@carol:sim.test")));
    let (status, again) = world.request(Method::POST, "", &format!("{v3}/register"), new).await;
    assert_eq!((status, &again["errcode"]), (StatusCode::BAD_REQUEST, &json!("M_USER_IN_USE")));
    let login = |password: &str| {
        let identifier = json!({ "type": "m.id.user", "user": "carol" });
        json!({ "type": "m.login.password", "identifier": identifier, "password": password })
    };
    let (status, _) = world.request(Method::POST, "", &format!("{v3}/login"), login("wrong")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (_, session) = world.request(Method::POST, "", &format!("{v3}/login"), login("secret")).await;
    let carol = User { id: "@carol:sim.test".into(), token: session["access_token"].as_str().unwrap().into() };
    assert_eq!(world.get(&carol, &format!("{v3}/account/whoami")).await["user_id"], "@carol:sim.test");
    world.request(Method::POST, &carol.token, &format!("{v3}/logout"), json!({})).await;
    let (status, body) = world.request(Method::GET, &carol.token, &format!("{v3}/account/whoami"), json!({})).await;
    assert_eq!((status, &body["errcode"]), (StatusCode::UNAUTHORIZED, &json!("M_UNKNOWN_TOKEN")));
}

#[tokio::test]
async fn a_client_follows_a_room_from_invitation_to_leave() {
    let world = World::start(Options::default()).await;
    let (homeserver, alice, bob) = (&world.homeserver, &world.alice, &world.bob);
    let sync = async |since: &Value, timeout: u64| {
        let since = since.as_str().map(|since| format!("&since={since}")).unwrap_or_default();
        world.get(bob, &format!("/_matrix/client/v3/sync?timeout={timeout}{since}")).await
    };
    let first = sync(&Value::Null, 0).await;
    let room = homeserver.create_room(&alice.id, &[]).unwrap();
    homeserver.send_text(&room, &alice.id, "before").unwrap();
    homeserver.invite(&room, &alice.id, &bob.id).unwrap();
    let invited = sync(&first["next_batch"], 0).await;
    assert!(invited["rooms"]["invite"][&room]["invite_state"]["events"].as_array().unwrap().len() >= 3);
    assert_eq!(invited["rooms"]["join"], json!({}));

    homeserver.join(&room, &bob.id).unwrap();
    let joined = sync(&invited["next_batch"], 0).await;
    let shown = &joined["rooms"]["join"][&room];
    assert_eq!(bodies(&shown["timeline"]["events"]), ["before"]);

    // The long poll ends with the message, not with its time-out.
    let waiting = sync(&joined["next_batch"], 60_000);
    let (told, _) = tokio::join!(tokio::time::timeout(DEADLINE, waiting), async {
        tokio::task::yield_now().await;
        homeserver.send_text(&room, &alice.id, "now").unwrap()
    });
    let told = told.unwrap();
    assert_eq!(bodies(&told["rooms"]["join"][&room]["timeline"]["events"]), ["now"]);
    assert_eq!(told["rooms"]["join"][&room]["state"]["events"], json!([]));

    let path = format!("/_matrix/client/v3/rooms/{room}/leave");
    world.request(Method::POST, &bob.token, &path, json!({})).await;
    let left = sync(&told["next_batch"], 0).await;
    assert!(left["rooms"]["leave"][&room].is_object());
}

#[tokio::test]
async fn history_is_read_back_page_by_page() {
    let world = World::start(Options::default()).await;
    let room = world.homeserver.create_room(&world.alice.id, &[]).unwrap();
    world.homeserver.burst(&world.alice.id, std::slice::from_ref(&room), 25, "m").unwrap();
    let (mut seen, mut from) = (Vec::new(), String::new());
    loop {
        let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=10{from}");
        let page = world.get(&world.alice, &path).await;
        seen.extend(bodies(&page["chunk"]).into_iter().map(str::to_owned));
        let Some(end) = page["end"].as_str() else { break };
        from = format!("&from={end}");
    }
    let expected: Vec<String> = (0..25).rev().map(|n| format!("m{n}")).collect();
    assert_eq!(seen, expected);
    let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=b");
    let (status, _) = world.request(Method::GET, &world.bob.token, &path, json!({})).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_users_transaction_id_makes_one_event() {
    let world = World::start(Options::default()).await;
    let room = world.homeserver.create_room(&world.alice.id, &[&world.bob.id]).unwrap();
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/1");
    let send = async |user: &User| world.request(Method::PUT, &user.token, &path, json!({ "body": "x" })).await.1;
    let first = send(&world.alice).await;
    assert_eq!(send(&world.alice).await, first);
    assert_ne!(send(&world.bob).await, first);
    let array = world.request(Method::PUT, &world.alice.token, &format!("{path}2"), json!([])).await;
    assert_eq!(array.1["errcode"], "M_BAD_JSON");
}

#[tokio::test]
async fn media_come_back_as_they_were() {
    let world = World::start(Options { upload_limit: 1000, ..Options::default() }).await;
    let url = world.homeserver.url();
    let put = async |method: Method, path: String, body: Vec<u8>| {
        let request = world.http.request(method, path).bearer_auth(&world.alice.token);
        let answer = request.header("content-type", "image/png").body(body).send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    let (_, uploaded) = put(Method::POST, format!("{url}/_matrix/media/v3/upload"), vec![1, 2, 3]).await;
    let (_, created) = put(Method::POST, format!("{url}/_matrix/media/v1/create"), Vec::new()).await;
    let path = |uri: &Value| uri["content_uri"].as_str().unwrap().strip_prefix("mxc://").unwrap().to_owned();
    let fill = format!("{url}/_matrix/media/v3/upload/{}", path(&created));
    assert_eq!(put(Method::PUT, fill.clone(), vec![4]).await.0, StatusCode::OK);
    assert_eq!(put(Method::PUT, fill, vec![5]).await.0, StatusCode::CONFLICT);
    for (uri, bytes) in [(&uploaded, vec![1, 2, 3]), (&created, vec![4])] {
        let download = format!("{url}/_matrix/client/v1/media/download/{}", path(uri));
        let answer = world.http.get(download).bearer_auth(&world.bob.token).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "image/png");
        assert_eq!(answer.bytes().await.unwrap(), bytes);
    }
    let (status, body) = put(Method::POST, format!("{url}/_matrix/media/v3/upload"), vec![0; 1001]).await;
    assert_eq!((status, &body["errcode"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("M_TOO_LARGE")));
}

#[tokio::test]
async fn an_appservice_stays_inside_its_namespace() {
    let appservice = Appservice::default();
    let token = appservice.as_token.clone();
    let world = World::start(Options { appservice: Some(appservice), ..Options::default() }).await;
    let register = async |name: &str| {
        let body = json!({ "type": "m.login.application_service", "username": name, "inhibit_login": true });
        world.request(Method::POST, &token, "/_matrix/client/v3/register", body).await.1
    };
    assert_eq!(register("instagram_1").await, json!({ "user_id": "@instagram_1:sim.test" }));
    assert_eq!(register("instagram_1").await["errcode"], "M_USER_IN_USE");
    assert_eq!(register("carol").await["errcode"], "M_EXCLUSIVE");
    let whoami = async |user: &str| {
        let path = format!("/_matrix/client/v3/account/whoami?user_id={user}");
        world.request(Method::GET, &token, &path, json!({})).await
    };
    assert_eq!(whoami("@instagram_1:sim.test").await.0, StatusCode::OK);
    assert_eq!(whoami("@instagram_2:sim.test").await.0, StatusCode::FORBIDDEN);
    assert_eq!(whoami("@alice:sim.test").await.0, StatusCode::FORBIDDEN);
    let levels = json!({ "power_level_content_override": { "users": { "@instagrambot:sim.test": 100 } } });
    register("instagrambot").await;
    let path = "/_matrix/client/v3/createRoom?user_id=@instagrambot:sim.test";
    let (status, body) = world.request(Method::POST, &token, path, levels).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "room version 12 refuses creators among the users: {body}");
}

#[tokio::test]
async fn faults_strike_as_often_as_told() {
    let world = World::start(Options::default()).await;
    let whoami = || world.request(Method::GET, &world.alice.token, "/_matrix/client/v3/account/whoami", json!({}));
    world.homeserver.inject("whoami", 1, Fault::RateLimit { retry_after: Duration::from_millis(7) });
    let (status, body) = whoami().await;
    assert_eq!((status, &body["retry_after_ms"]), (StatusCode::TOO_MANY_REQUESTS, &json!(7)));
    world.homeserver.inject("whoami", 1, Fault::Status(502));
    assert_eq!(whoami().await.0, StatusCode::BAD_GATEWAY);
    assert_eq!(whoami().await.0, StatusCode::OK);
    world.homeserver.pause();
    assert_eq!(whoami().await.0, StatusCode::SERVICE_UNAVAILABLE);
    world.homeserver.resume();
    assert_eq!(whoami().await.0, StatusCode::OK);
    assert_eq!(world.homeserver.requests()["GET /_matrix/client/v3/account/whoami"], 5);
}

#[test]
fn the_program_is_driven_over_http_and_ends_when_asked() {
    let program = env!("CARGO_BIN_EXE_homeserver-sim");
    let help = Command::new(program).arg("--help").output().unwrap();
    assert!(String::from_utf8(help.stdout).unwrap().contains("/_sim/burst"));

    let child = Command::new(program).args(["--as-token", "t"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut child = Running(child);
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    let address = ready["address"].as_str().unwrap();

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let _installed_already = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let post = async |path: &str, token: &str, body: Value| {
            let request = http.post(format!("{address}{path}")).bearer_auth(token).json(&body);
            request.send().await.unwrap().json::<Value>().await.unwrap()
        };
        let get = async |path: String| {
            http.get(format!("{address}{path}")).send().await.unwrap().json::<Value>().await.unwrap()
        };
        let user = post("/_sim/user", "", json!({ "name": "alice" })).await;
        let token = user["access_token"].as_str().unwrap();
        let mut rooms = Vec::new();
        for _ in 0..2 {
            rooms.push(post("/_matrix/client/v3/createRoom", token, json!({})).await["room_id"].clone());
        }
        let burst = json!({ "user": "@alice:sim.test", "rooms": rooms, "count": 501, "prefix": "m" });
        assert_eq!(post("/_sim/burst", "", burst).await["event_ids"].as_array().unwrap().len(), 501);
        let first = rooms[0].as_str().unwrap();
        assert_eq!(get(format!("/_sim/wait?room={first}&count=251")).await["count"], 251);
        assert_eq!(get("/_sim/wait?count=501&sender=@alice:sim.test".to_owned()).await["count"], 501);
        let short = get("/_sim/wait?count=1&not_sender=@alice:sim.test&timeout=1".to_owned()).await;
        assert_eq!(short["errcode"], "M_TIMEOUT");
        let events = get(format!("/_sim/events?room={first}")).await;
        assert_eq!(bodies(&events)[..3], ["m0", "m2", "m4"]);
        assert_eq!(get("/_sim/stats".to_owned()).await["requests"]["POST /_matrix/client/v3/createRoom"], 2);
    });

    assert!(Command::new("kill").args(["-TERM", &child.0.id().to_string()]).status().unwrap().success());
    assert!(child.0.wait().unwrap().success());
}
