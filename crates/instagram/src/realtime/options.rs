//! Who connects and how patient we are; the connect struct made from it.

use std::fmt;
use std::time::Duration;

use crate::mqttot::{ClientInfo, ConnectInfo, MAX_PACKET, Numbering};
use crate::topic::Topic;

const APP_ID: i64 = 567_067_343_352_427;
const CAPABILITIES: &str = "3brTv10=";
const EVERCLEAR: &str = concat!(
    r#"{"inapp_notification_subscribe_comment":"17899377895239777","#,
    r#""inapp_notification_subscribe_comment_mention_and_reply":"17899377895239777","#,
    r#""video_call_participant_state_delivery":"17977239895057311","#,
    r#""presence_subscribe":"17846944882223835"}"#
);
const TOPICS: [Topic; 6] = [
    Topic::PubSub,
    Topic::SubIrisResponse,
    Topic::RealtimeSub,
    Topic::RegionHint,
    Topic::SendMessageResponse,
    Topic::MessageSync,
];

/// Identity and patience of a connection. `Debug` keeps the secrets to itself.
#[derive(Clone)]
pub struct RealtimeOptions {
    /// Own numeric id.
    pub user_id: u64,
    /// As in the cookie, percent-encoded.
    pub sessionid: String,
    /// Value of the `authorization` header; used only when there is no `sessionid`.
    pub bearer: Option<String>,
    /// The device's phone id.
    pub phone_id: String,
    /// The app's user agent.
    pub user_agent: String,
    /// The app's version.
    pub app_version: String,
    /// Such as `en_US`.
    pub locale: String,
    /// Seconds east of Greenwich.
    pub timezone_offset: i32,
    /// Milliseconds at the start, lower 32 bits; also tells connections apart.
    pub client_mqtt_session_id: i64,
    /// A random uuid.
    pub client_subscription_id: String,
    /// Promised to the server: something is sent within this time.
    pub keep_alive: Duration,
    /// Time between two pings.
    pub ping_every: Duration,
    /// Time for a sign of life after a ping.
    pub pong_timeout: Duration,
    /// Time for CONNACK.
    pub connect_timeout: Duration,
    /// Time for the answer to a subscription.
    pub subscribe_timeout: Duration,
    /// How often the subscription is asked for before the connection is given up.
    pub subscribe_attempts: u32,
    /// Messages published and not yet acknowledged by the server.
    pub send_window: u16,
    /// Messages waiting for the window; more are refused at once.
    pub send_queue: usize,
    /// Largest packet to keep.
    pub max_packet: usize,
}

impl RealtimeOptions {
    /// The usual patience for this identity. Set `client_mqtt_session_id` and `client_subscription_id` as well.
    pub fn new(user_id: u64, sessionid: &str, phone_id: &str, user_agent: &str, app_version: &str) -> RealtimeOptions {
        RealtimeOptions {
            user_id,
            sessionid: sessionid.to_owned(),
            bearer: None,
            phone_id: phone_id.to_owned(),
            user_agent: user_agent.to_owned(),
            app_version: app_version.to_owned(),
            locale: "en_US".to_owned(),
            timezone_offset: 0,
            client_mqtt_session_id: 0,
            client_subscription_id: phone_id.to_owned(),
            keep_alive: Duration::from_secs(60),
            ping_every: Duration::from_secs(20),
            pong_timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(20),
            subscribe_timeout: Duration::from_secs(20),
            subscribe_attempts: 5,
            send_window: 64,
            send_queue: 1024,
            max_packet: MAX_PACKET,
        }
    }

    /// The struct inside CONNECT.
    ///
    /// Numbers and keys are those of the app and of instagrapi; the foreground switches are mautrix-instagram's, so
    /// that the bridge does not make the user look active.
    pub fn connect_info(&self) -> ConnectInfo {
        let password = match &self.bearer {
            Some(bearer) if self.sessionid.is_empty() => format!("authorization={bearer}"),
            _ => format!("sessionid={}", self.sessionid),
        };
        let specific = [
            ("app_version", self.app_version.as_str()),
            ("X-IG-Capabilities", CAPABILITIES),
            ("everclear_subscriptions", EVERCLEAR),
            ("User-Agent", &self.user_agent),
            ("Accept-Language", &self.locale.replace('_', "-")),
            ("platform", "android"),
            ("ig_mqtt_route", "django"),
            ("pubsub_msg_type_blacklist", "direct, typing_type"),
            ("auth_cache_enabled", "0"),
        ];
        ConnectInfo {
            client_identifier: Some(self.phone_id.chars().take(20).collect()),
            client_info: ClientInfo {
                user_id: i64::try_from(self.user_id).ok(),
                user_agent: Some(self.user_agent.clone()),
                client_capabilities: Some(183),
                endpoint_capabilities: Some(0),
                publish_format: Some(1),
                no_automatic_foreground: Some(true),
                make_user_available_in_foreground: Some(false),
                device_id: Some(self.phone_id.clone()),
                is_initially_foreground: Some(false),
                network_type: Some(1),
                network_subtype: Some(0),
                client_mqtt_session_id: Some(self.client_mqtt_session_id),
                subscribe_topics: Some(TOPICS.map(|topic| topic.id().into()).to_vec()),
                client_type: Some("cookie_auth".to_owned()),
                app_id: Some(APP_ID),
                device_secret: Some(String::new()),
                client_stack: Some(3),
                ..ClientInfo::default()
            },
            password: Some(password),
            app_specific_info: Some(
                specific.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            ),
            numbering: Numbering::NineTen,
            ..ConnectInfo::default()
        }
    }
}

impl fmt::Debug for RealtimeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RealtimeOptions")
            .field("app_version", &self.app_version)
            .field("ping_every", &self.ping_every)
            .field("pong_timeout", &self.pong_timeout)
            .finish_non_exhaustive()
    }
}
