//! The media host: signed addresses that expire, files of any size, and answers spoilt in every way.

use std::time::Duration;

use futures_util::StreamExt;
use instagram_sim::{Disguise, MediaFault, kinds, sample};
use tokio::time::Instant;

use crate::{DEADLINE, http::Http, two_people};

/// What came of a download: status, bytes, and whether it ended well.
async fn download(http: &Http, url: &str) -> (u16, Vec<u8>, bool) {
    let fetch = async {
        let response = http.client.get(url).send().await.unwrap();
        let (status, mut bytes) = (response.status().as_u16(), Vec::new());
        let mut parts = response.bytes_stream();
        while let Some(part) = parts.next().await {
            match part {
                Ok(part) => bytes.extend_from_slice(&part),
                Err(_) => return (status, bytes, false),
            }
        }
        (status, bytes, true)
    };
    tokio::time::timeout(DEADLINE, fetch).await.unwrap()
}

#[tokio::test]
async fn a_file_is_served_at_its_address_and_only_with_the_query_as_it_is() {
    let (sim, anna, ..) = two_people().await;
    let http = Http::new(&sim, &anna);
    let url = sim.add_media(&b"bytes"[..], "image/jpeg");
    assert_eq!(download(&http, &url).await, (200, b"bytes".to_vec(), true));
    for spoilt in [url.replace("AY/", "AY%2F"), url.replace("%3D", "="), format!("{url}&x=1")] {
        assert_ne!(spoilt, url);
        assert_eq!(download(&http, &spoilt).await.0, 403);
    }
    let details = sim.media_details(&url).unwrap();
    assert_eq!((details.size, details.requests, details.content_type.as_str()), (5, 4, "image/jpeg"));
    assert_eq!(details.sha256, "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9");
}

#[tokio::test]
async fn an_expired_address_is_refused_until_the_thread_is_read_again() {
    let (sim, anna, bert, thread) = two_people().await;
    let http = Http::new(&sim, &anna);
    let item = kinds::named("photo").unwrap().item(&sim);
    let old = item["media"]["image_versions2"]["candidates"][0]["url"].as_str().unwrap().to_owned();
    sim.send_item(bert.pk, &thread, item).unwrap();
    sim.spoil_media(&old, MediaFault::Expired, 1).unwrap();
    let (status, body, _) = download(&http, &old).await;
    assert_eq!((status, body.as_slice()), (403, &b"URL signature expired"[..]));
    let again = http.items(&thread).await;
    let new = again[0]["media"]["image_versions2"]["candidates"][0]["url"].as_str().unwrap();
    assert_ne!(new, old);
    assert_eq!(download(&http, new).await, (200, sample::PHOTO.bytes.to_vec(), true));
    sim.expire_all_media();
    assert_eq!(download(&http, new).await.0, 403);
}

#[tokio::test]
async fn a_large_file_streams_whole() {
    let (sim, anna, ..) = two_people().await;
    let http = Http::new(&sim, &anna);
    let url = sim.add_generated_media(5_000_000, "video/mp4");
    let (status, bytes, whole) = download(&http, &url).await;
    assert_eq!((status, bytes.len(), whole), (200, 5_000_000, true));
    assert!(bytes.starts_with(sample::VIDEO.bytes));
    let held = sim.add_media(bytes, "video/mp4");
    assert_eq!(sim.media_details(&held).unwrap().sha256, sim.media_details(&url).unwrap().sha256);
}

#[tokio::test]
async fn answers_are_spoilt_as_asked_and_then_good_again() {
    let (sim, anna, ..) = two_people().await;
    let http = Http::new(&sim, &anna);
    let url = sim.add_media(vec![7; 1000], "image/jpeg");
    for (fault, status, length, whole) in [
        (MediaFault::Gone, 410, 4, true),
        (MediaFault::NotFound, 404, 9, true),
        (MediaFault::Status { code: 503 }, 503, 0, true),
        (MediaFault::LengthTooLong { extra: 10 }, 200, 1000, false),
        (MediaFault::LengthTooShort { missing: 10 }, 200, 990, true),
        (MediaFault::Cut { after: 300 }, 200, 300, false),
        (MediaFault::Disguised { what: Disguise::Executable }, 200, 55, true),
        (MediaFault::Slow { bytes: 500, every_ms: 1 }, 200, 1000, true),
    ] {
        sim.spoil_media(&url, fault.clone(), 1).unwrap();
        let (got, bytes, ended_well) = download(&http, &url).await;
        assert_eq!((got, ended_well), (status, whole), "{fault:?}");
        assert!(bytes.len() == length || !whole && bytes.len() <= length, "{fault:?}: {}", bytes.len());
        assert_eq!(download(&http, &url).await, (200, vec![7; 1000], true));
    }
    sim.spoil_media(&url, MediaFault::Disguised { what: Disguise::Html }, 1).unwrap();
    let response = http.client.get(&url).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "image/jpeg");
    assert!(response.text().await.unwrap().starts_with("<!DOCTYPE html>"));
    assert!(sim.spoil_media("https://example.com/x", MediaFault::Gone, 1).is_err());
}

#[tokio::test]
async fn a_slow_an_endless_and_a_stalled_answer_last() {
    let (sim, anna, ..) = two_people().await;
    let http = Http::new(&sim, &anna);
    let url = sim.add_media(vec![7; 100], "image/jpeg");
    sim.spoil_media(&url, MediaFault::Slow { bytes: 10, every_ms: 20 }, 1).unwrap();
    let started = Instant::now();
    assert_eq!(download(&http, &url).await.1.len(), 100);
    assert!(started.elapsed() >= Duration::from_millis(200));

    sim.spoil_all_media(MediaFault::Endless, 1);
    let response = http.client.get(&url).send().await.unwrap();
    assert_eq!(response.content_length(), None);
    let (mut parts, mut size) = (response.bytes_stream(), 0);
    while size < 3_000_000 {
        size += parts.next().await.unwrap().unwrap().len();
    }
    drop(parts);

    sim.spoil_media(&url, MediaFault::Stalled { after: 40 }, 1).unwrap();
    let mut parts = http.client.get(&url).send().await.unwrap().bytes_stream();
    assert_eq!(parts.next().await.unwrap().unwrap().len(), 40);
    assert!(tokio::time::timeout(Duration::from_millis(50), parts.next()).await.is_err());
}

#[tokio::test]
async fn a_gzip_bomb_is_small_on_the_wire() {
    let (sim, anna, ..) = two_people().await;
    let http = Http::new(&sim, &anna);
    let url = sim.add_media(vec![7; 100], "image/jpeg");
    sim.spoil_media(&url, MediaFault::GzipBomb { bytes: 2_000_000_000 }, 1).unwrap();
    let response = http.client.get(&url).send().await.unwrap();
    // The test's client takes gzip apart on its own; a plain one sees the encoding.
    let (mut parts, mut size) = (response.bytes_stream(), 0);
    while size < 10_000_000 {
        size += parts.next().await.unwrap().unwrap().len();
    }
}
