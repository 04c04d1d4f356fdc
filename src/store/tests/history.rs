//! History: begin, add pages, end.

use super::world::{NOW, World, cursor, done, intended, lane, login, one, ready, ready_keys, row, thread};
use crate::domain::record::{History, HistoryKind, NewRow, Origin};
use crate::store::Store;

fn history(fetched: i64, next: Option<&str>) -> History {
    History {
        thread: thread("t"),
        login: one(),
        kind: HistoryKind::First,
        wanted: 4,
        fetched,
        cursor: next.map(str::to_owned),
        until_us: Some(17),
    }
}

fn old(name: &str) -> NewRow {
    NewRow { origin: Origin::History, ..row("t", &format!("1/history/{name}")) }
}

async fn fetch_all(store: &Store) {
    store.begin_histories(vec![history(0, None)]).await.unwrap();
    store.add_history_page(&history(2, Some("next")), vec![old("d"), old("c")]).await.unwrap();
    store.end_history(&history(4, None), vec![old("b"), old("a")], NOW).await.unwrap();
}

pub(super) async fn pages_become_rows_before_all_others_and_oldest_first(world: &World) {
    let store = world.open_with_logins().await;
    let begun = store.begin_login(&one(), vec![history(0, None)], vec![row("t", "request")], &cursor(5), NOW).await;
    assert_eq!((begun.unwrap().lanes, store.cursor(&one()).await.unwrap()), (vec![lane("t")], Some(cursor(5))));
    store.add_history_page(&history(2, Some("next")), vec![old("d"), old("c")]).await.unwrap();
    assert_eq!(store.histories().await.unwrap(), [history(2, Some("next"))]);
    assert_eq!(ready_keys(&store, "t").await, ["request"]);

    // The last page is never there without being the last: what is fetched to its end is not fetched again.
    store.end_history(&history(4, None), vec![old("b"), old("a")], NOW).await.unwrap();
    assert_eq!(store.histories().await.unwrap(), []);
    let keys = ["1/history/a", "1/history/b", "1/history/c", "1/history/d", "request"];
    assert_eq!(ready_keys(&store, "t").await, keys);
}

pub(super) async fn rows_of_history_hold_nobody_up(world: &World) {
    let store = world.open_with_logins().await;
    super::world::accept(&store, 1, vec![row("t", "live")]).await;
    fetch_all(&store).await;
    assert_eq!(store.inbox_depth(), 1);
    let rows = ready(&store, "t").await;
    assert_eq!(rows.len(), 5);
    store.settle(rows.iter().map(|row| done(row.id, vec![])).collect(), NOW).await.unwrap();
    assert_eq!(store.inbox_depth(), 0);
}

pub(super) async fn a_login_that_was_removed_may_import_again(world: &World) {
    let store = world.open_with_logins().await;
    fetch_all(&store).await;
    let rows = ready(&store, "t").await;
    store.settle(vec![done(rows[0].id, vec![])], NOW).await.unwrap();
    store.intend(vec![intended(rows[1].id, 0, "begun")], NOW).await.unwrap();
    store.remove_login(&one()).await.unwrap();
    assert_eq!(ready_keys(&store, "t").await, [""; 0]);

    store.save_login(&login("1", "@anna:example.com")).await.unwrap();
    fetch_all(&store).await;
    assert_eq!(ready_keys(&store, "t").await.len(), 4);
}
