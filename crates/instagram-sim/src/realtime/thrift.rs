//! Thrift's compact protocol, read into a small tree and written for the one struct the server sends.
//!
//! Written apart from the client's codec on purpose: a mistake there must not find its twin here.

use std::collections::BTreeMap;

/// How deep structs, lists and maps may nest.
const DEPTH: usize = 16;

/// A decoded value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    Bool(bool),
    Int(i64),
    Double,
    Bytes(Vec<u8>),
    List(Vec<Tree>),
    Map(Vec<(Tree, Tree)>),
    Struct(BTreeMap<i16, Tree>),
}

impl Tree {
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Tree::Bytes(bytes) => String::from_utf8(bytes.clone()).ok(),
            _ => None,
        }
    }

    pub(crate) fn int(&self) -> Option<i64> {
        match self {
            Tree::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn field(&self, id: i16) -> Option<&Tree> {
        match self {
            Tree::Struct(fields) => fields.get(&id),
            _ => None,
        }
    }
}

/// Reads one struct. `None` if the bytes are not one.
pub(crate) fn read(bytes: &[u8]) -> Option<Tree> {
    Reader { bytes }.structure(0)
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn length(&mut self) -> Option<usize> {
        let length = usize::try_from(self.varint()?).ok()?;
        (length <= self.bytes.len()).then_some(length)
    }

    fn structure(&mut self, depth: usize) -> Option<Tree> {
        if depth > DEPTH {
            return None;
        }
        let mut fields = BTreeMap::new();
        let mut id = 0i16;
        loop {
            let header = self.byte()?;
            if header == 0 {
                return Some(Tree::Struct(fields));
            }
            let (delta, kind) = (i16::from(header >> 4), header & 0x0f);
            id = if delta == 0 { i16::try_from(self.zigzag()?).ok()? } else { id.checked_add(delta)? };
            let value = match kind {
                1 => Tree::Bool(true),
                2 => Tree::Bool(false),
                other => self.value(other, depth)?,
            };
            fields.insert(id, value);
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Option<Tree> {
        if depth > DEPTH {
            return None;
        }
        match kind {
            1 | 2 => Some(Tree::Bool(self.byte()? == 1)),
            3 => Some(Tree::Int(i64::from(self.byte()? as i8))),
            4..=6 => Some(Tree::Int(self.zigzag()?)),
            7 => {
                self.bytes = self.bytes.get(8..)?;
                Some(Tree::Double)
            }
            8 => {
                let length = self.length()?;
                let (text, rest) = self.bytes.split_at(length);
                self.bytes = rest;
                Some(Tree::Bytes(text.to_vec()))
            }
            9 | 10 => {
                let header = self.byte()?;
                let count = if header >> 4 == 15 { self.length()? } else { usize::from(header >> 4) };
                let all = (0..count).map(|_| self.value(header & 0x0f, depth + 1)).collect::<Option<Vec<_>>>()?;
                Some(Tree::List(all))
            }
            11 => {
                let count = self.length()?;
                if count == 0 {
                    return Some(Tree::Map(Vec::new()));
                }
                let kinds = self.byte()?;
                let pair = |reader: &mut Self| {
                    Some((reader.value(kinds >> 4, depth + 1)?, reader.value(kinds & 0x0f, depth + 1)?))
                };
                let all = (0..count).map(|_| pair(self)).collect::<Option<Vec<_>>>()?;
                Some(Tree::Map(all))
            }
            12 => self.structure(depth + 1),
            _ => None,
        }
    }
}

/// `{1: topic, 2: payload}`, the form of messages on topics 88 and 149.
pub(crate) fn topic_message(topic: &str, payload: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(topic.len() + payload.len() + 8);
    for text in [topic, payload] {
        out.push(0x18); // next field, string
        let mut length = text.len();
        while length > 0x7f {
            out.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend_from_slice(text.as_bytes());
    }
    out.push(0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let long = "x".repeat(300);
        let tree = read(&topic_message("direct", &long)).unwrap();
        assert_eq!(tree.field(1).unwrap().text().unwrap(), "direct");
        assert_eq!(tree.field(2).unwrap().text().unwrap(), long);
    }

    #[test]
    fn cut_and_endless_structs_are_refused() {
        assert_eq!(read(&[0x18, 0x05, b'a']), None);
        assert_eq!(read(&[0x1c; 64]), None);
        assert_eq!(read(&[0x19, 0xf8, 0xff, 0xff, 0xff, 0xff, 0x0f]), None);
    }
}
