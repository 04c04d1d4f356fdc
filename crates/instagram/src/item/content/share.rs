//! What people pass on: posts, reels, stories, profiles, notes, and answers to these.
//!
//! Two shapes mean the same: the shared object itself (`media_share`, `clip`, …) and, newer, cards (`xma_…`) of a
//! heading, a preview picture and an address. Words and link never depend on the files.

use std::fmt;

use crate::item::Item;
use crate::item::address::{is_handle, is_number};
use crate::item::inner::Inner;
use crate::number::Object;

use super::media::{MOST, Media, MediaKind};

/// Somebody's post, story, profile or the like, and what the sender says beside it.
#[derive(Clone, PartialEq)]
pub struct Share {
    /// What is shared.
    pub kind: ShareKind,
    /// The username of who made it.
    pub author: Option<String>,
    /// The name of it, or the heading of its card. Says why when it is gone.
    pub title: Option<String>,
    /// What its author wrote. On newer items Instagram may put the start of it into the title.
    pub caption: Option<String>,
    /// Where to see it: canonical and `https`.
    pub link: Option<String>,
    /// Instagram's own line about it, such as "Replied to your story".
    pub explanation: Option<String>,
    /// What the sender wrote beside it.
    pub text: Option<String>,
    /// The emoji with which the sender reacted to a story or a note.
    pub reaction: Option<String>,
    /// Its files; of several only the one that was meant, if the item says which. On cards the previews. A GIF that
    /// answers a story is the last.
    pub media: Vec<Media>,
    /// Instagram no longer hands out its files.
    pub expired: bool,
    /// Names the reel whose video has to be fetched with `clips/item/`: `<pk>_<owner>`, or the `<pk>` alone.
    pub clip_id: Option<String>,
    /// The words of the note that is answered.
    pub note: Option<String>,
}

/// What is shared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShareKind {
    /// A post.
    Post,
    /// A reel.
    Reel,
    /// A longer video of the old kind.
    Video,
    /// A story.
    Story,
    /// The text answers a story.
    StoryReply,
    /// An emoji for a story.
    StoryReaction,
    /// A story in which somebody is mentioned.
    StoryMention,
    /// A person.
    Profile,
    /// A note, answered.
    Note,
    /// A hashtag.
    Hashtag,
    /// A thing in a shop.
    Product,
    /// A song.
    Music,
    /// A collection of posts or places.
    Guide,
    /// A broadcast.
    Live,
    /// What Meta's assistant said.
    AiAnswer,
    /// An address outside of Instagram.
    Link,
    /// Something else.
    Other,
}

impl Share {
    /// Reads the contents of an item, which is of the kind `name`, as something shared. `None` if that says nothing.
    pub(super) fn decode(item: &Item, name: &str, object: &Object<'_>, contents: Vec<Object<'_>>) -> Option<Self> {
        let inners: Vec<Inner<'_>> = contents.into_iter().map(|content| Inner::new(content, name)).collect();
        let first = inners.first();
        let kind = ShareKind::of(name, object, first);
        let is_note = kind == ShareKind::Note;

        let said = item.text.clone().filter(|text| !text.is_empty());
        let said = said.or_else(|| first?.object.text("text"));
        let reaction = reaction(kind, object, first, said.as_ref());
        let body = first.and_then(|inner| inner.object.text("caption_body_text"));
        let (body, note) = if is_note { (None, body) } else { (body, None) };

        let author = first.and_then(|inner| author(inner, is_note));
        let title = first.and_then(|inner| title(inner, author.as_deref()));
        let caption = body.or_else(|| caption(first?)).filter(|caption| Some(caption) != title.as_ref());
        let media = media(kind, object, &inners);
        let share = Self {
            kind,
            author,
            title,
            caption,
            link: item.best_link().filter(|link| link.starts_with("https://")),
            explanation: object.text("auxiliary_text").or_else(|| first?.object.text("eyebrow_text")),
            text: said.filter(|text| reaction.as_ref() != Some(text)),
            reaction,
            expired: kind.is_story() && first.is_some_and(Inner::is_gone),
            clip_id: first.filter(|_| kind == ShareKind::Reel).and_then(|inner| clip_id(inner, &media)),
            media,
            note,
        };
        (!share.says_nothing()).then_some(share)
    }

    fn says_nothing(&self) -> bool {
        let words = [&self.author, &self.title, &self.caption, &self.link, &self.text, &self.reaction, &self.note];
        words.into_iter().all(Option::is_none) && self.media.is_empty() && self.clip_id.is_none() && !self.expired
    }
}

/// The emoji, if the item is a reaction: a story's says so itself, a card's in `message_item_type`.
fn reaction(kind: ShareKind, item: &Object<'_>, inner: Option<&Inner<'_>>, said: Option<&String>) -> Option<String> {
    if kind != ShareKind::StoryReaction && item.text("message_item_type").as_deref() != Some("reaction") {
        return None;
    }
    let own = || inner?.object.object("reaction_info")?.text("emoji").or_else(|| inner?.object.text("emoji"));
    own().or_else(|| said.cloned())
}

/// A note's card has its author in the title where others have it in the heading.
pub(in crate::item) fn author(inner: &Inner<'_>, is_note: bool) -> Option<String> {
    let in_title = || inner.object.text("title_text").filter(|title| is_handle(title));
    inner.owner().or_else(|| if is_note { in_title() } else { None })
}

/// The heading and the name; of a thing in a shop its price, and where Instagram explains why something is gone, that.
fn title(inner: &Inner<'_>, author: Option<&str>) -> Option<String> {
    let object = &inner.object;
    let own = |key| object.text(key).filter(|title| Some(title.as_str()) != author);
    let join = |first: Option<String>, second: Option<String>| match (first, second) {
        (Some(first), Some(second)) if first != second => Some(format!("{first} – {second}")),
        (first, second) => first.or(second),
    };
    let subject = || {
        let subject = inner.subject.as_ref()?;
        ["title", "name"].iter().find_map(|key| subject.text(key))
    };
    let title = join(own("header_title_text"), own("title_text"))
        .or_else(|| ["title", "name", "full_name", "header_subtitle_text"].iter().find_map(|key| own(key)))
        .or_else(subject);
    let price = || {
        let holders = [Some(object), inner.subject.as_ref()];
        holders.into_iter().flatten().find_map(|of| of.text("current_price").or_else(|| of.text("price")))
    };
    join(join(title, price()), own("message"))
}

fn caption(inner: &Inner<'_>) -> Option<String> {
    let written = |of: &Object<'_>| {
        let caption = of.object("caption").and_then(|caption| caption.text("text")).or_else(|| of.text("caption"));
        caption.or_else(|| of.text("description"))
    };
    inner
        .subject
        .as_ref()
        .and_then(written)
        .or_else(|| written(&inner.object))
        .or_else(|| inner.object.text("subtitle_text"))
}

fn media(kind: ShareKind, item: &Object<'_>, inners: &[Inner<'_>]) -> Vec<Media> {
    // Of a person only the preview of a card: their posts are not what was shared.
    if kind == ShareKind::Profile {
        return inners.iter().filter_map(|inner| Media::picture(&inner.object)).take(MOST).collect();
    }
    let mut media: Vec<Media> = inners.iter().flat_map(|inner| media_of(item, inner)).filter(Media::is_there).collect();
    let gif = || item.object("animated_media").or_else(|| inners.first()?.object.object("animated_media"));
    media.truncate(MOST);
    media.extend(gif().map(|gif| Media::animated(&gif)).filter(Media::is_there));
    media
}

fn media_of(item: &Object<'_>, inner: &Inner<'_>) -> Vec<Media> {
    let Some(subject) = &inner.subject else { return Media::picture(&inner.object).into_iter().collect() };
    let meant = "carousel_share_child_media_id";
    let meant = [item, &inner.object, subject].iter().find_map(|holder| holder.id(meant));
    Media::children(subject, meant.as_deref()).unwrap_or_else(|| {
        let own = Media::one(subject).filter(Media::is_there);
        own.or_else(|| Media::picture(subject)).or_else(|| Media::picture(&inner.object)).into_iter().collect()
    })
}

/// A reel without its video: a card names it in its address, the shared object by its id.
fn clip_id(inner: &Inner<'_>, media: &[Media]) -> Option<String> {
    if media.iter().any(|media| media.kind == MediaKind::Video && media.url.is_some()) {
        return None;
    }
    let is_id = |id: &String| {
        let (pk, owner) = id.split_once('_').unwrap_or((id, "0"));
        is_number(pk) && is_number(owner)
    };
    let in_address = || {
        let address = url::Url::parse(&inner.object.text("target_url")?).ok()?;
        address.query_pairs().find(|(key, _)| key == "id").map(|(_, id)| id.into_owned()).filter(is_id)
    };
    in_address().or_else(|| inner.subject.as_ref()?.first_id(&["id", "pk"]).filter(is_id))
}

// What people share is private: `Debug` shows kinds and counts.
impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share")
            .field("kind", &self.kind)
            .field("has_author", &self.author.is_some())
            .field("has_link", &self.link.is_some())
            .field("text_bytes", &self.text.as_ref().map(String::len))
            .field("media", &self.media)
            .field("expired", &self.expired)
            .field("has_clip_id", &self.clip_id.is_some())
            .finish_non_exhaustive()
    }
}
