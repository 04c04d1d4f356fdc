//! Commands about the chat they are given in: `backfill`.

use std::sync::Arc;

use super::{Asked, reply};
use crate::bridge::Bridge;
use crate::domain::ids::LoginId;
use crate::domain::notice::Notice;
use crate::domain::record::Portal;
use crate::lane::StepError;
use crate::login::history;
use crate::portal;

/// Messages fetched when no number is given, and the most that can be asked for at once.
const USUAL: i64 = 100;
const MOST: i64 = 10_000;

/// The portal a command is given in, with the asker's login in its chat; or what is wrong.
async fn here(bridge: &Bridge, asked: &Asked<'_>) -> Result<Result<(Portal, LoginId), Notice>, StepError> {
    let Some(portal) = bridge.store.portal_of_room(&asked.event.room_id).await? else {
        let prefix = bridge.config.command_prefix();
        let hint = format!("send `{prefix} …` in the room of the chat.");
        return Ok(Err(Notice::new("This command is for the room of a chat.").with_hint(hint)));
    };
    match portal::own_login(bridge, &asked.event.sender, &portal).await? {
        Some(login) => Ok(Ok((portal, login))),
        None => Ok(Err(Notice::new("You have no Instagram login in this chat.").with_hint("`login` attaches one."))),
    }
}

/// Fetches messages from before the oldest one in the room.
pub(super) async fn backfill(bridge: &Arc<Bridge>, asked: &Asked<'_>) -> Result<(), StepError> {
    let count = match asked.rest {
        "" => USUAL,
        number => match number.parse::<i64>() {
            Ok(count) if (1..=MOST).contains(&count) => count,
            _ => {
                let notice = Notice::new("That is no number of messages.");
                let notice = notice.with_hint(format!("`backfill 200` fetches 200; {MOST} is the most at once."));
                return reply(bridge, asked.event, &notice.to_string()).await;
            }
        },
    };
    let (portal, login) = match here(bridge, asked).await? {
        Ok(found) => found,
        Err(notice) => return reply(bridge, asked.event, &notice.to_string()).await,
    };
    let oldest = bridge.store.oldest_item(portal.id).await?.map(|item| item.as_str().to_owned());
    reply(
        bridge,
        asked.event,
        &format!("Fetching up to {count} earlier messages. They appear below, oldest first, with their original time."),
    )
    .await?;
    history::ask_for_more(bridge, &login, &portal.key.thread, oldest, count).await
}
