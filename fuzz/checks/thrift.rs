//! No bytes make the thrift codec panic, and what it reads it writes so that it reads the same.

use instagram::mqttot::ConnectInfo;
use instagram::thrift::Struct;

/// Panics when the codec misbehaves on `data`.
pub(crate) fn check(data: &[u8]) {
    if let Ok(read) = Struct::decode(data) {
        let written = read.encode();
        let again = Struct::decode(&written).expect("own output is readable");
        // Compared as bytes: a double may be NaN, which differs from itself.
        assert_eq!(again.encode(), written);
    }
    if let Ok(info) = ConnectInfo::decode(data) {
        assert_eq!(ConnectInfo::decode(&info.encode()), Ok(info));
    }
}
