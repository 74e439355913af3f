//! How far a log is in Loki, for a look from outside: what `lb status` shows.

use std::path::Path;

use super::election::{elected, is_shipped};
use super::offset::{Offset, Target, Why};
use super::offset_file::OffsetFile;
use super::runner::target;
use crate::config::LokiConfig;
use crate::encode::timestamp;
use crate::stats::Delivery;

/// How far a log is in one Loki.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Shipping {
    /// The URL of the push; without user and password.
    pub endpoint: String,
    /// The tenant.
    pub tenant: Option<String>,
    /// The name of the lowest level that is shipped.
    pub min_level: String,
    /// Whether a live process ships it.
    pub alive: bool,
    /// That process, or the last that did, where it can be told; information only.
    pub pid: Option<u32>,
    /// The accounting that was saved last.
    pub delivery: Delivery,
    /// Why lines wait, one sentence each.
    pub waits: Vec<String>,
}

/// How far a log is: in the Loki of the process that ships it, else in the configured one, else in that of
/// the process that shipped it last. `None` where it was never shipped and is not to be.
#[must_use]
pub fn shipping(log: &Path, configured: Option<&LokiConfig>) -> Option<Shipping> {
    let alive = is_shipped(log);
    let card = elected(log);
    let ours = configured.map(target);
    let read = |target: &Target| OffsetFile::new(log, target).read(target).ok().flatten();
    let theirs = || card.as_ref().map(|card| card.target.clone());
    let chosen = match ours {
        Some(ours) if !alive && (card.is_none() || read(&ours).is_some()) => ours,
        ours => theirs().or(ours)?,
    };
    let offset = read(&chosen);
    let enabled = configured.is_some_and(|config| config.enabled);
    if offset.is_none() && card.is_none() && !enabled {
        return None;
    }
    let shipper = card.filter(|card| card.target == chosen);
    let mut waits = Vec::new();
    if let Some(trouble) = shipper.as_ref().and_then(|card| card.trouble.as_ref()) {
        let since =
            if alive { "Loki does not take the lines" } else { "its last shipper ended with" };
        waits.push(format!("{since}: {trouble}"));
    }
    waits.extend(offset.iter().flat_map(parked));
    Some(Shipping {
        endpoint: chosen.endpoint,
        tenant: chosen.tenant,
        min_level: chosen.min_level,
        alive,
        pid: shipper.map(|card| card.pid),
        delivery: offset.map(|offset| offset.delivery()).unwrap_or_default(),
        waits,
    })
}

/// What is parked, and why.
fn parked(offset: &Offset) -> Vec<String> {
    let groups = offset.segments.iter().flat_map(|segment| &segment.parked);
    let told = groups.filter(|group| group.lines > 0).map(|group| {
        let why = match group.why {
            Why::TooFarAhead => "too far ahead of Loki's clock",
            Why::TooFarBehind => "too far behind others of their stream, until it is idle",
            Why::Lost => "acknowledged and lost",
        };
        let next = timestamp(group.next_ns);
        let next = if group.next_ns > 0 { format!(", next try at {next}") } else { String::new() };
        let noun = if group.lines == 1 { "line" } else { "lines" };
        format!("{} {noun} parked ({why}){next}: {}", group.lines, group.reason)
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::scene::{Act, Scene};
    use super::*;

    #[test]
    fn what_was_never_shipped_is_not_told_of() {
        let scene = Scene::new();
        assert_eq!(shipping(&scene.log, None), None);
    }

    #[test]
    fn what_is_parked_is_told_with_its_reason() {
        let mut scene = Scene::new();
        scene.world(|world| world.behind = true);
        let behind = scene.line("INFO", "w", "BEHIND");
        scene.lines(3);
        scene.append(&behind);
        scene.world(|world| world.then = Act::Store);
        scene.run();
        let told = parked(&scene.saved().unwrap());
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("1 line parked (too far behind"), "{told:?}");
        assert!(told[0].ends_with(": entry too far behind"), "{told:?}");
    }
}
