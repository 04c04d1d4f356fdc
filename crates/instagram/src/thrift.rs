//! Thrift's compact protocol as a tree of values: what the connect struct and the two publish/subscribe topics use.
//!
//! Knows nothing about the meaning of fields. Decoding is bounded in depth and in number of values, so that no input
//! can exhaust the stack or the memory; a struct that ends without its stop byte is taken as complete, as all known
//! clients do.

use thiserror::Error;

/// Structs, lists and maps within each other before the decoder gives up.
const MAX_DEPTH: usize = 32;
/// Values in one message before the decoder gives up; real messages have fewer than two hundred.
const MAX_VALUES: usize = 65_536;

/// Why bytes are not a compact struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ThriftError {
    /// The input ends within a value.
    #[error("the input ends within a value")]
    Truncated,
    /// A number is longer than its type allows.
    #[error("a number is too long for its type")]
    NumberTooLong,
    /// A type nibble without meaning.
    #[error("unknown type {0}")]
    UnknownType(u8),
    /// Values are nested deeper than any real message.
    #[error("values are nested too deeply")]
    TooDeep,
    /// There are more values than in any real message.
    #[error("too many values")]
    TooMany,
}

/// The type of a value, as written on the wire in lists and maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A boolean; a field header tells `true` (1) from `false` (2).
    Bool = 1,
    /// One raw byte.
    I8 = 3,
    /// Zigzag number of 16 bits.
    I16 = 4,
    /// Zigzag number of 32 bits.
    I32 = 5,
    /// Zigzag number of 64 bits.
    I64 = 6,
    /// Eight bytes, little-endian.
    Double = 7,
    /// Bytes or text.
    Binary = 8,
    /// Values of one type, in order.
    List = 9,
    /// Values of one type.
    Set = 10,
    /// Pairs of values.
    Map = 11,
    /// Numbered fields.
    Struct = 12,
}

impl Kind {
    fn from_nibble(nibble: u8) -> Result<Kind, ThriftError> {
        Ok(match nibble {
            1 | 2 => Kind::Bool,
            3 => Kind::I8,
            4 => Kind::I16,
            5 => Kind::I32,
            6 => Kind::I64,
            7 => Kind::Double,
            8 => Kind::Binary,
            9 => Kind::List,
            10 => Kind::Set,
            11 => Kind::Map,
            12 => Kind::Struct,
            other => return Err(ThriftError::UnknownType(other)),
        })
    }
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A boolean.
    Bool(bool),
    /// One byte.
    I8(i8),
    /// 16 bits.
    I16(i16),
    /// 32 bits.
    I32(i32),
    /// 64 bits.
    I64(i64),
    /// A floating-point number.
    Double(f64),
    /// Bytes or text.
    Binary(Vec<u8>),
    /// A list with the type of its members.
    List(Kind, Vec<Value>),
    /// A set with the type of its members.
    Set(Kind, Vec<Value>),
    /// A map with the types of keys and values; an empty map has no types on the wire and decodes as binary to binary.
    Map(Kind, Kind, Vec<(Value, Value)>),
    /// A struct.
    Struct(Struct),
}

impl Value {
    /// The type this value is written with.
    pub fn kind(&self) -> Kind {
        match self {
            Value::Bool(_) => Kind::Bool,
            Value::I8(_) => Kind::I8,
            Value::I16(_) => Kind::I16,
            Value::I32(_) => Kind::I32,
            Value::I64(_) => Kind::I64,
            Value::Double(_) => Kind::Double,
            Value::Binary(_) => Kind::Binary,
            Value::List(..) => Kind::List,
            Value::Set(..) => Kind::Set,
            Value::Map(..) => Kind::Map,
            Value::Struct(_) => Kind::Struct,
        }
    }

    /// Any whole number, whatever its width.
    pub fn integer(&self) -> Option<i64> {
        match *self {
            Value::I8(number) => Some(number.into()),
            Value::I16(number) => Some(number.into()),
            Value::I32(number) => Some(number.into()),
            Value::I64(number) => Some(number),
            _ => None,
        }
    }

    /// The bytes of a binary value.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A binary value as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> Option<String> {
        self.bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// A boolean value.
    pub fn boolean(&self) -> Option<bool> {
        match *self {
            Value::Bool(flag) => Some(flag),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Binary(text.as_bytes().to_vec())
    }
}

/// Numbered fields in the order of the wire.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Struct {
    fields: Vec<(i16, Value)>,
}

impl Struct {
    /// A struct without fields.
    pub fn new() -> Struct {
        Struct::default()
    }

    /// Appends a field; the order of calls is the order on the wire.
    pub fn push(&mut self, id: i16, value: Value) {
        self.fields.push((id, value));
    }

    /// Appends a field when there is a value for it.
    pub fn push_some(&mut self, id: i16, value: Option<Value>) {
        if let Some(value) = value {
            self.push(id, value);
        }
    }

    /// The first field with this number.
    pub fn field(&self, id: i16) -> Option<&Value> {
        self.fields.iter().find(|(field, _)| *field == id).map(|(_, value)| value)
    }

    /// All fields in the order of the wire.
    pub fn fields(&self) -> &[(i16, Value)] {
        &self.fields
    }

    /// The bytes of this struct, stop byte included.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        write_struct(&mut out, self);
        out
    }

    /// Reads a struct; bytes behind its stop byte are ignored.
    pub fn decode(input: &[u8]) -> Result<Struct, ThriftError> {
        let mut reader = Reader { input, values: 0 };
        reader.structure(0)
    }
}

fn write_struct(out: &mut Vec<u8>, structure: &Struct) {
    let mut previous = 0i16;
    for (id, value) in &structure.fields {
        let nibble = match value {
            Value::Bool(false) => 2,
            other => other.kind() as u8,
        };
        match id.checked_sub(previous) {
            #[expect(clippy::cast_sign_loss, reason = "the guard leaves 1 to 15")]
            Some(delta @ 1..=15) => out.push((delta as u8) << 4 | nibble),
            _ => {
                out.push(nibble);
                write_varint(out, zigzag(i64::from(*id)));
            }
        }
        previous = *id;
        if !matches!(value, Value::Bool(_)) {
            write_value(out, value);
        }
    }
    out.push(0);
}

fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Bool(flag) => out.push(if *flag { 1 } else { 2 }),
        #[expect(clippy::cast_sign_loss, reason = "the raw byte in two's complement is what the wire wants")]
        Value::I8(number) => out.push(*number as u8),
        Value::I16(number) => write_varint(out, zigzag((*number).into())),
        Value::I32(number) => write_varint(out, zigzag((*number).into())),
        Value::I64(number) => write_varint(out, zigzag(*number)),
        Value::Double(number) => out.extend_from_slice(&number.to_le_bytes()),
        Value::Binary(bytes) => {
            write_varint(out, bytes.len() as u64);
            out.extend_from_slice(bytes);
        }
        Value::List(kind, members) | Value::Set(kind, members) => {
            match members.len() {
                #[expect(clippy::cast_possible_truncation, reason = "the guard leaves 0 to 14")]
                short @ 0..=14 => out.push((short as u8) << 4 | *kind as u8),
                long => {
                    out.push(0xf0 | *kind as u8);
                    write_varint(out, long as u64);
                }
            }
            members.iter().for_each(|member| write_value(out, member));
        }
        Value::Map(keys, values, pairs) => {
            write_varint(out, pairs.len() as u64);
            if !pairs.is_empty() {
                out.push((*keys as u8) << 4 | *values as u8);
            }
            for (key, value) in pairs {
                write_value(out, key);
                write_value(out, value);
            }
        }
        Value::Struct(structure) => write_struct(out, structure),
    }
}

#[expect(clippy::cast_sign_loss, reason = "zigzag maps signed to unsigned numbers")]
fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

#[expect(clippy::cast_possible_wrap, reason = "zigzag maps unsigned to signed numbers")]
fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

fn write_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

struct Reader<'a> {
    input: &'a [u8],
    values: usize,
}

impl<'a> Reader<'a> {
    fn structure(&mut self, depth: usize) -> Result<Struct, ThriftError> {
        if depth > MAX_DEPTH {
            return Err(ThriftError::TooDeep);
        }
        let mut structure = Struct::new();
        let mut previous = 0i16;
        while let Some((&header, rest)) = self.input.split_first() {
            self.input = rest;
            if header == 0 {
                break;
            }
            let id = match i16::from(header >> 4) {
                0 => i16::try_from(unzigzag(self.varint()?)).map_err(|_| ThriftError::NumberTooLong)?,
                delta => previous.checked_add(delta).ok_or(ThriftError::NumberTooLong)?,
            };
            previous = id;
            let nibble = header & 0x0f;
            let value = match nibble {
                1 | 2 => {
                    self.count(1)?;
                    Value::Bool(nibble == 1)
                }
                other => self.value(Kind::from_nibble(other)?, depth + 1)?,
            };
            structure.push(id, value);
        }
        Ok(structure)
    }

    fn value(&mut self, kind: Kind, depth: usize) -> Result<Value, ThriftError> {
        if depth > MAX_DEPTH {
            return Err(ThriftError::TooDeep);
        }
        self.count(1)?;
        Ok(match kind {
            Kind::Bool => Value::Bool(self.byte()? == 1),
            Kind::I8 => Value::I8(i8::from_le_bytes([self.byte()?])),
            Kind::I16 => Value::I16(i16::try_from(self.integer()?).map_err(|_| ThriftError::NumberTooLong)?),
            Kind::I32 => Value::I32(i32::try_from(self.integer()?).map_err(|_| ThriftError::NumberTooLong)?),
            Kind::I64 => Value::I64(self.integer()?),
            Kind::Double => {
                let (bytes, rest) = self.input.split_first_chunk::<8>().ok_or(ThriftError::Truncated)?;
                self.input = rest;
                Value::Double(f64::from_le_bytes(*bytes))
            }
            Kind::Binary => {
                let length = self.length()?;
                let (bytes, rest) = self.input.split_at(length);
                self.input = rest;
                Value::Binary(bytes.to_vec())
            }
            Kind::List => {
                let (kind, members) = self.members(depth)?;
                Value::List(kind, members)
            }
            Kind::Set => {
                let (kind, members) = self.members(depth)?;
                Value::Set(kind, members)
            }
            Kind::Map => self.map(depth)?,
            Kind::Struct => Value::Struct(self.structure(depth)?),
        })
    }

    fn members(&mut self, depth: usize) -> Result<(Kind, Vec<Value>), ThriftError> {
        let header = self.byte()?;
        let kind = Kind::from_nibble(header & 0x0f)?;
        let size = match header >> 4 {
            15 => self.length()?,
            short => usize::from(short),
        };
        let members = self.expect(size)?;
        (0..size).try_fold((kind, members), |(kind, mut members), _| {
            members.push(self.value(kind, depth + 1)?);
            Ok((kind, members))
        })
    }

    fn map(&mut self, depth: usize) -> Result<Value, ThriftError> {
        let size = self.length()?;
        if size == 0 {
            return Ok(Value::Map(Kind::Binary, Kind::Binary, Vec::new()));
        }
        let kinds = self.byte()?;
        let (keys, values) = (Kind::from_nibble(kinds >> 4)?, Kind::from_nibble(kinds & 0x0f)?);
        let mut pairs = self.expect(size)?;
        for _ in 0..size {
            pairs.push((self.value(keys, depth + 1)?, self.value(values, depth + 1)?));
        }
        Ok(Value::Map(keys, values, pairs))
    }

    /// A vector for `size` members, each of which takes at least one byte of what is left.
    fn expect<T>(&self, size: usize) -> Result<Vec<T>, ThriftError> {
        match size {
            _ if size > self.input.len() => Err(ThriftError::Truncated),
            _ if size > MAX_VALUES => Err(ThriftError::TooMany),
            _ => Ok(Vec::with_capacity(size)),
        }
    }

    fn count(&mut self, more: usize) -> Result<(), ThriftError> {
        self.values += more;
        if self.values > MAX_VALUES { Err(ThriftError::TooMany) } else { Ok(()) }
    }

    fn byte(&mut self) -> Result<u8, ThriftError> {
        let (&byte, rest) = self.input.split_first().ok_or(ThriftError::Truncated)?;
        self.input = rest;
        Ok(byte)
    }

    fn integer(&mut self) -> Result<i64, ThriftError> {
        self.varint().map(unzigzag)
    }

    /// A length that the rest of the input can hold.
    fn length(&mut self) -> Result<usize, ThriftError> {
        let length = usize::try_from(self.varint()?).map_err(|_| ThriftError::NumberTooLong)?;
        if length > self.input.len() { Err(ThriftError::Truncated) } else { Ok(length) }
    }

    fn varint(&mut self) -> Result<u64, ThriftError> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(ThriftError::NumberTooLong);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(ThriftError::NumberTooLong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_nesting_is_refused_and_not_a_stack_overflow() {
        let lists = std::iter::once(0x19).chain(std::iter::repeat_n(0x19, 1_000_000)).collect::<Vec<u8>>();
        assert_eq!(Struct::decode(&lists), Err(ThriftError::TooDeep));
        let structs = vec![0x1c; 1_000_000];
        assert_eq!(Struct::decode(&structs), Err(ThriftError::TooDeep));
    }

    #[test]
    fn a_list_that_claims_more_than_it_brings_is_refused_before_allocating() {
        assert_eq!(Struct::decode(&[0x19, 0xf5, 0xff, 0xff, 0xff, 0xff, 0x0f]), Err(ThriftError::Truncated));
        let mut many = vec![0x19, 0xf1, 0x80, 0x80, 0x40];
        many.resize(2 << 20, 1);
        assert_eq!(Struct::decode(&many), Err(ThriftError::TooMany));
    }

    #[test]
    fn a_missing_stop_byte_ends_the_struct() {
        let decoded = Struct::decode(&[0x18, 0x01, b'x']).unwrap();
        assert_eq!(decoded.field(1), Some(&Value::from("x")));
    }

    #[test]
    fn a_number_of_eleven_bytes_is_refused() {
        let mut input = vec![0x16];
        input.extend([0xff; 11]);
        assert_eq!(Struct::decode(&input), Err(ThriftError::NumberTooLong));
    }
}
