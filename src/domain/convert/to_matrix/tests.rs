//! What items become, kind by kind.

use ruma::{owned_event_id, owned_user_id};

use super::*;
use crate::domain::event::{Fleeting, Rich};
use crate::domain::ids::{ItemId, Timestamp};

fn item(content: ItemContent) -> Item {
    Item {
        id: ItemId::new("1"),
        sender: None,
        at: Timestamp(0),
        client_context: None,
        reply_to: None,
        content,
        mentioned_names: Vec::new(),
        kind: "text".to_owned(),
        reactions: None,
        vanishing: false,
    }
}

fn text(text: &str) -> Item {
    item(ItemContent::Text { text: text.into(), mentions: Vec::new(), preview: None })
}

#[test]
fn every_byte_of_a_text_survives() {
    for body in ["", " ", "\n\n", "a\u{202e}b\u{200f}", "\u{1}\u{7f}\0", "👩‍👩‍👧‍👦 🇩🇪", "**no** <b>markup</b>"]
    {
        let parts = to_matrix(&text(body), &IncomingFacts::default());
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].content["body"], body);
        assert_eq!(parts[0].content["msgtype"], "m.text");
    }
}

#[test]
fn a_text_larger_than_an_event_is_split_and_nothing_is_lost() {
    let long = "wörd \"quoted\" \u{1}\n".repeat(20_000);
    let parts = to_matrix(&text(&long), &IncomingFacts::default());
    assert!(parts.len() > 1);
    assert!(parts.iter().all(|part| serde_json::to_string(&part.content).unwrap().len() < 50_000));
    let joined: String = parts.iter().map(|part| part.content["body"].as_str().unwrap()).collect();
    assert_eq!(joined, long);
}

#[test]
fn a_leading_slash_me_is_an_emote() {
    let parts = to_matrix(&text("/me waves"), &IncomingFacts::default());
    assert_eq!(parts[0].content["msgtype"], "m.emote");
    assert_eq!(parts[0].content["body"], "waves");
}

#[test]
fn replies_and_mentions_are_on_the_first_part() {
    let facts = IncomingFacts {
        reply_to: Some(owned_event_id!("$target")),
        mentions: vec![owned_user_id!("@instagram_5:test")],
        ..IncomingFacts::default()
    };
    let parts = to_matrix(&text("hi @carol"), &facts);
    assert_eq!(parts[0].content["m.relates_to"]["m.in_reply_to"]["event_id"], "$target");
    assert_eq!(parts[0].content["m.mentions"]["user_ids"][0], "@instagram_5:test");
}

#[test]
fn an_unsupported_item_says_what_it_was_and_where_to_see_it() {
    let facts = IncomingFacts { thread_link: "https://www.instagram.com/direct/t/1/".into(), ..Default::default() };
    let content = ItemContent::Unsupported {
        item_type: "media".into(),
        summary: "a photo".into(),
        text: None,
        raw: Some("{}".into()),
    };
    let parts = to_matrix(&item(content), &facts);
    let body = parts[0].content["body"].as_str().unwrap();
    assert_eq!(parts[0].content["msgtype"], "m.notice");
    assert!(body.contains("a photo") && body.contains("https://www.instagram.com/direct/t/1/"));
    assert_eq!(parts[0].content[RAW_ITEM_KEY]["item_type"], "media");
}

fn rich(rich: Rich) -> Vec<Part> {
    to_matrix(&item(ItemContent::Rich(Box::new(rich))), &IncomingFacts::default())
}

#[test]
fn a_sticker_does_not_swallow_the_words_around_it() {
    let attachment = Attachment { kind: AttachmentKind::Sticker, ..Attachment::default() };
    let summary = "a reply to a story by @bob".to_owned();
    let parts = rich(Rich { summary, is_shared: true, attachments: vec![attachment], ..Rich::default() });
    assert!(parts[0].content["body"].as_str().unwrap().starts_with("A reply to a story by @bob"));
    assert_eq!((parts[1].kind, parts[1].media.as_ref().unwrap().number), ("m.sticker", 0));
}

#[test]
fn what_nobody_said_is_a_notice() {
    let of = |rich: Rich| self::rich(Rich { is_shared: true, ..rich })[0].content["msgtype"].clone();
    let text = || Some("look".to_owned());
    assert_eq!(of(Rich { is_news: true, ..Rich::default() }), "m.notice");
    assert_eq!(of(Rich { is_gone: true, ..Rich::default() }), "m.notice");
    assert_eq!(of(Rich { is_gone: true, text: text(), ..Rich::default() }), "m.text");
    assert_eq!(of(Rich::default()), "m.text");
}

#[test]
fn words_beside_what_disappears_are_said() {
    let parts = rich(Rich { fleeting: Some(Fleeting::Gone), text: Some("look!".to_owned()), ..Rich::default() });
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[1].content["body"], "look!");
}

#[test]
fn a_long_waveform_keeps_its_end() {
    let mut waveform = vec![0.0; 5000];
    waveform[4999] = 1.0;
    let attachment = Attachment { kind: AttachmentKind::Voice, waveform, ..Attachment::default() };
    let parts = rich(Rich { attachments: vec![attachment], ..Rich::default() });
    let shown = parts[0].content["org.matrix.msc1767.audio"]["waveform"].as_array().unwrap().clone();
    assert!(shown.len() <= 1024);
    assert_eq!((shown[0].clone(), shown[shown.len() - 1].clone()), (json!(0), json!(1024)));
}

#[test]
fn an_edit_mentions_nobody_anew() {
    let mentions = json!({"user_ids": ["@anna:test"]});
    let content = json!({"msgtype": "m.text", "body": "@anna", "m.mentions": mentions});
    let edit = replacement(&content, &owned_event_id!("$event"));
    assert_eq!((&edit["m.mentions"], &edit["m.new_content"]["m.mentions"]), (&json!({}), &mentions));
}
