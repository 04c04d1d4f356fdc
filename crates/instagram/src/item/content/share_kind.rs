//! Tells what is shared: by the name of the item's kind, or by where a card points.

use url::Url;

use crate::item::address::is_instagram;
use crate::item::inner::Inner;
use crate::number::Object;

use super::share::ShareKind;

/// Kinds that pass something on, and those of which too little is known to be anything else.
pub(in crate::item) fn is_share(item_type: &str) -> bool {
    is_known_share(item_type) || item_type.starts_with("xma_")
}

/// Those of them that are known.
pub(in crate::item) fn is_known_share(item_type: &str) -> bool {
    let names = [
        "media_share",
        "direct_media_share",
        "clip",
        "felix_share",
        "guide_share",
        "story_share",
        "reel_share",
        "reel_react",
        "profile",
        "hashtag",
        "product",
        "product_share",
        "cta_link",
        "live_video_share",
        "live_invite_guest",
        "live_viewer_invite",
        "poll_vote",
        "ar_effect",
        "generic_xma",
        "xma_media_share",
        "xma_clip",
        "xma_story_share",
        "xma_reel_share",
        "xma_reel_mention",
        "xma_profile",
    ];
    names.contains(&item_type)
}

impl ShareKind {
    /// What an item shares; [`ShareKind::Other`] if neither its name nor its address tells.
    pub(in crate::item) fn of(name: &str, object: &Object<'_>, inner: Option<&Inner<'_>>) -> Self {
        let wraps_reaction = object.text("message_item_type").as_deref() == Some("reaction");
        match name {
            "media_share" | "direct_media_share" | "xma_media_share" => Self::Post,
            "clip" | "xma_clip" => Self::Reel,
            "felix_share" => Self::Video,
            "story_share" | "xma_story_share" => Self::Story,
            "reel_share" => match inner.and_then(|inner| inner.object.text("type")).as_deref() {
                Some("reaction") => Self::StoryReaction,
                Some("mention") => Self::StoryMention,
                _ => Self::StoryReply,
            },
            "xma_reel_share" if !wraps_reaction => Self::StoryReply,
            "xma_reel_share" | "reel_react" => Self::StoryReaction,
            "xma_reel_mention" => Self::StoryMention,
            "xma_profile" | "profile" => Self::Profile,
            "hashtag" => Self::Hashtag,
            "product" | "product_share" => Self::Product,
            "guide_share" => Self::Guide,
            "live_video_share" | "live_invite_guest" | "live_viewer_invite" => Self::Live,
            "cta_link" => Self::Link,
            other => {
                let address = inner.and_then(|inner| inner.object.text("target_url"));
                address.as_deref().and_then(Self::by_address).or_else(|| Self::by_name(other)).unwrap_or(Self::Other)
            }
        }
    }

    /// What a card shows, told from where it leads.
    ///
    /// Known: the web addresses, and `instagram://direct-notes`. The other names after `instagram://` are those that
    /// the app once documented, and the assistant's host is a guess.
    fn by_address(address: &str) -> Option<Self> {
        let url = Url::parse(address).ok()?;
        match url.scheme() {
            "instagram" => match url.host_str()? {
                "direct-notes" => Some(Self::Note),
                "media" => Some(Self::Post),
                "user" => Some(Self::Profile),
                "tag" => Some(Self::Hashtag),
                "clips" | "reels" => Some(Self::Reel),
                _ => None,
            },
            "https" | "http" if is_instagram(&url) => {
                let parts: Vec<&str> = url.path_segments()?.filter(|part| !part.is_empty()).collect();
                match parts.as_slice() {
                    ["p", _, ..] => Some(Self::Post),
                    ["reels", "audio", ..] => Some(Self::Music),
                    ["reel" | "reels", _, ..] => Some(Self::Reel),
                    ["tv", _, ..] => Some(Self::Video),
                    ["stories", _, ..] => Some(Self::Story),
                    ["explore", "tags", _, ..] => Some(Self::Hashtag),
                    [_, "guide", ..] => Some(Self::Guide),
                    [_, "live", ..] => Some(Self::Live),
                    _ => None,
                }
            }
            "https" | "http" => match url.host_str()? {
                host if host == "meta.ai" || host.ends_with(".meta.ai") => Some(Self::AiAnswer),
                _ => Some(Self::Link),
            },
            _ => None,
        }
    }

    /// A guess at kinds not seen yet, from a word in their name.
    fn by_name(item_type: &str) -> Option<Self> {
        item_type.split('_').find_map(|word| {
            Some(match word {
                "ai" => Self::AiAnswer,
                "music" | "audio" => Self::Music,
                "note" | "notes" => Self::Note,
                "product" => Self::Product,
                "hashtag" => Self::Hashtag,
                "guide" => Self::Guide,
                "live" => Self::Live,
                "profile" => Self::Profile,
                "link" => Self::Link,
                _ => return None,
            })
        })
    }

    /// It is a story, or an answer to one.
    pub(super) fn is_story(self) -> bool {
        matches!(self, Self::Story | Self::StoryReply | Self::StoryReaction | Self::StoryMention)
    }

    /// What it is, as a phrase that fits after "sent".
    pub(in crate::item) fn phrase(self) -> &'static str {
        match self {
            Self::Post => "a post",
            Self::Reel => "a reel",
            Self::Video => "a video",
            Self::Story | Self::StoryMention => "a story",
            Self::StoryReply => "a reply to a story",
            Self::StoryReaction => "a reaction to a story",
            Self::Profile => "a profile",
            Self::Note => "a reply to a note",
            Self::Hashtag => "a hashtag",
            Self::Product => "a product",
            Self::Music => "a song",
            Self::Guide => "a guide",
            Self::Live => "an invitation to a live video",
            Self::AiAnswer => "an answer of Meta AI",
            Self::Link => "a link",
            Self::Other => "something shared",
        }
    }
}
