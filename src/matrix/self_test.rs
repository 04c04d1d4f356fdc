//! The self-test at the start: can we reach the homeserver, does it know us, can it reach us?
//!
//! Every failure is one sentence with its cure. The last step has a second use: a homeserver that had given up on us
//! for a while sends what it kept as soon as its ping succeeds, instead of minutes later.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use ruma::{
    OwnedServerName,
    api::client::{account::whoami, appservice::request_ping},
};
use serde::Deserialize;

use super::{
    client::{Answer, Call, Client, JSON},
    error::HomeserverError,
};

/// A homeserver waits up to a minute for us before it gives up; we wait a little longer for its verdict.
const PING_TIMEOUT: Duration = Duration::from_secs(70);

/// A self-test that succeeded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SelfTest {
    /// How long the homeserver needed to reach us; none when it has no way to try.
    pub round_trip: Option<Duration>,
    /// What should be mended although the bridge can work.
    pub warning: Option<String>,
}

/// Why the bridge cannot work with this homeserver, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SelfTestError {
    /// Nothing answers.
    #[error("the homeserver at {address} cannot be reached ({reason}): start it, or correct `homeserver.address`")]
    Down {
        /// As configured.
        address: String,
        /// What the operating system says.
        reason: String,
    },
    /// Something else answers.
    #[error(
        "what answers at {address} is not a Matrix homeserver ({reason}): set `homeserver.address` to the base address of its client-server API"
    )]
    NotMatrix {
        /// As configured.
        address: String,
        /// What was wrong with the answer.
        reason: String,
    },
    /// The registration is not loaded, or holds another token.
    #[error(
        "the homeserver does not know our as_token: install this bridge's registration.yaml there (Synapse: `app_service_config_files`), unchanged, and restart the homeserver"
    )]
    UnknownToken,
    /// The homeserver has another name.
    #[error(
        "`homeserver.domain` is {configured}, but the homeserver calls itself {actual}: set `homeserver.domain: {actual}`, run `puppetgram register --force` and install the new registration.yaml on the homeserver"
    )]
    WrongDomain {
        /// As configured.
        configured: OwnedServerName,
        /// As in the homeserver's user ids.
        actual: OwnedServerName,
    },
    /// The loaded registration is an old one, or another bridge's.
    #[error(
        "the registration that the homeserver has loaded does not cover the bot {bot}: run `puppetgram register --force`, install the new registration.yaml on the homeserver and restart it"
    )]
    BotNotCovered {
        /// The configured bot.
        bot: String,
    },
    /// The token is loaded under another id.
    #[error(
        "the homeserver has loaded our as_token under another `id` than `{id}`: run `puppetgram register --force`, install the new registration.yaml on the homeserver and restart it"
    )]
    WrongId {
        /// The configured id.
        id: String,
    },
    /// The homeserver was not told where we are.
    #[error(
        "the registration that the homeserver has loaded has no `url`, so it would never send us anything: run `puppetgram register --force`, install the new registration.yaml on the homeserver and restart it"
    )]
    NoUrl,
    /// The homeserver cannot connect to us.
    #[error(
        "the homeserver cannot reach the bridge at the `url` in its registration.yaml ({reason}): set `appservice.address` to an address that the homeserver can connect to, check port and firewall, then install the registration.yaml anew and restart the homeserver"
    )]
    ListenerUnreachable {
        /// The homeserver's words.
        reason: String,
    },
    /// Our listener refuses what the homeserver believes to be its token.
    #[error(
        "the homeserver sends another hs_token than ours: install this bridge's registration.yaml on the homeserver, unchanged, and restart it"
    )]
    WrongHsToken,
    /// The registration for acting as users is not loaded, or holds another token.
    #[error(
        "the homeserver does not know the token of `double_puppet`: run `puppetgram register --double-puppet --force`, list that file in homeserver.yaml too (Synapse: `app_service_config_files`) and restart the homeserver; or remove `double_puppet` from the configuration"
    )]
    UnknownPuppetToken,
    /// Another program answers in our place.
    #[error(
        "what the homeserver reaches at the `url` in its registration.yaml is not this bridge (it answers {status}): correct `appservice.address` and the port, then install the registration.yaml anew and restart the homeserver"
    )]
    OtherListener {
        /// HTTP status of that answer.
        status: u16,
    },
    /// Anything else.
    #[error("the self-test failed ({0}): the log of the homeserver says more")]
    Homeserver(HomeserverError),
}

impl Client {
    /// Checks both directions. Call it once the listener accepts connections.
    ///
    /// Registers the bot on the way.
    pub async fn self_test(&self, registration_id: &str) -> Result<SelfTest, SelfTestError> {
        self.expect_homeserver().await?;
        self.expect_domain().await?;
        self.expect_bot().await?;
        self.expect_puppet_token().await?;
        self.ping(registration_id).await
    }

    /// Lets the homeserver try to reach us, which also ends its waiting after an outage.
    pub async fn ping(&self, registration_id: &str) -> Result<SelfTest, SelfTestError> {
        let request = request_ping::v1::Request::new(registration_id.to_owned());
        let mut call = self.build(None, request)?;
        call.timeout = PING_TIMEOUT;
        let heard = self.pings();
        let answer = self.execute_once(&call).await.map_err(HomeserverError::from)?;
        match read_ping(&answer, registration_id) {
            // Synapse 1.163 answers with an error of its own ("AlreadyCancelled") when it is busy repeating a
            // transaction just then. What counts is that the ping came.
            Err(error) if self.pings() > heard => {
                tracing::debug!(%error, "the homeserver reached us and said that it did not");
                Ok(SelfTest { round_trip: None, warning: None })
            }
            outcome => outcome,
        }
    }

    async fn expect_homeserver(&self) -> Result<(), SelfTestError> {
        let address = self.address().to_owned();
        let call = Call {
            method: Method::GET,
            url: format!("{address}/_matrix/client/versions"),
            // Whoever is at this address, it is too early to tell them a token.
            authorization: None,
            content_type: JSON,
            body: Bytes::new(),
            timeout: self.timeout(),
        };
        let answer = match self.execute_once(&call).await.map_err(HomeserverError::from) {
            Ok(answer) => answer,
            Err(HomeserverError::Unreachable(reason)) => return Err(SelfTestError::Down { address, reason }),
            Err(HomeserverError::Timeout) => {
                return Err(SelfTestError::Down { address, reason: "no answer in time".to_owned() });
            }
            Err(error) => return Err(error.into()),
        };
        if matches!(answer.status.as_u16(), 502..=504) {
            let reason = format!("the proxy in front of it answers {}", answer.status.as_u16());
            return Err(SelfTestError::Down { address, reason });
        }
        if !answer.status.is_success() {
            let reason = format!("it answers {} when asked for versions", answer.status.as_u16());
            return Err(SelfTestError::NotMatrix { address, reason });
        }
        match serde_json::from_slice::<Versions>(&answer.body) {
            Ok(_) => Ok(()),
            Err(_) => {
                let reason = "it does not list Matrix versions".to_owned();
                Err(SelfTestError::NotMatrix { address, reason })
            }
        }
    }

    /// Asks who the appservice itself is: that user's server name is the homeserver's.
    async fn expect_domain(&self) -> Result<(), SelfTestError> {
        let answer = self.execute(self.build(None, whoami::v3::Request::new())?).await?;
        let Ok(answer) = serde_json::from_slice::<WhoAmI>(&answer.body) else {
            let reason = "it does not say who we are".to_owned();
            return Err(SelfTestError::NotMatrix { address: self.address().to_owned(), reason });
        };
        let actual = answer.user_id.server_name();
        if actual != self.domain() {
            return Err(SelfTestError::WrongDomain { configured: self.domain().to_owned(), actual: actual.to_owned() });
        }
        Ok(())
    }

    async fn expect_bot(&self) -> Result<(), SelfTestError> {
        let not_covered = || SelfTestError::BotNotCovered { bot: self.bot().to_string() };
        match self.ensure_registered(self.bot()).await {
            Ok(()) => {}
            Err(HomeserverError::Refused { errcode, .. }) if errcode == "M_EXCLUSIVE" => return Err(not_covered()),
            Err(error) => return Err(error.into()),
        }
        match self.call(self.bot(), whoami::v3::Request::new()).await {
            Ok(_) => Ok(()),
            Err(HomeserverError::Forbidden(_)) => Err(not_covered()),
            Err(HomeserverError::Refused { errcode, .. }) if errcode == "M_EXCLUSIVE" => Err(not_covered()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Client {
    /// Whether the homeserver knows the token with which we act as its users, if we have one.
    async fn expect_puppet_token(&self) -> Result<(), SelfTestError> {
        let Some(authorization) = self.puppet_authorization() else { return Ok(()) };
        let call = Call { authorization: Some(authorization), ..self.build(None, whoami::v3::Request::new())? };
        let unknown =
            |error: &HomeserverError| matches!(error, HomeserverError::UnknownToken | HomeserverError::Forbidden(_));
        match self.execute(call).await {
            Ok(_) => Ok(()),
            Err(error) if unknown(&error) => Err(SelfTestError::UnknownPuppetToken),
            Err(error) => Err(error.into()),
        }
    }
}

fn read_ping(answer: &Answer, registration_id: &str) -> Result<SelfTest, SelfTestError> {
    if answer.status.is_success() {
        let pong: Pong = serde_json::from_slice(&answer.body).unwrap_or_default();
        let round_trip = Duration::from_millis(pong.duration_ms as u64);
        return Ok(SelfTest { round_trip: Some(round_trip), warning: None });
    }
    let told: PingError = serde_json::from_slice(&answer.body).unwrap_or_default();
    match (told.errcode.as_str(), answer.status) {
        ("M_URL_NOT_SET", _) => Err(SelfTestError::NoUrl),
        ("M_BAD_STATUS", _) if matches!(told.status, 401 | 403) => Err(SelfTestError::WrongHsToken),
        ("M_BAD_STATUS", _) => Err(SelfTestError::OtherListener { status: told.status }),
        ("M_CONNECTION_FAILED" | "M_CONNECTION_TIMEOUT", _) => {
            Err(SelfTestError::ListenerUnreachable { reason: told.error })
        }
        ("M_FORBIDDEN", _) => Err(SelfTestError::WrongId { id: registration_id.to_owned() }),
        ("M_UNRECOGNIZED" | "", StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) => Ok(SelfTest {
            round_trip: None,
            warning: Some(
                "the homeserver is too old to test whether it can reach the bridge: if nothing arrives, check `url` and `hs_token` in its registration.yaml"
                    .to_owned(),
            ),
        }),
        _ => Err(SelfTestError::Homeserver(HomeserverError::from_answer(
            answer.status,
            &answer.headers,
            &answer.body,
        ))),
    }
}

impl From<HomeserverError> for SelfTestError {
    fn from(error: HomeserverError) -> Self {
        match error {
            HomeserverError::UnknownToken => Self::UnknownToken,
            error => Self::Homeserver(error),
        }
    }
}

#[derive(Deserialize)]
struct Versions {
    #[expect(dead_code, reason = "its presence is what makes the answer a homeserver's")]
    versions: Vec<String>,
}

#[derive(Deserialize)]
struct WhoAmI {
    user_id: ruma::OwnedUserId,
}

#[derive(Deserialize, Default)]
struct Pong {
    #[serde(default)]
    duration_ms: f64,
}

#[derive(Deserialize, Default)]
struct PingError {
    #[serde(default)]
    errcode: String,
    #[serde(default)]
    error: String,
    /// What our listener answered.
    #[serde(default)]
    status: u16,
}
