//! Logins, sessions, management rooms.

use super::world::{NOW, World, accept, cursor, direct, login, one, thread, two};
use crate::domain::ids::Timestamp;
use crate::domain::record::{Login, LoginState};
use crate::store::StoreError;

pub(super) async fn a_login_keeps_what_is_saved(world: &World) {
    let store = world.open().await;
    assert_eq!(store.login(&one()).await.unwrap(), None);
    store.save_login(&login("1", "@anna:example.com")).await.unwrap();
    let saved = Login {
        username: "renamed".to_owned(),
        state: LoginState::ActionRequired,
        reason: Some("open the app".to_owned()),
        created_at: Timestamp(NOW.0 + 9),
        ..login("1", "@anna:example.com")
    };
    store.save_login(&saved).await.unwrap();
    assert_eq!(store.login(&one()).await.unwrap().as_ref(), Some(&saved));
    store.close().await;
    assert_eq!(world.open().await.login(&one()).await.unwrap(), Some(saved));
}

pub(super) async fn logins_are_listed_by_user(world: &World) {
    let store = world.open_with_logins().await;
    store.save_login(&login("0", "@bert:example.com")).await.unwrap();
    let ids = |logins: Vec<Login>| logins.into_iter().map(|login| login.id.to_string()).collect::<Vec<_>>();

    assert_eq!(ids(store.logins().await.unwrap()), ["0", "1", "2"]);
    assert_eq!(ids(store.logins_of_user(ruma::user_id!("@bert:example.com")).await.unwrap()), ["0", "2"]);
    assert_eq!(ids(store.logins_of_user(ruma::user_id!("@carl:example.com")).await.unwrap()), [""; 0]);
}

pub(super) async fn a_login_changes_its_state(world: &World) {
    let store = world.open_with_logins().await;
    store.logins().await.unwrap();
    store.set_login_state(&one(), LoginState::LoggedOut, Some("expired")).await.unwrap();
    let changed = store.login(&one()).await.unwrap().unwrap();
    assert_eq!((changed.state, changed.reason.as_deref()), (LoginState::LoggedOut, Some("expired")));

    store.close().await;
    let store = world.open().await;
    assert_eq!(store.login(&one()).await.unwrap(), Some(changed));
    store.set_login_state(&one(), LoginState::Active, None).await.unwrap();
    assert_eq!(store.login(&one()).await.unwrap(), Some(login("1", "@anna:example.com")));
}

pub(super) async fn a_removed_login_leaves_nothing(world: &World) {
    let store = world.open_with_logins().await;
    accept(&store, 5, vec![]).await;
    store.save_session(&one(), "{}").await.unwrap();
    store.note_login_in_thread(&thread("t"), &one()).await.unwrap();
    store.note_login_in_thread(&thread("t"), &two()).await.unwrap();
    store.logins_in_thread(&thread("t")).await.unwrap();
    let portal = store.ensure_portal(&direct("t", &one())).await.unwrap();
    store.remove_login(&one()).await.unwrap();

    assert_eq!(store.login(&one()).await.unwrap(), None);
    assert_eq!(store.session(&one()).await.unwrap(), None);
    assert_eq!(store.cursor(&one()).await.unwrap(), None);
    assert_eq!(store.logins_in_thread(&thread("t")).await.unwrap(), [two()]);
    assert_eq!(store.portals_of_login(&one()).await.unwrap(), [portal]);
    store.save_login(&login("1", "@anna:example.com")).await.unwrap();
    assert_eq!(store.cursor(&one()).await.unwrap(), None);
}

pub(super) async fn a_session_is_sealed_in_the_database(world: &World) {
    let store = world.open_with_logins().await;
    assert_eq!(store.session(&one()).await.unwrap(), None);
    store.save_session(&one(), "{\"sessionid\":\"planted-secret\"}").await.unwrap();
    assert_eq!(store.session(&one()).await.unwrap().as_deref(), Some("{\"sessionid\":\"planted-secret\"}"));

    let first = world.column::<Vec<u8>>("SELECT sealed FROM login_session").await.remove(0);
    assert!(!first.windows(7).any(|bytes| bytes == b"planted"));
    store.save_session(&one(), "{\"sessionid\":\"planted-secret\"}").await.unwrap();
    let second = world.column::<Vec<u8>>("SELECT sealed FROM login_session").await.remove(0);
    assert_ne!(first, second, "the nonce is new each time");
    assert_eq!(store.cursor(&one()).await.unwrap(), None);
    accept(&store, 1, vec![]).await;
    assert_eq!(store.cursor(&one()).await.unwrap(), Some(cursor(1)));
}

pub(super) async fn a_session_does_not_open_for_another_login(world: &World) {
    let store = world.open_with_logins().await;
    store.save_session(&one(), "one").await.unwrap();
    store.save_session(&two(), "two").await.unwrap();
    let sealed = "(SELECT sealed FROM login_session WHERE login = '1')";
    world.execute(&format!("UPDATE login_session SET sealed = {sealed} WHERE login = '2'")).await;

    assert_eq!(store.session(&one()).await.unwrap().as_deref(), Some("one"));
    assert_eq!(store.session(&two()).await, Err(StoreError::Sealed("2".to_owned())));
}

pub(super) async fn a_user_has_one_management_room(world: &World) {
    let store = world.open().await;
    let (anna, bert) = (ruma::user_id!("@anna:example.com"), ruma::user_id!("@bert:example.com"));
    let (first, second) = (ruma::room_id!("!a:example.com"), ruma::room_id!("!b:example.com"));
    assert_eq!(store.management_room(anna).await.unwrap(), None);
    store.set_management_room(anna, first).await.unwrap();
    store.set_management_room(anna, second).await.unwrap();

    assert_eq!(store.management_room(anna).await.unwrap().as_deref(), Some(second));
    assert_eq!(store.user_of_management_room(first).await.unwrap(), None);
    assert_eq!(store.user_of_management_room(second).await.unwrap().as_deref(), Some(anna));

    // A room changes hands.
    store.set_management_room(bert, second).await.unwrap();
    store.forget_management_room(first).await.unwrap();
    assert_eq!(store.management_room(bert).await.unwrap().as_deref(), Some(second));
    assert_eq!(store.user_of_management_room(second).await.unwrap().as_deref(), Some(bert));
    assert_eq!(store.management_room(anna).await.unwrap(), None);
    store.forget_management_room(second).await.unwrap();
    assert_eq!(store.management_room(bert).await.unwrap(), None);
}
