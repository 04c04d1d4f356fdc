//! The window of published and not yet acknowledged packets, on rumqttc's state.
//!
//! rumqttc's state hands out packet ids and remembers what is in flight. Its clock readings, its queue of events and
//! its habit of treating a stray acknowledgement as fatal end here.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::{QoS, v4};
use rumqttc::{MqttState, Request, StateError};

use super::{EncodeError, write_standard};

/// Publishes in flight on one connection.
pub(crate) struct Window {
    state: MqttState,
    size: u16,
}

impl Window {
    /// A window of `size` packets.
    pub(crate) fn new(size: u16) -> Window {
        let mut state = MqttState::new(size, true);
        state.events = VecDeque::new();
        Window { state, size }
    }

    /// Whether one more packet may be published.
    pub(crate) fn is_open(&self) -> bool {
        self.state.collision.is_none() && self.state.inflight() < self.size
    }

    /// Writes a PUBLISH of quality 1. Returns its packet id.
    ///
    /// Packet ids go round, and the one whose turn it is may still be in flight when acknowledgements come out of
    /// order: the packet is then written by the acknowledgement that frees its id.
    pub(crate) fn publish(
        &mut self,
        topic: &'static str,
        payload: Bytes,
        output: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let publish = v4::Publish::from_bytes(topic, QoS::AtLeastOnce, payload);
        let packet = self.state.handle_outgoing_packet(Request::Publish(publish));
        self.state.events.clear();
        match packet {
            Ok(Some(packet)) => write_standard(&packet, output),
            Ok(None) => Ok(()),
            Err(_) => Err(EncodeError::Unwritable),
        }
    }

    /// Takes an acknowledgement. Returns false when nothing was waiting for it.
    pub(crate) fn acknowledged(&mut self, packet_id: u16, output: &mut BytesMut) -> Result<bool, EncodeError> {
        let packet = self.state.handle_incoming_packet(v4::Packet::PubAck(v4::PubAck::new(packet_id)));
        self.state.events.clear();
        match packet {
            Ok(Some(freed)) => write_standard(&freed, output).map(|()| true),
            Ok(None) => Ok(true),
            Err(StateError::Unsolicited(_)) => Ok(false),
            Err(_) => Err(EncodeError::Unwritable),
        }
    }
}
