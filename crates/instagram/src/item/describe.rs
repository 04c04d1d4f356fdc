//! Says in plain English what an item is, for kinds the bridge cannot show, and where to see it.
//!
//! Reads the raw text on demand. Anything that is missing makes the phrase shorter, never wrong.

use url::Url;

use crate::number::Object;

use super::{Item, Kind};

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
        let content = Parts::of(&object, &self.item_type)?;
        let caption = || content.media.as_ref()?.object("caption")?.text("text");
        ["text", "message", "description", "caption_body_text", "title_text"]
            .iter()
            .find_map(|key| content.object.text(key))
            .or_else(caption)
            .or_else(|| content.object.text("name"))
    }

    /// Where to see it: a plain `https` address, or `None` if none can be derived.
    pub fn best_link(&self) -> Option<String> {
        if self.item_type == "link" {
            return self.link.as_ref()?.url.as_deref().and_then(web_link);
        }
        let object = Object::parse(self.raw.as_deref()?)?;
        let content = Parts::of(&object, &self.item_type)?;
        let by_code = |kind: &str| content.code().map(|code| format!("{SITE}/{kind}/{code}/"));
        let stated = || {
            let keys = ["target_url", "link_url", "url"];
            keys.iter().find_map(|key| content.object.text(key)).as_deref().and_then(web_link)
        };
        match self.item_type.as_str() {
            "media_share" | "direct_media_share" => by_code("p").or_else(stated),
            "clip" | "felix_share" => by_code("reel").or_else(stated),
            "story_share" | "reel_share" | "reel_react" => {
                let name = content.owner_in_media()?;
                let pk = content.media.as_ref()?.first_id(&["pk", "id"])?;
                let pk = pk.split('_').next().filter(|pk| pk.bytes().all(|b| b.is_ascii_digit()))?;
                Some(format!("{SITE}/stories/{name}/{pk}/"))
            }
            "profile" => content.object.text("username").filter(|n| is_username(n)).map(|n| format!("{SITE}/{n}/")),
            "location" => content
                .object
                .first_id(&["pk"])
                .filter(|id| is_code(id))
                .map(|id| format!("{SITE}/explore/locations/{id}/")),
            "hashtag" => content
                .object
                .text("name")
                .filter(|n| n.chars().all(char::is_alphanumeric))
                .map(|n| format!("{SITE}/explore/tags/{n}/")),
            "animated_media" => {
                let image = content.object.object("images")?.object("fixed_height")?;
                image.text("url").as_deref().and_then(web_link)
            }
            // A direct address of a photo or a voice message is signed, private and short-lived.
            "media" | "raven_media" | "voice_media" => None,
            _ => stated(),
        }
    }

    fn describe(&self, object: &Object<'_>) -> String {
        let content = Parts::of(object, &self.item_type);
        let by = |what: &str| match content.as_ref().and_then(Parts::owner) {
            Some(owner) => format!("{what} by @{owner}"),
            None => what.to_owned(),
        };
        let field = |key: &str| content.as_ref().and_then(|content| content.object.text(key));
        let wraps_reaction = object.text("message_item_type").as_deref() == Some("reaction");
        match self.item_type.as_str() {
            "media" => content.as_ref().map_or("a photo or a video", Parts::media_name).to_owned(),
            "raven_media" => describe_raven(content.as_ref()),
            "voice_media" => "a voice message".to_owned(),
            "animated_media" if content.as_ref().is_some_and(|content| content.object.flag("is_sticker")) => {
                "a sticker".to_owned()
            }
            "animated_media" => "a GIF".to_owned(),
            "media_share" | "xma_media_share" | "direct_media_share" | "guide_share" => by("a post"),
            "clip" | "xma_clip" => by("a reel"),
            "felix_share" => by("a video"),
            "story_share" if field("reason").is_some() || content.as_ref().is_some_and(|c| c.media.is_none()) => {
                "a story that is no longer available".to_owned()
            }
            "story_share" | "xma_story_share" => by("a story"),
            "reel_share" => match field("type").as_deref() {
                Some("reaction") => "a reaction to a story".to_owned(),
                Some("mention") => by("a story that mentions you"),
                _ => "a reply to a story".to_owned(),
            },
            "xma_reel_share" if wraps_reaction => "a reaction to a story".to_owned(),
            "xma_reel_share" => "a reply to a story".to_owned(),
            "reel_react" => "a reaction to a story".to_owned(),
            "xma_reel_mention" => "a story that mentions you".to_owned(),
            "generic_xma" if field("target_url").is_some_and(|url| url.starts_with("instagram://direct-notes")) => {
                "a reply to a note".to_owned()
            }
            "xma_profile" | "profile" => match content.as_ref().and_then(Parts::owner) {
                Some(name) => format!("the profile of @{name}"),
                None => "a profile".to_owned(),
            },
            "location" => "a location".to_owned(),
            "hashtag" => "a hashtag".to_owned(),
            "product" | "product_share" => "a product".to_owned(),
            "cta_link" => "a link".to_owned(),
            "live_video_share" | "live_invite_guest" | "live_viewer_invite" => {
                "an invitation to a live video".to_owned()
            }
            "video_call_event" => match field("action").as_deref() {
                Some("video_call_started") => "the start of a video call".to_owned(),
                Some("video_call_ended") => "the end of a video call".to_owned(),
                _ => "news of a video call".to_owned(),
            },
            "placeholder" => "a message that Instagram does not show here".to_owned(),
            "expired_placeholder" => "a message that is no longer available".to_owned(),
            "action_log" => "a change of the chat".to_owned(),
            "poll_vote" => "a vote in a poll".to_owned(),
            "static_sticker" | "selfie_sticker" | "avatar_sticker" => "a sticker".to_owned(),
            "ar_effect" => "an effect".to_owned(),
            "text" | "link" => "a text message without text".to_owned(),
            kind if kind == "generic_xma" || kind.starts_with("xma_") => by("something shared"),
            _ => self.unknown(),
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

fn describe_raven(content: Option<&Parts<'_>>) -> String {
    let Some(content) = content else { return "a disappearing photo or video".to_owned() };
    let what = match content.media.as_ref().and_then(|media| media.integer("media_type")) {
        Some(1) => "photo",
        Some(2) => "video",
        _ => "photo or video",
    };
    let there = content.media.as_ref().is_some_and(|m| m.has("image_versions2") || m.has("video_versions"));
    match (there, content.object.text("view_mode").as_deref()) {
        (true, Some("permanent")) => format!("a {what}"),
        (true, _) => format!("a disappearing {what}"),
        (false, _) => format!("a disappearing {what} that is no longer available"),
    }
}

/// The content of an item: usually under the name of its kind, with the shared media at differing depths.
pub(super) struct Parts<'a> {
    pub(super) object: Object<'a>,
    pub(super) media: Option<Object<'a>>,
}

impl<'a> Parts<'a> {
    pub(super) fn of(item: &Object<'a>, item_type: &str) -> Option<Self> {
        let key = if item_type == "raven_media" && item.has("visual_media") { "visual_media" } else { item_type };
        let object = item.objects(key).into_iter().next()?;
        let media = match item_type {
            "media" | "media_share" => Object::parse(object.source()),
            "clip" => object.object("clip"),
            "felix_share" => object.object("video"),
            _ => object.object("media"),
        };
        Some(Self { object, media })
    }

    fn media_name(&self) -> &'static str {
        match self.media.as_ref().and_then(|media| media.integer("media_type")) {
            Some(1) => "a photo",
            Some(2) => "a video",
            Some(8) => "several photos or videos",
            Some(11) => "a voice message",
            _ => "a photo or a video",
        }
    }

    fn owner_in_media(&self) -> Option<String> {
        self.media.as_ref()?.object("user")?.text("username").filter(|name| is_username(name))
    }

    /// Who made the shared thing: its user, or the heading of a card.
    pub(super) fn owner(&self) -> Option<String> {
        let heading = || {
            let keys = ["username", "header_title_text"];
            keys.iter().find_map(|key| self.object.text(key)).filter(|name| is_username(name))
        };
        self.owner_in_media().or_else(heading)
    }

    /// The name of a post in its address; computed from its number when not said.
    fn code(&self) -> Option<String> {
        let media = self.media.as_ref()?;
        media.text("code").filter(|code| is_code(code)).or_else(|| {
            let id = media.first_id(&["pk", "id"])?;
            id.split('_').next()?.parse().ok().map(shortcode)
        })
    }
}

/// The name of a post in its address, which is its number in base 64.
pub fn shortcode(mut pk: u128) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut digits = Vec::new();
    loop {
        digits.push(char::from(ALPHABET[(pk % 64) as usize]));
        pk /= 64;
        if pk == 0 {
            return digits.iter().rev().collect();
        }
    }
}

/// An address that anyone may be given: `https`, and on Instagram without the tracking part.
pub(super) fn web_link(address: &str) -> Option<String> {
    let mut url = Url::parse(address).ok()?;
    if !matches!(url.scheme(), "https" | "http") || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    if url.host_str().is_some_and(|host| host == "instagram.com" || host.ends_with(".instagram.com")) {
        url.set_query(None);
        url.set_fragment(None);
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
    }
    Some(url.into())
}

fn is_username(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
}

fn is_code(code: &str) -> bool {
    !code.is_empty() && code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
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
