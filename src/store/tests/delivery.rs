//! Accept, read, intend, confirm, settle, put back, prune.

use std::collections::HashSet;

use super::world::{
    DAY, NOW, World, accept, accepted_row, cursor, direct, done, events_of, failed, intended, lane, map, mapping, one,
    own_row, ready, ready_keys, row, shared, two,
};
use crate::domain::ids::{LaneKey, LoginId, RequestId, Timestamp};
use crate::domain::record::{Echo, NewRow, Origin, OutboxState};
use crate::store::{Accepted, Store, StoreError};

fn event(key: &str) -> NewRow {
    NewRow { lane: LaneKey::new("out/!r/@anna"), origin: Origin::Matrix, ..row("unused", key) }
}

pub(super) async fn a_transaction_is_accepted_once(world: &World) {
    let store = world.open().await;
    let first = store.accept_transaction("7", vec![event("$a"), event("$b")], NOW).await.unwrap();
    let again = store.accept_transaction("7", vec![event("$a"), event("$b")], NOW).await.unwrap();

    let lanes = vec![LaneKey::new("out/!r/@anna")];
    assert_eq!(first, Accepted { lanes: lanes.clone(), new: 2 });
    assert_eq!(again, Accepted { lanes, new: 0 }, "whoever brought the rows first may not have woken their lane");
    assert_eq!(store.inbox_depth(), 2);
    assert_eq!(store.last_transaction().await.unwrap().as_deref(), Some("7"));

    // Synapse counts its transactions anew after a restart: the id is known, the event is not.
    store.accept_transaction("7", vec![event("$c")], NOW).await.unwrap();
    assert_eq!(store.inbox_depth(), 3);
}

pub(super) async fn an_event_in_two_transactions_is_one_row(world: &World) {
    let store = world.open().await;
    store.accept_transaction("7", vec![event("$a")], NOW).await.unwrap();
    let second = store.accept_transaction("8", vec![event("$a"), event("$b"), event("$b")], NOW).await.unwrap();

    assert_eq!(second.lanes.len(), 1);
    let rows = store.ready_rows(&LaneKey::new("out/!r/@anna"), 10, NOW).await.unwrap().rows;
    assert_eq!(rows.iter().map(|row| row.dedup_key.as_str()).collect::<Vec<_>>(), ["$a", "$b"]);
}

pub(super) async fn rows_come_back_in_order_and_as_they_were(world: &World) {
    let store = world.open_with_logins().await;
    let texts = [
        "",
        "\u{1}\t\n\"\\u0000\\",
        "\u{202e}abc\u{2066}",
        "👩‍👩‍👧 𝄞",
        "{\"a\": [1, null]}",
        "a\0b",
        "ß".repeat(100_000).leak(),
    ];
    let rows =
        texts.iter().enumerate().map(|(n, text)| NewRow { payload: (*text).to_owned(), ..row("t", &n.to_string()) });
    accept(&store, 1, rows.collect()).await;
    let reconciled = NewRow { origin: Origin::Instagram { reconciled: true }, ..row("t", "last") };
    accept(&store, 2, vec![reconciled]).await;

    let rows = ready(&store, "t").await;
    let payloads: Vec<_> = rows.iter().map(|row| row.payload.clone()).collect();
    let mut expected: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
    expected.push("payload of last".to_owned());
    assert_eq!(payloads, expected);
    assert!(rows.is_sorted_by_key(|row| row.id));
    assert_eq!(rows[0].origin, Origin::Instagram { reconciled: false });
    assert_eq!(rows[7].origin, Origin::Instagram { reconciled: true });
    assert_eq!((rows[0].attempts, rows[0].accepted_at), (0, NOW));
    assert_eq!(store.ready_rows(&lane("t"), 3, NOW).await.unwrap().rows.len(), 3);
}

pub(super) async fn each_lane_has_its_own_rows(world: &World) {
    let store = world.open_with_logins().await;
    let lanes = accept(&store, 1, vec![row("t", "a"), row("u", "b"), row("t", "c"), row("u", "d")]).await;

    assert_eq!(lanes, [lane("t"), lane("u")]);
    assert_eq!(ready_keys(&store, "t").await, ["a", "c"]);
    assert_eq!(ready_keys(&store, "u").await, ["b", "d"]);
    let pending: HashSet<_> = store.pending_lanes().await.unwrap().into_iter().collect();
    assert_eq!(pending, HashSet::from([lane("t"), lane("u")]));
}

pub(super) async fn the_cursor_comes_with_its_rows_and_only_grows(world: &World) {
    let store = world.open_with_logins().await;
    assert_eq!(store.cursor(&one()).await.unwrap(), None);
    accept(&store, 5, vec![row("t", "a")]).await;
    assert_eq!(store.cursor(&one()).await.unwrap(), Some(cursor(5)));

    // Delivered again, in part: what is new is taken, the cursor stays. All lanes are to be woken: nobody knows whether
    // that was done the first time.
    assert_eq!(accept(&store, 4, vec![row("t", "a"), row("u", "b")]).await, [lane("t"), lane("u")]);
    assert_eq!(store.inbox_depth(), 2);
    assert_eq!(store.cursor(&one()).await.unwrap(), Some(cursor(5)));

    accept(&store, 6, vec![]).await;
    assert_eq!(store.cursor(&one()).await.unwrap(), Some(cursor(6)));
    assert_eq!(store.cursor(&two()).await.unwrap(), None);
}

pub(super) async fn a_reconciled_cursor_replaces_a_higher_one(world: &World) {
    let store = world.open_with_logins().await;
    accept(&store, 900, vec![]).await;
    let accepted = store.accept_reconciled(&one(), vec![row("t", "a")], &cursor(3), NOW).await.unwrap();

    assert_eq!(accepted.lanes, [lane("t")]);
    assert_eq!(store.cursor(&one()).await.unwrap(), Some(cursor(3)));
}

pub(super) async fn a_gap_is_remembered_until_it_is_filled(world: &World) {
    let store = world.open_with_logins().await;
    accept(&store, 5, vec![]).await;
    assert_eq!(store.gap(&one()).await.unwrap(), None);
    let before = store.cursor(&one()).await.unwrap().unwrap();
    let after = crate::domain::record::Cursor { newest_item_us: before.newest_item_us + 9, ..cursor(6) };
    store.accept_batch_with_gap(&one(), vec![row("t", "a")], &after, NOW).await.unwrap();
    // From before anything that came with it, and not later because of another.
    store.accept_batch_with_gap(&one(), vec![], &cursor(7), NOW).await.unwrap();
    assert_eq!(store.gap(&one()).await.unwrap(), Some(before.newest_item_us));

    store.close_gap(&one()).await.unwrap();
    assert_eq!(store.gap(&one()).await.unwrap(), None);
    store.accept_batch_with_gap(&one(), vec![], &cursor(8), NOW).await.unwrap();
    store.accept_reconciled(&one(), vec![], &cursor(2), NOW).await.unwrap();
    assert_eq!(store.gap(&one()).await.unwrap(), None, "a reconciliation asks for everything");
}

pub(super) async fn rows_and_cursor_are_accepted_together_or_not_at_all(world: &World) {
    let store = world.open_with_logins().await;
    let nobody = LoginId::new("nobody");
    let result = store.accept_batch(&nobody, vec![row("t", "a")], &cursor(1), NOW).await;

    assert!(matches!(result, Err(StoreError::Refused(_))), "{result:?}");
    assert_eq!(ready_keys(&store, "t").await, [""; 0]);
    assert_eq!(store.inbox_depth(), 0);
}

async fn sent(store: &Store, context: &str) -> crate::domain::record::InboxRow {
    store.accept_transaction("1", vec![event("$sent")], NOW).await.unwrap();
    let row = store.ready_rows(&LaneKey::new("out/!r/@anna"), 1, NOW).await.unwrap().rows.remove(0);
    store.intend(vec![intended(row.id, 0, context)], NOW).await.unwrap();
    row
}

pub(super) async fn an_echo_confirms_its_send_and_is_no_row(world: &World) {
    let store = world.open_with_logins().await;
    let row = sent(&store, "context").await;
    let lanes = accept(&store, 2, vec![own_row("t", "k", "context", "item 9"), own_row("t", "l", "other", "item 10")]);

    assert_eq!(lanes.await, [lane("t")]);
    assert_eq!(ready_keys(&store, "t").await, ["l"]);
    let states = store.intend(vec![intended(row.id, 0, "context")], NOW).await.unwrap();
    assert_eq!(states, [OutboxState::Confirmed("item 9".to_owned())]);
}

pub(super) async fn an_echo_that_comes_after_settling_is_no_row(world: &World) {
    let store = world.open_with_logins().await;
    let portal = store.ensure_portal(&direct("t", &one())).await.unwrap();
    let row = sent(&store, "context").await;
    store.settle(vec![done(row.id, vec![mapping(&portal, "item 9", 0, "$sent")])], NOW).await.unwrap();

    assert_eq!(accept(&store, 2, vec![own_row("t", "k", "context", "item 9")]).await, []);
    assert_eq!(store.cursor(&one()).await.unwrap(), Some(cursor(2)));
    assert_eq!(store.inbox_depth(), 0);
}

pub(super) async fn an_own_item_that_we_did_not_send_is_a_row(world: &World) {
    let store = world.open_with_logins().await;
    accept(&store, 1, vec![own_row("t", "k", "from the app", "item 9")]).await;
    assert_eq!(ready_keys(&store, "t").await, ["k"]);

    let hostile = Echo { client_context: RequestId::new("a\0b").into(), item: crate::domain::ids::ItemId::new("c\0") };
    accept(&store, 2, vec![NewRow { echo: Some(hostile), ..row("t", "l\0") }]).await;
    assert_eq!(ready_keys(&store, "t").await, ["k", "l\u{fffd}"]);
}

pub(super) async fn an_own_item_in_another_logins_portal_is_a_row(world: &World) {
    let store = world.open_with_logins().await;
    let portal = store.ensure_portal(&direct("t", &two())).await.unwrap();
    map(&store, vec![mapping(&portal, "item 9", 0, "$seen-by-two")]).await;
    accept(&store, 2, vec![own_row("t", "k", "from the app", "item 9")]).await;
    assert_eq!(ready_keys(&store, "t").await, ["k"]);

    let portal = store.ensure_portal(&shared("g")).await.unwrap();
    map(&store, vec![mapping(&portal, "item 10", 0, "$seen-by-all")]).await;
    accept(&store, 3, vec![own_row("g", "l", "from the app", "item 10")]).await;
    assert_eq!(ready_keys(&store, "g").await, [""; 0]);
}

pub(super) async fn a_request_is_fresh_once_and_then_maybe_sent(world: &World) {
    let store = world.open_with_logins().await;
    let row = accepted_row(&store, "t", "a").await;
    let parts = vec![intended(row.id, 0, "x"), intended(row.id, 1, "y")];

    assert_eq!(store.intend(parts.clone(), NOW).await.unwrap(), [OutboxState::Fresh, OutboxState::Fresh]);
    let mut parts = [parts, vec![intended(row.id, 2, "z")]].concat();
    parts.reverse();
    let states = store.intend(parts, NOW).await.unwrap();
    assert_eq!(states, [OutboxState::Fresh, OutboxState::MaybeSent, OutboxState::MaybeSent]);
    assert_eq!(store.intend(vec![], NOW).await.unwrap(), []);
}

pub(super) async fn a_confirmed_request_says_its_result(world: &World) {
    let store = world.open_with_logins().await;
    let row = accepted_row(&store, "t", "a").await;
    let parts = vec![intended(row.id, 0, "x"), intended(row.id, 1, "y")];
    store.intend(parts.clone(), NOW).await.unwrap();
    store.confirm(&RequestId::new("x"), "$one").await.unwrap();
    store.confirm(&RequestId::new("unknown"), "$two").await.unwrap();

    let states = store.intend(parts, NOW).await.unwrap();
    assert_eq!(states, [OutboxState::Confirmed("$one".to_owned()), OutboxState::MaybeSent]);
}

pub(super) async fn a_request_names_the_row_it_is_for(world: &World) {
    let store = world.open_with_logins().await;
    let row = accepted_row(&store, "t", "key").await;
    store.intend(vec![intended(row.id, 0, "x")], NOW).await.unwrap();

    assert_eq!(store.event_of_request(&RequestId::new("x")).await.unwrap().as_deref(), Some("key"));
    assert_eq!(store.event_of_request(&RequestId::new("y")).await.unwrap(), None);
}

pub(super) async fn settling_maps_and_erases(world: &World) {
    let store = world.open_with_logins().await;
    let portal = store.ensure_portal(&shared("t")).await.unwrap();
    let row = accepted_row(&store, "t", "a").await;
    store.intend(vec![intended(row.id, 0, "x")], NOW).await.unwrap();
    let mappings = vec![mapping(&portal, "i", 0, "$one"), mapping(&portal, "i", 1, "$two")];
    store.settle(vec![done(row.id, mappings)], NOW).await.unwrap();

    assert_eq!(events_of(&store, portal.id, "i").await, ["$one", "$two"]);
    assert_eq!(ready_keys(&store, "t").await, [""; 0]);
    assert_eq!(store.pending_lanes().await.unwrap(), []);
    assert_eq!(store.event_of_request(&RequestId::new("x")).await.unwrap(), None);
    assert_eq!(world.column::<Option<String>>("SELECT payload FROM inbox").await, [None]);
    // The key stays: the same event delivered again changes nothing.
    accept(&store, 2, vec![super::world::row("t", "a")]).await;
    assert_eq!(store.inbox_depth(), 0);
}

pub(super) async fn settling_twice_changes_nothing(world: &World) {
    let store = world.open_with_logins().await;
    let portal = store.ensure_portal(&shared("t")).await.unwrap();
    let row = accepted_row(&store, "t", "a").await;
    let settlement = done(row.id, vec![mapping(&portal, "i", 0, "$one")]);
    store.settle(vec![settlement.clone()], NOW).await.unwrap();
    store.settle(vec![settlement], NOW).await.unwrap();
    store.settle(vec![failed(row.id, "too late")], NOW).await.unwrap();
    store.put_back(row.id, NOW, "too late").await.unwrap();

    assert_eq!(events_of(&store, portal.id, "i").await, ["$one"]);
    assert_eq!(store.inbox_depth(), 0);
    assert_eq!(store.parked_rows().await.unwrap().count, 0);
}

pub(super) async fn settling_many_rows_is_one_verb(world: &World) {
    let store = world.open_with_logins().await;
    let portal = store.ensure_portal(&shared("t")).await.unwrap();
    accept(&store, 1, (0..50).map(|n| row("t", &n.to_string())).collect()).await;
    let rows = ready(&store, "t").await;
    let settlements = rows.iter().enumerate().map(|(n, row)| match n % 10 {
        9 => failed(row.id, "does not work"),
        _ => done(row.id, vec![mapping(&portal, &format!("i{n}"), 0, &format!("$e{n}"))]),
    });
    store.settle(settlements.collect(), NOW).await.unwrap();
    store.settle(vec![], NOW).await.unwrap();

    assert_eq!(events_of(&store, portal.id, "i48").await, ["$e48"]);
    assert_eq!(store.inbox_depth(), 0);
    assert_eq!(store.parked_rows().await.unwrap().count, 5);
}

pub(super) async fn a_failed_row_is_parked_and_its_lane_goes_on(world: &World) {
    let store = world.open_with_logins().await;
    accept(&store, 1, vec![row("t", "a"), row("t", "b"), row("t", "c")]).await;
    let rows = ready(&store, "t").await;
    store.settle(vec![failed(rows[0].id, "unreadable"), failed(rows[1].id, "unreadable")], NOW).await.unwrap();

    assert_eq!(ready_keys(&store, "t").await, ["c"]);
    let parked = store.parked_rows().await.unwrap();
    assert_eq!((parked.count, parked.reasons), (2, vec![("unreadable".to_owned(), 2)]));
    let kept = world.column::<String>("SELECT payload FROM inbox WHERE state = 'failed' ORDER BY id").await;
    assert_eq!(kept.len(), 2, "a failed row keeps its payload");
    assert!(kept.iter().all(|payload| !payload.is_empty() && !payload.contains("payload of")), "and it rests sealed");
    assert_eq!(store.inbox_depth(), 1);
}

pub(super) async fn a_failed_row_is_tried_again_or_discarded(world: &World) {
    let store = world.open_with_logins().await;
    accept(&store, 1, vec![row("t", "a"), row("u", "b"), row("t", "c")]).await;
    for (thread, count) in [("t", 1), ("u", 1)] {
        let rows = ready(&store, thread).await.into_iter().take(count);
        store.settle(rows.map(|row| failed(row.id, "refused")).collect(), NOW).await.unwrap();
    }
    assert_eq!(store.inbox_depth(), 1);

    let lanes: HashSet<LaneKey> = store.retry_parked().await.unwrap().into_iter().collect();
    assert_eq!(lanes, HashSet::from([lane("t"), lane("u")]));
    assert_eq!(store.inbox_depth(), 3);
    let rows = ready(&store, "t").await;
    assert_eq!(rows.iter().map(|row| (&*row.dedup_key, row.attempts)).collect::<Vec<_>>(), [("a", 1), ("c", 0)]);
    assert!(!rows[0].payload.is_empty());

    store.settle(vec![failed(rows[0].id, "refused")], NOW).await.unwrap();
    assert_eq!(store.discard_parked().await.unwrap(), 1);
    assert_eq!(store.parked_rows().await.unwrap().count, 0);
    assert_eq!(world.column::<String>("SELECT payload FROM inbox WHERE payload IS NOT NULL").await.len(), 2);
    assert_eq!(store.retry_parked().await.unwrap(), Vec::<LaneKey>::new());
}

pub(super) async fn a_row_put_back_holds_back_its_lane_until_its_time(world: &World) {
    let store = world.open_with_logins().await;
    accept(&store, 1, vec![row("t", "1/a"), row("t", "1/b"), row("t", "2/a"), row("u", "1/c")]).await;
    let first = ready(&store, "t").await.remove(0);
    let later = Timestamp(NOW.0 + 5_000);
    store.put_back(first.id, later, "rate limit").await.unwrap();

    // What login 1 heard waits in order; what login 2 heard does not.
    let waiting = store.ready_rows(&lane("t"), 10, NOW).await.unwrap();
    assert_eq!(waiting.rows.iter().map(|row| row.dedup_key.as_str()).collect::<Vec<_>>(), ["2/a"]);
    assert_eq!(waiting.retry_at, Some(later));
    assert_eq!(store.ready_rows(&lane("t"), 2, NOW).await.unwrap().rows.len(), 1, "behind all that waits");
    assert_eq!(ready_keys(&store, "u").await, ["1/c"]);

    let due = store.ready_rows(&lane("t"), 10, later).await.unwrap();
    assert_eq!(due.rows.iter().map(|row| row.attempts).collect::<Vec<_>>(), [1, 0, 0]);
    assert_eq!(due.retry_at, None);
    assert_eq!(store.inbox_depth(), 4);
}

pub(super) async fn the_depth_counts_pending_rows(world: &World) {
    let store = world.open_with_logins().await;
    accept(&store, 1, vec![row("t", "a"), row("t", "b"), row("t", "a")]).await;
    let first = ready(&store, "t").await.remove(0);
    assert_eq!(store.inbox_depth(), 2);
    store.settle(vec![done(first.id, vec![])], NOW).await.unwrap();
    assert_eq!(store.inbox_depth(), 1);

    store.close().await;
    assert_eq!(world.open().await.inbox_depth(), 1);
}

pub(super) async fn pruning_forgets_keys_after_a_week(world: &World) {
    let store = world.open_with_logins().await;
    let old = accepted_row(&store, "t", "old").await;
    store.accept_transaction("7", vec![], NOW).await.unwrap();
    store.settle(vec![done(old.id, vec![])], NOW).await.unwrap();
    let recently = Timestamp(NOW.0 + 3 * DAY);
    store.accept_batch(&one(), vec![row("t", "young")], &cursor(2), recently).await.unwrap();
    let young = store.ready_rows(&lane("t"), 1, recently).await.unwrap().rows.remove(0);
    store.settle(vec![done(young.id, vec![])], recently).await.unwrap();

    assert_eq!(store.prune(Timestamp(NOW.0 + 7 * DAY)).await.unwrap(), 0);
    assert_eq!(store.prune(Timestamp(NOW.0 + 8 * DAY)).await.unwrap(), 2);
    assert_eq!(world.column::<String>("SELECT dedup_key FROM inbox").await, ["young"]);
    assert_eq!(store.last_transaction().await.unwrap(), None);
}

pub(super) async fn pruning_leaves_pending_and_failed_rows(world: &World) {
    let store = world.open_with_logins().await;
    accept(&store, 1, (0..5_000).map(|n| row("t", &n.to_string())).collect()).await;
    let rows = store.ready_rows(&lane("t"), 5_000, NOW).await.unwrap().rows;
    let settlements = rows.iter().skip(1).map(|row| match row.dedup_key.as_str() {
        "1" => failed(row.id, "unreadable"),
        _ => done(row.id, vec![]),
    });
    store.settle(settlements.collect(), NOW).await.unwrap();

    assert_eq!(store.prune(Timestamp(NOW.0 + 8 * DAY)).await.unwrap(), 4_998);
    assert_eq!(world.column::<String>("SELECT dedup_key FROM inbox ORDER BY id").await, ["0", "1"]);
}
