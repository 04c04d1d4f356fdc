//! From the user's queue to the socket: what may be sent now, in which publishes, and with which faults.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::Instant;

use super::{HIGH_WATER, Running};
use crate::{
    clock,
    fault::{Fault, Stage},
    realtime::{payload, wire},
    world::queue::Envelope,
};

/// How many envelopes are taken from the queue at a time.
const PULL: usize = 128;

/// A message sync that nobody can read.
const UNREADABLE: &[u8] = b"\x01\x02 neither zlib nor JSON \xff\xfe";

impl Running {
    /// Moves envelopes from the user's queue into the output while there is room.
    pub(super) fn pull(&mut self) {
        if self.background || self.stalled || self.closing {
            return;
        }
        let batch_size = self.shared.options.envelopes_per_publish.max(1);
        while let Some(position) = self.position.filter(|_| self.out.len() < HIGH_WATER) {
            let (batch, faults) = self.take(position);
            let Some(last) = batch.last().map(|envelope| envelope.seq_id) else { return };
            let plain = faults.is_empty();
            if plain && batch_size > 1 {
                for part in batch.chunks(batch_size) {
                    self.publish_envelopes(part);
                }
            } else {
                for envelope in &batch {
                    let fault = faults.iter().find(|(seq_id, _)| *seq_id == envelope.seq_id);
                    self.deliver(envelope, fault.map(|(_, fault)| fault));
                }
            }
            self.position = Some(last);
            self.info.delivered.store(last, Ordering::Relaxed);
        }
    }

    /// The next envelopes that may be sent, and the faults that go with some of them.
    fn take(&mut self, position: i64) -> (Vec<Envelope>, Vec<(i64, Fault)>) {
        let (pk, mut held) = (self.pk, self.held);
        let mut left_behind = false;
        let taken = self.shared.look(|world| {
            let Some(account) = world.accounts.get_mut(&pk) else { return (Vec::new(), Vec::new()) };
            if account.queue.accepts(position).is_err() {
                left_behind = true;
                return (Vec::new(), Vec::new());
            }
            let (mut batch, mut faults) = (Vec::new(), Vec::new());
            for envelope in account.queue.after(position, PULL) {
                match held {
                    Some((seq_id, until)) if seq_id == envelope.seq_id => {
                        if Instant::now() < until {
                            break;
                        }
                    }
                    _ => {
                        let wait_us = envelope.not_before_us - clock::now_us();
                        if envelope.not_before_us > 0 && wait_us > 0 {
                            let until = Instant::now() + Duration::from_micros(wait_us.unsigned_abs());
                            held = Some((envelope.seq_id, until));
                            break;
                        }
                        match account.faults.take(Stage::Deliver, "") {
                            Some(Fault::DelayDelivery { ms }) => {
                                held = Some((envelope.seq_id, Instant::now() + Duration::from_millis(ms)));
                                break;
                            }
                            Some(fault) => faults.push((envelope.seq_id, fault)),
                            None => {}
                        }
                    }
                }
                batch.push(envelope.clone());
            }
            (batch, faults)
        });
        if left_behind {
            // What comes next is no longer kept; the client has to come back and learn that its cursor is too old.
            tracing::info!(pk, "a connection that lags behind the retained queue is closed");
            self.closing = true;
        }
        // A hold ends once its envelope is on its way.
        self.held = held.filter(|(seq_id, _)| !taken.0.iter().any(|envelope| envelope.seq_id == *seq_id));
        taken
    }

    fn publish_envelopes(&mut self, all: &[Envelope]) {
        let text = payload::envelopes(all, self.replay_until);
        self.publish("146", &payload::deflate(text.as_bytes()));
    }

    fn deliver(&mut self, envelope: &Envelope, fault: Option<&Fault>) {
        let one = std::slice::from_ref(envelope);
        match fault {
            None => {}
            Some(Fault::Redeliver) => self.publish_envelopes(one),
            Some(Fault::MalformedFrame) => wire::malformed_publish(&mut self.out),
            Some(Fault::MalformedPayload) => self.publish("146", UNREADABLE),
            Some(Fault::UnreadableEnvelope) => return self.publish("146", UNREADABLE),
            Some(Fault::TruncatedZlib) => {
                let whole = payload::deflate(payload::envelopes(one, self.replay_until).as_bytes());
                self.publish("146", &whole[..whole.len() / 2]);
            }
            Some(Fault::UnknownTopic) => {
                self.publish("4242", &payload::deflate(b"{\"nobody\":\"knows\"}"));
                self.publish("/ig_large_scale_fire_and_forget_sync", b"\x00\x01\x02");
            }
            Some(Fault::HugePayload { bytes }) => {
                let text = payload::huge(*bytes, envelope.seq_id - 1);
                self.publish("146", &payload::deflate(text.as_bytes()));
            }
            Some(Fault::DeepNesting { depth }) => {
                for text in payload::deep(*depth, envelope.seq_id - 1) {
                    self.publish("146", &payload::deflate(text.as_bytes()));
                }
            }
            Some(Fault::ParentProcess) => self.publish("34", &payload::deflate(b"{}")),
            Some(Fault::BadPatchBeforeGood) => {
                self.publish_envelopes(&[payload::with_bad_patches(envelope)]);
                return;
            }
            Some(_) => {}
        }
        self.publish_envelopes(one);
    }
}
