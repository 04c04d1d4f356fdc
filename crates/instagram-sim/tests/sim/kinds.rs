//! The generators of every kind of item: complete, distinct, with media that can be had.

use std::collections::BTreeSet;

use instagram_sim::{kinds, sample};
use serde_json::json;

use crate::{client::Client, http::Http, two_people};

/// The rows of the table of item types in the protocol notes.
const TYPES: &str = "text like link media raven_media voice_media animated_media media_share direct_media_share clip \
    felix_share guide_share story_share reel_share reel_react xma_media_share xma_clip xma_story_share xma_reel_share \
    xma_reel_mention generic_xma avatar_sticker xma_profile profile location hashtag product product_share cta_link \
    live_video_share live_invite_guest live_viewer_invite video_call_event placeholder expired_placeholder action_log \
    reaction_log user_reaction history_edit deletion title type_max test deprecated_channel poll_vote static_sticker \
    ar_effect selfie_sticker";

#[test]
fn every_row_of_the_table_has_a_generator_and_no_two_have_one_name() {
    let kinds = kinds::all();
    let types: BTreeSet<&str> = kinds.iter().map(|kind| kind.item_type).collect();
    let missing: Vec<&str> = TYPES.split_whitespace().filter(|one| !types.contains(one)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let names: BTreeSet<&str> = kinds.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), kinds.len());
    assert_eq!(kinds::named("reel").unwrap().item_type, "clip");
}

#[tokio::test]
async fn every_kind_is_delivered_as_it_was_made() {
    let (sim, anna, bert, thread) = two_people().await;
    sim.send_text(bert.pk, &thread, "first").unwrap();
    let mut client = Client::subscribed(&sim, &anna).await;
    let mut contexts = BTreeSet::new();
    for kind in kinds::all() {
        let item = kind.item(&sim);
        sim.send_item(bert.pk, &thread, item.clone()).unwrap();
        let (_, got) = client.next_item().await;
        for (field, value) in &item {
            assert_eq!(&got[field], value, "{kind:?}: {field}");
        }
        assert!(contexts.insert(got["client_context"].as_str().unwrap().to_owned()));
    }
}

#[tokio::test]
async fn the_media_of_a_kind_are_real_files_of_the_type_and_size_they_claim() {
    let (sim, anna, bert, thread) = two_people().await;
    let http = Http::new(&sim, &anna);
    let item = kinds::named("video").unwrap().item(&sim);
    let addresses = sim.media_addresses(&item);
    assert_eq!(addresses.len(), 2);
    sim.send_item(bert.pk, &thread, item).unwrap();
    let media = &http.items(&thread).await[0]["media"];
    let version = &media["video_versions"][0];
    assert_eq!((&version["width"], &version["height"]), (&media["original_width"], &media["original_height"]));
    let response = http.client.get(version["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "video/mp4");
    assert_eq!(response.bytes().await.unwrap(), sample::VIDEO.bytes);
    let photo = kinds::named("photo").unwrap().item(&sim);
    let sizes = &photo["media"]["image_versions2"]["candidates"];
    assert_eq!((&sizes[0]["width"], &sizes[1]["width"]), (&json!(320), &json!(160)));
}

#[tokio::test]
async fn a_shared_reel_can_be_asked_for_by_its_number() {
    let (sim, anna, ..) = two_people().await;
    let http = Http::new(&sim, &anna);
    let card = kinds::named("xma_reel").unwrap().item(&sim);
    let target = card["xma_clip"][0]["target_url"].as_str().unwrap();
    let id = target.split("id=").nth(1).unwrap();
    let pk = id.split('_').next().unwrap();
    for wanted in [id, pk] {
        let (status, answer) = http.get(&format!("clips/item/?clips_media_id={wanted}")).await;
        assert_eq!((status, &answer["media"]["id"]), (200, &json!(id)));
        let url = answer["media"]["video_versions"][0]["url"].as_str().unwrap();
        assert_eq!(http.client.get(url).send().await.unwrap().status(), 200);
    }
    assert_eq!(http.get("clips/item/?clips_media_id=2800000000000000001").await.0, 404);
}
