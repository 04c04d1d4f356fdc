//! What people pass on: posts, reels, stories, profiles, notes, and answers to these.
//!
//! Two shapes mean the same: the shared object itself (`media_share`, `clip`, …) and, newer, cards (`xma_…`) of a
//! heading, a preview picture and an address. Words and link never depend on the files.

use std::fmt;

use crate::item::Item;
use crate::item::address::{is_handle, is_number};
use crate::item::describe::{link_of, shared_phrase};
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
    /// The id of whom a story mentions.
    pub mentioned: Option<String>,
    /// The id of whom a post tags.
    pub tagged: Option<String>,
    /// Its files; of several only the one that was meant, if the item says which. On cards the previews. A GIF that
    /// answers a story is the last.
    pub media: Vec<Media>,
    /// Instagram no longer hands out its files.
    pub expired: bool,
    /// Names the reel whose video has to be fetched with `clips/item/`: `<pk>_<owner>`, or the `<pk>` alone.
    pub clip_id: Option<String>,
    /// The words of the note that is answered.
    pub note: Option<String>,
    /// What else the item shares: further cards with other words or another link, in order.
    pub further: Vec<Card>,
}

/// One more thing that an item shares.
#[derive(Clone, PartialEq)]
pub struct Card {
    /// What it is, as a phrase that fits after "sent".
    pub summary: String,
    /// See [`Share::title`].
    pub title: Option<String>,
    /// See [`Share::caption`].
    pub caption: Option<String>,
    /// See [`Share::link`].
    pub link: Option<String>,
    /// See [`Share::media`].
    pub media: Vec<Media>,
    /// See [`Share::clip_id`].
    pub clip_id: Option<String>,
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
        // Cards that say the same, or nothing, are further pictures of one thing.
        let mut cards = inners.chunk_by(|one, next| {
            let words = CardWords::of(name, next);
            words == CardWords::default() || words == CardWords::of(name, one)
        });
        let mut media = media(kind, object, cards.next().unwrap_or_default());
        media.extend(gif(object, first).filter(|_| kind != ShareKind::Profile));
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
            mentioned: first.and_then(|inner| inner.object.id("mentioned_user_id")),
            tagged: first.and_then(|inner| inner.object.id("tagged_user_id")),
            media,
            note,
            further: cards.map(|cards| Card::read(name, object, cards)).take(MOST).collect(),
        };
        (!share.says_nothing()).then_some(share)
    }

    fn says_nothing(&self) -> bool {
        let words = [&self.author, &self.title, &self.caption, &self.link, &self.text, &self.reaction, &self.note];
        words.into_iter().all(Option::is_none) && self.media.is_empty() && self.clip_id.is_none() && !self.expired
    }
}

impl Card {
    fn read(name: &str, item: &Object<'_>, cards: &[Inner<'_>]) -> Self {
        let first = &cards[0];
        let kind = ShareKind::of(name, item, Some(first));
        let CardWords { author, title, caption, link } = CardWords::of(name, first);
        let media = media(kind, item, cards);
        Self {
            summary: shared_phrase(kind, author.as_deref()),
            title,
            caption,
            link,
            clip_id: Some(first).filter(|_| kind == ShareKind::Reel).and_then(|inner| clip_id(inner, &media)),
            media,
        }
    }
}

/// What a card says by itself.
#[derive(PartialEq, Default)]
struct CardWords {
    author: Option<String>,
    title: Option<String>,
    caption: Option<String>,
    link: Option<String>,
}

impl CardWords {
    fn of(name: &str, inner: &Inner<'_>) -> Self {
        let author = author(inner, false);
        let title = title(inner, author.as_deref());
        let caption = inner.object.text("caption_body_text").or_else(|| caption(inner));
        let caption = caption.filter(|caption| Some(caption) != title.as_ref());
        let link = link_of(name, inner).filter(|link| link.starts_with("https://"));
        Self { author, title, caption, link }
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

/// The files of things that say the same.
fn media(kind: ShareKind, item: &Object<'_>, inners: &[Inner<'_>]) -> Vec<Media> {
    // Of a person only the preview of a card: their posts are not what was shared.
    if kind == ShareKind::Profile {
        return inners.iter().filter_map(|inner| Media::picture(&inner.object)).take(MOST).collect();
    }
    inners.iter().flat_map(|inner| media_of(item, inner)).filter(Media::is_there).take(MOST).collect()
}

/// A GIF beside what is answered.
fn gif(item: &Object<'_>, first: Option<&Inner<'_>>) -> Option<Media> {
    let gif = item.object("animated_media").or_else(|| first?.object.object("animated_media"))?;
    Some(Media::animated(&gif)).filter(Media::is_there)
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
impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Card")
            .field("has_link", &self.link.is_some())
            .field("media", &self.media)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share")
            .field("kind", &self.kind)
            .field("has_author", &self.author.is_some())
            .field("has_link", &self.link.is_some())
            .field("text_bytes", &self.text.as_ref().map(String::len))
            .field("media", &self.media)
            .field("expired", &self.expired)
            .field("further", &self.further)
            .field("has_clip_id", &self.clip_id.is_some())
            .finish_non_exhaustive()
    }
}
