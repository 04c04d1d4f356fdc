//! Items of kinds not seen before, by the look of their content.

use crate::item::Item;
use crate::item::inner::others;
use crate::number::Object;

use super::{Content, Media, Share};

/// A kind not seen before: the first of its contents that looks like something known.
///
/// How phones are told of a message with several attachments is not known: a list of media objects under whatever
/// name is taken as that. Cards and posts are recognised by their fields.
pub(super) fn unseen(item: &Item, kind: &str, object: &Object<'_>, contents: Vec<Object<'_>>) -> Option<Content> {
    // Whatever it is called: what was meant to disappear is never taken for an ordinary photo.
    let disappears = object.has("visual_media") || kind.contains("raven");
    [contents].into_iter().chain(others(object)).find_map(|group| {
        if let Some(content) = group.iter().find(|content| disappears || is_disappearing(content)) {
            return Some(Content::disappearing(content));
        }
        if group.first().is_some_and(is_shared) {
            return Share::decode(item, kind, object, group).map(|share| Content::Share(Box::new(share)));
        }
        Content::media(group.iter().flat_map(attachments).filter(Media::is_there).collect())
    })
}

/// Tells whether an object has the fields of `visual_media`. Voice messages share some of them.
fn is_disappearing(content: &Object<'_>) -> bool {
    let is_voice = content.object("media").is_some_and(|media| media.has("audio"));
    let keys = ["view_mode", "url_expire_at_secs", "replay_expiring_at_us", "seen_user_ids"];
    !is_voice && keys.iter().any(|key| content.has(key))
}

/// Tells whether an object is a card or a post. One's own photo has no name in an address.
fn is_shared(content: &Object<'_>) -> bool {
    let is_post = |object: &Object<'_>| object.has("code") && object.has("user");
    let card = ["xma_layout_type", "target_url", "preview_url", "header_title_text", "title_text"];
    card.iter().any(|key| content.has(key))
        || is_post(content)
        || content.object("media").is_some_and(|media| is_post(&media))
}

/// The files of one object of an unknown kind, which may hold them in a list.
fn attachments(object: &Object<'_>) -> Vec<Media> {
    let own = Media::list(object);
    if !own.is_empty() {
        return own;
    }
    let lists = ["media", "medias", "items", "attachments"].iter().map(|key| object.objects(key));
    lists.flat_map(|list| list.into_iter().flat_map(|file| Media::list(&file))).collect()
}
