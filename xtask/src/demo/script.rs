//! The conversation: each scene is said on one side and has to appear on the other.

use std::time::Duration;

use instagram_sim::{Item, NewText};
use serde_json::{Value, json};
use tokio::time::Instant;
use xtask::matrix::Seen;

use super::stage::{DEADLINE, Stage};

/// What became of one message.
pub(super) struct Scene {
    what: String,
    towards: &'static str,
    outcome: Outcome,
}

/// Whether it came.
pub(super) enum Outcome {
    /// After so long.
    Bridged(Duration),
    /// It came, and is not what the table says.
    Differs,
    /// It never came.
    Missing,
}

/// Plays all scenes in order.
pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<Vec<Scene>> {
    let direct = stage.sim.create_thread(&[stage.account.pk, stage.bob.pk], None)?;
    let group = stage.sim.create_thread(&[stage.account.pk, stage.bob.pk, stage.carol.pk], Some("Friends"))?;
    let mut scenes = Vec::new();

    let started = Instant::now();
    stage.sim.send_text(stage.bob.pk, &direct, "Hello Anna, this is Bob on Instagram.")?;
    let room = room_with(stage, "Hello Anna, this is Bob on Instagram.").await;
    scenes.push(scene("first text: a room is made", "matrix", room.is_some().then(|| started.elapsed())));
    let Some(room) = room else { return Ok(scenes) };

    scenes.push(from_instagram(stage, &direct, &room, "a text", "How are you?", "How are you?", "m.text").await?);
    scenes.push(
        from_matrix(stage, &direct, &room, "a text", &text("Fine, thank you!"), |item| {
            item.text.as_deref() == Some("Fine, thank you!")
        })
        .await?,
    );
    let odd = "emoji 👩‍👩‍👧‍👦, عربى, two\nlines";
    scenes.push(from_instagram(stage, &direct, &room, "emoji, right-to-left, lines", odd, odd, "m.text").await?);
    scenes.push(
        from_matrix(stage, &direct, &room, "emoji, right-to-left, lines", &text(odd), |item| {
            item.text.as_deref() == Some(odd)
        })
        .await?,
    );
    scenes.push(from_instagram(stage, &direct, &room, "an action", "/me waves", "waves", "m.emote").await?);
    let emote = json!({"msgtype": "m.emote", "body": "waves back"});
    scenes.push(
        from_matrix(stage, &direct, &room, "an action", &emote, |item| {
            item.text.as_deref() == Some("* Anna Alm waves back")
        })
        .await?,
    );
    scenes.push(reply_from_matrix(stage, &direct, &room).await?);
    scenes.push(reply_from_instagram(stage, &direct, &room).await?);
    let html = json!({"msgtype": "m.text", "body": "**bold** and a [link](https://matrix.org)", "format": "org.matrix.custom.html",
        "formatted_body": "<b>bold</b> and a <a href=\"https://matrix.org\">link</a>"});
    scenes.push(
        from_matrix(stage, &direct, &room, "formatted text", &html, |item| {
            item.text.as_deref() == Some("*bold* and a link (https://matrix.org)")
        })
        .await?,
    );
    scenes.push(unsupported(stage, &direct, &room).await?);
    scenes.extend(reactions_and_edits(stage, &direct, &room).await?);
    scenes.push(own_message(stage, &direct, &room).await?);

    let started = Instant::now();
    stage.sim.send_text(stage.carol.pk, &group, "Carol greets the group.")?;
    let room = room_with(stage, "Carol greets the group.").await;
    scenes.push(scene("a group: its room is made", "matrix", room.is_some().then(|| started.elapsed())));
    if let Some(room) = room {
        scenes.push(
            from_matrix(stage, &group, &room, "a text to the group", &text("Hello all"), |item| {
                item.text.as_deref() == Some("Hello all")
            })
            .await?,
        );
    }
    Ok(scenes)
}

/// Prints the table; returns how many are missing or not as they should be.
pub(super) fn report(scenes: &[Scene]) -> usize {
    eprintln!("\n  {:<72} {:<10} {:>10}", "what", "towards", "latency");
    for Scene { what, towards, outcome } in scenes {
        let shown = match outcome {
            Outcome::Bridged(latency) => format!("{} ms", latency.as_millis()),
            Outcome::Differs => "DIFFERS".to_owned(),
            Outcome::Missing => "MISSING".to_owned(),
        };
        eprintln!("  {what:<72} {towards:<10} {shown:>10}");
    }
    let count = |of: fn(&Outcome) -> bool| scenes.iter().filter(|scene| of(&scene.outcome)).count();
    let missing = count(|outcome| matches!(outcome, Outcome::Missing));
    let differing = count(|outcome| matches!(outcome, Outcome::Differs));
    eprintln!(
        "  {} bridged, {missing} missing, {differing} other than they should be",
        scenes.len() - missing - differing
    );
    missing + differing
}

/// A scene that took so long; none when it never came, or came wrong.
pub(super) fn scene(what: impl Into<String>, towards: &'static str, latency: Option<Duration>) -> Scene {
    let what = what.into();
    if latency.is_none() {
        eprintln!("missing: {what} towards {towards}");
    }
    Scene { what, towards, outcome: latency.map_or(Outcome::Missing, Outcome::Bridged) }
}

/// A scene of which the table knows what it becomes.
pub(super) fn compared(what: String, towards: &'static str, outcome: Outcome) -> Scene {
    Scene { what, towards, outcome }
}

fn text(body: &str) -> Value {
    json!({"msgtype": "m.text", "body": body})
}

/// The room in which a text appears; joins what Anna is invited to meanwhile.
pub(super) async fn room_with(stage: &Stage, body: &str) -> Option<String> {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        stage.join_invites().await.ok()?;
        let found = stage.anna.wait_for(Duration::from_millis(200), |seen: &Seen| {
            seen.rooms().find(|room| event(seen, room, body).is_some()).map(ToOwned::to_owned)
        });
        if let Ok(room) = found.await {
            return Some(room);
        }
    }
    None
}

fn event<'a>(seen: &'a Seen, room: &str, body: &str) -> Option<&'a Value> {
    seen.events(room).iter().find(|event| event["content"]["body"] == body)
}

async fn arrives(stage: &Stage, started: Instant, fits: impl Fn(&Seen) -> bool) -> Option<Duration> {
    stage.anna.wait_for(DEADLINE, |seen| fits(seen).then_some(())).await.ok().map(|()| started.elapsed())
}

async fn from_instagram(
    stage: &Stage,
    thread: &str,
    room: &str,
    what: &'static str,
    said: &str,
    shown: &str,
    msgtype: &str,
) -> anyhow::Result<Scene> {
    let started = Instant::now();
    stage.sim.send_text(stage.bob.pk, thread, said)?;
    let ghost = Stage::ghost(&stage.bob);
    let fits = |seen: &Seen| {
        event(seen, room, shown)
            .is_some_and(|event| event["sender"] == ghost.as_str() && event["content"]["msgtype"] == msgtype)
    };
    Ok(scene(what, "matrix", arrives(stage, started, fits).await))
}

async fn from_matrix(
    stage: &Stage,
    thread: &str,
    room: &str,
    what: &'static str,
    content: &Value,
    fits: impl Fn(&Item) -> bool,
) -> anyhow::Result<Scene> {
    let started = Instant::now();
    stage.anna.send_content(room, content).await?;
    let own = stage.account.pk;
    let found = stage.sim.wait_for(what, DEADLINE, |sim| {
        sim.thread_items(thread).ok()?.iter().any(|item| item.sender == own && fits(item)).then_some(())
    });
    Ok(scene(what, "instagram", found.await.ok().map(|()| started.elapsed())))
}

async fn reply_from_matrix(stage: &Stage, thread: &str, room: &str) -> anyhow::Result<Scene> {
    let target = stage.sim.thread_items(thread)?.into_iter().find(|item| item.text.as_deref() == Some("How are you?"));
    let event = event(&stage.anna.seen(), room, "How are you?").map(|event| event["event_id"].clone());
    let content = json!({"msgtype": "m.text", "body": "As I said: fine.",
        "m.relates_to": {"m.in_reply_to": {"event_id": event}}});
    let wanted = target.map(|item| item.item_id);
    from_matrix(stage, thread, room, "a reply", &content, |item| {
        item.text.as_deref() == Some("As I said: fine.") && item.reply_to == wanted
    })
    .await
}

async fn reply_from_instagram(stage: &Stage, thread: &str, room: &str) -> anyhow::Result<Scene> {
    let items = stage.sim.thread_items(thread)?;
    let target = items.iter().find(|item| item.text.as_deref() == Some("As I said: fine."));
    let reply = NewText {
        text: "Good to hear.".into(),
        reply_to: target.map(|item| item.item_id.clone()),
        client_context: None,
        mentions: Vec::new(),
    };
    let started = Instant::now();
    stage.sim.send(stage.bob.pk, thread, reply)?;
    let fits = |seen: &Seen| {
        let target = event(seen, room, "As I said: fine.").map(|event| &event["event_id"]);
        let reply = event(seen, room, "Good to hear.");
        reply.is_some_and(|reply| Some(&reply["content"]["m.relates_to"]["m.in_reply_to"]["event_id"]) == target)
    };
    Ok(scene("a reply", "matrix", arrives(stage, started, fits).await))
}

async fn unsupported(stage: &Stage, thread: &str, room: &str) -> anyhow::Result<Scene> {
    let started = Instant::now();
    let item = json!({"item_type": "media", "media": {"id": "1", "media_type": 1}});
    stage.sim.send_item(stage.bob.pk, thread, item.as_object().cloned().unwrap_or_default())?;
    let fits = |seen: &Seen| {
        seen.events(room).iter().any(|event| {
            event["content"]["msgtype"] == "m.notice"
                && event["content"]["body"].as_str().is_some_and(|body| body.contains("photo"))
        })
    };
    Ok(scene("a photo: a notice with a link", "matrix", arrives(stage, started, fits).await))
}

/// What is done to a message afterwards.
async fn reactions_and_edits(stage: &Stage, thread: &str, room: &str) -> anyhow::Result<Vec<Scene>> {
    let mut scenes = Vec::new();
    let items = stage.sim.thread_items(thread)?;
    let (Some(theirs), Some(own)) = (
        items.iter().find(|item| item.text.as_deref() == Some("How are you?")).cloned(),
        items.iter().find(|item| item.text.as_deref() == Some("Fine, thank you!")).cloned(),
    ) else {
        return Ok(vec![scene("reactions and edits", "both", None)]);
    };
    let target = |body: &str| event(&stage.anna.seen(), room, body).map(|event| event["event_id"].clone());

    let started = Instant::now();
    stage.sim.react(stage.bob.pk, thread, &own.item_id, Some("😂"))?;
    let event_id = target("Fine, thank you!");
    let reacted = |seen: &Seen| {
        seen.events(room).iter().any(|event| {
            event["type"] == "m.reaction" && Some(&event["content"]["m.relates_to"]["event_id"]) == event_id.as_ref()
        })
    };
    scenes.push(scene("a reaction", "matrix", arrives(stage, started, reacted).await));

    let started = Instant::now();
    stage.sim.edit(stage.bob.pk, thread, &theirs.item_id, "How are you today?")?;
    let edited = |seen: &Seen| {
        seen.events(room).iter().any(|event| event["content"]["m.new_content"]["body"] == "How are you today?")
    };
    scenes.push(scene("an edit", "matrix", arrives(stage, started, edited).await));

    let edit = json!({"msgtype": "m.text", "body": "* Very well, thank you!",
        "m.new_content": {"msgtype": "m.text", "body": "Very well, thank you!"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": target("Fine, thank you!")}});
    scenes.push(
        from_matrix(stage, thread, room, "an edit", &edit, |item| {
            item.text.as_deref() == Some("Very well, thank you!")
        })
        .await?,
    );
    Ok(scenes)
}

async fn own_message(stage: &Stage, thread: &str, room: &str) -> anyhow::Result<Scene> {
    let started = Instant::now();
    stage.sim.send_text(stage.account.pk, thread, "Anna, from her phone")?;
    let ghost = Stage::ghost(&stage.account);
    let fits =
        |seen: &Seen| event(seen, room, "Anna, from her phone").is_some_and(|event| event["sender"] == ghost.as_str());
    Ok(scene("what Anna writes in the app", "matrix", arrives(stage, started, fits).await))
}
