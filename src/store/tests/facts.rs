//! Portals, ghosts, threads and the message map.

use super::world::{DAY, NOW, World, accepted_row, direct, done, events_of, map, mapping, one, shared, thread, two};
use crate::domain::ids::{ClientContext, ItemId, LoginId, PortalId, RemoteUserId, Timestamp};
use crate::domain::record::{Effect, Ghost, Mapping, OwnChange, Portal, Rules, Shows, Standing};
use crate::store::Store;

pub(super) async fn a_portal_is_made_once(world: &World) {
    let store = world.open_with_logins().await;
    assert_eq!(store.portal(&shared("t")).await.unwrap(), None);
    let made = store.ensure_portal(&shared("t")).await.unwrap();

    assert_eq!(store.ensure_portal(&shared("t")).await.unwrap(), made);
    assert_eq!(store.portal(&shared("t")).await.unwrap(), Some(made.clone()));
    assert_eq!(store.portal_by_id(made.id).await.unwrap(), Some(made.clone()));
    assert_eq!((made.room, made.name, made.avatar_id, made.members), (None, None, None, vec![]));
    assert_eq!(store.portal_by_id(PortalId(-1)).await.unwrap(), None);
}

pub(super) async fn a_portal_keeps_what_is_saved(world: &World) {
    let store = world.open_with_logins().await;
    let made = store.ensure_portal(&direct("t", &one())).await.unwrap();
    let saved = Portal {
        room: Some("!room:example.com".try_into().unwrap()),
        name: Some("Friends 👋".to_owned()),
        avatar_id: Some("picture 1".to_owned()),
        members: vec![RemoteUserId::new("\"44\""), RemoteUserId::new("33")],
        nicknames: [(RemoteUserId::new("33"), "\"Bobby\"".to_owned())].into(),
        rules: Rules { vanish_mode: true, approval_required: true, vanish_mode_by_message: true },
        ..made.clone()
    };
    store.save_portal(&made, &saved).await.unwrap();
    assert_eq!(store.portal(&saved.key).await.unwrap().as_ref(), Some(&saved));

    // From the database too, not only from memory.
    store.close().await;
    let store = world.open().await;
    assert_eq!(store.portal_of_room(saved.room.as_ref().unwrap()).await.unwrap().as_ref(), Some(&saved));
    assert_eq!(store.portal_by_id(saved.id).await.unwrap().as_ref(), Some(&saved));
    assert_eq!(store.portals_of_thread(&thread("t")).await.unwrap(), [saved]);
}

pub(super) async fn what_two_lanes_change_of_a_portal_is_all_kept(world: &World) {
    let store = world.open_with_logins().await;
    let known = store.ensure_portal(&shared("t")).await.unwrap();
    let user = |id: &str| RemoteUserId::new(id);
    let members = vec![user("1"), user("2")];
    let known = {
        let with_members = Portal { members, ..known.clone() };
        store.save_portal(&known, &with_members).await.unwrap();
        with_members
    };
    let relayed = Portal { relay: Some(one()), members: vec![user("1"), user("2"), user("4")], ..known.clone() };
    let renamed = Portal { name: Some("Friends".to_owned()), members: vec![user("2"), user("3")], ..known.clone() };
    store.save_portal(&known, &relayed).await.unwrap();
    store.save_portal(&known, &renamed).await.unwrap();
    let all = Portal { relay: Some(one()), members: vec![user("2"), user("3"), user("4")], ..renamed };
    assert_eq!(store.portal(&known.key).await.unwrap(), Some(all));
}

pub(super) async fn a_room_leads_to_the_portal_that_has_it_now(world: &World) {
    let store = world.open_with_logins().await;
    let first = ruma::room_id!("!first:example.com");
    let second = ruma::room_id!("!second:example.com");
    assert_eq!(store.portal_of_room(first).await.unwrap(), None);
    let made = store.ensure_portal(&shared("t")).await.unwrap();
    let portal = Portal { room: Some(first.to_owned()), ..made.clone() };
    store.save_portal(&made, &portal).await.unwrap();
    assert_eq!(store.portal_of_room(first).await.unwrap().as_ref(), Some(&portal));
    assert_eq!(store.portal_of_room(second).await.unwrap(), None);

    let moved = Portal { room: Some(second.to_owned()), ..portal.clone() };
    store.save_portal(&portal, &moved).await.unwrap();
    let portal = moved;
    assert_eq!(store.portal_of_room(first).await.unwrap(), None);
    assert_eq!(store.portal_of_room(second).await.unwrap(), Some(portal));
}

pub(super) async fn a_thread_may_be_a_request_for_one_login_only(world: &World) {
    let store = world.open_with_logins().await;
    let standing = async |store: &Store| {
        let of = async |login| store.standing(&thread("t"), &login).await.unwrap();
        (of(one()).await, of(two()).await)
    };
    assert_eq!(standing(&store).await, (Standing::Open, Standing::Open));
    store.set_standing(&thread("t"), &one(), Standing::Request).await.unwrap();
    assert_eq!(standing(&store).await, (Standing::Request, Standing::Open));
    store.set_standing(&thread("t"), &one(), Standing::Declined).await.unwrap();
    store.set_standing(&thread("t"), &two(), Standing::Request).await.unwrap();
    store.set_standing(&thread("t"), &two(), Standing::Open).await.unwrap();
    assert_eq!(standing(&store).await, (Standing::Declined, Standing::Open));
    // Whoever was declined stays away.
    store.remove_login(&one()).await.unwrap();
    store.close().await;
    assert_eq!(standing(&world.open().await).await, (Standing::Declined, Standing::Open));
}

pub(super) async fn what_one_login_has_heard_is_no_news_from_another(world: &World) {
    let store = world.open_with_logins().await;
    let portal = store.ensure_portal(&shared("t")).await.unwrap().id;
    let hear = async |login: LoginId, what: &str| {
        let is_known = store.is_heard_already(portal, &login, what).await.unwrap();
        store.apply(Effect::Heard { portal, login, what: what.to_owned(), at: NOW }).await.unwrap();
        is_known
    };
    for what in ["on", "off", "on"] {
        assert!(!hear(one(), what).await);
    }
    for what in ["on", "off", "on"] {
        assert!(hear(two(), what).await);
    }
    assert!(!hear(two(), "off").await);
    assert!(hear(one(), "off").await);
    assert!(!hear(one(), "off").await);
    store.apply(Effect::HeardAll { portal, login: two() }).await.unwrap();
    assert!(!hear(two(), "off").await);
    // Positions do not come back when what they stood for is forgotten.
    store.prune(Timestamp(NOW.0 + 8 * DAY)).await.unwrap();
    assert!(!hear(one(), "on").await);
    assert!(hear(two(), "on").await);
    // What only one hears does not make it forget what it has yet to hear.
    for what in ["a reaction", "its end"] {
        assert!(!hear(one(), what).await);
    }
    for (what, is_known) in [("for two alone", false), ("a reaction", true), ("its end", true), ("its end", false)] {
        assert_eq!(hear(two(), what).await, is_known, "{what}");
    }
    assert!(hear(one(), "its end").await);
}

pub(super) async fn direct_chats_of_two_logins_are_two_portals(world: &World) {
    let store = world.open_with_logins().await;
    let ones = store.ensure_portal(&direct("t", &one())).await.unwrap();
    let twos = store.ensure_portal(&direct("t", &two())).await.unwrap();

    assert_ne!(ones.id, twos.id);
    assert_eq!(store.portals_of_thread(&thread("t")).await.unwrap(), [ones, twos]);
}

pub(super) async fn a_login_uses_its_own_portals_and_those_of_its_threads(world: &World) {
    let store = world.open_with_logins().await;
    let own = store.ensure_portal(&direct("t", &one())).await.unwrap();
    store.ensure_portal(&direct("t", &two())).await.unwrap();
    let group = store.ensure_portal(&shared("g")).await.unwrap();
    store.ensure_portal(&shared("h")).await.unwrap();
    store.note_login_in_thread(&thread("g"), &one()).await.unwrap();

    assert_eq!(store.portals_of_login(&one()).await.unwrap(), [own, group]);
}

pub(super) async fn a_removed_portal_takes_its_messages_along(world: &World) {
    let store = world.open_with_logins().await;
    let made = store.ensure_portal(&shared("t")).await.unwrap();
    let other = store.ensure_portal(&shared("u")).await.unwrap();
    let portal = Portal { room: Some("!room:example.com".try_into().unwrap()), ..made.clone() };
    store.save_portal(&made, &portal).await.unwrap();
    map(&store, vec![mapping(&portal, "i", 0, "$one"), mapping(&other, "i", 0, "$two")]).await;
    store.remove_portal(portal.id).await.unwrap();

    assert_eq!(store.portal(&portal.key).await.unwrap(), None);
    assert_eq!(store.portal_by_id(portal.id).await.unwrap(), None);
    assert_eq!(store.portal_of_room(portal.room.as_ref().unwrap()).await.unwrap(), None);
    assert_eq!(store.mapping_of_event(ruma::event_id!("$one")).await.unwrap(), []);
    assert_eq!(events_of(&store, other.id, "i").await, ["$two"]);

    // A lane that was at work on it can still settle, and nothing of it comes back under the same number.
    let row = accepted_row(&store, "t", "late").await;
    store.settle(vec![done(row.id, vec![mapping(&portal, "j", 0, "$late")])], NOW).await.unwrap();
    store.save_portal(&made, &portal).await.unwrap();
    let again = store.ensure_portal(&portal.key).await.unwrap();
    assert!(again.id.0 > other.id.0);
    assert_eq!((again.room, store.inbox_depth()), (None, 0));
}

pub(super) async fn what_was_done_from_here_is_known_for_a_week(world: &World) {
    let store = world.open_with_logins().await;
    let portal = store.ensure_portal(&shared("t")).await.unwrap();
    let done = |what: &str, context: Option<&str>, at| OwnChange {
        portal: portal.id,
        item: ItemId::new("i"),
        what: what.to_owned(),
        context: context.map(ClientContext::new),
        at: Timestamp(at),
    };
    let changes = [done("one", Some("7"), NOW.0), done("one", Some("8"), NOW.0 + 1), done("two", None, NOW.0 + 2)];
    for change in changes.iter().chain([&changes[0]]) {
        store.note_own_change(change.clone()).await.unwrap();
    }
    assert_eq!(store.own_changes(portal.id, &ItemId::new("i")).await.unwrap(), changes);
    assert_eq!(store.own_changes(portal.id, &ItemId::new("j")).await.unwrap(), []);

    store.prune(Timestamp(NOW.0 + 7 * DAY + 2)).await.unwrap();
    assert_eq!(store.own_changes(portal.id, &ItemId::new("i")).await.unwrap(), changes[2..]);
    store.remove_portal(portal.id).await.unwrap();
    store.note_own_change(changes[0].clone()).await.unwrap();
    assert_eq!(store.own_changes(portal.id, &ItemId::new("i")).await.unwrap(), []);
}

pub(super) async fn logins_come_and_go_in_threads(world: &World) {
    let store = world.open_with_logins().await;
    assert_eq!(store.logins_in_thread(&thread("t")).await.unwrap(), []);
    store.note_login_in_thread(&thread("t"), &two()).await.unwrap();
    store.note_login_in_thread(&thread("t"), &one()).await.unwrap();
    store.note_login_in_thread(&thread("t"), &one()).await.unwrap();
    assert_eq!(store.logins_in_thread(&thread("t")).await.unwrap(), [one(), two()]);

    store.forget_login_in_thread(&thread("t"), &one()).await.unwrap();
    assert_eq!(store.logins_in_thread(&thread("t")).await.unwrap(), [two()]);
}

pub(super) async fn a_ghost_keeps_what_is_saved(world: &World) {
    let store = world.open().await;
    let id = RemoteUserId::new("33");
    assert_eq!(store.ghost(&id).await.unwrap(), None);
    let mut ghost = Ghost {
        id: id.clone(),
        username: "anna".to_owned(),
        full_name: String::new(),
        avatar_id: None,
        avatar: None,
        displayname: String::new(),
        fetched_at: NOW,
    };
    store.save_ghost(&ghost).await.unwrap();
    assert_eq!(store.ghost(&id).await.unwrap().as_ref(), Some(&ghost));

    ghost.full_name = "Anna Ω".to_owned();
    ghost.avatar_id = Some("p".to_owned());
    ghost.avatar = Some("mxc://example.com/abc".into());
    ghost.displayname = "Anna (Instagram)".to_owned();
    ghost.fetched_at = Timestamp(NOW.0 + 1);
    store.save_ghost(&ghost).await.unwrap();
    assert_eq!(store.ghost(&id).await.unwrap().as_ref(), Some(&ghost));
    store.close().await;
    assert_eq!(world.open().await.ghost(&id).await.unwrap(), Some(ghost));
}

pub(super) async fn the_message_map_is_asked_from_both_sides(world: &World) {
    let store = world.open_with_logins().await;
    let portal = store.ensure_portal(&shared("t")).await.unwrap();
    let other = store.ensure_portal(&shared("u")).await.unwrap();
    let mut lines =
        [mapping(&portal, "i", 0, "$one"), mapping(&portal, "i", 1, "$two"), mapping(&other, "i", 0, "$three")];
    lines[1].client_context = None;
    map(&store, vec![lines[1].clone(), lines[0].clone(), lines[2].clone()]).await;

    assert_eq!(store.mapping_of_item(portal.id, &ItemId::new("i")).await.unwrap(), lines[..2]);
    assert_eq!(store.mapping_of_item(portal.id, &ItemId::new("j")).await.unwrap(), []);
    assert_eq!(store.mapping_of_event(ruma::event_id!("$three")).await.unwrap(), lines[2..]);
    let context = ClientContext::new("context of i");
    assert_eq!(store.mapping_of_context(portal.id, &context).await.unwrap().as_ref(), Some(&lines[0]));
    assert_eq!(store.mapping_of_context(portal.id, &ClientContext::new("x")).await.unwrap(), None);
}

pub(super) async fn the_first_mapping_of_a_part_stays(world: &World) {
    let store = world.open_with_logins().await;
    let portal = store.ensure_portal(&shared("t")).await.unwrap();
    map(&store, vec![mapping(&portal, "i", 0, "$one")]).await;
    map(&store, vec![mapping(&portal, "i", 0, "$again"), mapping(&portal, "i", 1, "$two")]).await;

    assert_eq!(events_of(&store, portal.id, "i").await, ["$one", "$two"]);
}

pub(super) async fn further_events_of_an_item_are_known_with_it(world: &World) {
    let store = world.open_with_logins().await;
    let portal = store.ensure_portal(&shared("t")).await.unwrap();
    let item = ItemId::new("i");
    map(&store, vec![mapping(&portal, "i", 0, "$line"), mapping(&portal, "i", 1, "$words")]).await;
    let edit = ruma::event_id!("$edit").to_owned();
    let revised = Effect::Revised { portal: portal.id, item: item.clone(), event: edit.clone() };
    store.apply(revised.clone()).await.unwrap();
    store.apply(revised).await.unwrap();
    let photo = Mapping { shows: Shows::File, ..mapping(&portal, "i", 0, "$photo") };
    store.apply(Effect::Succeeded(photo.clone())).await.unwrap();
    store.apply(Effect::Succeeded(photo.clone())).await.unwrap();

    assert_eq!(events_of(&store, portal.id, "i").await, ["$photo", "$words"]);
    assert_eq!(store.mapping_of_item(portal.id, &item).await.unwrap()[0], photo);
    assert_eq!(store.revisions_of_item(portal.id, &item).await.unwrap(), ["$edit", "$line"]);
    assert_eq!(store.item_of_revision(&edit).await.unwrap(), Some((portal.id, item.clone())));
    assert_eq!(store.item_of_revision(ruma::event_id!("$photo")).await.unwrap(), None);

    // A part that was never there does not come by that, and what belongs to a removed portal goes with it.
    store.apply(Effect::Succeeded(mapping(&portal, "i", 2, "$none"))).await.unwrap();
    assert_eq!(events_of(&store, portal.id, "i").await, ["$photo", "$words"]);
    store.remove_portal(portal.id).await.unwrap();
    assert_eq!(store.item_of_revision(&edit).await.unwrap(), None);
    store.apply(Effect::Revised { portal: portal.id, item: item.clone(), event: edit.clone() }).await.unwrap();
    assert_eq!(store.item_of_revision(&edit).await.unwrap(), None);
}
