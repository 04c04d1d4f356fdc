//! What did not happen when a row is given up: the beginning of the notice about it.

use super::Stop;
use crate::bridge::Bridge;
use crate::command;
use crate::domain::record::Mapping;
use crate::portal::from_matrix::RoomEvent;

/// The statement to which the reason is added.
pub(super) async fn undone(bridge: &Bridge, stop: &Stop) -> &'static str {
    if stop.row.lane.is_incoming() {
        return "A message from Instagram was not bridged";
    }
    let Ok(event) = serde_json::from_str::<RoomEvent>(&stop.row.payload) else { return "Your message was not sent" };
    let is_command = command::is_command(bridge, &event)
        || matches!(bridge.store.user_of_management_room(&event.room_id).await, Ok(Some(_)));
    of_event(&event, is_command, &stop.sent)
}

fn of_event(event: &RoomEvent, is_command: bool, sent: &[Mapping]) -> &'static str {
    match event.kind.as_str() {
        "m.room.message" if event.is_edit() => "Your edit was not bridged",
        "m.room.message" if is_command => "Your command was not carried out",
        "m.reaction" => "Your reaction was not bridged",
        "m.room.redaction" => "What you removed here is still on Instagram",
        "m.room.name" => "The group's name on Instagram was not changed",
        "m.room.avatar" => "The group's picture on Instagram was not changed",
        "m.room.member" => "The group's members on Instagram were not changed",
        _ => match sent.first() {
            None => "Your message was not sent",
            Some(first) if first.kind.as_deref() == Some("text") => "Only the beginning of your message was sent",
            // Whoever takes it for unsent sends the file again.
            Some(_) => "Your file was sent, but not the words with it",
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_said_fits_what_was_done() {
        let event = |kind: &str, content: &serde_json::Value| -> RoomEvent {
            serde_json::from_value(json!({"event_id": "$1:test", "room_id": "!r:test", "sender": "@anna:test",
                "type": kind, "content": content}))
            .unwrap()
        };
        let edit = json!({"m.relates_to": {"rel_type": "m.replace"}});
        for (kind, content, is_command, expected) in [
            ("m.room.message", json!({}), false, "message was not sent"),
            ("m.room.message", json!({}), true, "command"),
            ("m.room.message", edit, false, "edit"),
            ("m.reaction", json!({}), false, "reaction"),
            ("m.room.redaction", json!({}), false, "removed"),
            ("m.room.name", json!({}), false, "name"),
            ("m.room.avatar", json!({}), false, "picture"),
            ("m.room.member", json!({}), false, "members"),
        ] {
            let words = of_event(&event(kind, &content), is_command, &[]);
            assert!(words.contains(expected), "{kind}: {words}");
        }
    }
}
