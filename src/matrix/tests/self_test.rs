//! Every way in which a homeserver can be set up wrongly ends in one sentence with the cure.

use std::time::Duration;

use axum::{Router, http::StatusCode, routing::get};
use homeserver_sim::{Appservice, Fault, Homeserver, Options};
use tokio::net::TcpListener;

use super::{Client, client, homeserver, listener, listener_with, options, registration, user};
use crate::matrix::SelfTestError;

/// The sentence of a self-test against a homeserver with some registration.
async fn told(registration: Appservice, change: impl FnOnce(&mut crate::matrix::ClientOptions)) -> SelfTestError {
    let homeserver = Homeserver::start(Options { appservice: Some(registration), ..Options::default() }).await.unwrap();
    let mut options = options(&homeserver.url());
    change(&mut options);
    Client::new(options).unwrap().self_test("instagram").await.unwrap_err()
}

#[expect(clippy::disallowed_methods, reason = "the task ends with the test's runtime")]
async fn other_server(router: Router) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(socket, router).await.unwrap() });
    url
}

#[tokio::test]
async fn a_good_setup_passes_and_registers_the_bot() {
    let (homeserver, listener) = (homeserver().await, listener().await);
    homeserver.set_appservice_url(Some(&listener.url));
    let passed = client(&homeserver).self_test("instagram").await.unwrap();
    assert!(passed.round_trip.unwrap() < Duration::from_secs(5));
    assert_eq!(passed.warning, None);
    assert!(homeserver.profile("@instagrambot:sim.test").is_some());
    client(&homeserver).self_test("instagram").await.unwrap();
}

#[tokio::test]
async fn a_homeserver_that_is_down() {
    let homeserver = homeserver().await;
    let client = client(&homeserver);
    homeserver.pause();
    let error = client.self_test("instagram").await.unwrap_err();
    assert!(matches!(error, SelfTestError::Down { .. }), "{error}");
    drop(homeserver);
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let error = Client::new(options(&address)).unwrap().self_test("instagram").await.unwrap_err();
    assert!(matches!(error, SelfTestError::Down { .. }), "{error}");
    let sentence = error.to_string();
    assert!(sentence.contains("refused") && sentence.contains("`homeserver.address`"), "{sentence}");
}

#[tokio::test]
async fn something_else_at_the_address() {
    let page = Router::new().fallback(|| async { "<html>a web page</html>" });
    let missing = Router::new().fallback(|| async { StatusCode::NOT_FOUND });
    for router in [page, missing] {
        let client = Client::new(options(&other_server(router).await)).unwrap();
        let error = client.self_test("instagram").await.unwrap_err();
        assert!(matches!(error, SelfTestError::NotMatrix { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_token_that_the_homeserver_does_not_know() {
    let error = told(registration(), |options| options.as_token = "another".into()).await;
    assert_eq!(error, SelfTestError::UnknownToken);
}

#[tokio::test]
async fn another_domain() {
    let error = told(registration(), |options| options.domain = "example.org".try_into().unwrap()).await;
    assert!(matches!(error, SelfTestError::WrongDomain { .. }));
    assert!(error.to_string().contains("`homeserver.domain: sim.test`"), "{error}");
}

#[tokio::test]
async fn a_registration_of_another_bot_or_id() {
    let error = told(registration(), |options| options.bot = user("otherbot")).await;
    assert!(matches!(error, SelfTestError::BotNotCovered { .. }), "{error}");
    let listener = listener().await;
    let other = Appservice { id: "other".into(), url: Some(listener.url.clone()), ..registration() };
    let error = told(other, |_| {}).await;
    assert_eq!(error, SelfTestError::WrongId { id: "instagram".into() });
}

#[tokio::test]
async fn a_homeserver_that_cannot_reach_us() {
    assert_eq!(told(registration(), |_| {}).await, SelfTestError::NoUrl);
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let error = told(Appservice { url: Some(url), ..registration() }, |_| {}).await;
    assert!(matches!(error, SelfTestError::ListenerUnreachable { .. }), "{error}");
}

#[tokio::test]
async fn another_hs_token_or_another_program_at_our_place() {
    let strict = listener_with("another", 1000).await;
    let error = told(Appservice { url: Some(strict.url.clone()), ..registration() }, |_| {}).await;
    assert_eq!(error, SelfTestError::WrongHsToken);
    let web = other_server(Router::new().route("/", get(|| async { "hello" }))).await;
    let error = told(Appservice { url: Some(web), ..registration() }, |_| {}).await;
    assert_eq!(error, SelfTestError::OtherListener { status: 404 });
}

#[tokio::test]
async fn an_old_homeserver_gives_a_warning() {
    let homeserver = homeserver().await;
    homeserver.inject("/ping", 1, Fault::Status(404));
    let passed = client(&homeserver).self_test("instagram").await.unwrap();
    assert_eq!(passed.round_trip, None);
    assert!(passed.warning.is_some());
}
