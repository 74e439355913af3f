//! Sends the lines of a log file to Loki by tracing-loki: protobuf and snappy, one request at a time.
//!
//!     by-tracing-loki URL FILE NAME=VALUE…
//!
//! The names and values are the labels of all lines. An event bears the time of its call.
//!
//! What the layer cannot take is lost: an event that finds its queue of 512 full, and, as everything that waits goes
//! into one request, a request beyond the 4 MiB that Loki takes with its default settings, with all that waits behind
//! it at the end. So this program lets the layer run after each 128 events, and pauses for 20 ms after each 1,024.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::time::Duration;

use tracing::info;
use tracing_subscriber::layer::SubscriberExt;
use url::Url;

const AT_ONCE: usize = 128;
const UNTIL_PAUSE: usize = 1024;
const PAUSE: Duration = Duration::from_millis(20);

async fn send(url: &str, path: &str, labels: &[String]) -> Result<(), Box<dyn Error>> {
    let mut builder = tracing_loki::builder();
    for (name, value) in labels.iter().filter_map(|pair| pair.split_once('=')) {
        builder = builder.label(name, value)?;
    }
    let (layer, controller, task) = builder.build_controller_url(Url::parse(url)?)?;
    let task = tokio::spawn(task);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;
    let mut lines = BufReader::new(File::open(path)?);
    let (mut line, mut count) = (String::new(), 0);
    while lines.read_line(&mut line)? > 0 {
        info!("{}", line.trim_end());
        line.clear();
        count += 1;
        if count % UNTIL_PAUSE == 0 {
            tokio::time::sleep(PAUSE).await;
        } else if count % AT_ONCE == 0 {
            tokio::task::yield_now().await;
        }
    }
    controller.shutdown().await;
    Ok(task.await?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, path, labels @ ..] = arguments.as_slice() else {
        return Err("usage: by-tracing-loki URL FILE NAME=VALUE…".into());
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(send(url, path, labels))
}
