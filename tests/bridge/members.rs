//! Who uses the bridge is added to and removed from groups in their rooms, like anybody.

use homeserver_sim::User;
use instagram_sim::Account;
use serde_json::json;

use crate::world::World;

/// A group that `admin` has made with Anna, Bob and others, and its room.
async fn group(world: &World, admin: u64, others: &[u64]) -> (String, String) {
    let dora = world.sim.create_account("dora", "Dora D").unwrap();
    let mut members = vec![admin];
    members.extend([world.anna_account.pk, world.bob.pk, dora.pk].iter().filter(|pk| **pk != admin));
    members.extend(others);
    let thread = world.sim.create_thread(&members, Some("Friends")).unwrap();
    let room = world.portal_of(&thread, &world.bob).await;
    (thread, room)
}

async fn carol(world: &World) -> (Account, User) {
    let account = world.sim.create_account("carol", "Carol Carl").unwrap();
    let user = world.log_in("carol", &account).await;
    (account, user)
}

fn is_in(world: &World, thread: &str, who: &str) -> bool {
    let view = world.sim.thread_view(thread, world.bob.pk).unwrap();
    view["users"].as_array().unwrap().iter().any(|user| user["username"] == who)
}

fn membership(world: &World, room: &str, user: &User) -> Option<String> {
    let member = world.homeserver.state(room, "m.room.member", &user.id)?;
    member["membership"].as_str().map(str::to_owned)
}

fn kick(world: &World, room: &str, user: &User) {
    let gone = json!({"membership": "leave"});
    world.homeserver.set_state(room, &world.anna.id, "m.room.member", &user.id, &gone).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_the_bridge_is_added_and_removed_with_their_account() {
    let world = World::start().await;
    let (account, carol) = carol(&world).await;
    let (thread, room) = group(&world, world.anna_account.pk, &[]).await;
    world.homeserver.invite(&room, &world.anna.id, &carol.id).unwrap();
    world.until("Carol in the group", |world| is_in(world, &thread, "carol").then_some(())).await;
    world.homeserver.join(&room, &carol.id).unwrap();
    world.homeserver.send_text(&room, &carol.id, "here I am").unwrap();
    world.expect_written(&thread, &account, &["here I am".to_owned()]).await;
    kick(&world, &room, &carol);
    world.until("Carol out of the group", |world| (!is_in(world, &thread, "carol")).then_some(())).await;
    world.sim.send_text(world.bob.pk, &thread, "she is gone").unwrap();
    world.until("what is said then", |world| world.event(&room, "she is gone")).await;
    assert_eq!(membership(&world, &room, &carol).as_deref(), Some("leave"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_instagram_keeps_in_a_group_is_invited_again() {
    let world = World::start().await;
    let (account, carol) = carol(&world).await;
    let (thread, room) = group(&world, world.bob.pk, &[account.pk]).await;
    world.until("the invitation", |world| membership(world, &room, &carol).filter(|one| one == "invite")).await;
    world.homeserver.join(&room, &carol.id).unwrap();
    kick(&world, &room, &carol);
    let bot = world.bot();
    let told = |world: &World| {
        world.said_by(&room, &bot).into_iter().find(|text| text.contains("The group's members on Instagram"))
    };
    world.until("the refusal", told).await;
    world.until("Carol invited again", |world| membership(world, &room, &carol).filter(|one| one == "invite")).await;
    assert!(is_in(&world, &thread, "carol"));
}
