//! What was made of the beginnings of texts, found again by those bytes.

/// Most beginnings that are remembered.
const MOST: usize = 64;

/// A small memory of beginnings. The one that was asked for last is looked at first.
#[derive(Debug)]
pub(super) struct Recent<T> {
    known: Vec<(Box<[u8]>, T)>,
}

impl<T> Recent<T> {
    pub(super) const fn new() -> Self {
        Self { known: Vec::new() }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// What was made of the beginning of this text, and how many bytes the beginning has.
    pub(super) fn find(&mut self, text: &[u8]) -> Option<(&mut T, usize)> {
        let at = self.known.iter().position(|(start, _)| text.starts_with(start))?;
        // One step forward for each hit: the frequent ones come together in front.
        let to = at.saturating_sub(1);
        self.known.swap(at, to);
        let (start, made) = &mut self.known[to];
        Some((made, start.len()))
    }

    /// Remembers what was made of the first bytes of this text.
    pub(super) fn add(&mut self, text: &[u8], (made, length): (T, usize)) -> (&mut T, usize) {
        self.known.truncate(MOST - 1);
        self.known.push((text[..length].into(), made));
        let at = self.known.len() - 1;
        (&mut self.known[at].1, length)
    }
}
