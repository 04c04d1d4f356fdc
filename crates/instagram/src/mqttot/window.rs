//! The window of published and not yet acknowledged packets, on rumqttc's state.
//!
//! rumqttc's state hands out packet ids and remembers what is in flight. Its clock readings, its queue of events and
//! its habit of treating a stray acknowledgement as fatal end here. An acknowledgement only frees a place: whether a
//! command arrived is told by its answer, so a lost acknowledgement must never stop the packets behind it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::{QoS, v4};
use rumqttc::{MqttState, Request};

use super::{EncodeError, write_standard};

/// After this time an acknowledgement is not waited for any more.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(30);

/// Publishes in flight on one connection.
pub(crate) struct Window {
    state: MqttState,
    size: u16,
    /// Packet ids in flight, oldest first.
    in_flight: VecDeque<(u16, Instant)>,
}

impl Window {
    /// A window of `size` packets, at least one.
    pub(crate) fn new(size: u16) -> Window {
        let mut state = MqttState::new(size, true);
        // It comes with room for a hundred events, which would be most of an idle connection's memory.
        state.events = VecDeque::new();
        Window { state, size, in_flight: VecDeque::new() }
    }

    /// Whether one more packet may be published.
    pub(crate) fn is_open(&self) -> bool {
        self.state.inflight() < self.size
    }

    /// Writes a PUBLISH of quality 1. Returns its packet id.
    pub(crate) fn publish(
        &mut self,
        now: Instant,
        topic: &'static str,
        payload: Bytes,
        output: &mut BytesMut,
    ) -> Result<u16, EncodeError> {
        let publish = Request::Publish(v4::Publish::from_bytes(topic, QoS::AtLeastOnce, payload));
        let mut packet = self.state.handle_outgoing_packet(publish).map_err(|_| EncodeError::Unwritable)?;
        if let Some(parked) = &self.state.collision {
            // Ids go round, and this one is still in flight although all others had their turn since: its
            // acknowledgement is lost. Freeing it hands the parked packet back.
            let packet_id = parked.pkid;
            self.in_flight.retain(|(id, _)| *id != packet_id);
            packet = self.take_acknowledgement(packet_id);
        }
        self.state.events.clear();
        let Some(packet @ v4::Packet::Publish(v4::Publish { pkid, .. })) = &packet else {
            return Err(EncodeError::Unwritable);
        };
        self.in_flight.push_back((*pkid, now));
        write_standard(packet, output).map(|()| *pkid)
    }

    /// Frees the place of a packet; does nothing when it is free already.
    pub(crate) fn release(&mut self, packet_id: u16) {
        if let Some(at) = self.in_flight.iter().position(|(id, _)| *id == packet_id) {
            self.in_flight.remove(at);
            self.take_acknowledgement(packet_id);
        }
    }

    /// Frees the places of packets that have waited too long.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some((packet_id, _)) = self.in_flight.front().filter(|(_, at)| now >= *at + ACKNOWLEDGED_WITHIN) {
            self.release(*packet_id);
        }
    }

    /// When a place becomes free at the latest, if there is none now.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        if self.is_open() { None } else { self.in_flight.front().map(|(_, at)| *at + ACKNOWLEDGED_WITHIN) }
    }

    /// A parked packet, if this acknowledgement freed its id.
    fn take_acknowledgement(&mut self, packet_id: u16) -> Option<v4::Packet> {
        let ack = v4::Packet::PubAck(v4::PubAck::new(packet_id));
        // The only error is a stray acknowledgement, and the caller has checked.
        let freed = self.state.handle_incoming_packet(ack).ok().flatten();
        self.state.events.clear();
        freed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_acknowledgement_does_not_stop_the_packets_behind_it() {
        let now = any_moment();
        let mut window = Window::new(4);
        let mut output = BytesMut::new();
        let first = window.publish(now, "132", Bytes::new(), &mut output).unwrap();
        for _ in 0..100 {
            assert!(window.is_open());
            let id = window.publish(now, "132", Bytes::new(), &mut output).unwrap();
            assert!((1..=4).contains(&id));
            if id != first {
                window.release(id);
            }
        }
    }

    #[test]
    fn a_full_window_opens_again_when_nothing_is_acknowledged_in_time() {
        let now = any_moment();
        let mut window = Window::new(2);
        let mut output = BytesMut::new();
        for _ in 0..2 {
            window.publish(now, "132", Bytes::new(), &mut output).unwrap();
        }
        assert!(!window.is_open());
        assert_eq!(window.next_expiry(), Some(now + ACKNOWLEDGED_WITHIN));
        window.expire(now + ACKNOWLEDGED_WITHIN);
        assert!(window.is_open());
        assert_eq!(window.next_expiry(), None);
    }

    #[test]
    fn stray_acknowledgements_are_nothing() {
        let now = any_moment();
        let mut window = Window::new(2);
        for id in [0, 1, 2, 3, u16::MAX] {
            window.release(id);
        }
        let mut output = BytesMut::new();
        let id = window.publish(now, "132", Bytes::new(), &mut output).unwrap();
        window.release(id);
        window.release(id);
        assert!(window.is_open());
    }

    #[expect(clippy::disallowed_methods, reason = "any moment will do as the start of a test")]
    fn any_moment() -> Instant {
        Instant::now()
    }
}
