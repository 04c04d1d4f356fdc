//! Parts that many kinds share: pictures, videos, people, posts. Sizes and durations are those of the real files.

use serde_json::{Value, json};

use crate::{
    cdn::content::Content,
    clock,
    sample::{PHOTO, PHOTO_SMALL, Sample, VIDEO, VIDEO_COVER},
    sim::Sim,
};

/// Who posted what is shared.
pub(super) const AUTHOR: u64 = 222_333_444;

pub(super) struct Shapes<'a> {
    pub(super) sim: &'a Sim,
}

impl Shapes<'_> {
    /// A new file of the media host; the answer is its address.
    pub(super) fn file(&self, sample: &Sample) -> String {
        file(self.sim, sample)
    }

    /// A number that no other item has.
    pub(super) fn number(&self) -> u64 {
        self.sim.shared.look(|world| 2_800_000_000_000_000_000 + world.ids.number(52))
    }

    /// `image_versions2` of a photo, the largest first.
    pub(super) fn photo(&self) -> Value {
        self.images(&[PHOTO, PHOTO_SMALL])
    }

    /// `image_versions2` of the picture before a video.
    pub(super) fn cover(&self) -> Value {
        self.images(&[VIDEO_COVER])
    }

    fn images(&self, samples: &[Sample]) -> Value {
        let one = |sample: &Sample| json!({ "width": sample.width, "height": sample.height, "url": self.file(sample) });
        json!({ "candidates": samples.iter().map(one).collect::<Vec<_>>() })
    }

    /// `video_versions` of a video.
    pub(super) fn video(&self) -> Value {
        video_versions(&self.file(&VIDEO), VIDEO.width, VIDEO.height)
    }

    pub(super) fn author(&self) -> Value {
        json!({
            "pk": AUTHOR,
            "username": "bob",
            "full_name": "Bob",
            "is_private": false,
            "profile_pic_url": self.file(&PHOTO_SMALL),
            "is_verified": false,
            "has_anonymous_profile_picture": false,
        })
    }

    /// A post with one photo (`media_type` 1) or video (2), which `clips/item/` knows as well.
    pub(super) fn post(&self, media_type: u8) -> Value {
        post(self.sim, self.number(), media_type, None)
    }

    /// Fields of a post, for something that is only part of one.
    pub(super) fn still(&self, media_type: u8) -> Value {
        let mut media = json!({
            "id": self.number().to_string(),
            "image_versions2": if media_type == 2 { self.cover() } else { self.photo() },
            "original_width": if media_type == 2 { VIDEO.width } else { PHOTO.width },
            "original_height": if media_type == 2 { VIDEO.height } else { PHOTO.height },
            "media_type": media_type,
        });
        if media_type == 2 {
            media["video_versions"] = self.video();
            media["video_duration"] = json!(VIDEO.duration_ms as f64 / 1000.0);
        }
        media
    }
}

fn file(sim: &Sim, sample: &Sample) -> String {
    sim.shared.act(|world| world.cdn.add_address(Content::Held(sample.file()), sample.content_type))
}

pub(crate) fn video_versions(url: &str, width: u32, height: u32) -> Value {
    json!([{ "type": 101, "width": width, "height": height, "url": url, "id": "v1" }])
}

/// A whole post, kept so that it can be asked for by its number. `children` make it a carousel.
pub(super) fn post(sim: &Sim, pk: u64, media_type: u8, children: Option<Vec<Value>>) -> Value {
    let shapes = Shapes { sim };
    let now = clock::now_us() / 1_000_000;
    let mut media = shapes.still(media_type);
    let fields = json!({
        "taken_at": now - 86_400,
        "pk": pk,
        "id": format!("{pk}_{AUTHOR}"),
        "device_timestamp": now - 86_401,
        "code": code(pk),
        "client_cache_key": "k",
        "filter_type": 0,
        "user": shapes.author(),
        "caption": {
            "pk": 1,
            "user_id": AUTHOR,
            "text": "A day at the lake 🌊\n#summer @carol",
            "type": 1,
            "created_at": now - 86_400,
            "created_at_utc": now - 86_400,
            "content_type": "comment",
            "status": "Active",
            "bit_flags": 0,
            "user": shapes.author(),
            "media_id": pk,
        },
        "caption_is_edited": false,
        "like_count": 12,
        "comment_count": 3,
    });
    if let (Value::Object(media), Value::Object(fields)) = (&mut media, fields) {
        media.extend(fields);
    }
    if let Some(children) = children {
        media["media_type"] = json!(8);
        media["carousel_media_count"] = json!(children.len());
        media["carousel_media"] = Value::from(children);
        if let Value::Object(media) = &mut media {
            media.remove("image_versions2");
        }
    }
    sim.shared.look(|world| world.posts.insert(pk.to_string(), media.clone()));
    media
}

/// The letters of a post's link, as Instagram makes them from its number.
pub(crate) fn code(pk: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut left = pk;
    let mut code = Vec::new();
    while left > 0 {
        code.push(LETTERS[(left & 63) as usize]);
        left >>= 6;
    }
    code.iter().rev().map(|letter| char::from(*letter)).collect()
}
