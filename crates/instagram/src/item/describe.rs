//! Says in plain English what an item is, for kinds the bridge cannot show, and where to see it.
//!
//! Reads the raw text on demand. Anything that is missing makes the phrase shorter, never wrong.

use crate::number::Object;

use super::address::{is_cdn, is_code, is_number, is_username, web_link};
use super::content::{ShareKind, author, is_share};
use super::inner::{Inner, contents, kind_name};
use super::{Content, Item, Kind, MediaKind, ViewMode};

const SITE: &str = "https://www.instagram.com";

impl Item {
    /// What it is, as a phrase that fits after "sent": "a photo", "a post by @bob".
    pub fn summary(&self) -> String {
        if self.kind() == Kind::Text {
            return "a text message".to_owned();
        }
        let raw = self.raw.as_deref().unwrap_or("{}");
        Object::parse(raw).map_or_else(|| self.unknown(), |object| self.describe(&object))
    }

    /// The words in it: the message itself, else a caption, a description, a title.
    pub fn best_text(&self) -> Option<String> {
        if let Some(body) = self.body() {
            return Some(body.to_owned());
        }
        if let Some(text) = self.text.as_ref().or(self.action.as_ref()).filter(|text| !text.is_empty()) {
            return Some(text.clone());
        }
        let object = Object::parse(self.raw.as_deref()?)?;
        let kind = kind_name(&self.item_type, &object);
        let inner = Inner::of(&object, kind)?;
        let caption = || inner.subject.as_ref()?.object("caption")?.text("text");
        let title = || ["title", "name"].iter().find_map(|key| inner.subject.as_ref()?.text(key));
        ["text", "message", "description", "caption_body_text", "title_text"]
            .iter()
            .find_map(|key| inner.object.text(key))
            .or_else(caption)
            .or_else(|| ["title", "name"].iter().find_map(|key| inner.object.text(key)))
            .or_else(title)
    }

    /// Where to see it: a plain `https` address, or `None` if none can be derived.
    pub fn best_link(&self) -> Option<String> {
        if self.item_type == "link" {
            return self.link.as_ref()?.url.as_deref().and_then(web_link);
        }
        let object = Object::parse(self.raw.as_deref()?)?;
        let kind = kind_name(&self.item_type, &object);
        contents(&object, kind).into_iter().find_map(|content| link_of(kind, &Inner::new(content, kind)))
    }

    fn describe(&self, object: &Object<'_>) -> String {
        let kind = kind_name(&self.item_type, object);
        let inner = Inner::of(object, kind);
        let inner = inner.as_ref();
        let is_reaction = object.text("message_item_type").as_deref() == Some("reaction");
        let shared = || match ShareKind::of(kind, object, inner) {
            ShareKind::Note => {
                let what = if is_reaction { "a reaction to a note" } else { ShareKind::Note.phrase() };
                match inner.and_then(|inner| author(inner, true)) {
                    Some(author) => format!("{what} by @{author}"),
                    None => what.to_owned(),
                }
            }
            kind => shared_phrase(kind, inner.and_then(Inner::owner).as_deref()),
        };
        let field = |key: &str| inner.and_then(|inner| inner.object.text(key));
        match kind {
            "media" => self.attached().unwrap_or("a photo or a video").to_owned(),
            "raven_media" => self.describe_raven(inner),
            "voice_media" if matches!(self.content(), Content::Disappearing { .. }) => self.describe_raven(inner),
            "voice_media" => "a voice message".to_owned(),
            "animated_media" if inner.is_some_and(|inner| inner.object.flag("is_sticker")) => "a sticker".to_owned(),
            "animated_media" => "a GIF".to_owned(),
            "story_share" if inner.is_some_and(Inner::is_gone) => "a story that is no longer available".to_owned(),
            "location" => "a location".to_owned(),
            "video_call_event" => match field("action").as_deref() {
                Some(action) if action.ends_with("_started") => "the start of a video call".to_owned(),
                Some(action) if action.ends_with("_ended") => "the end of a video call".to_owned(),
                _ => "news of a video call".to_owned(),
            },
            "placeholder" => "a message that Instagram does not show here".to_owned(),
            "expired_placeholder" => "a message that is no longer available".to_owned(),
            "action_log" => "a change of the chat".to_owned(),
            "poll_vote" => "a vote in a poll".to_owned(),
            "static_sticker" | "selfie_sticker" | "avatar_sticker" => "a sticker".to_owned(),
            "ar_effect" => "an effect".to_owned(),
            "text" | "link" => "a text message without text".to_owned(),
            known if is_share(known) => shared(),
            _ => self.unknown(),
        }
    }

    /// What its attachments are; `None` if that is not said.
    fn attached(&self) -> Option<&'static str> {
        let Content::Media(media) = self.content() else { return None };
        Some(match media.as_slice() {
            [] => return None,
            [one] => match one.kind {
                MediaKind::Photo => "a photo",
                MediaKind::Video => "a video",
                MediaKind::Voice => "a voice message",
                MediaKind::Animated => "a GIF",
                MediaKind::Sticker => "a sticker",
            },
            _ => "several photos or videos",
        })
    }

    fn describe_raven(&self, inner: Option<&Inner<'_>>) -> String {
        let Content::Disappearing { view_mode, media, video, .. } = self.content() else {
            return "a disappearing photo or video".to_owned();
        };
        let media_type = inner.and_then(|inner| inner.subject.as_ref()?.integer("media_type"));
        let is_voice = media.as_ref().is_some_and(|media| media.kind == MediaKind::Voice);
        let what = match media_type {
            _ if is_voice || media_type == Some(11) => "voice message",
            _ if video => "video",
            _ if media.is_some() => "photo",
            Some(1) => "photo",
            _ => "photo or video",
        };
        match (media, view_mode) {
            (Some(_), ViewMode::Permanent) => format!("a {what}"),
            (Some(_), _) => format!("a disappearing {what}"),
            (None, _) => format!("a disappearing {what} that is no longer available"),
        }
    }

    fn unknown(&self) -> String {
        let name: String = self.item_type.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect();
        if name.is_empty() {
            "a message of an unknown kind".to_owned()
        } else {
            format!("a message of an unknown kind ({name})")
        }
    }
}

/// Where one content can be seen.
pub(super) fn link_of(kind: &str, inner: &Inner<'_>) -> Option<String> {
    let by_code = |kind: &str| inner.code().map(|code| format!("{SITE}/{kind}/{code}/"));
    let stated = || stated_link(&inner.object);
    match kind {
        "media_share" | "direct_media_share" => by_code("p").or_else(stated),
        "clip" | "felix_share" => by_code("reel").or_else(stated),
        "story_share" | "reel_share" | "reel_react" => {
            let name = inner.owner_in_subject()?;
            let pk = inner.subject.as_ref()?.first_id(&["pk", "id"])?;
            let pk = pk.split('_').next().filter(|pk| is_number(pk))?;
            Some(format!("{SITE}/stories/{name}/{pk}/"))
        }
        "profile" => inner.object.text("username").filter(|n| is_username(n)).map(|n| format!("{SITE}/{n}/")),
        "location" => {
            let place = inner.object.first_id(&["pk"]).filter(|id| is_code(id));
            place.map(|id| format!("{SITE}/explore/locations/{id}/"))
        }
        "hashtag" => {
            let name = inner.object.text("name").filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'));
            name.map(|name| format!("{SITE}/explore/tags/{name}/"))
        }
        "live_video_share" | "live_invite_guest" | "live_viewer_invite" => {
            inner.owner().map(|name| format!("{SITE}/{name}/live/")).or_else(stated)
        }
        "animated_media" => {
            let image = inner.object.object("images")?.object("fixed_height")?;
            image.text("url").as_deref().and_then(web_link)
        }
        // A direct address of a photo or a voice message is signed, private and short-lived.
        "media" | "raven_media" | "voice_media" | "static_sticker" | "selfie_sticker" => None,
        // A kind not seen before: `code` is what only posts have.
        _ => stated().or_else(|| by_code("p").filter(|_| inner.subject.as_ref().is_some_and(|post| post.has("code")))),
    }
}

/// Something shared, as a phrase that fits after "sent".
pub(super) fn shared_phrase(kind: ShareKind, author: Option<&str>) -> String {
    match (kind, author) {
        (ShareKind::Profile, Some(name)) => format!("the profile of @{name}"),
        // Their headings are no names.
        (ShareKind::AiAnswer | ShareKind::Hashtag | ShareKind::Link | ShareKind::Music, _) | (_, None) => {
            kind.phrase().to_owned()
        }
        (kind, Some(author)) => format!("{} by @{author}", kind.phrase()),
    }
}

/// Where a content says it can be seen. An address of a file is signed and short-lived: no place to send people to.
fn stated_link(content: &Object<'_>) -> Option<String> {
    let own = |object: &Object<'_>| {
        let keys = ["target_url", "link_url", "url", "external_url"];
        keys.iter().filter_map(|key| object.text(key)).filter(|url| !is_cdn(url)).find_map(|url| web_link(&url))
    };
    let of_product = || own(&content.object("product")?);
    // A card that leads nowhere itself may have buttons that do.
    let of_button = |button: &Object<'_>| button.text("action_url").and_then(|url| web_link(&url));
    own(content).or_else(of_product).or_else(|| content.objects("cta_buttons").iter().find_map(of_button))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(json: &str) -> Item {
        Item::decode(&format!(r#"{{"item_id":1,{json}}}"#)).unwrap()
    }

    #[test]
    fn a_post_without_code_is_linked_by_its_number() {
        let post = item(
            r#""item_type":"media_share","media_share":{"id":"2278584739065882267_42","user":{"username":"bob"}}"#,
        );
        assert_eq!(post.best_link().as_deref(), Some("https://www.instagram.com/p/B-fKL9qpeab/"));
        assert_eq!(post.summary(), "a post by @bob");
    }

    #[test]
    fn links_are_canonical_https_or_nothing() {
        for (target, expected) in [
            ("https://www.instagram.com/p/DAb/?igsh=x#y", Some("https://www.instagram.com/p/DAb/")),
            ("https://www.instagram.com/carol", Some("https://www.instagram.com/carol/")),
            ("https://example.org/a?b=c", Some("https://example.org/a?b=c")),
            ("instagram://media?id=1", None),
            ("javascript:alert(1)", None),
            ("https://user:pass@example.org/", None),
            ("not an address", None),
        ] {
            let card = item(&format!(r#""item_type":"generic_xma","generic_xma":[{{"target_url":"{target}"}}]"#));
            assert_eq!(card.best_link().as_deref(), expected, "{target}");
        }
    }

    #[test]
    fn hostile_names_do_not_reach_the_phrase() {
        let post = item(r#""item_type":"media_share","media_share":{"code":"../x","user":{"username":"<b>\n@room"}}"#);
        assert_eq!((post.summary().as_str(), post.best_link()), ("a post", None));
        let odd = item(r#""item_type":"new <i>kind</i> \n""#);
        assert_eq!(odd.summary(), "a message of an unknown kind (newikindi)");
        assert_eq!(item(r#""item_type":null"#).summary(), "a message of an unknown kind");
    }

    #[test]
    fn every_kind_survives_without_its_content() {
        for kind in [
            "media",
            "raven_media",
            "voice_media",
            "animated_media",
            "media_share",
            "direct_media_share",
            "clip",
            "felix_share",
            "guide_share",
            "story_share",
            "reel_share",
            "reel_react",
            "xma_media_share",
            "xma_clip",
            "xma_story_share",
            "xma_reel_share",
            "xma_reel_mention",
            "generic_xma",
            "avatar_sticker",
            "xma_profile",
            "profile",
            "location",
            "hashtag",
            "product",
            "product_share",
            "cta_link",
            "live_video_share",
            "live_invite_guest",
            "live_viewer_invite",
            "video_call_event",
            "placeholder",
            "expired_placeholder",
            "action_log",
            "poll_vote",
            "static_sticker",
            "ar_effect",
            "selfie_sticker",
            "text",
            "link",
            "xma_new",
        ] {
            for content in [format!(r#""{kind}":null"#), format!(r#""{kind}":[{{}}]"#), format!(r#""{kind}":7"#)] {
                let item = item(&format!(r#""item_type":"{kind}",{content}"#));
                let summary = item.summary();
                assert!(
                    ["a ", "an ", "the ", "several ", "something", "news "].iter().any(|a| summary.starts_with(a)),
                    "{summary}"
                );
                assert!(!summary.contains("unknown kind"), "{kind}");
                assert_eq!(item.best_link(), None, "{kind}");
                let _ = item.best_text();
            }
        }
    }
}
