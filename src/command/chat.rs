//! Commands about chats: finding people, starting, fetching earlier messages, changing and leaving.

use std::sync::Arc;

use super::{Asked, account, reply};
use crate::bridge::Bridge;
use crate::domain::event::RemoteThread;
use crate::domain::ids::{LoginId, Timestamp};
use crate::domain::notice::Notice;
use crate::domain::record::{Login, Portal, Standing};
use crate::domain::request_id;
use crate::lane::StepError;
use crate::login::history;
use crate::network::{ChatChange, Remote, RemoteError};
use crate::portal::{self, request, room};

/// Messages fetched when no number is given, and the most that can be asked for at once.
const USUAL: i64 = 100;
const MOST: i64 = 10_000;

/// What a command comes to: words for its user.
type Outcome = Result<Result<String, Notice>, StepError>;

async fn answer(bridge: &Bridge, asked: &Asked<'_>, outcome: Result<String, Notice>) -> Result<(), StepError> {
    let text = outcome.unwrap_or_else(|notice| notice.to_string());
    reply(bridge, asked.event, &text).await
}

/// What Instagram said no to, in words.
fn explained(what: &str, error: &RemoteError) -> Notice {
    let (reason, hint) = error.explain();
    let notice = Notice::new(format!("{what}: {reason}"));
    match hint {
        Some(hint) => notice.with_hint(hint),
        None => notice,
    }
}

/// The portal a command is given in, with the asker's login in its chat; or what is wrong.
async fn here(bridge: &Bridge, asked: &Asked<'_>) -> Result<Result<(Portal, LoginId), Notice>, StepError> {
    let Some(portal) = bridge.store.portal_of_room(&asked.event.room_id).await? else {
        let prefix = bridge.config.command_prefix();
        let hint = format!("send `{prefix} …` in the room of the chat.");
        return Ok(Err(Notice::new("This command is for the room of a chat.").with_hint(hint)));
    };
    let login = match asked.login {
        Some(_) => match account::meant(bridge, asked, None).await? {
            Ok(login) => Some(login.id),
            Err(notice) => return Ok(Err(notice)),
        },
        None => portal::certain_login(bridge, &asked.event.sender, &portal).await?,
    };
    match login.filter(|login| portal.key.receiver.as_ref().is_none_or(|receiver| receiver == login)) {
        Some(login) => Ok(Ok((portal, login))),
        None => Ok(Err(Notice::new("You have no Instagram login in this chat.").with_hint("`login` attaches one."))),
    }
}

/// The asker's login for commands outside of chats.
async fn own(bridge: &Bridge, asked: &Asked<'_>) -> Result<Result<(Login, Remote), Notice>, StepError> {
    match account::meant(bridge, asked, None).await? {
        Ok(login) => match bridge.remote(&login.id).await {
            Ok(remote) => Ok(Ok((login, remote))),
            Err(StepError::Remote { error, .. }) => Ok(Err(explained("That is not possible now", &error))),
            Err(error) => Err(error),
        },
        Err(notice) => Ok(Err(notice)),
    }
}

/// Fetches messages from before the oldest one in the room.
pub(super) async fn backfill(bridge: &Arc<Bridge>, asked: &Asked<'_>) -> Result<(), StepError> {
    let count = match asked.rest {
        "" => USUAL,
        number => match number.parse::<i64>() {
            Ok(count) if (1..=MOST).contains(&count) => count,
            _ => {
                let notice = Notice::new(format!("Give a number from 1 to {MOST}."));
                let notice = notice.with_hint("`backfill 200` fetches 200 messages.");
                return answer(bridge, asked, Err(notice)).await;
            }
        },
    };
    let (portal, login) = match here(bridge, asked).await? {
        Ok(found) => found,
        Err(notice) => return answer(bridge, asked, Err(notice)).await,
    };
    let oldest = bridge.store.oldest_item(portal.id).await?.map(|item| item.as_str().to_owned());
    let text = match history::ask_for_more(bridge, &login, &portal.key.thread, oldest, count).await? {
        true => format!(
            "Fetching up to {count} earlier messages. They appear below, oldest first, with their original time."
        ),
        false => "Earlier messages of this chat are being fetched already. Ask again when they are here.".to_owned(),
    };
    reply(bridge, asked.event, &text).await
}

/// Lists people.
pub(super) async fn search(bridge: &Arc<Bridge>, asked: &Asked<'_>) -> Result<(), StepError> {
    let found = async {
        if asked.rest.is_empty() {
            return Ok(Err(Notice::new("Whom shall I look for?").with_hint("`search anna` finds people by name.")));
        }
        let (_, remote) = match own(bridge, asked).await? {
            Ok(own) => own,
            Err(notice) => return Ok(Err(notice)),
        };
        Ok(match remote.search(asked.rest).await {
            Ok(users) if users.is_empty() => Err(Notice::new("Nobody was found.")),
            Ok(users) => {
                let lines = users.iter().take(10).map(|user| format!("@{} – {}", user.username, user.full_name));
                let lines: Vec<String> = lines.collect();
                Ok(format!("{}\n`start-chat @name` opens a chat.", lines.join("\n")))
            }
            Err(error) => Err(explained("The search failed", &error)),
        })
    };
    let outcome: Outcome = found.await;
    answer(bridge, asked, outcome?).await
}

/// Opens the chat with a person; the first message starts it where there is none yet.
pub(super) async fn start_chat(bridge: &Arc<Bridge>, asked: &Asked<'_>) -> Result<(), StepError> {
    let outcome = start(bridge, asked).await?;
    answer(bridge, asked, outcome).await
}

async fn start(bridge: &Arc<Bridge>, asked: &Asked<'_>) -> Outcome {
    let (name, text) = asked.rest.split_once(char::is_whitespace).unwrap_or((asked.rest, ""));
    let name = name.trim_start_matches('@');
    if name.is_empty() {
        return Ok(Err(Notice::new("With whom?").with_hint("`start-chat @name`, or `start-chat @name Hello!`")));
    }
    let (login, remote) = match own(bridge, asked).await? {
        Ok(own) => own,
        Err(notice) => return Ok(Err(notice)),
    };
    let user = match remote.user_by_name(name).await {
        Ok(user) => user,
        Err(RemoteError::NotFound) => {
            return Ok(Err(Notice::new(format!("There is no @{name}.")).with_hint("`search` finds people by name.")));
        }
        Err(error) => return Ok(Err(explained("The chat was not opened", &error))),
    };
    let users = [user.id.clone()];
    let thread = if text.trim().is_empty() {
        match remote.thread_with(&users).await {
            Ok(Some(thread)) => thread.id,
            Ok(None) => {
                let hint = format!("start it with a first message: `start-chat @{name} Hello!`");
                return Ok(Err(Notice::new(format!("You have no chat with @{name} yet.")).with_hint(hint)));
            }
            Err(error) => return Ok(Err(explained("The chat was not opened", &error))),
        }
    } else {
        let at = Timestamp(asked.event.origin_server_ts);
        let context = request_id::client_context(&asked.event.event_id, at, 0);
        match remote.start_chat(&users, text.trim(), &context).await {
            Ok(Some(thread)) => thread,
            Ok(None) => return Ok(Ok("Sent. The room appears when Instagram speaks of the chat.".to_owned())),
            // The whole command is done once more, with the same context.
            Err(error @ RemoteError::Uncertain) => return Err(StepError::Remote { login: login.id, error }),
            Err(error) => return Ok(Err(explained("The chat was not started", &error))),
        }
    };
    opened(room::reopen(bridge, &login.id, &thread).await, &format!("@{name}"))
}

fn opened(portal: Result<Option<Portal>, StepError>, with: &str) -> Outcome {
    Ok(Ok(match portal.map(|portal| portal.and_then(|portal| portal.room)) {
        Ok(Some(room)) => format!("The chat with {with} is here: https://matrix.to/#/{room}"),
        Ok(None) => format!("The chat with {with} is open."),
        Err(StepError::Hold(why)) => {
            format!("The chat with {with} is open. It has no room yet ({why}); its next message brings it.")
        }
        Err(error) => return Err(error),
    }))
}

/// Makes a group: handles, and what else is said is its title.
pub(super) async fn create_group(bridge: &Arc<Bridge>, asked: &Asked<'_>) -> Result<(), StepError> {
    let outcome = group(bridge, asked).await?;
    answer(bridge, asked, outcome).await
}

async fn group(bridge: &Arc<Bridge>, asked: &Asked<'_>) -> Outcome {
    let (names, title): (Vec<&str>, Vec<&str>) = asked.rest.split_whitespace().partition(|word| word.starts_with('@'));
    if names.len() < 2 {
        let hint = "`create-group @anna @bob Holidays` makes a group of you three.";
        return Ok(Err(Notice::new("A group needs at least two others.").with_hint(hint)));
    }
    let (login, remote) = match own(bridge, asked).await? {
        Ok(own) => own,
        Err(notice) => return Ok(Err(notice)),
    };
    let mut users = Vec::new();
    for name in names {
        match remote.user_by_name(name.trim_start_matches('@')).await {
            Ok(user) => users.push(user.id),
            Err(RemoteError::NotFound) => return Ok(Err(Notice::new(format!("There is no {name}.")))),
            Err(error) => return Ok(Err(explained("The group was not made", &error))),
        }
    }
    let title = title.join(" ");
    let title = Some(title.as_str()).filter(|title| !title.is_empty());
    let at = Timestamp(asked.event.origin_server_ts);
    let context = request_id::client_context(&asked.event.event_id, at, 0);
    match remote.create_group(&users, title, &context).await {
        Ok(RemoteThread { id, .. }) => {
            opened(room::ensure(bridge, &login.id, &id, None).await, title.unwrap_or("the group"))
        }
        Err(error @ RemoteError::Uncertain) => Err(StepError::Remote { login: login.id, error }),
        Err(error) => Ok(Err(explained("The group was not made", &error))),
    }
}

/// The message request of the person named, with the asker's login that got it; or what is wrong.
async fn request_of(
    bridge: &Bridge,
    asked: &Asked<'_>,
    name: &str,
) -> Result<Result<(Portal, LoginId), Notice>, StepError> {
    let (login, remote) = match own(bridge, asked).await? {
        Ok(own) => own,
        Err(notice) => return Ok(Err(notice)),
    };
    let thread = match remote.user_by_name(name).await {
        Ok(user) => remote.thread_with(&[user.id]).await,
        Err(error) => Err(error),
    };
    let portal = match thread {
        Ok(Some(thread)) => room::portal_for(bridge, &login.id, &thread.id).await?,
        Ok(None) | Err(RemoteError::NotFound) => None,
        Err(error) => return Ok(Err(explained("That did not work", &error))),
    };
    Ok(match portal {
        Some(portal) if is_request(bridge, &portal, &login.id).await? => Ok((portal, login.id)),
        _ => Err(Notice::new(format!("There is no message request from @{name}."))),
    })
}

async fn is_request(bridge: &Bridge, portal: &Portal, login: &LoginId) -> Result<bool, StepError> {
    Ok(bridge.store.standing(&portal.key.thread, login).await? == Standing::Request)
}

/// Changes the chat of the room: `mute`, `unmute`, `mark-unread`, `leave-group`, `delete-chat`, `accept`, `decline`; the
/// last two also by the name of who asks.
pub(super) async fn change(
    bridge: &Arc<Bridge>,
    asked: &Asked<'_>,
    change: ChatChange,
    done: &str,
) -> Result<(), StepError> {
    let is_answer = matches!(change, ChatChange::Accept | ChatChange::Decline);
    let found = match asked.rest.trim_start_matches('@') {
        name if is_answer && !name.is_empty() => request_of(bridge, asked, name).await?,
        _ => here(bridge, asked).await?,
    };
    let (portal, login) = match found {
        Ok(found) => found,
        Err(notice) => return answer(bridge, asked, Err(notice)).await,
    };
    if is_answer && !is_request(bridge, &portal, &login).await? {
        return answer(bridge, asked, Err(Notice::new("This chat is no message request."))).await;
    }
    let changed = match is_answer {
        true => request::answer(bridge, &login, &portal, &change).await,
        false => {
            let done = bridge.remote(&login).await?.change(&portal.key.thread, &change).await;
            done.map_err(|error| StepError::Remote { login, error })
        }
    };
    let outcome = match changed {
        Ok(()) => Ok(done.to_owned()),
        Err(StepError::Remote { error, .. }) => Err(explained("That did not work", &error)),
        Err(error) => return Err(error),
    };
    answer(bridge, asked, outcome).await
}

/// Lets a login speak for people in this room who have none, or no longer.
pub(super) async fn relay(bridge: &Arc<Bridge>, asked: &Asked<'_>, on: bool) -> Result<(), StepError> {
    let (portal, login) = match here(bridge, asked).await? {
        Ok(found) => found,
        Err(notice) => return answer(bridge, asked, Err(notice)).await,
    };
    let changed = Portal { relay: on.then_some(login), ..portal.clone() };
    bridge.store.save_portal(&portal, &changed).await?;
    let text = match on {
        true => {
            "From now on what people without a login of their own say here is sent by your account, with their name \
             before it. `unset-relay` ends that."
        }
        false => "People without a login are no longer relayed here.",
    };
    answer(bridge, asked, Ok(text.to_owned())).await
}
