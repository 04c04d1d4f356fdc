//! The whole: what its parts share, how they start and how they end.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::routing::get;
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use tokio::net::TcpListener;

use crate::config::{Config, Permission};
use crate::domain::ids::LoginId;
use crate::domain::notice::Notice;
use crate::domain::record::{Login, LoginState};
use crate::files;
use crate::inbox::{self, Contact, Order, Receiver};
use crate::lane::{Lanes, StepError};
use crate::login::history::{self, Histories};
use crate::login::{Sessions, Status};
use crate::matrix::appservice;
use crate::media::{self, Converter};
use crate::network::{Network, Remote, RemoteError};
use crate::portal::ephemeral::Ephemeral;
use crate::portal::fleeting;
use crate::portal::puppet::Puppets;
use crate::portal::request::Waiting;
use crate::portal::room::RoomBudget;
use crate::runtime::{self, Tasks};
use crate::store::{Store, StoreOptions};
use crate::{cli, matrix, metrics};

/// How long the first signal to end is given.
const GRACE: Duration = Duration::from_secs(20);

/// What every part of the bridge may use. Nothing in it matters after a restart.
pub struct Bridge {
    /// As read at the start.
    pub config: Arc<Config>,
    /// The database.
    pub store: Store,
    /// The homeserver.
    pub matrix: matrix::Client,
    /// Instagram.
    pub network: Network,
    /// The live logins.
    pub sessions: Sessions,
    /// The queues at work.
    pub lanes: Lanes,
    /// Every task.
    pub tasks: Tasks,
    /// Order of the homeserver's transactions.
    pub order: Order,
    /// Whether the homeserver reaches us.
    pub contact: Contact,
    media_directory: PathBuf,
    /// What converts sounds and videos, where there is one.
    pub converter: Option<Converter>,
    /// What is fetched of what was said before.
    pub histories: Histories,
    /// Rooms made in the last hour.
    pub rooms: RoomBudget,
    /// Message requests that Instagram was asked of lately.
    pub waiting_requests: Waiting,
    /// Typing and receipts on their way.
    pub ephemeral: Ephemeral,
    /// Users as whom we act.
    pub puppets: Puppets,
    bot: OwnedUserId,
    /// Users whose next message is their session, and where.
    pending_logins: Mutex<HashMap<OwnedUserId, OwnedRoomId>>,
}

impl Bridge {
    /// Where files are on their way.
    pub fn media_directory(&self) -> &Path {
        &self.media_directory
    }

    /// The bridge bot.
    pub fn bot(&self) -> &UserId {
        &self.bot
    }

    /// What a login can do. An error that waits while the login is known but not started.
    pub async fn remote(&self, login: &LoginId) -> Result<Remote, StepError> {
        if let Some(running) = self.sessions.get(login) {
            return match running.status() {
                // A dead session is left in peace: asking with it again and again is what gets accounts flagged.
                Status::Stopped(_) => Err(StepError::Remote { login: login.clone(), error: RemoteError::LoggedOut }),
                _ => Ok(running.remote.clone()),
            };
        }
        self.known_login(login).await?;
        Err(StepError::Remote { login: login.clone(), error: RemoteError::NotConnected })
    }

    /// A login that has not been removed.
    pub async fn known_login(&self, login: &LoginId) -> Result<Login, StepError> {
        self.store.login(login).await?.ok_or_else(|| StepError::Refuse(Notice::new("The login was removed meanwhile.")))
    }

    /// The user's next message in this room is a session.
    pub fn await_login(&self, user: &UserId, room: &RoomId) {
        self.pending_logins.lock().unwrap_or_else(PoisonError::into_inner).insert(user.to_owned(), room.to_owned());
    }

    /// True if a session was awaited from the user in this room; it is not any more.
    pub fn take_pending_login(&self, user: &UserId, room: &RoomId) -> bool {
        let mut pending = self.pending_logins.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.get(user).is_some_and(|awaited| awaited == room) { pending.remove(user).is_some() } else { false }
    }
}

/// Runs the bridge until it is told to end.
///
/// # Errors
/// One sentence with the cure when it cannot start.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let config = Arc::new(config);
    let bridge = start(&config).await?;
    let first = cli::shutdown_signal().await;
    tracing::info!(signal = first, "ending");
    let ended = tokio::select! {
        ended = bridge.tasks.end(GRACE) => ended,
        _ = cli::shutdown_signal() => false,
    };
    if !ended {
        tracing::warn!("not everything ended in time; nothing is lost, it resumes at the next start");
    }
    bridge.store.close().await;
    Ok(())
}

async fn start(config: &Arc<Config>) -> anyhow::Result<Arc<Bridge>> {
    let store = Store::open(&StoreOptions {
        uri: config.database_uri().to_owned(),
        max_connections: config.database.max_connections,
        key: config.seal_key(),
    })
    .await?;
    let bot = config.bot_user_id();
    let matrix = matrix::Client::new(config.matrix_options()?)?;
    let network = Network::new(config)?;
    let listen = config.listen_address();
    let listener = TcpListener::bind(&listen).await.with_context(|| listen_hint(&listen))?;
    let order = Order::new(store.last_transaction().await?.as_deref(), runtime::now());
    let bridge = Arc::new(Bridge {
        order,
        contact: Contact::default(),
        media_directory: config.media.directory.clone().unwrap_or_else(std::env::temp_dir),
        converter: find_converter(config),
        histories: Histories::default(),
        rooms: RoomBudget::default(),
        waiting_requests: Waiting::default(),
        ephemeral: Ephemeral::default(),
        puppets: Puppets::default(),
        config: Arc::clone(config),
        store,
        matrix,
        network,
        sessions: Sessions::default(),
        lanes: Lanes::default(),
        tasks: Tasks::default(),
        bot,
        pending_logins: Mutex::default(),
    });
    serve(&bridge, listener);
    tracing::info!(address = %listen, "listening");
    let logins = bridge.store.logins().await?;
    check_homeserver(&bridge, logins.is_empty()).await?;
    history::resume(&bridge).await?;
    media::sweep(bridge.media_directory());
    for login in logins {
        start_login(&bridge, &login).await?;
    }
    for lane in bridge.store.pending_lanes().await? {
        bridge.lanes.wake(&bridge, lane);
    }
    keep_house(&bridge);
    inbox::watch(&bridge);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "ready");
    Ok(bridge)
}

/// Without a converter voice messages are passed on as they are, and videos have to be what Instagram takes.
fn find_converter(config: &Config) -> Option<Converter> {
    let found = Converter::find(config.media.ffmpeg.as_deref());
    match (&found, &config.media.ffmpeg) {
        (Some(_), _) => {}
        (None, Some(path)) => {
            tracing::warn!(path = %path.display(), "`media.ffmpeg` is no program; nothing is converted");
        }
        (None, None) => tracing::info!("no ffmpeg found: sounds and videos are not converted"),
    }
    found
}

fn listen_hint(listen: &str) -> String {
    format!(
        "cannot listen on {listen}\nhint: is another bridge running? Choose another `appservice.port` and the same in `appservice.address`, \
         then `puppetgram register --force`"
    )
}

fn serve(bridge: &Arc<Bridge>, listener: TcpListener) {
    let receiver = Arc::new(Receiver(Arc::clone(bridge)));
    let shown = Arc::clone(bridge);
    let router = appservice::router(bridge.config.hs_token(), receiver, bridge.config.body_limit())
        .route("/_puppetgram/metrics", get(async move || metrics::render(&shown)))
        .merge(files::router(bridge));
    let ended = bridge.tasks.shutdown().clone().cancelled_owned();
    bridge.tasks.spawn("listener", async move {
        if let Err(error) = appservice::serve(listener, router, ended).await {
            tracing::error!(%error, "listener ended");
        }
    });
}

/// Tests both directions of the connection to the homeserver. A first start ends on trouble; a bridge that has logins
/// goes on, takes what Instagram sends into its inbox, and keeps testing.
async fn check_homeserver(bridge: &Arc<Bridge>, first_start: bool) -> anyhow::Result<()> {
    let error = match bridge.matrix.self_test(&bridge.config.appservice.id).await {
        Ok(tested) => {
            if let Some(warning) = tested.warning {
                tracing::warn!("{warning}");
            }
            return prepare_bot(bridge).await;
        }
        Err(error) => error,
    };
    if first_start {
        return Err(error.into());
    }
    tracing::error!(%error, "the homeserver test failed; messages wait until it succeeds");
    let task = Arc::clone(bridge);
    bridge.tasks.spawn("homeserver test", async move {
        let mut pause = Duration::from_secs(1);
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = task.tasks.shutdown().cancelled() => return,
            }
            pause = (pause * 2).min(Duration::from_secs(15));
            match task.matrix.self_test(&task.config.appservice.id).await {
                Ok(_) => {
                    tracing::info!("the homeserver test succeeded");
                    task.lanes.hurry();
                    if let Err(error) = prepare_bot(&task).await {
                        tracing::warn!(%error, "the bot's profile could not be set");
                    }
                    return;
                }
                Err(error) => tracing::error!(%error, "the homeserver test failed again"),
            }
        }
    });
    Ok(())
}

async fn prepare_bot(bridge: &Bridge) -> anyhow::Result<()> {
    bridge.matrix.ensure_registered(bridge.bot()).await?;
    bridge.matrix.set_displayname(bridge.bot(), &bridge.config.appservice.bot_displayname).await?;
    Ok(())
}

async fn start_login(bridge: &Arc<Bridge>, login: &Login) -> anyhow::Result<()> {
    let remote = bridge.store.session(&login.id).await?.and_then(|json| bridge.network.remote(&login.id, &json));
    if bridge.config.permission(&login.user) < Permission::User {
        tracing::warn!(login = %login.id, user = %login.user, "not started: `bridge.permissions` does not let its user log in");
        let reason = "The admin does not let you use this bridge.".to_owned();
        remote.into_iter().for_each(|remote| bridge.sessions.keep_stopped(bridge, remote, reason.clone()));
        return Ok(());
    }
    match (remote, login.state) {
        (Some(remote), LoginState::Active) => bridge.sessions.start(bridge, remote),
        (Some(remote), _) => bridge.sessions.keep_stopped(bridge, remote, login.reason.clone().unwrap_or_default()),
        (None, _) => {
            tracing::error!(login = %login.id, "the stored session cannot be read; its user has to log in again");
        }
    }
    Ok(())
}

/// Forgets keys that no repeated delivery can need any more, and wakes what has rows and no worker.
fn keep_house(bridge: &Arc<Bridge>) {
    let task = Arc::clone(bridge);
    bridge.tasks.spawn("housekeeper", async move {
        let mut rounds = 0_u32;
        loop {
            if rounds.is_multiple_of(120)
                && let Err(error) = task.store.prune(runtime::now()).await
            {
                tracing::warn!(%error, "housekeeping failed");
            }
            rounds = rounds.wrapping_add(1);
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(30)) => {}
                () = task.tasks.shutdown().cancelled() => return,
            }
            fleeting::redact_due(&task).await;
            // A nudge that was lost, for whatever reason, is made good here.
            for lane in task.store.pending_lanes().await.unwrap_or_default() {
                task.lanes.wake(&task, lane);
            }
        }
    });
}
