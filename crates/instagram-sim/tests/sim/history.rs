//! History: imported in bulk, read in pages.

use std::time::Duration;

use instagram_sim::{Fault, History, OldItem, kinds};
use serde_json::{Value, json};

use crate::{http::Http, two_people};

/// All items of a thread, newest first, page by page, and the number of pages.
async fn read_all(http: &Http, thread: &str) -> (Vec<Value>, usize) {
    let (mut all, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        // More than a page are asked for in vain.
        let (_, page) = http.get(&format!("direct_v2/threads/{thread}/?limit=200&cursor={cursor}")).await;
        let items = page["thread"]["items"].as_array().unwrap();
        assert!(items.len() <= 20);
        all.extend(items.iter().cloned());
        pages += 1;
        if page["thread"]["has_older"] == false {
            return (all, pages);
        }
        cursor = page["thread"]["oldest_cursor"].as_str().unwrap().to_owned();
    }
}

#[tokio::test]
async fn imported_history_is_read_in_pages_and_nobody_is_told_of_it() {
    let (sim, anna, bert, thread) = two_people().await;
    sim.send_text(bert.pk, &thread, "today").unwrap();
    let heads = [anna.pk, bert.pk].map(|pk| sim.queue_head(pk).unwrap());
    let how = History { prefix: "h".into(), reply_every: 7, ..History::default() };
    let ids = sim.import_history(&thread, 1000, &how).unwrap();
    assert_eq!([anna.pk, bert.pk].map(|pk| sim.queue_head(pk).unwrap()), heads);
    let http = Http::new(&sim, &anna);
    let (items, pages) = read_all(&http, &thread).await;
    assert_eq!((items.len(), pages), (1001, 51));
    assert_eq!(
        (&items[0]["text"], &items[1]["text"], &items[1000]["text"]),
        (&json!("today"), &json!("h999"), &json!("h0"))
    );
    let shown: Vec<&str> = items[1..].iter().rev().map(|item| item["item_id"].as_str().unwrap()).collect();
    assert_eq!(shown, ids);
    assert!(items.windows(2).all(|pair| pair[0]["timestamp"].as_i64() > pair[1]["timestamp"].as_i64()));
    assert!(items.windows(2).all(|pair| pair[0]["item_id"].as_str() > pair[1]["item_id"].as_str()));
    assert_eq!(items.iter().filter(|item| item["reactions"]["emojis"][0]["emoji"] == "🔥").count(), 100);
    assert_eq!(items.iter().filter(|item| item.get("replied_to_message").is_some()).count(), 142);
    assert_eq!(sim.item_count(&thread).unwrap(), 1001);
}

#[tokio::test]
async fn any_kind_can_be_history_and_an_empty_thread_with_history_is_read() {
    let (sim, anna, bert, thread) = two_people().await;
    let old = |name: &str| OldItem {
        from: bert.pk,
        item: kinds::named(name).unwrap().item(&sim),
        reactions: vec![(anna.pk, "👍".into())],
        ..OldItem::default()
    };
    sim.import_items(&thread, vec![old("photo"), old("reel")], Duration::from_secs(3600)).unwrap();
    let http = Http::new(&sim, &anna);
    let (items, _) = read_all(&http, &thread).await;
    assert_eq!((&items[0]["item_type"], &items[1]["item_type"]), (&json!("clip"), &json!("media")));
    let apart = items[0]["timestamp"].as_i64().unwrap() - items[1]["timestamp"].as_i64().unwrap();
    assert_eq!(apart, 3_600_000_000);
    assert_eq!(sim.thread_view(&thread, anna.pk).unwrap()["read_state"], 0);
}

#[tokio::test]
async fn the_first_message_can_come_again_and_again() {
    let (sim, anna, _, thread) = two_people().await;
    sim.import_history(&thread, 25, &History::default()).unwrap();
    sim.inject(anna.pk, Fault::RepeatFirstItem, 3).unwrap();
    let http = Http::new(&sim, &anna);
    let (items, pages) = read_all(&http, &thread).await;
    assert_eq!((pages, items.len()), (5, 27));
    assert!(items[25..].iter().all(|item| item["text"] == "old 0"));
}

#[tokio::test]
async fn ten_thousand_messages_are_imported_in_no_time() {
    let (sim, anna, _, thread) = two_people().await;
    sim.import_history(&thread, 10_000, &History::default()).unwrap();
    let http = Http::new(&sim, &anna);
    let (items, pages) = read_all(&http, &thread).await;
    assert_eq!((items.len(), pages), (10_000, 500));
}
