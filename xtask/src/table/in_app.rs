//! What people do in Instagram's app.

use instagram_sim::{NewText, sample};
use serde_json::Value;

use super::{Deed, Ground, Place};

/// All of it, in an order in which each finds what it needs.
pub(super) fn deeds() -> Vec<Deed> {
    vec![
        Deed::in_app("a text", |g, p| said(g, p, NewText { text: "How are you?".into(), ..NewText::default() })),
        Deed::in_app("an action", |g, p| said(g, p, NewText { text: "/me waves".into(), ..NewText::default() })),
        Deed::in_app("emoji, right-to-left, lines", |g, p| {
            said(g, p, NewText { text: "👩‍👩‍👧‍👦, عربى,\ntwo lines".into(), ..NewText::default() })
        }),
        Deed::in_app("a reply", |g, p| {
            let reply_to = Some(p.own.1.clone());
            said(g, p, NewText { text: "a reply".into(), reply_to, ..NewText::default() })
        }),
        Deed::in_app("a mention", |g, p| {
            let mentions = vec![g.account.pk];
            said(g, p, NewText { text: "@anna.alm look".into(), mentions, ..NewText::default() })
        }),
        Deed::in_app("a text of one's own", |g, p| {
            let new = NewText { text: "from my phone".into(), ..NewText::default() };
            Ok(g.sim.send(g.account.pk, &p.thread, new).map(drop)?)
        }),
        Deed::in_app("an item of an unknown kind", |g, p| {
            let item = serde_json::json!({"item_type": "hologram", "hologram": {"url": "https://example.com"}});
            Ok(g.sim.send_item(g.bob.pk, &p.thread, item.as_object().cloned().unwrap_or_default()).map(drop)?)
        }),
        Deed::in_app("a reaction", |g, p| Ok(g.sim.react(g.bob.pk, &p.thread, &p.own.1, Some("😂"))?)),
        Deed::in_app("another reaction", |g, p| Ok(g.sim.react(g.bob.pk, &p.thread, &p.own.1, Some("🔥"))?)),
        Deed::in_app("a heart of the old way", |g, p| Ok(g.sim.like(g.bob.pk, &p.thread, &p.own.1)?)),
        Deed::in_app("a reaction taken back", |g, p| Ok(g.sim.react(g.bob.pk, &p.thread, &p.own.1, None)?)),
        Deed::in_app("a reaction of one's own", |g, p| {
            Ok(g.sim.react(g.account.pk, &p.thread, &p.theirs.1, Some("😮"))?)
        }),
        Deed::in_app("an edit", |g, p| Ok(g.sim.edit(g.bob.pk, &p.thread, &p.theirs.1, "Here begins our chat")?)),
        Deed::in_app("an edit of one's own", |g, p| {
            Ok(g.sim.edit(g.account.pk, &p.thread, &p.own.1, "Anna is really here")?)
        }),
        Deed::in_app("the same item again", |g, p| Ok(g.sim.restate_item(&p.thread, &p.theirs.1)?)),
        Deed::in_app("a receipt", |g, p| Ok(g.sim.mark_seen(g.bob.pk, &p.thread, &p.own.1)?))
            .until(|g, p| has_read(g, p, g.bob.pk, &p.own.0)),
        // It makes its way through the ghost, as nothing else may act as Anna here.
        Deed::in_app("a receipt of one's own", |g, p| Ok(g.sim.mark_seen(g.account.pk, &p.thread, &p.theirs.1)?))
            .until(|g, p| has_read(g, p, g.account.pk, &p.theirs.0)),
        Deed::in_app("typing", |g, p| Ok(g.sim.show_typing(g.bob.pk, &p.thread, true)?)).until(|g, p| {
            let ghost = format!("@instagram_{}:{}", g.bob.pk, g.domain);
            let lists = |event: &Value| {
                event["content"]["user_ids"].as_array().is_some_and(|all| all.contains(&ghost.as_str().into()))
            };
            g.anna.seen().ephemeral(&p.room).iter().any(lists)
        }),
        Deed::in_app("unsending", |g, p| {
            let last = g.sim.thread_items(&p.thread)?.into_iter().rfind(|item| item.sender == g.bob.pk);
            let last = last.map(|item| item.item_id).unwrap_or_default();
            Ok(g.sim.unsend(g.bob.pk, &p.thread, &last)?)
        }),
        Deed::in_app("unsending several attachments", |g, p| {
            let items = g.sim.thread_items(&p.thread)?;
            let album = items.into_iter().rfind(|item| item.item_type == "media_attachments");
            Ok(g.sim.unsend(g.bob.pk, &p.thread, &album.map(|item| item.item_id).unwrap_or_default())?)
        }),
        Deed::in_app("vanish mode", |g, p| Ok(g.sim.set_vanish_mode(g.bob.pk, &p.thread, true)?)),
        Deed::in_app("the end of vanish mode", |g, p| Ok(g.sim.set_vanish_mode(g.bob.pk, &p.thread, false)?)),
        Deed::in_app("group: another title", |g, p| Ok(g.sim.rename_thread(g.bob.pk, &p.thread, "Best friends")?)),
        Deed::in_app("group: a picture", |g, p| {
            Ok(g.sim.set_thread_image(g.bob.pk, &p.thread, Some(sample::PHOTO.bytes.into())).map(drop)?)
        })
        .until(|g, p| g.anna.seen().state(&p.room, "m.room.avatar", "").is_some()),
        Deed::in_app("group: no picture any more", |g, p| {
            Ok(g.sim.set_thread_image(g.bob.pk, &p.thread, None).map(drop)?)
        })
        .until(|g, p| {
            let seen = g.anna.seen();
            let avatar = seen.state(&p.room, "m.room.avatar", "");
            avatar.is_some_and(|content| content["url"].as_str().is_none_or(str::is_empty))
        }),
        Deed::in_app("group: a new member", |g, p| Ok(g.sim.add_member(g.bob.pk, &p.thread, g.dora.pk)?)),
        Deed::in_app("group: a member removed", |g, p| Ok(g.sim.remove_member(g.account.pk, &p.thread, g.dora.pk)?)),
        Deed::in_app("group: a new admin", |g, p| Ok(g.sim.set_admin(g.account.pk, &p.thread, g.bob.pk, true)?)),
        Deed::in_app("group: an admin no more", |g, p| {
            Ok(g.sim.set_admin(g.account.pk, &p.thread, g.bob.pk, false)?)
        }),
        Deed::in_app("group: a nickname", |g, p| Ok(g.sim.set_nickname(g.bob.pk, &p.thread, g.bob.pk, "Bobby")?)),
        Deed::in_app("group: a nickname taken back", |g, p| {
            Ok(g.sim.set_nickname(g.bob.pk, &p.thread, g.bob.pk, "")?)
        }),
        Deed::in_app("group: newcomers have to be let in", |g, p| {
            Ok(g.sim.set_approval_required(g.account.pk, &p.thread, true)?)
        }),
        Deed::in_app("group: newcomers are free again", |g, p| {
            Ok(g.sim.set_approval_required(g.account.pk, &p.thread, false)?)
        }),
    ]
}

/// Whether a ghost has shown that it has read this event.
fn has_read(ground: &Ground<'_>, place: &Place, pk: u64, event: &str) -> bool {
    let ghost = format!("@instagram_{pk}:{}", ground.domain);
    let seen = ground.anna.seen();
    seen.ephemeral(&place.room).iter().any(|one| one["content"][event]["m.read"][&ghost].is_object())
}

fn said(ground: &Ground<'_>, place: &Place, new: NewText) -> anyhow::Result<()> {
    Ok(ground.sim.send(ground.bob.pk, &place.thread, new).map(drop)?)
}
