//! The writer: groups, failures inside a group, callers that go away, and what is there after a sudden end.

use futures_util::future::join_all;
use futures_util::poll;

use super::world::{NOW, World, accept, cursor, done, lane, mapping, one, ready, ready_keys, row, shared};
use crate::domain::ids::LoginId;
use crate::domain::record::{Intended, OutboxState};
use crate::store::StoreError;

pub(super) async fn concurrent_writes_are_all_done(world: &World) {
    let store = world.open_with_logins().await;
    let portal = store.ensure_portal(&shared("t")).await.unwrap();
    let lanes = (0..40).map(|n| {
        let (store, portal) = (store.clone(), portal.clone());
        async move {
            let thread = format!("t{n}");
            for step in 0..5 {
                let key = format!("{n}/{step}");
                accept(&store, n * 5 + step, vec![row(&thread, &key)]).await;
                let row = ready(&store, &thread).await.remove(0);
                let part = Intended { row: row.id, part: 0, request_id: crate::domain::ids::RequestId::new(&key) };
                assert_eq!(store.intend(vec![part.clone()], NOW).await.unwrap(), [OutboxState::Fresh]);
                store.confirm(&part.request_id, "$sent").await.unwrap();
                assert_eq!(store.intend(vec![part], NOW).await.unwrap(), [OutboxState::Confirmed("$sent".to_owned())]);
                let event = format!("$e{n}-{step}");
                store.settle(vec![done(row.id, vec![mapping(&portal, &key, 0, &event)])], NOW).await.unwrap();
            }
        }
    });
    join_all(lanes).await;

    assert_eq!(store.inbox_depth(), 0);
    assert_eq!(world.column::<i64>("SELECT COUNT(*) FROM message").await, [200]);
    assert_eq!(world.column::<i64>("SELECT COUNT(*) FROM outbox").await, [0]);
    assert_eq!(store.cursor(&one()).await.unwrap(), Some(cursor(199)));
}

pub(super) async fn a_write_that_is_refused_fails_alone(world: &World) {
    let store = world.open_with_logins().await;
    let nobody = LoginId::new("nobody");
    let writes = (0..60).map(|n| {
        let (store, login) = (&store, if n % 20 == 7 { nobody.clone() } else { one() });
        async move { store.accept_batch(&login, vec![row("t", &n.to_string())], &cursor(n), NOW).await }
    });
    let results = join_all(writes).await;

    for (n, result) in results.iter().enumerate() {
        match result {
            Err(StoreError::Refused(_)) => assert_eq!(n % 20, 7),
            Ok(accepted) => assert_eq!((n % 20 != 7, accepted.lanes.as_slice()), (true, [lane("t")].as_slice())),
            Err(error) => panic!("{error}"),
        }
    }
    let keys = ready_keys(&store, "t").await;
    assert_eq!(keys.len(), 57);
    assert_eq!(store.inbox_depth(), 57);
    let numbers: Vec<i32> = keys.iter().map(|key| key.parse().unwrap()).collect();
    assert!(numbers.is_sorted(), "they were queued in this order: {numbers:?}");
}

pub(super) async fn a_caller_that_stops_waiting_changes_nothing(world: &World) {
    let store = world.open_with_logins().await;
    for n in 0..20 {
        let mut write = Box::pin(accept(&store, n, vec![row("t", &n.to_string())]));
        // Once is enough to queue it; then the caller goes away.
        assert!(poll!(&mut write).is_pending());
        drop(write);
    }
    accept(&store, 20, vec![row("t", "20")]).await;

    assert_eq!(ready_keys(&store, "t").await.len(), 21);
    assert_eq!(store.cursor(&one()).await.unwrap(), Some(cursor(20)));

    // A read that was given up leaves its connection in no state to be used; the next one gets another.
    for _ in 0..20 {
        let login = one();
        let mut read = Box::pin(store.cursor(&login));
        drop(poll!(&mut read));
        drop(read);
        assert_eq!(store.cursor(&one()).await.unwrap(), Some(cursor(20)));
    }
}

pub(super) async fn a_lane_sees_what_it_wrote(world: &World) {
    let store = world.open_with_logins().await;
    for n in 0..100 {
        accept(&store, n, vec![row("t", &n.to_string())]).await;
        let rows = ready(&store, "t").await;
        assert_eq!(rows.iter().map(|row| row.dedup_key.clone()).collect::<Vec<_>>(), [n.to_string()]);
        store.settle(vec![done(rows[0].id, vec![])], NOW).await.unwrap();
    }
}

pub(super) async fn what_was_answered_survives_a_store_that_is_never_closed(world: &World) {
    let store = world.open_with_logins().await;
    accept(&store, 3, vec![row("t", "a"), row("t", "b")]).await;
    let rows = ready(&store, "t").await;
    store.settle(vec![done(rows[0].id, vec![])], NOW).await.unwrap();

    let copy;
    let later = match &world.directory {
        // The files as they are at this moment, as after a kill: nothing was checkpointed or closed.
        Some(directory) => {
            copy = World::sqlite();
            let target = copy.directory.as_ref().unwrap().path();
            for name in ["bridge.db", "bridge.db-wal"] {
                std::fs::copy(directory.path().join(name), target.join(name)).unwrap();
            }
            &copy
        }
        None => {
            drop(store);
            world
        }
    };
    let store = later.open().await;
    assert_eq!(ready_keys(&store, "t").await, ["b"]);
    assert_eq!(store.cursor(&one()).await.unwrap(), Some(cursor(3)));
    assert_eq!(store.inbox_depth(), 1);
}
