//! Which files of a log Loki needs no more: what retention asks before it deletes one.

use std::fs::File;
use std::io;
use std::path::Path;

use super::election::elected;
use super::identity::first_line;
use super::offset::{Segment, Target};
use super::offset_file::OffsetFile;
use super::segments::proven;
use crate::file::whole_lines;

/// What an offset file says at one moment.
pub(crate) struct Delivered {
    segments: Vec<Segment>,
}

impl Delivered {
    /// Reads the offset file of the process that ships the log; of `ours` where nobody was elected
    /// yet. A file that is missing or damaged says of nothing that it is delivered.
    pub(crate) fn read(log: &Path, ours: &Target) -> Self {
        let target = elected(log).map_or_else(|| ours.clone(), |card| card.target);
        let offset = OffsetFile::new(log, &target).read(&target).unwrap_or_default();
        Self { segments: offset.map_or_else(Vec::new, |offset| offset.segments) }
    }

    /// Whether all lines of a rotated file are acknowledged, below the level or quarantined, and
    /// none is parked. The file is known by its lines, not by its name.
    pub(crate) fn has(&self, path: &Path) -> io::Result<bool> {
        let file = File::open(path)?;
        let committed = whole_lines(&file, 0)?;
        let first = first_line(&file, committed)?;
        for segment in self.segments.iter().filter(|segment| Some(segment.first) == first) {
            let at_its_end = segment.mark == committed && segment.parked.is_empty();
            if at_its_end && proven(segment, &file, committed)?.is_none() {
                return Ok(true);
            }
        }
        // Without a line there is nothing to deliver.
        Ok(committed == 0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::scene::{Act, Scene, target};
    use super::*;
    use crate::names;

    fn has(scene: &Scene, number: u64) -> bool {
        let path = names::segment(&scene.log, number);
        Delivered::read(&scene.log, &target()).has(&path).unwrap()
    }

    #[test]
    fn a_file_is_delivered_when_the_offset_is_at_its_end_and_nothing_is_parked() {
        let mut scene = Scene::new();
        scene.lines(5);
        let line = scene.line("DEBUG", "w", "m");
        scene.append(&line);
        scene.rotate(1);
        assert!(!has(&scene, 1), "nobody has shipped anything yet");
        scene.world(|world| world.behind = true);
        scene.lines(1);
        scene.run();
        assert!(has(&scene, 1));

        let behind = scene.line("INFO", "w", "BEHIND");
        scene.append(&behind);
        scene.lines(3);
        scene.rotate(2);
        scene.lines(1);
        let done = scene.run();
        assert_eq!((done.pending, done.parked), (1, 1));
        assert!(!has(&scene, 2), "a line is parked");

        scene.world(|world| world.then = Act::Hold);
        scene.lines(2);
        scene.rotate(3);
        scene.steps(20);
        assert!(!has(&scene, 3), "Loki has only its beginning");
    }

    #[test]
    fn another_content_under_the_name_is_not_delivered() {
        let mut scene = Scene::new();
        scene.lines(4);
        scene.rotate(1);
        scene.lines(1);
        scene.run();
        let path = names::segment(&scene.log, 1);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("m 4", "n 4", 1)).unwrap();
        assert!(!has(&scene, 1), "the last line is another");
        std::fs::write(&path, text.replacen("m 1", "n 1", 1)).unwrap();
        assert!(!has(&scene, 1), "the first line is another");
        std::fs::write(&path, format!("{text}{text}")).unwrap();
        assert!(!has(&scene, 1), "it is longer");
        std::fs::write(&path, &text).unwrap();
        assert!(has(&scene, 1));
        std::fs::write(names::offset(&scene.log, target().id()), "{").unwrap();
        assert!(!has(&scene, 1), "the offset file is damaged");
        std::fs::write(&path, "").unwrap();
        assert!(has(&scene, 1), "there is nothing in it");
    }
}
