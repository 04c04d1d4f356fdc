//! Client and listener against a homeserver in memory, over loopback.
