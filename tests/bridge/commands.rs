//! What users say to the bot, and what the bridge says of itself.

use instagram_sim::Fault;

use crate::world::{Setup, World};

#[tokio::test(flavor = "multi_thread")]
async fn help_lists_the_commands_and_ping_shows_evidence() {
    let mut world = World::start().await;
    let help = world.command("help").await;
    for name in ["login", "logout", "ping", "list-logins", "reconnect", "version"] {
        assert!(help.contains(name), "{help}");
    }
    let ping = world.command("ping").await;
    assert!(ping.contains("@anna.alm: connected") && ping.contains("last sign of life"), "{ping}");
    assert!(world.command("list-logins").await.contains("@anna.alm"));
    assert!(world.command("version").await.starts_with("puppetgram"));
    assert!(world.command("dance").await.contains("help"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pasted_session_is_removed_from_the_room_and_from_disk() {
    let mut world = World::start().await;
    let room = world.management_room().to_owned();
    let session = world.anna_account.sessionid.clone();
    let visible = world.homeserver.events(&room).iter().any(|event| event.to_string().contains(&session));
    assert!(!visible, "the message with the session was redacted");
    world.bridge.kill();
    for file in std::fs::read_dir(world.bridge.directory()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(session.len()).any(|window| window == session.as_bytes());
        assert!(!found, "{} holds the session in plain", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_and_database_hold_no_message_text() {
    let setup = Setup { environment: vec![("RUST_LOG".into(), "trace".into())], ..Setup::default() };
    let mut world = World::start_with(&setup).await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    world.sim.send_text(world.bob.pk, &thread, "planted-secret-in").unwrap();
    world.homeserver.send_text(&room, &world.anna.id, "planted-secret-out").unwrap();
    world.expect_written(&thread, &world.anna_account, &["planted-secret-out".to_owned()]).await;
    world.until("the text", |world| world.event(&room, "planted-secret-in")).await;
    world.bridge.kill();
    for file in std::fs::read_dir(world.bridge.directory()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(14).any(|window| window == b"planted-secret"), "{}", path.display());
    }
    let log = world.bridge.log();
    for secret in [world.anna_account.sessionid.as_str(), "as_token", "hs_token"] {
        assert!(!log.contains(secret), "the log holds {secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_instagram_ended_is_told_with_the_cure() {
    let mut world = World::start_logged_out(&Setup::default()).await;
    world.sim.expire_session(world.anna_account.pk).unwrap();
    let session = world.anna_account.sessionid.clone();
    let answer = world.command(&format!("login {session}")).await;
    assert!(answer.contains("expired") && answer.contains("Hint"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_while_connected_stops_the_login_and_a_new_one_goes_on() {
    let mut world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    world.sim.expire_session(world.anna_account.pk).unwrap();
    let bot = world.bot();
    let management = world.management_room().to_owned();
    world
        .until("the notice", |world| {
            world.said_by(&management, &bot).iter().any(|text| text.contains("stopped")).then_some(())
        })
        .await;
    world.sim.send_text(world.bob.pk, &thread, "meanwhile").unwrap();
    assert!(world.command("ping").await.contains("logged out"));
    world.anna_account.sessionid = world.sim.create_session(world.anna_account.pk).unwrap();
    world.log_in_anna().await;
    world.until("what came meanwhile", |world| world.event(&room, "meanwhile")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_told_and_reconnect_goes_on() {
    let mut world = World::start().await;
    world.sim.inject(world.anna_account.pk, Fault::Challenge, 1).unwrap();
    world.sim.inject(world.anna_account.pk, Fault::RefuseConnect { code: 5 }, 1).unwrap();
    world.sim.cut_connections(world.anna_account.pk).unwrap();
    let bot = world.bot();
    let management = world.management_room().to_owned();
    let stopped = |world: &World| {
        world.said_by(&management, &bot).iter().any(|text| text.contains("security check")).then_some(())
    };
    world.until("the notice", stopped).await;
    assert!(world.command("reconnect").await.contains("Connecting"));
    world.sim.wait_for_subscription(world.anna_account.pk, crate::world::DEADLINE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn logout_ends_the_session_and_removes_rooms_when_asked() {
    let mut world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let answer = world.command("logout remove").await;
    assert!(answer.contains("Logged out") && answer.contains("1 room was"), "{answer}");
    world.sim.wait_for_request("accounts/logout", crate::world::DEADLINE).await.unwrap();
    let member = world.homeserver.state(&room, "m.room.member", &world.anna.id).unwrap();
    assert_eq!(member["membership"], "leave");
    assert!(world.command("list-logins").await.contains("no login"));
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_not_served() {
    let world = World::start_logged_out(&Setup::default()).await;
    let mallory = world.homeserver.register("mallory", "secret").unwrap();
    let room = world.homeserver.create_room(&mallory.id, &[]).unwrap();
    world.homeserver.invite(&room, &mallory.id, &world.bot()).unwrap();
    let left = |world: &World| {
        let member = world.homeserver.state(&room, "m.room.member", &world.bot())?;
        (member["membership"] == "leave").then_some(())
    };
    world.until("the bot declines", left).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_instead_of_a_session_is_answered_with_a_cure() {
    let mut world = World::start_logged_out(&Setup::default()).await;
    let answer = world.command("login hunter2").await;
    assert!(answer.contains("sessionid"), "{answer}");
    assert!(!answer.contains("hunter2"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_pasted_after_a_restart_logs_in_and_does_not_stay_in_the_room() {
    let mut world = World::start_logged_out(&Setup::default()).await;
    world.command("login").await;
    world.bridge.kill();
    world.bridge.start();
    world.bridge.wait_until_ready().await;
    let answer = world.command(&format!("sessionid={}", world.anna_account.sessionid.clone())).await;
    assert!(answer.starts_with("Logged in"), "{answer}");
    let left = |world: &World| {
        let events = world.homeserver.events(world.management_room());
        let text = serde_json::to_string(&events).unwrap();
        (!text.contains(&world.anna_account.sessionid)).then_some(())
    };
    world.until("the secret is gone", left).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_refused_for_a_moment_is_still_the_right_one() {
    let mut world = World::start_logged_out(&Setup::default()).await;
    world.command("help").await;
    world.homeserver.inject("/send/m.room.message", 2, homeserver_sim::Fault::Status(503));
    let session = world.anna_account.sessionid.clone();
    let answer = world.command(&format!("login {session}")).await;
    assert!(answer.starts_with("Logged in"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_written_into_a_chat_stays_in_the_house() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let bot = world.bot();
    let told = |words: &'static str| {
        let (room, bot) = (room.clone(), bot.clone());
        move |world: &World| world.said_by(&room, &bot).into_iter().find(|text| text.contains(words))
    };
    world.homeserver.send_text(&room, &world.anna.id, "!ig login").unwrap();
    world.until("where to log in", told("Not here")).await;
    let session = &world.anna_account.sessionid;
    let event = world.homeserver.send_text(&room, &world.anna.id, session).unwrap();
    world.until("the warning", told("was not sent to the chat")).await;
    let redacted = |world: &World| {
        let events = world.homeserver.events(&room);
        events.into_iter().find(|other| other["type"] == "m.room.redaction" && other.to_string().contains(&event))
    };
    world.until("the redaction", redacted).await;
    world.homeserver.send_text(&room, &world.anna.id, "hello").unwrap();
    world.expect_written(&thread, &world.anna_account, &["hello".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_logs_in_again_finds_everything_again() {
    let setup = Setup { bridge: "  history_pause: 0s\n".to_owned(), ..Setup::default() };
    let mut world = World::start_with(&setup).await;
    let carol = world.sim.create_account("carol", "Carol Carl").unwrap();
    let members = [world.anna_account.pk, world.bob.pk, carol.pk];
    let group = world.sim.create_thread(&members, Some("Friends")).unwrap();
    let shared = world.portal_of(&group, &world.bob).await;
    let direct = world.chat_with(&world.bob);
    let first = world.portal_of(&direct, &world.bob).await;
    let (anna, bob) = (world.anna.id.clone(), world.ghost(&world.bob));
    let mut known = vec![first];
    for _ in 0..2 {
        let answer = world.command("logout remove").await;
        assert!(answer.contains("1 room was removed"), "{answer}");
        world.anna_account.sessionid = world.sim.create_session(world.anna_account.pk).unwrap();
        world.log_in_anna().await;
        let imported = |world: &World| {
            let key = format!("dev.puppetgram://instagram/{direct}");
            let rooms = world.homeserver.rooms_of(&anna).into_iter();
            let mut rooms = rooms.filter(|room| world.homeserver.state(room, "m.bridge", &key).is_some());
            rooms.find(|room| !known.contains(room) && world.said_by(room, &bob) == ["first"])
        };
        let room = world.until("the room with what was said", imported).await;
        world.homeserver.join(&room, &anna).unwrap();
        known.push(room);
    }
    // Nothing was heard of the group since.
    world.homeserver.send_text(&shared, &anna, "I am back").unwrap();
    world.expect_written(&group, &world.anna_account, &["I am back".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_above_the_cap_wait_and_commands_say_so() {
    let setup = Setup { bridge: "  rooms_per_hour: 1\n".to_owned(), ..Setup::default() };
    let mut world = World::start_with(&setup).await;
    let thread = world.chat_with(&world.bob);
    world.portal_of(&thread, &world.bob).await;
    world.sim.create_account("carol", "Carol Carl").unwrap();
    let answer = world.command("start-chat @carol Hello").await;
    assert!(answer.contains("too many rooms were made in the last hour"), "{answer}");
    let answer = world.command("start-chat @bob Hello again").await;
    assert!(answer.contains("https://matrix.to/#/!"), "{answer}");
    world.expect_written(&thread, &world.anna_account, &["Hello again".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_not_used_once_its_user_may_not_log_in() {
    let mut world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    world.bridge.kill();
    world.bridge.configure("\"@anna:sim.test\": user", "\"@anna:sim.test\": relay");
    world.bridge.start();
    world.bridge.wait_until_ready().await;
    world.homeserver.send_text(&room, &world.anna.id, "hello?").unwrap();
    let bot = world.bot();
    let told = |world: &World| world.said_by(&room, &bot).into_iter().find(|text| text.contains("was not sent"));
    world.until("the refusal", told).await;
    assert_eq!(world.sim.connections(world.anna_account.pk), 0);
    assert_eq!(world.written_by(&thread, &world.anna_account), Vec::<String>::new());
}
