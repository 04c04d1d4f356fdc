//! Items of kinds not seen before, by the look of their content.

use crate::item::Item;
use crate::item::inner::others;
use crate::number::Object;

use super::{Content, Media, Share};

/// A kind not seen before.
///
/// How phones are told of a message with several attachments is not known: a list of media objects under whatever
/// name is taken as that. Cards and posts are recognised by their fields.
pub(super) fn unseen(item: &Item, kind: &str, object: &Object<'_>, contents: Vec<Object<'_>>) -> Option<Content> {
    let all = |objects: &[Object<'_>]| -> Vec<Media> {
        objects.iter().flat_map(attachments).filter(Media::is_there).collect()
    };
    // Whatever it is called: what was meant to disappear is never taken for an ordinary photo.
    if let Some(disappearing) = contents.iter().find(|content| is_disappearing(content)) {
        return Some(Content::disappearing(disappearing));
    }
    let is_card = |content: &Object<'_>| {
        ["xma_layout_type", "target_url", "preview_url", "header_title_text", "title_text"]
            .iter()
            .any(|key| content.has(key))
    };
    let is_post = |content: &Object<'_>| content.has("code") && content.has("user");
    let is_shared = |content: &Object<'_>| is_card(content) || content.object("media").as_ref().is_some_and(is_post);
    if contents.first().is_some_and(|content| is_shared(content) || is_post(content)) {
        return Share::decode(item, kind, object, contents).map(|share| Content::Share(Box::new(share)));
    }
    let own = all(&contents);
    if !own.is_empty() {
        return Content::media(own);
    }
    others(object).find_map(|other| match other.iter().find(|content| is_disappearing(content)) {
        Some(disappearing) => Some(Content::disappearing(disappearing)),
        None => Content::media(all(&other)),
    })
}

/// Tells whether an object has the fields of `visual_media`. Voice messages share some of them.
fn is_disappearing(content: &Object<'_>) -> bool {
    let is_voice = content.object("media").is_some_and(|media| media.has("audio"));
    let keys = ["view_mode", "url_expire_at_secs", "replay_expiring_at_us", "seen_user_ids"];
    !is_voice && keys.iter().any(|key| content.has(key))
}

/// The files of one object of an unknown kind, which may hold them in a list.
fn attachments(object: &Object<'_>) -> Vec<Media> {
    let own = Media::list(object);
    let lists = ["media", "medias", "items", "attachments"].iter().map(|key| object.objects(key));
    if own.is_empty() {
        lists.flat_map(|list| list.into_iter().flat_map(|file| Media::list(&file))).collect()
    } else {
        own
    }
}
