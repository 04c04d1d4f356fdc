//! Words: texts, hearts, links, and kinds without a medium.

use serde_json::json;

use super::Kind;
use crate::sample::PHOTO_SMALL;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("text", "text", |_| json!({ "text": "hej 🎉\nrad två" })),
    Kind::new("text_with_mention", "text", |_| {
        json!({
            "text": "@bob look",
            "text_entities": { "mentioned_user_ids": [222_333_444] },
            "mentioned_entities": [{ "fbid": "222333444", "offset": 0, "length": 4, "interop_user_type": 0 }],
        })
    }),
    Kind::new("like", "like", |_| json!({ "like": "❤️" })),
    Kind::new("link_with_preview", "link", |shapes| {
        json!({ "link": {
            "text": "see https://example.com/page?a=1&b=2",
            "link_context": {
                "link_url": "https://example.com/page?a=1&b=2",
                "link_title": "An example",
                "link_summary": "Something to read.",
                "link_image_url": shapes.file(&PHOTO_SMALL),
            },
            // A key of its own, other than the item's.
            "client_context": format!("6{}", shapes.number()),
            "mutation_token": null,
        } })
    }),
    Kind::new("link_without_preview", "link", |_| {
        json!({ "link": {
            "text": "see https://example.com/",
            "link_context": { "link_url": "https://example.com/", "link_title": "", "link_summary": "", "link_image_url": "" },
        } })
    }),
    Kind::new(
        "cta_link",
        "cta_link",
        |_| json!({ "cta_link": { "title": "Open the shop", "url": "https://shop.example.com/" }, "text": "Our offer" }),
    ),
    Kind::new("hashtag", "hashtag", |shapes| {
        json!({ "hashtag": {
            "id": 17_843_843_194_000_001_u64,
            "name": "summer",
            "media_count": 1_234,
            "media": [shapes.still(1)],
        } })
    }),
    Kind::new("profile", "profile", |shapes| {
        json!({
            "profile": {
                "pk": 555,
                "username": "carol",
                "full_name": "Carol C",
                "is_private": false,
                "profile_pic_url": shapes.file(&PHOTO_SMALL),
                "is_verified": true,
                "has_anonymous_profile_picture": false,
            },
            "preview_medias": [],
        })
    }),
    Kind::new("location", "location", |_| {
        json!({ "location": {
            "pk": 213_385_402,
            "short_name": "London",
            "facebook_places_id": 106_078_429_431_815_u64,
            "external_source": "facebook_places",
            "name": "London, United Kingdom",
            "address": "",
            "city": "",
            "lng": -0.1094,
            "lat": 51.5141,
            "is_eligible_for_guides": true,
        } })
    }),
    Kind::new("location_without_coordinates", "location", |_| {
        json!({ "location": {
            "pk": "213385403",
            "short_name": "Somewhere",
            "name": "Somewhere nice",
            "address": "1 Main Street",
            "city": "Springfield",
            "external_source": "facebook_places",
        } })
    }),
    Kind::new("product", "product", |shapes| {
        json!({ "product": {
            "product_id": "4521",
            "name": "Blue lamp",
            "price": "49 €",
            "merchant": { "pk": "99", "username": "lampshop" },
            "main_image": { "image_versions2": shapes.photo() },
            "external_url": "https://lampshop.example.com/blue",
        } })
    }),
    Kind::new("product_share", "product_share", |shapes| {
        json!({ "product_share": {
            "text": "this one?",
            "product": {
                "product_id": "4522",
                "name": "Red lamp",
                "current_price": "59 €",
                "merchant": { "pk": "99", "username": "lampshop" },
                "thumbnail_image": { "image_versions2": shapes.photo() },
            },
        } })
    }),
];
