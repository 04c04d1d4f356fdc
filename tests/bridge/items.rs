//! Every kind of item that Instagram knows, from the simulator's generators to the event in the room, field by field.
//!
//! The expected events are those that a real homeserver is given too: see `xtask::table`.

use serde_json::Value;
use xtask::table::{Names, event, expected};

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_item_becomes_the_expected_events() {
    let world = World::start().await;
    let thread = world.chat_with(&world.bob);
    let room = world.portal_of(&thread, &world.bob).await;
    let mut names = Names::default();
    names.add(&world.ghost(&world.bob), "GHOST OF BOB");
    names.add(":sim.test", ":SERVER");
    names.add(&thread, "DIRECT THREAD");
    let table = expected().unwrap();
    for kind in instagram_sim::kinds::all() {
        let before = world.homeserver.events(&room).len();
        world.sim.send_item(world.bob.pk, &thread, kind.item(&world.sim)).unwrap();
        let marker = format!("after {}", kind.name);
        world.sim.send_text(world.bob.pk, &thread, &marker).unwrap();
        world.until(&marker, |world| world.event(&room, &marker)).await;
        let mut events: Vec<Value> = world.homeserver.events(&room).into_iter().skip(before).collect();
        events.pop();
        let made: Vec<Value> = events.iter().map(|made| event(&names, made)).collect();
        assert_eq!(Value::from(made), table[&format!("item: {}", kind.name)]["matrix"], "{}", kind.name);
    }
}
