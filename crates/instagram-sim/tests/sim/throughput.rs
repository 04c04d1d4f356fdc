//! How fast the simulator is, so that it is never what a benchmark measures.

use instagram_sim::SimOptions;
use tokio::time::Instant;

use crate::{client::Client, two_people_with};

const MESSAGES: usize = 20_000;
/// Sends on their way at a time; a PUBACK and an answer come for each.
const BURST: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: run it in release with --ignored --nocapture"]
async fn messages_per_second_in_and_out() {
    for envelopes_per_publish in [1, 32] {
        let options = SimOptions { envelopes_per_publish, ..SimOptions::default() };
        let (sim, anna, bert, thread) = two_people_with(options).await;
        let mut client = Client::subscribed(&sim, &bert).await;
        let started = Instant::now();
        for index in 0..MESSAGES {
            sim.send_text(anna.pk, &thread, &format!("message number {index}")).unwrap();
        }
        let queued = started.elapsed();
        let mut seen = 0;
        while seen < MESSAGES {
            seen += client.next("146").await.as_array().unwrap().len();
        }
        let rate = MESSAGES as f64 / started.elapsed().as_secs_f64();
        println!("{envelopes_per_publish} a publish: queued in {queued:?}, delivered {rate:.0} messages/s");
    }

    // Sends: packets are made beforehand, so that the client's work is not measured.
    let (sim, anna, _, thread) = two_people_with(SimOptions::default()).await;
    let mut client = Client::connect(&sim, &anna).await;
    let bursts: Vec<Vec<u8>> = (0..MESSAGES)
        .map(|index| client.text_packet(&thread, "out", &format!("{index}")))
        .collect::<Vec<_>>()
        .chunks(BURST)
        .map(<[Vec<u8>]>::concat)
        .collect();
    let started = Instant::now();
    for burst in bursts {
        client.write(&burst).await;
        client.pass_over(2 * BURST).await;
    }
    println!("sends: {:.0} messages/s", MESSAGES as f64 / started.elapsed().as_secs_f64());
    assert_eq!(sim.item_count(&thread).unwrap(), MESSAGES);
}
