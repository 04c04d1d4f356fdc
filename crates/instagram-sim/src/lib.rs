//! A believable Instagram on loopback, for tests and demonstrations.
//!
//! [`Sim::start`] opens an HTTPS API and a realtime server (MQTToT over TLS) on free ports, with a certificate
//! authority of its own. Accounts, threads and messages live in memory. Other people act through the verbs of [`Sim`];
//! misbehaviour is a value, see [`Fault`]. The same verbs are offered over plain HTTP by [`control::router`], which the
//! program `instagram-sim` serves.
//!
//! The simulator frames packets, reads the CONNECT struct and writes JSON by itself rather than with the client's
//! codecs, so that a mistake in those does not find its twin here.

mod api;
mod cdn;
mod clock;
mod command;
mod connection;
pub mod control;
mod digest;
mod error;
mod fault;
pub mod kinds;
mod options;
mod picture;
mod probe;
mod realtime;
pub mod sample;
mod shared;
mod sim;
mod tls;
mod verbs;
mod wait;
mod world;

pub use self::{
    cdn::{
        MediaDetails,
        fault::{Disguise, MediaFault},
    },
    connection::{ConnectionDetails, Numbering, PasswordKind},
    error::SimError,
    fault::{CursorRefusal, Fault},
    options::{AccountOptions, SimOptions},
    shared::RecordedRequest,
    sim::{Account, Sim, Stats},
    verbs::{NewText, RawItem},
    world::{
        history::{History, OldItem},
        item::{Item, Reaction},
        upload::Upload,
    },
};
