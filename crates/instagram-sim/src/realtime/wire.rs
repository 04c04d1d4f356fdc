//! MQTT 3.1 framing as a server sees it.
//!
//! Written apart from the client's codec on purpose: a mistake there must not find its twin here.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Largest packet that is read.
const LIMIT: usize = 64 * 1024 * 1024;

/// A packet from a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    /// What follows the fixed header.
    Connect(Bytes),
    Publish {
        topic: String,
        packet_id: Option<u16>,
        payload: Bytes,
    },
    PubAck(u16),
    Subscribe {
        packet_id: u16,
        topics: usize,
    },
    Unsubscribe {
        packet_id: u16,
    },
    PingReq,
    Disconnect,
}

/// The bytes are no packet that a client may send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Takes one whole packet off the buffer, if there is one.
pub(crate) fn decode(input: &mut BytesMut) -> Result<Option<Packet>, Malformed> {
    let Some(first) = input.first().copied() else { return Ok(None) };
    let mut length = 0usize;
    let mut header = 1;
    loop {
        let Some(byte) = input.get(header).copied() else {
            return if header > 4 { Err(Malformed("remaining length")) } else { Ok(None) };
        };
        length |= usize::from(byte & 0x7f) << (7 * (header - 1));
        header += 1;
        if byte & 0x80 == 0 {
            break;
        }
        if header > 4 {
            return Err(Malformed("remaining length"));
        }
    }
    if length > LIMIT {
        return Err(Malformed("packet too large"));
    }
    if input.len() < header + length {
        input.reserve(header + length - input.len());
        return Ok(None);
    }
    input.advance(header);
    let body = input.split_to(length).freeze();
    packet(first, body).map(Some)
}

fn packet(first: u8, mut body: Bytes) -> Result<Packet, Malformed> {
    match first >> 4 {
        1 => Ok(Packet::Connect(body)),
        3 => {
            let topic = take_string(&mut body)?;
            let packet_id = match (first >> 1) & 3 {
                0 => None,
                1 | 2 => Some(take_u16(&mut body)?),
                _ => return Err(Malformed("quality of service 3")),
            };
            if packet_id == Some(0) {
                return Err(Malformed("packet id 0"));
            }
            Ok(Packet::Publish { topic, packet_id, payload: body })
        }
        4 => Ok(Packet::PubAck(take_u16(&mut body)?)),
        8 => {
            let packet_id = take_u16(&mut body)?;
            let mut topics = 0;
            while !body.is_empty() {
                take_string(&mut body)?;
                if body.is_empty() {
                    return Err(Malformed("subscription without quality of service"));
                }
                body.advance(1);
                topics += 1;
            }
            Ok(Packet::Subscribe { packet_id, topics })
        }
        10 => Ok(Packet::Unsubscribe { packet_id: take_u16(&mut body)? }),
        12 => Ok(Packet::PingReq),
        14 => Ok(Packet::Disconnect),
        _ => Err(Malformed("packet type")),
    }
}

pub(crate) fn take_u16(body: &mut Bytes) -> Result<u16, Malformed> {
    if body.len() < 2 { Err(Malformed("packet too short")) } else { Ok(body.get_u16()) }
}

pub(crate) fn take_string(body: &mut Bytes) -> Result<String, Malformed> {
    let length = usize::from(take_u16(body)?);
    if body.len() < length {
        return Err(Malformed("text too short"));
    }
    let bytes = body.split_to(length);
    std::str::from_utf8(&bytes).map(str::to_owned).map_err(|_| Malformed("text is not UTF-8"))
}

fn put_length(out: &mut BytesMut, mut length: usize) {
    loop {
        let byte = (length & 0x7f) as u8;
        length >>= 7;
        if length == 0 {
            out.put_u8(byte);
            return;
        }
        out.put_u8(byte | 0x80);
    }
}

/// A PUBLISH of quality 1.
pub(crate) fn publish(out: &mut BytesMut, topic: &str, packet_id: u16, payload: &[u8]) {
    out.put_u8(0x32);
    put_length(out, 2 + topic.len() + 2 + payload.len());
    out.put_u16(topic.len() as u16);
    out.put_slice(topic.as_bytes());
    out.put_u16(packet_id);
    out.put_slice(payload);
}

/// A PUBLISH whose topic claims to be longer than the packet.
pub(crate) fn malformed_publish(out: &mut BytesMut) {
    out.put_slice(&[0x32, 0x07, 0xff, 0xff, b'1', b'4', b'6', 0x00, 0x01]);
}

pub(crate) fn connack(out: &mut BytesMut, code: u8) {
    out.put_slice(&[0x20, 0x02, 0x00, code]);
}

pub(crate) fn puback(out: &mut BytesMut, packet_id: u16) {
    out.put_slice(&[0x40, 0x02]);
    out.put_u16(packet_id);
}

pub(crate) fn suback(out: &mut BytesMut, packet_id: u16, topics: usize) {
    out.put_u8(0x90);
    put_length(out, 2 + topics);
    out.put_u16(packet_id);
    out.put_bytes(1, topics);
}

pub(crate) fn unsuback(out: &mut BytesMut, packet_id: u16) {
    out.put_slice(&[0xb0, 0x02]);
    out.put_u16(packet_id);
}

pub(crate) fn pingresp(out: &mut BytesMut) {
    out.put_slice(&[0xd0, 0x00]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_that_comes_byte_by_byte_is_read_once_it_is_whole() {
        let bytes = [0x32, 0x09, 0x00, 0x03, b'1', b'3', b'2', 0x00, 0x07, b'{', b'}', 0xc0, 0x00];
        let mut input = BytesMut::new();
        let mut seen = Vec::new();
        for byte in bytes {
            input.put_u8(byte);
            seen.extend(decode(&mut input).unwrap());
        }
        let payload = Bytes::from_static(b"{}");
        assert_eq!(seen, [Packet::Publish { topic: "132".into(), packet_id: Some(7), payload }, Packet::PingReq]);
    }

    #[test]
    fn impossible_packets_are_refused() {
        for bytes in [&[0xf0, 0x00][..], &[0x30, 0x01, 0x00], &[0x32, 0x04, 0x00, 0x00, 0x00, 0x00], &[0x40, 0x00]] {
            assert!(decode(&mut BytesMut::from(bytes)).is_err(), "{bytes:02x?}");
        }
        assert!(decode(&mut BytesMut::from(&[0x30, 0xff, 0xff, 0xff, 0xff, 0x01][..])).is_err());
    }
}
