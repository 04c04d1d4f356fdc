//! What Anna does in her Matrix client.

use instagram_sim::{Fault, History, sample};
use serde_json::{Value, json};

use super::{Deed, Doing, Ground, Place};

/// All of it, in an order in which each finds what it needs.
pub(super) fn deeds() -> Vec<Deed> {
    let mut all = texts();
    all.extend(files());
    all.extend(changes());
    all.extend(chats());
    all
}

fn texts() -> Vec<Deed> {
    vec![
        Deed::in_client("a text", |g, p| message(g, p, text("Fine, thank you!"))),
        Deed::in_client("emoji, right-to-left, lines", |g, p| message(g, p, text("👩‍👩‍👧‍👦, عربى,\ntwo lines"))),
        Deed::in_client("an action", |g, p| message(g, p, json!({"msgtype": "m.emote", "body": "waves back"}))),
        Deed::in_client("a notice", |g, p| message(g, p, json!({"msgtype": "m.notice", "body": "I am a machine"}))),
        Deed::in_client("bold, italic, struck, code", |g, p| {
            message(g, p, html("<b>bold</b> <i>italic</i> <del>struck</del> <code>code</code>"))
        }),
        Deed::in_client("lists", |g, p| {
            message(g, p, html("<p>first:</p><ul><li>one</li><li>two</li></ul><ol><li>a</li><li>b</li></ol>"))
        }),
        Deed::in_client("a quote and a block of code", |g, p| {
            message(g, p, html("<blockquote>said before</blockquote><pre><code>let a = 1;\nlet b = 2;</code></pre>"))
        }),
        Deed::in_client("a spoiler and a link", |g, p| {
            message(
                g,
                p,
                html("<span data-mx-spoiler=\"end\">they marry</span> <a href=\"https://matrix.org\">site</a>"),
            )
        }),
        Deed::in_client("a bare link", |g, p| message(g, p, text("see https://matrix.org/docs?a=1&b=2"))),
        Deed::in_client("a mention", |g, p| {
            let ghost = g.ghost_of_bob();
            let shown = format!("<a href=\"https://matrix.to/#/{ghost}\">Bob</a>: look");
            let mut content = html(&shown);
            content["m.mentions"] = json!({"user_ids": [ghost]});
            message(g, p, content)
        }),
        Deed::in_client("a reply", |g, p| {
            let mut content = text("as I said");
            content["m.relates_to"] = json!({"m.in_reply_to": {"event_id": p.theirs.0}});
            message(g, p, content)
        }),
        Deed::in_client("a reply of an old client", |g, p| {
            let mut content = text("> <@somebody:example.com> Here begins a chat\n\nas I said before");
            content["m.relates_to"] = json!({"m.in_reply_to": {"event_id": p.theirs.0}});
            message(g, p, content)
        }),
        Deed::in_client("a place", |g, p| {
            let geo = "geo:47.5596,7.5886;u=10";
            message(g, p, json!({"msgtype": "m.location", "body": "Basel", "geo_uri": geo}))
        }),
        Deed::in_client("a poll", |g, p| {
            let answers =
                json!([{"id": "a", "org.matrix.msc1767.text": "Yes"}, {"id": "b", "org.matrix.msc1767.text": "No"}]);
            let start = json!({"question": {"org.matrix.msc1767.text": "Lunch?"}, "kind": "org.matrix.msc3381.poll.disclosed",
                "max_selections": 1, "answers": answers});
            let content =
                json!({"org.matrix.msc3381.poll.start": start, "org.matrix.msc1767.text": "Lunch? 1. Yes 2. No"});
            event(g, p, "org.matrix.msc3381.poll.start", content)
        }),
        Deed::in_client("an empty text", |g, p| message(g, p, text(""))).until(|g, p| g.bot_said(p, "empty")),
    ]
}

fn files() -> Vec<Deed> {
    vec![
        Deed::in_client("a picture with words", |g, p| {
            file(
                g,
                p,
                "m.room.message",
                sample::PHOTO,
                json!({
            "msgtype": "m.image", "filename": "lake.jpg", "body": "The lake"}),
            )
        }),
        Deed::in_client("a picture that Instagram does not take as it is", |g, p| {
            file(g, p, "m.room.message", sample::STICKER, json!({"msgtype": "m.image", "body": "a.webp"}))
        }),
        Deed::in_client("a sticker", |g, p| file(g, p, "m.sticker", sample::STICKER, json!({"body": "Hello"}))),
        Deed::in_client("a GIF", |g, p| {
            file(
                g,
                p,
                "m.room.message",
                sample::GIF,
                json!({
            "msgtype": "m.image", "body": "a.gif"}),
            )
        }),
        Deed::in_client("a video", |g, p| {
            file(
                g,
                p,
                "m.room.message",
                sample::VIDEO,
                json!({
            "msgtype": "m.video", "body": "a.mp4"}),
            )
        }),
        Deed::in_client("a voice message", |g, p| {
            file(
                g,
                p,
                "m.room.message",
                sample::VOICE,
                json!({
            "msgtype": "m.audio", "body": "voice.m4a", "org.matrix.msc3245.voice": {},
            "org.matrix.msc1767.audio": {"duration": 1200, "waveform": [0, 512, 1024]}}),
            )
        }),
        Deed::in_client("a sound", |g, p| {
            file(g, p, "m.room.message", sample::VOICE, json!({"msgtype": "m.audio", "body": "song.m4a"}))
        }),
        Deed::in_client("a file that Instagram does not take", |g, p| {
            let pdf =
                sample::Sample { bytes: b"%PDF-1.7\nnot a picture", content_type: "application/pdf", ..sample::VOICE };
            file(g, p, "m.room.message", pdf, json!({"msgtype": "m.file", "body": "a.pdf"}))
        })
        .until(|g, p| g.bot_said(p, "does not take such files")),
        Deed::in_client("an encrypted file", |g, p| {
            message(g, p, json!({"msgtype": "m.image", "body": "a.jpg", "file": {"url": "mxc://example.com/a"}}))
        })
        .until(|g, p| g.bot_said(p, "encrypted files cannot be bridged")),
    ]
}

fn changes() -> Vec<Deed> {
    vec![
        Deed::in_client("a reaction", |g, p| react(g, p, "👍")),
        Deed::in_client("another reaction", |g, p| react(g, p, "❤️")),
        Deed::in_client("a reaction taken back", |g, p| {
            Box::pin(async move {
                let last = g.last(p, |event| event["type"] == "m.reaction").unwrap_or_default();
                g.anna.redact(&p.room, &last).await
            })
        }),
        Deed::in_client("a reaction that is no emoji", |g, p| react(g, p, "lol"))
            .until(|g, p| g.bot_said(p, "takes only emoji")),
        Deed::in_client("an edit", |g, p| {
            let relation = json!({"rel_type": "m.replace", "event_id": p.own.0});
            message(
                g,
                p,
                json!({"msgtype": "m.text", "body": "* Anna is here again", "m.relates_to": relation,
                "m.new_content": {"msgtype": "m.text", "body": "Anna is here again"}}),
            )
        }),
        Deed::in_client("other words for a picture", |g, p| {
            Box::pin(async move {
                let is_picture = |event: &Value| event["content"]["filename"] == "lake.jpg";
                let url = {
                    let seen = g.anna.seen();
                    let picture = seen.events(&p.room).iter().rfind(|event| is_picture(event));
                    picture.map(|event| event["content"]["url"].clone()).unwrap_or_default()
                };
                let picture = g.last(p, is_picture).unwrap_or_default();
                let words =
                    |words: &str| json!({"msgtype": "m.image", "filename": "lake.jpg", "body": words, "url": url});
                let mut edit = words("* The sea");
                edit["m.new_content"] = words("The sea");
                edit["m.relates_to"] = json!({"rel_type": "m.replace", "event_id": picture});
                g.anna.send_content(&p.room, &edit).await.map(drop)
            })
        }),
        Deed::in_client("an edit that comes too late", |g, p| {
            Box::pin(async move {
                let event = g.said_long_ago(p).await?;
                let relation = json!({"rel_type": "m.replace", "event_id": event});
                let edit = json!({"msgtype": "m.text", "body": "* new", "m.relates_to": relation,
                    "m.new_content": text("new")});
                g.anna.send_content(&p.room, &edit).await.map(drop)
            })
        })
        .until(|g, p| g.bot_said(p, "15 minutes")),
        Deed::in_client("an edit of somebody else's message", |g, p| {
            let relation = json!({"rel_type": "m.replace", "event_id": p.theirs.0});
            message(
                g,
                p,
                json!({"msgtype": "m.text", "body": "* no", "m.relates_to": relation,
                "m.new_content": {"msgtype": "m.text", "body": "no"}}),
            )
        })
        .until(|g, p| g.bot_said(p, "not a message of yours")),
        Deed::in_client("unsending", |g, p| {
            Box::pin(async move {
                let last = g.last(p, |event| {
                    event["content"]["body"] == "a bare link"
                        || event["content"]["body"] == "see https://matrix.org/docs?a=1&b=2"
                });
                g.anna.redact(&p.room, &last.unwrap_or_default()).await
            })
        }),
        Deed::in_client("a receipt", |g, p| {
            Box::pin(async move {
                let last = g.last(p, |event| event["sender"] == g.ghost_of_bob().as_str()).unwrap_or_default();
                g.anna.mark_read(&p.room, &last).await
            })
        })
        .until(|g, p| {
            let path = format!("threads/{}/items/", p.thread);
            g.sim
                .recorded_requests()
                .iter()
                .any(|request| request.path.contains(&path) && request.path.contains("/seen/"))
        }),
        Deed::in_client("typing", |g, p| Box::pin(async move { g.anna.set_typing(&p.room, true).await }))
            .until(|g, _| g.sim.recorded_requests().iter().any(|request| request.body.contains("indicate_activity"))),
        // As long as it lasts it is told again.
        Deed::in_client("typing no more", |g, p| Box::pin(async move { g.anna.set_typing(&p.room, false).await }))
            .until(|g, _| {
                g.sim.recorded_requests().iter().any(|request| request.body.contains("\"activity_status\":0"))
            }),
    ]
}

fn chats() -> Vec<Deed> {
    vec![
        Deed::in_client("group: another name", |g, p| {
            Box::pin(async move { g.anna.set_state(&p.room, "m.room.name", &json!({"name": "Old friends"})).await })
        }),
        Deed::in_client("group: a picture", |g, p| {
            Box::pin(async move {
                let url = g.anna.upload(sample::PHOTO.bytes, "image/jpeg").await?;
                g.anna.set_state(&p.room, "m.room.avatar", &json!({"url": url})).await
            })
        }),
        Deed::in_client("group: an invitation", |g, p| {
            Box::pin(async move { g.anna.invite(&p.room, &format!("@instagram_{}:{}", g.dora.pk, g.domain)).await })
        }),
        Deed::in_client("group: a removal", |g, p| {
            Box::pin(async move { g.anna.kick(&p.room, &format!("@instagram_{}:{}", g.dora.pk, g.domain)).await })
        }),
        Deed::in_client("group: earlier messages", |g, p| {
            Box::pin(async move {
                g.sim.import_history(&p.thread, 3, &History { reaction_every: 0, ..History::default() })?;
                g.anna.send(&p.room, "!ig backfill 5").await.map(drop)
            })
        })
        .until(|g, p| g.last(p, |event| event["content"]["body"] == "old 2").is_some()),
        // As an admin of the group she has the power to.
        Deed::in_client("group: the end of somebody else's message", |g, p| {
            Box::pin(async move { g.anna.redact(&p.room, &p.theirs.0).await })
        })
        .until(|g, p| g.bot_said(p, "removed here only")),
        Deed::in_client("a text while there is no realtime connection", |g, p| {
            Box::pin(async move {
                g.sim.inject(g.account.pk, Fault::CloseBeforeConnAck, 1000)?;
                g.sim.cut_connections(g.account.pk)?;
                g.anna.send(&p.room, "over HTTP").await?;
                let arrived = g.sim.wait_for("the text", super::DEADLINE, |sim| {
                    let items = sim.thread_items(&p.thread).ok()?;
                    items.iter().any(|item| item.text.as_deref() == Some("over HTTP")).then_some(())
                });
                let arrived = arrived.await;
                g.sim.clear_faults(g.account.pk)?;
                Ok(arrived?)
            })
        }),
        Deed::in_client("mute", |g, p| command(g, p, "!ig mute")).until(|g, p| g.bot_said(p, "Muted on Instagram")),
        Deed::in_client("unmute", |g, p| command(g, p, "!ig unmute")).until(|g, p| g.bot_said(p, "No longer muted")),
        Deed::in_client("mark as unread", |g, p| command(g, p, "!ig mark-unread"))
            .until(|g, p| g.bot_said(p, "not read")),
    ]
}

impl Ground<'_> {
    fn ghost_of_bob(&self) -> String {
        format!("@instagram_{}:{}", self.bob.pk, self.domain)
    }

    /// True once the bridge has said something with these words.
    pub(super) fn bot_said(&self, place: &Place, words: &str) -> bool {
        let seen = self.anna.seen();
        seen.events(&place.room).iter().any(|event| {
            event["content"]["msgtype"] == "m.notice"
                && event["content"]["body"].as_str().is_some_and(|body| body.contains(words))
        })
    }

    /// Something that Anna said two hours ago in the app and that is heard only now; its event.
    async fn said_long_ago(&self, place: &Place) -> anyhow::Result<String> {
        let items = self.sim.thread_items(&place.thread)?;
        let newest = items.iter().map(|item| item.timestamp_us).max().unwrap_or_default();
        let id = format!("{}1", place.own.1);
        let item = json!({"item_id": id, "user_id": self.account.pk, "timestamp": newest - 7_200_000_000,
            "client_context": "6600000000000000001", "item_type": "text", "text": "said long ago"});
        let path = format!("/direct_v2/threads/{}/items/{id}", place.thread);
        self.sim.push_patch(self.account.pk, "add", &path, Some(&item.to_string()))?;
        let shown = |_: &crate::matrix::Seen| None::<String>;
        let found = async {
            loop {
                if let Some(event) = self.last(place, |event| event["content"]["body"] == "said long ago") {
                    return event;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            event = found => Ok(event),
            _ = self.anna.wait_for(super::DEADLINE, shown) => anyhow::bail!("what was said long ago never came"),
        }
    }

    /// How many lines the bridge's bot has said.
    pub(super) fn bot_lines(&self, place: &Place) -> usize {
        self.anna.seen().said_by(&place.room, &self.bot).len()
    }

    /// The last event that fits.
    pub(super) fn last(&self, place: &Place, fits: impl Fn(&Value) -> bool) -> Option<String> {
        let seen = self.anna.seen();
        let found = seen.events(&place.room).iter().rfind(|event| fits(event))?;
        Some(found["event_id"].as_str()?.to_owned())
    }
}

pub(super) fn text(body: &str) -> Value {
    json!({"msgtype": "m.text", "body": body})
}

fn html(formatted: &str) -> Value {
    json!({"msgtype": "m.text", "body": "(formatted)", "format": "org.matrix.custom.html", "formatted_body": formatted})
}

pub(super) fn message<'a>(ground: &'a Ground<'_>, place: &'a Place, content: Value) -> Doing<'a> {
    event(ground, place, "m.room.message", content)
}

pub(super) fn event<'a>(ground: &'a Ground<'_>, place: &'a Place, kind: &'static str, content: Value) -> Doing<'a> {
    Box::pin(async move { ground.anna.send_event(&place.room, kind, &content).await.map(drop) })
}

pub(super) fn command<'a>(ground: &'a Ground<'_>, place: &'a Place, words: &'static str) -> Doing<'a> {
    message(ground, place, text(words))
}

fn react<'a>(ground: &'a Ground<'_>, place: &'a Place, key: &'static str) -> Doing<'a> {
    let relation = json!({"rel_type": "m.annotation", "event_id": place.theirs.0, "key": key});
    event(ground, place, "m.reaction", json!({"m.relates_to": relation}))
}

/// Uploads a file and sends it.
fn file<'a>(
    ground: &'a Ground<'_>,
    place: &'a Place,
    kind: &'static str,
    sample: sample::Sample,
    mut content: Value,
) -> Doing<'a> {
    Box::pin(async move {
        content["url"] = ground.anna.upload(sample.bytes, sample.content_type).await?.into();
        content["info"] = json!({"mimetype": sample.content_type, "size": sample.bytes.len(), "w": sample.width,
            "h": sample.height, "duration": sample.duration_ms});
        ground.anna.send_event(&place.room, kind, &content).await.map(drop)
    })
}
