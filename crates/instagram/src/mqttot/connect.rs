//! The struct inside CONNECT: who connects, as what device, to which topics.

use std::fmt;

use crate::thrift::{Kind, Struct, ThriftError, Value};

/// Which numbers the last two fields of the struct carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Numbering {
    /// 9 and 10, as the app and current clients write them.
    #[default]
    NineTen,
    /// 7 and 8, as mautrix-instagram wrote them for years.
    SevenEight,
}

impl Numbering {
    fn fields(self) -> (i16, i16) {
        match self {
            Numbering::NineTen => (9, 10),
            Numbering::SevenEight => (7, 8),
        }
    }
}

/// The connect struct. Every field may be absent on the wire; `Debug` keeps the secrets to itself.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ConnectInfo {
    /// First twenty characters of the phone id.
    pub client_identifier: Option<String>,
    /// Unused by clients.
    pub will_topic: Option<String>,
    /// Unused by clients.
    pub will_message: Option<String>,
    /// The client and its device.
    pub client_info: ClientInfo,
    /// `sessionid=…` or `authorization=Bearer …`.
    pub password: Option<String>,
    /// Unused by clients.
    pub get_diffs_requests: Option<Vec<String>>,
    /// Unused by clients.
    pub zero_rating_token_hash: Option<String>,
    /// Headers and switches, in order.
    pub app_specific_info: Option<Vec<(String, String)>>,
    /// How the last two fields are or were numbered.
    pub numbering: Numbering,
}

/// The nested struct about the client.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ClientInfo {
    /// Own numeric id.
    pub user_id: Option<i64>,
    /// User agent of the app.
    pub user_agent: Option<String>,
    /// Bits, 183.
    pub client_capabilities: Option<i64>,
    /// Bits, 0.
    pub endpoint_capabilities: Option<i64>,
    /// 1: zlib.
    pub publish_format: Option<i32>,
    /// The client does not count as being looked at.
    pub no_automatic_foreground: Option<bool>,
    /// Show the user as active while in the foreground.
    pub make_user_available_in_foreground: Option<bool>,
    /// The phone id.
    pub device_id: Option<String>,
    /// The client begins in the foreground.
    pub is_initially_foreground: Option<bool>,
    /// 1: Wi-Fi.
    pub network_type: Option<i32>,
    /// −1: none.
    pub network_subtype: Option<i32>,
    /// Milliseconds of the connection's start, lower 32 bits.
    pub client_mqtt_session_id: Option<i64>,
    /// Unused by clients.
    pub client_ip_address: Option<String>,
    /// Topics the server shall send; replaces SUBSCRIBE.
    pub subscribe_topics: Option<Vec<i32>>,
    /// `cookie_auth`.
    pub client_type: Option<String>,
    /// The app's number at Facebook.
    pub app_id: Option<i64>,
    /// Unused by clients.
    pub override_nectar_logging: Option<bool>,
    /// Unused by clients.
    pub connect_token_hash: Option<String>,
    /// Unused by clients.
    pub region_preference: Option<String>,
    /// Empty for Direct.
    pub device_secret: Option<String>,
    /// 3.
    pub client_stack: Option<i8>,
    /// Push only.
    pub fbns_connection_key: Option<i64>,
    /// Push only.
    pub fbns_connection_secret: Option<String>,
    /// Push only.
    pub fbns_device_id: Option<String>,
    /// Push only.
    pub fbns_device_secret: Option<String>,
    /// Push only.
    pub luid: Option<i64>,
}

impl ConnectInfo {
    /// The compact bytes, fields in ascending order.
    pub fn encode(&self) -> Vec<u8> {
        let (hash, specific) = self.numbering.fields();
        let mut out = Struct::new();
        out.push_some(1, text(self.client_identifier.as_deref()));
        out.push_some(2, text(self.will_topic.as_deref()));
        out.push_some(3, text(self.will_message.as_deref()));
        out.push(4, Value::Struct(self.client_info.to_struct()));
        out.push_some(5, text(self.password.as_deref()));
        out.push_some(
            6,
            self.get_diffs_requests.as_ref().map(|requests| {
                Value::List(Kind::Binary, requests.iter().map(|request| Value::from(request.as_str())).collect())
            }),
        );
        out.push_some(hash, text(self.zero_rating_token_hash.as_deref()));
        out.push_some(
            specific,
            self.app_specific_info.as_ref().map(|pairs| {
                let pairs = pairs.iter().map(|(key, value)| (Value::from(key.as_str()), Value::from(value.as_str())));
                Value::Map(Kind::Binary, Kind::Binary, pairs.collect())
            }),
        );
        out.encode()
    }

    /// Reads the struct in either numbering; fields of an unexpected type count as absent.
    pub fn decode(input: &[u8]) -> Result<ConnectInfo, ThriftError> {
        let fields = Struct::decode(input)?;
        let old = matches!(fields.field(8), Some(Value::Map(..)))
            || matches!(fields.field(7), Some(Value::Binary(_))) && fields.field(10).is_none();
        let numbering = if old { Numbering::SevenEight } else { Numbering::NineTen };
        let (hash, specific) = numbering.fields();
        Ok(ConnectInfo {
            client_identifier: text_of(&fields, 1),
            will_topic: text_of(&fields, 2),
            will_message: text_of(&fields, 3),
            client_info: match fields.field(4) {
                Some(Value::Struct(info)) => ClientInfo::from_struct(info),
                _ => ClientInfo::default(),
            },
            password: text_of(&fields, 5),
            get_diffs_requests: match fields.field(6) {
                Some(Value::List(_, members)) => Some(members.iter().filter_map(Value::text).collect()),
                _ => None,
            },
            zero_rating_token_hash: text_of(&fields, hash),
            app_specific_info: match fields.field(specific) {
                Some(Value::Map(_, _, pairs)) => {
                    Some(pairs.iter().filter_map(|(key, value)| Some((key.text()?, value.text()?))).collect())
                }
                _ => None,
            },
            numbering,
        })
    }
}

impl ClientInfo {
    fn to_struct(&self) -> Struct {
        let mut out = Struct::new();
        out.push_some(1, self.user_id.map(Value::I64));
        out.push_some(2, text(self.user_agent.as_deref()));
        out.push_some(3, self.client_capabilities.map(Value::I64));
        out.push_some(4, self.endpoint_capabilities.map(Value::I64));
        out.push_some(5, self.publish_format.map(Value::I32));
        out.push_some(6, self.no_automatic_foreground.map(Value::Bool));
        out.push_some(7, self.make_user_available_in_foreground.map(Value::Bool));
        out.push_some(8, text(self.device_id.as_deref()));
        out.push_some(9, self.is_initially_foreground.map(Value::Bool));
        out.push_some(10, self.network_type.map(Value::I32));
        out.push_some(11, self.network_subtype.map(Value::I32));
        out.push_some(12, self.client_mqtt_session_id.map(Value::I64));
        out.push_some(13, text(self.client_ip_address.as_deref()));
        out.push_some(
            14,
            self.subscribe_topics
                .as_ref()
                .map(|topics| Value::List(Kind::I32, topics.iter().copied().map(Value::I32).collect())),
        );
        out.push_some(15, text(self.client_type.as_deref()));
        out.push_some(16, self.app_id.map(Value::I64));
        out.push_some(17, self.override_nectar_logging.map(Value::Bool));
        out.push_some(18, text(self.connect_token_hash.as_deref()));
        out.push_some(19, text(self.region_preference.as_deref()));
        out.push_some(20, text(self.device_secret.as_deref()));
        out.push_some(21, self.client_stack.map(Value::I8));
        out.push_some(22, self.fbns_connection_key.map(Value::I64));
        out.push_some(23, text(self.fbns_connection_secret.as_deref()));
        out.push_some(24, text(self.fbns_device_id.as_deref()));
        out.push_some(25, text(self.fbns_device_secret.as_deref()));
        out.push_some(26, self.luid.map(Value::I64));
        out
    }

    fn from_struct(fields: &Struct) -> ClientInfo {
        let integer = |id| fields.field(id).and_then(Value::integer);
        let small = |id| integer(id).and_then(|number| i32::try_from(number).ok());
        let flag = |id| fields.field(id).and_then(Value::boolean);
        ClientInfo {
            user_id: integer(1),
            user_agent: text_of(fields, 2),
            client_capabilities: integer(3),
            endpoint_capabilities: integer(4),
            publish_format: small(5),
            no_automatic_foreground: flag(6),
            make_user_available_in_foreground: flag(7),
            device_id: text_of(fields, 8),
            is_initially_foreground: flag(9),
            network_type: small(10),
            network_subtype: small(11),
            client_mqtt_session_id: integer(12),
            client_ip_address: text_of(fields, 13),
            subscribe_topics: match fields.field(14) {
                Some(Value::List(_, members)) => {
                    Some(members.iter().filter_map(|member| i32::try_from(member.integer()?).ok()).collect())
                }
                _ => None,
            },
            client_type: text_of(fields, 15),
            app_id: integer(16),
            override_nectar_logging: flag(17),
            connect_token_hash: text_of(fields, 18),
            region_preference: text_of(fields, 19),
            device_secret: text_of(fields, 20),
            client_stack: integer(21).and_then(|number| i8::try_from(number).ok()),
            fbns_connection_key: integer(22),
            fbns_connection_secret: text_of(fields, 23),
            fbns_device_id: text_of(fields, 24),
            fbns_device_secret: text_of(fields, 25),
            luid: integer(26),
        }
    }
}

fn text(value: Option<&str>) -> Option<Value> {
    value.map(Value::from)
}

fn text_of(fields: &Struct, id: i16) -> Option<String> {
    fields.field(id).and_then(Value::text)
}

impl fmt::Debug for ConnectInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectInfo")
            .field("client_info", &self.client_info)
            .field("numbering", &self.numbering)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientInfo")
            .field("client_type", &self.client_type)
            .field("app_id", &self.app_id)
            .field("subscribe_topics", &self.subscribe_topics)
            .finish_non_exhaustive()
    }
}
