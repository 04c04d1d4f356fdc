//! Incoming packets: what each of them means for the connection.

use std::time::Instant;

use bytes::Bytes;

use super::sends::Attribution;
use super::{AckToken, Answer, CloseReason, Event, Phase, Realtime, SendError, notice};
use crate::command::Reply;
use crate::mqttot::{ConnAck, MAX_INFLATED, Packet, Publish, inflate};
use crate::subscription::IrisAnswer;
use crate::topic::Topic;

impl Realtime {
    pub(super) fn receive(&mut self, now: Instant, packet: Packet) {
        match packet {
            Packet::ConnAck(ConnAck { code: 0, .. }) if matches!(self.phase, Phase::Connecting(_)) => self.open(now),
            Packet::ConnAck(ConnAck { code, .. }) if matches!(self.phase, Phase::Connecting(_)) => {
                self.close(CloseReason::ConnAckRefused(code));
            }
            Packet::Publish(publish) => self.receive_publish(now, &publish),
            // An acknowledgement nobody waits for is a duplicate or belongs to a send long given up.
            Packet::PubAck(packet_id) => self.sends.acknowledged(packet_id),
            Packet::PingResp => self.push(Event::Alive),
            Packet::PingReq => self.write(Packet::PingResp),
            Packet::Disconnect => self.close(CloseReason::ServerDisconnect),
            Packet::SubAck { .. } => {}
            Packet::Malformed(malformed) => {
                let event = Event::Malformed { topic: None, reason: malformed.reason.to_owned() };
                self.events.push_back((event, malformed.packet_id));
            }
            Packet::Connect(_) | Packet::ConnAck(_) | Packet::Subscribe { .. } => {
                self.push(Event::Malformed { topic: None, reason: "a packet that no server sends".to_owned() });
            }
        }
    }

    fn receive_publish(&mut self, now: Instant, publish: &Publish) {
        let size = publish.payload.len();
        let Some(topic) = Topic::parse(&publish.topic) else {
            let topic = publish.topic.chars().take(64).collect();
            self.events.push_back((Event::UnknownTopic { topic, size }, publish.packet_id));
            return;
        };
        let event = match topic {
            Topic::MessageSync
            | Topic::SendMessageResponse
            | Topic::SubIrisResponse
            | Topic::PubSub
            | Topic::RealtimeSub => match inflate(&publish.payload, MAX_INFLATED) {
                Ok(payload) => self.read(now, topic, publish.packet_id, payload),
                Err(error) => Some(Event::Malformed { topic: Some(topic), reason: error.to_string() }),
            },
            _ => Some(Event::Notice { topic, size }),
        };
        match event {
            Some(event @ Event::Sync { .. }) => self.push(event),
            Some(event) => self.events.push_back((event, publish.packet_id)),
            // Nothing for the consumer to take, so nothing to wait for.
            None => {
                if let Some(packet_id) = publish.packet_id {
                    self.write(Packet::PubAck(packet_id));
                }
            }
        }
    }

    fn read(&mut self, now: Instant, topic: Topic, packet_id: Option<u16>, payload: Bytes) -> Option<Event> {
        let unreadable = |reason: String| Some(Event::Malformed { topic: Some(topic), reason });
        match topic {
            Topic::MessageSync => {
                self.event_bytes += payload.len();
                Some(Event::Sync { ack: AckToken { connection: self.identity.connection, packet_id }, payload })
            }
            Topic::SendMessageResponse => match Reply::decode(&payload) {
                Ok(reply) => self.receive_reply(now, reply),
                Err(error) => unreadable(error.to_string()),
            },
            Topic::SubIrisResponse => match IrisAnswer::decode(&payload) {
                Ok(answer) => self.receive_iris_answer(answer),
                Err(error) => unreadable(error.to_string()),
            },
            _ => match notice::decode(&payload) {
                Ok(Some(event)) => Some(event),
                Ok(None) => Some(Event::Notice { topic, size: payload.len() }),
                Err(error) => unreadable(error.to_string()),
            },
        }
    }

    fn receive_reply(&mut self, now: Instant, reply: Reply) -> Option<Event> {
        match self.sends.answered(now, reply.client_context.as_deref()) {
            Attribution::Stray => Some(Event::StrayReply(reply)),
            Attribution::Late => None,
            Attribution::Send(client_context) => {
                let result = if reply.succeeded {
                    Ok(Answer { item_id: reply.item_id, timestamp_us: reply.timestamp_us })
                } else {
                    Err(SendError::Rejected {
                        status_code: reply.status_code,
                        message: reply.message,
                        error_code: reply.error_code,
                        exception: reply.exception,
                    })
                };
                self.end_send(client_context, result);
                None
            }
        }
    }

    fn receive_iris_answer(&mut self, answer: IrisAnswer) -> Option<Event> {
        let awaited = self.iris.take().is_some();
        match answer {
            IrisAnswer::Refused { error_type, message } => Some(Event::CursorRefused { error_type, message }),
            IrisAnswer::Accepted { latest_seq_id } if awaited => Some(Event::Subscribed { latest_seq_id }),
            // The second answer to a request that was repeated.
            IrisAnswer::Accepted { .. } => None,
        }
    }
}
