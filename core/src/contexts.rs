//! The contexts of an open logger: each gets an id, and is stored where a stranger finds it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::encode::EncodedContext;
use crate::error::{Error, Result};
use crate::record::Context;
use crate::ring::RingFile;

/// The context of records whose own identity is impossible: always refused and counted.
pub(crate) const INVALID: u32 = u32::MAX;

/// How many contexts a logger can have.
const MAX_CONTEXTS: u32 = 65_536;

/// Most bytes of a context's JSON: it must fit a frame beside its record.
const MAX_JSON: usize = 16 * 1024;

/// Contexts by id. Ids below `stored` are in the ring file; the others travel in frames.
#[derive(Default)]
pub(crate) struct Contexts {
    count: AtomicU32,
    stored: AtomicU32,
    ids: Mutex<HashMap<Box<[u8]>, u32>>,
    inlined: Table,
}

/// What frames carry of contexts, by id. Looking one up takes no lock: a signal handler may have
/// interrupted the thread that adds one, and a child may be forked meanwhile.
struct Table([OnceLock<Box<Page>>; PAGES]);

type Page = [OnceLock<Box<[u8]>>; PAGE];

const PAGE: usize = 256;
const PAGES: usize = MAX_CONTEXTS as usize / PAGE;

impl Default for Table {
    fn default() -> Self {
        Self([const { OnceLock::new() }; PAGES])
    }
}

impl Table {
    fn get(&self, id: u32) -> Option<&[u8]> {
        let id = id as usize;
        self.0.get(id / PAGE)?.get()?[id % PAGE].get().map(|json| &**json)
    }

    /// Not to be called by two threads at once.
    fn set(&self, id: u32, json: &[u8]) {
        let id = id as usize;
        let page = self.0[id / PAGE].get_or_init(|| Box::new([const { OnceLock::new() }; PAGE]));
        let _ = page[id % PAGE].set(json.into());
    }
}

impl Contexts {
    /// The id of a context; equal ones have equal ids.
    pub(crate) fn add(
        &self,
        context: &Context,
        rings: &RingFile,
        max_record_bytes: usize,
    ) -> Result<u32> {
        let json = serde_json::to_vec(context)
            .map_err(|error| Error::Rejected(format!("the context cannot be stored: {error}")))?;
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = ids.get(json.as_slice()) {
            return Ok(*id);
        }
        let overhead = EncodedContext::new(context).overhead();
        if json.len() > MAX_JSON || overhead > max_record_bytes / 2 {
            return Err(Error::Rejected(format!(
                "the context takes {overhead} bytes of each line: at most half of max_record_bytes \
                 ({max_record_bytes}) and {MAX_JSON} bytes are allowed; shorten its fields or tags"
            )));
        }
        let id = self.count.load(Ordering::Relaxed);
        if id >= MAX_CONTEXTS {
            return Err(Error::Limit(format!(
                "a logger has at most {MAX_CONTEXTS} contexts: put what varies into tags"
            )));
        }
        if self.stored.load(Ordering::Relaxed) == id && rings.store_context(id, &json) {
            self.stored.store(id + 1, Ordering::Release);
        } else {
            self.inlined.set(id, &json);
        }
        ids.insert(json.into_boxed_slice(), id);
        self.count.store(id + 1, Ordering::Release);
        Ok(id)
    }

    /// All contexts, in the order of their ids, as their JSON. Takes no lock: another thread could
    /// have held it while this process was forked from it.
    pub(crate) fn all(&self, rings: &RingFile) -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = rings.contexts().into_iter().map(|(_, json)| json).collect();
        let first = self.stored.load(Ordering::Acquire);
        let behind = (first..).map_while(|id| self.inlined.get(id));
        all.extend(behind.map(<[u8]>::to_vec));
        all
    }

    /// Whether frames may refer to a context by its id alone.
    #[inline]
    pub(crate) fn is_stored(&self, id: u32) -> bool {
        id < self.stored.load(Ordering::Acquire)
    }

    /// What frames carry of a context that is not stored; `None` for an id that was never given
    /// out.
    #[cold]
    pub(crate) fn inlined(&self, id: u32) -> Option<&[u8]> {
        self.inlined.get(id)
    }
}
