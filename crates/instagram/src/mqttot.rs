//! MQTToT, the MQTT dialect of Instagram's realtime servers: packets as values, for client and server.
//!
//! CONNECT and CONNACK are ours, everything else is read and written by rumqttc's codec, which stays private. A packet
//! whose frame is whole but whose content is not comes out as [`Packet::Malformed`], and the packets behind it are
//! still read; only a broken length or a reserved packet type is an error, because nothing behind it can be found.

mod connect;
mod payload;
pub(crate) mod window;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rumqttc::mqttbytes::{QoS, v4};
use thiserror::Error;

pub use connect::{ClientInfo, ConnectInfo, Numbering};
pub use payload::{MAX_INFLATED, PayloadError, deflate, inflate};

/// Largest packet the decoder keeps; larger ones are skipped and reported as malformed.
pub const MAX_PACKET: usize = 32 << 20;
/// Largest connect struct after inflating.
const MAX_CONNECT: usize = 1 << 20;
const PROTOCOL: &[u8] = b"MQTToT";
const LEVEL: u8 = 3;
/// User name, password and clean session, although all three live inside the struct.
const FLAGS: u8 = 0xc2;

/// One packet in either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// The client's first packet.
    Connect(Box<Connect>),
    /// The server's answer to it.
    ConnAck(ConnAck),
    /// A message, quality of service 0 or 1.
    Publish(Publish),
    /// A message of quality 1 has arrived.
    PubAck(u16),
    /// Push clients subscribe; Direct clients name their topics in the connect struct.
    Subscribe {
        /// To be repeated in the answer.
        packet_id: u16,
        /// What the client wants.
        topics: Vec<String>,
    },
    /// Answer to `Subscribe`.
    SubAck {
        /// Repeated from the request.
        packet_id: u16,
        /// Number of topics granted with quality 1.
        topics: usize,
    },
    /// Is the other side alive?
    PingReq,
    /// It is.
    PingResp,
    /// The sender is about to close.
    Disconnect,
    /// A whole frame that makes no sense; written by nobody.
    Malformed(Malformed),
}

/// CONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// Seconds within which the client sends something.
    pub keep_alive: u16,
    /// The struct inside.
    pub info: ConnectInfo,
}

/// CONNACK. Push servers append a payload; the code is kept raw since it may be outside of the standard's 0 to 5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnAck {
    /// Session present, or nothing.
    pub flags: u8,
    /// 0 is success.
    pub code: u8,
    /// What follows the two standard bytes.
    pub payload: Bytes,
}

impl ConnAck {
    /// The answer with this code and no payload.
    pub fn code(code: u8) -> ConnAck {
        ConnAck { flags: 0, code, payload: Bytes::new() }
    }
}

/// PUBLISH, payload as on the wire (see [`inflate`] and [`deflate`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Decimal id or name.
    pub topic: String,
    /// Present with quality of service 1: the receiver acknowledges it.
    pub packet_id: Option<u16>,
    /// Sent before with the same id.
    pub duplicate: bool,
    /// Compressed bytes.
    pub payload: Bytes,
}

/// What could be told about a packet without meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The packet type, upper half of the first byte.
    pub packet_type: u8,
    /// What to acknowledge, when it was a PUBLISH that asked for it.
    pub packet_id: Option<u16>,
    /// What is wrong, without content.
    pub reason: &'static str,
}

/// The stream cannot be read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// More than four bytes of length.
    #[error("the length of a packet has more than four bytes")]
    Length,
    /// Packet type 0 or 15.
    #[error("reserved packet type {0}")]
    ReservedType(u8),
}

/// A packet that cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// Larger than the format allows, or a topic beyond 65,535 bytes.
    #[error("the packet is too large")]
    TooLarge,
    /// Packet id 0, or a packet that exists for reading only.
    #[error("the packet cannot be written")]
    Unwritable,
}

/// Cuts a byte stream into packets.
#[derive(Debug)]
pub struct Decoder {
    max_packet: usize,
    /// Bytes of an oversized packet still to be thrown away.
    skip: usize,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::new(MAX_PACKET)
    }
}

impl Decoder {
    /// A decoder that keeps packets of at most `max_packet` bytes.
    pub fn new(max_packet: usize) -> Decoder {
        Decoder { max_packet, skip: 0 }
    }

    /// Takes the next packet off the front of `input`; `None` when it is not complete yet.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Packet>, FrameError> {
        if self.discard(input) > 0 {
            return Ok(None);
        }
        let Some(&first) = input.first() else { return Ok(None) };
        if matches!(first >> 4, 0 | 15) {
            return Err(FrameError::ReservedType(first >> 4));
        }
        let Some((header, remaining)) = frame_length(input)? else { return Ok(None) };
        let total = header + remaining;
        if total > self.max_packet {
            self.skip = total;
            let packet_id = publish_packet_id(&input[header..], first);
            self.discard(input);
            return Ok(Some(malformed(first, packet_id, "the packet is too large")));
        }
        // No reservation for the rest: a length is only a claim.
        if input.len() < total {
            return Ok(None);
        }
        let frame = input.split_to(total);
        Ok(Some(read_packet(first, header, frame)))
    }

    /// Throws away what belongs to an oversized packet; returns how much of it is still to come.
    fn discard(&mut self, input: &mut BytesMut) -> usize {
        let discarded = self.skip.min(input.len());
        input.advance(discarded);
        self.skip -= discarded;
        self.skip
    }
}

/// Length of the fixed header and of what follows it; `None` while the length itself is incomplete.
fn frame_length(input: &[u8]) -> Result<Option<(usize, usize)>, FrameError> {
    let mut remaining = 0usize;
    for at in 0..4 {
        let Some(&byte) = input.get(1 + at) else { return Ok(None) };
        remaining |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((2 + at, remaining)));
        }
    }
    Err(FrameError::Length)
}

fn read_packet(first: u8, header: usize, frame: BytesMut) -> Packet {
    match first >> 4 {
        1 => read_connect(&frame[header..]).unwrap_or_else(|reason| malformed(first, None, reason)),
        2 => read_connack(frame.freeze().slice(header..)),
        _ => read_standard(first, header, frame),
    }
}

fn read_connect(body: &[u8]) -> Result<Packet, &'static str> {
    let variable = 2 + PROTOCOL.len() + 4;
    let Some((fixed, data)) = body.split_at_checked(variable) else { return Err("CONNECT is too short") };
    if fixed[..2] != [0, 6] || &fixed[2..8] != PROTOCOL {
        return Err("CONNECT of another protocol");
    }
    let data =
        inflate(&Bytes::copy_from_slice(data), MAX_CONNECT).map_err(|_| "the connect struct cannot be inflated")?;
    let info = ConnectInfo::decode(&data).map_err(|_| "the connect struct cannot be read")?;
    let keep_alive = u16::from_be_bytes([fixed[10], fixed[11]]);
    Ok(Packet::Connect(Box::new(Connect { keep_alive, info })))
}

fn read_connack(mut body: Bytes) -> Packet {
    if body.len() < 2 {
        return malformed(0x20, None, "CONNACK is too short");
    }
    let (flags, code) = (body.get_u8(), body.get_u8());
    Packet::ConnAck(ConnAck { flags, code, payload: body })
}

fn read_standard(first: u8, header: usize, mut frame: BytesMut) -> Packet {
    // Read before the frame is consumed: a bad PUBLISH is acknowledged like a good one.
    let packet_id = publish_packet_id(&frame[header..], first);
    let limit = frame.len();
    match v4::Packet::read(&mut frame, limit) {
        Ok(v4::Packet::Publish(publish)) if publish.qos != QoS::ExactlyOnce => Packet::Publish(Publish {
            topic: publish.topic,
            packet_id: (publish.qos == QoS::AtLeastOnce).then_some(publish.pkid),
            duplicate: publish.dup,
            payload: publish.payload,
        }),
        Ok(v4::Packet::PubAck(ack)) => Packet::PubAck(ack.pkid),
        Ok(v4::Packet::Subscribe(subscribe)) => Packet::Subscribe {
            packet_id: subscribe.pkid,
            topics: subscribe.filters.into_iter().map(|filter| filter.path).collect(),
        },
        Ok(v4::Packet::SubAck(ack)) => Packet::SubAck { packet_id: ack.pkid, topics: ack.return_codes.len() },
        Ok(v4::Packet::PingReq) => Packet::PingReq,
        Ok(v4::Packet::PingResp) => Packet::PingResp,
        Ok(v4::Packet::Disconnect) => Packet::Disconnect,
        Ok(_) => malformed(first, packet_id, "a packet that this dialect does not use"),
        Err(_) => malformed(first, packet_id, "the packet cannot be read"),
    }
}

/// The packet id of a PUBLISH of quality 1, if the beginning of its body is there.
fn publish_packet_id(body: &[u8], first: u8) -> Option<u16> {
    if first >> 4 != 3 || (first >> 1) & 3 != 1 {
        return None;
    }
    let (length, rest) = body.split_first_chunk::<2>()?;
    let id = rest.get(usize::from(u16::from_be_bytes(*length))..)?.first_chunk::<2>()?;
    Some(u16::from_be_bytes(*id)).filter(|id| *id != 0)
}

fn malformed(first: u8, packet_id: Option<u16>, reason: &'static str) -> Packet {
    Packet::Malformed(Malformed { packet_type: first >> 4, packet_id, reason })
}

/// Appends a packet to `output`.
pub fn encode(packet: Packet, output: &mut BytesMut) -> Result<(), EncodeError> {
    let standard = match packet {
        Packet::Connect(connect) => return write_connect(&connect, output),
        Packet::ConnAck(ack) => {
            output.put_u8(0x20);
            write_length(2 + ack.payload.len(), output)?;
            output.put_u8(ack.flags);
            output.put_u8(ack.code);
            output.put_slice(&ack.payload);
            return Ok(());
        }
        Packet::Publish(publish) => {
            if publish.topic.len() > usize::from(u16::MAX) {
                return Err(EncodeError::TooLarge);
            }
            v4::Packet::Publish(to_standard(publish))
        }
        Packet::PubAck(packet_id) => v4::Packet::PubAck(v4::PubAck::new(packet_id)),
        Packet::Subscribe { packet_id, topics } => {
            let mut subscribe = v4::Subscribe::new_many(
                topics.into_iter().map(|path| v4::SubscribeFilter::new(path, QoS::AtLeastOnce)),
            );
            subscribe.pkid = packet_id;
            v4::Packet::Subscribe(subscribe)
        }
        Packet::SubAck { packet_id, topics } => {
            let granted = v4::SubscribeReasonCode::Success(QoS::AtLeastOnce);
            v4::Packet::SubAck(v4::SubAck::new(packet_id, vec![granted; topics]))
        }
        Packet::PingReq => v4::Packet::PingReq,
        Packet::PingResp => v4::Packet::PingResp,
        Packet::Disconnect => v4::Packet::Disconnect,
        Packet::Malformed(_) => return Err(EncodeError::Unwritable),
    };
    write_standard(&standard, output)
}

pub(crate) fn write_standard(packet: &v4::Packet, output: &mut BytesMut) -> Result<(), EncodeError> {
    let start = output.len();
    output.reserve(packet.size());
    packet.write(output, usize::MAX).map(drop).map_err(|error| {
        // A failed write leaves the first byte behind, which would shift everything after it.
        output.truncate(start);
        match error {
            rumqttc::mqttbytes::Error::PayloadTooLong => EncodeError::TooLarge,
            _ => EncodeError::Unwritable,
        }
    })
}

fn to_standard(publish: Publish) -> v4::Publish {
    let quality = if publish.packet_id.is_some() { QoS::AtLeastOnce } else { QoS::AtMostOnce };
    let mut standard = v4::Publish::from_bytes(publish.topic, quality, publish.payload);
    standard.pkid = publish.packet_id.unwrap_or(0);
    standard.dup = publish.duplicate;
    standard
}

fn write_connect(connect: &Connect, output: &mut BytesMut) -> Result<(), EncodeError> {
    let data = deflate(&connect.info.encode());
    output.put_u8(0x10);
    write_length(2 + PROTOCOL.len() + 4 + data.len(), output)?;
    output.put_slice(&[0, 6]);
    output.put_slice(PROTOCOL);
    output.put_u8(LEVEL);
    output.put_u8(FLAGS);
    output.put_u16(connect.keep_alive);
    // No length in front of it: the struct goes up to the end of the packet.
    output.put_slice(&data);
    Ok(())
}

fn write_length(mut length: usize, output: &mut BytesMut) -> Result<(), EncodeError> {
    if length > 0x0fff_ffff {
        output.truncate(output.len() - 1);
        return Err(EncodeError::TooLarge);
    }
    loop {
        #[expect(clippy::cast_possible_truncation, reason = "seven bits")]
        let byte = (length & 0x7f) as u8;
        length >>= 7;
        if length == 0 {
            output.put_u8(byte);
            return Ok(());
        }
        output.put_u8(byte | 0x80);
    }
}
