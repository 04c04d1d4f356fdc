//! What a connection asks for after CONNACK: GraphQL and skywalker subscriptions, and the queue of messages (iris).

use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;

use crate::command::{integer, text};

/// Presence of other users.
pub const APP_PRESENCE: &str = "17846944882223835";
/// Others type to us.
pub const DIRECT_TYPING: &str = "17867973967082385";
/// Status of the Direct service.
pub const DIRECT_STATUS: &str = "17854499065530643";

/// The subscriptions of topic 149 a bridge needs: presence, typing, status.
pub fn graphql(user_id: u64, client_subscription_id: &str) -> Vec<u8> {
    let by_client = json!({ "client_subscription_id": client_subscription_id });
    let list = [
        graphql_one(APP_PRESENCE, &by_client),
        graphql_one(DIRECT_TYPING, &json!({ "user_id": user_id.to_string() })),
        graphql_one(DIRECT_STATUS, &by_client),
    ];
    json!({ "sub": list }).to_string().into_bytes()
}

fn graphql_one(query: &str, input: &Value) -> String {
    format!("1/graphqlsubscriptions/{query}/{}", json!({ "input_data": input }))
}

/// The subscriptions of topic 88: the user's Direct channel and notices of live videos.
pub fn skywalker(user_id: u64) -> Vec<u8> {
    let list = [format!("ig/u/v1/{user_id}"), format!("ig/live_notification_subscribe/{user_id}")];
    json!({ "sub": list }).to_string().into_bytes()
}

/// The request of topic 134: send me everything behind this point of my queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IrisRequest<'a> {
    /// Where to resume.
    pub seq_id: i64,
    /// When that point was current, in milliseconds.
    pub snapshot_at_ms: i64,
    /// Version of the app; an old one is refused newer kinds of items.
    pub snapshot_app_version: &'a str,
    /// Seconds east of Greenwich.
    pub timezone_offset: i32,
    /// Always `message`.
    pub subscription_type: &'static str,
}

impl IrisRequest<'_> {
    /// The JSON body.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers serialise into memory")
    }
}

/// The answer of topic 135.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IrisAnswer {
    /// What lies behind the requested point follows on topic 146.
    Accepted {
        /// Newest point of the queue.
        latest_seq_id: Option<i64>,
    },
    /// The point is useless: too old, or ahead of the queue. Compare threads over HTTP and take a new one.
    Refused {
        /// Number of the cause.
        error_type: Option<i64>,
        /// Name of the cause, such as `IrisQueueUnderflowException`.
        message: Option<String>,
    },
}

/// The answer is not a JSON object that tells whether it succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the answer to the subscription cannot be read")]
pub struct UnreadableAnswer;

impl IrisAnswer {
    /// Reads the answer; numbers may be strings.
    pub fn decode(json: &[u8]) -> Result<IrisAnswer, UnreadableAnswer> {
        let Ok(Value::Object(answer)) = serde_json::from_slice::<Value>(json) else { return Err(UnreadableAnswer) };
        let field = |key: &str| answer.get(key).unwrap_or(&Value::Null);
        let (error_type, message) = (integer(field("error_type")), text(field("error_message")));
        match field("succeeded").as_bool() {
            None if error_type.is_none() && message.is_none() => Err(UnreadableAnswer),
            Some(true) if error_type.is_none() || message.is_none() => {
                Ok(IrisAnswer::Accepted { latest_seq_id: integer(field("latest_seq_id")) })
            }
            _ => Ok(IrisAnswer::Refused { error_type, message }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_tells_success_from_a_useless_cursor() {
        let accepted =
            br#"{"succeeded":true,"seq_id":1234,"error_type":null,"error_message":null,"latest_seq_id":"1240"}"#;
        assert_eq!(IrisAnswer::decode(accepted), Ok(IrisAnswer::Accepted { latest_seq_id: Some(1240) }));
        let refused =
            br#"{"succeeded":false,"seq_id":null,"error_type":1,"error_message":"IrisQueueUnderflowException"}"#;
        assert_eq!(
            IrisAnswer::decode(refused),
            Ok(IrisAnswer::Refused { error_type: Some(1), message: Some("IrisQueueUnderflowException".into()) })
        );
        let silent = br#"{"succeeded":false}"#;
        assert_eq!(IrisAnswer::decode(silent), Ok(IrisAnswer::Refused { error_type: None, message: None }));
        assert_eq!(IrisAnswer::decode(b"{}"), Err(UnreadableAnswer));
        assert_eq!(IrisAnswer::decode(b"\"x\""), Err(UnreadableAnswer));
    }
}
