//! Finds the content inside an item: usually under the name of its kind, with what was shared at differing depths.

use crate::number::Object;

use super::address::{is_code, is_handle, is_username, shortcode};
use super::content::is_share;

/// Fields of every item that hold objects and are not its content.
const ENVELOPE: &[&str] = &[
    "reactions",
    "replied_to_message",
    "text_entities",
    "mentioned_entities",
    "send_attribution",
    "expiring_media_action_summary",
    "auxiliary_text",
];

/// Keys that are the name of a kind, besides those of [`is_share`].
const CONTENTS: &[&str] = &[
    "media",
    "voice_media",
    "animated_media",
    "location",
    "placeholder",
    "action_log",
    "video_call_event",
    "static_sticker",
    "selfie_sticker",
    "avatar_sticker",
];

/// Tells whether it is the name of a kind that is no share.
pub(super) fn is_content(item_type: &str) -> bool {
    CONTENTS.contains(&item_type)
        || matches!(item_type, "raven_media" | "expired_placeholder" | "text" | "like" | "link")
}

/// The name of an item's kind: as it says, else that of the content it has.
pub(super) fn kind_name<'n>(said: &'n str, item: &'n Object<'_>) -> &'n str {
    if !said.is_empty() {
        return said;
    }
    if item.has("visual_media") {
        return "raven_media";
    }
    let first = |is_kind: fn(&str) -> bool| {
        item.fields().map(|(key, _)| key).find(|key| is_kind(key) && !item.objects(key).is_empty())
    };
    // Something shared may have attachments beside it, never the other way round.
    first(is_share).or_else(|| first(|key| CONTENTS.contains(&key))).unwrap_or_default()
}

/// The objects that are an item's content; kinds named `xma` come as a list of usually one.
///
/// Where the key is not the kind's name, the only other object counts: a new name for a key loses no message.
pub(super) fn contents<'a>(item: &Object<'a>, item_type: &str) -> Vec<Object<'a>> {
    if matches!(item_type, "text" | "like" | "link") {
        return item.objects(item_type);
    }
    let named = if item_type == "raven_media" { ["visual_media", item_type] } else { [item_type, "visual_media"] };
    if let Some(content) = named.iter().map(|key| item.objects(key)).find(|content| !content.is_empty()) {
        return content;
    }
    let mut others = others(item);
    match (others.next(), others.next()) {
        (Some(content), None) => content,
        _ => Vec::new(),
    }
}

/// Every field that may be a content, whatever its name.
pub(super) fn others<'a>(item: &Object<'a>) -> impl Iterator<Item = Vec<Object<'a>>> {
    let keys = item.fields().map(|(key, _)| key).filter(|key| !ENVELOPE.contains(key));
    keys.map(|key| item.objects(key)).filter(|content| !content.is_empty())
}

/// One content, and the post, video, product or broadcast that it shares.
pub(super) struct Inner<'a> {
    pub(super) object: Object<'a>,
    pub(super) subject: Option<Object<'a>>,
}

impl<'a> Inner<'a> {
    /// Finds the first content of an item.
    pub(super) fn of(item: &Object<'a>, item_type: &str) -> Option<Self> {
        Some(Self::new(contents(item, item_type).into_iter().next()?, item_type))
    }

    pub(super) fn new(object: Object<'a>, item_type: &str) -> Self {
        let own = || Object::parse(object.source());
        let nested = match item_type {
            "media" | "media_share" | "product" => own(),
            "clip" => object.object("clip"),
            "felix_share" => object.object("video"),
            "product_share" => object.object("product"),
            "guide_share" => object.object("guide").or_else(|| object.object("guide_summary")),
            "live_video_share" | "live_invite_guest" | "live_viewer_invite" => object.object("broadcast"),
            _ => object.object("media"),
        };
        let subject = nested.or_else(|| own().filter(has_files));
        Self { object, subject }
    }

    /// Who owns what is shared.
    pub(super) fn owner_in_subject(&self) -> Option<String> {
        owner(self.subject.as_ref()?)
    }

    /// Who made the shared thing: its user, or the heading of a card.
    pub(super) fn owner(&self) -> Option<String> {
        self.owner_in_subject()
            .or_else(|| self.object.text("username").filter(|name| is_username(name)))
            .or_else(|| owner(&self.object))
            .or_else(|| self.object.text("header_title_text").filter(|name| is_handle(name)))
    }

    /// The name of a post in its address; computed from its number when not said.
    pub(super) fn code(&self) -> Option<String> {
        let subject = self.subject.as_ref()?;
        subject.text("code").filter(|code| is_code(code)).or_else(|| {
            let id = subject.first_id(&["pk", "id"])?;
            id.split('_').next()?.parse().ok().map(shortcode)
        })
    }

    /// Instagram no longer hands out the files of a story or of a disappearing message.
    pub(super) fn is_gone(&self) -> bool {
        let card = ["preview_url", "preview_url_info", "target_url"].iter().any(|key| self.object.has(key));
        self.object.has("reason") || !(card || self.subject.as_ref().is_some_and(has_files))
    }
}

/// Tells whether an object speaks of pictures or videos.
pub(super) fn has_files(object: &Object<'_>) -> bool {
    ["image_versions2", "video_versions", "carousel_media"].iter().any(|key| object.has(key))
}

/// The username in whichever object names the owner: posts say `user`, products `merchant`, and so on.
fn owner(object: &Object<'_>) -> Option<String> {
    let keys = ["user", "owner", "broadcast_owner", "merchant", "attribution_user"];
    let mut owners = keys.iter().filter_map(|key| object.object(key));
    owners.find_map(|owner| owner.text("username").filter(|name| is_username(name)))
}
