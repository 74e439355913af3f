//! The contexts of an open logger: each gets an id, and is stored where a stranger finds it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

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
    inlined: RwLock<HashMap<u32, Arc<[u8]>>>,
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
            let mut inlined = self.inlined.write().unwrap_or_else(PoisonError::into_inner);
            inlined.insert(id, json.as_slice().into());
        }
        ids.insert(json.into_boxed_slice(), id);
        self.count.store(id + 1, Ordering::Release);
        Ok(id)
    }

    /// All contexts, in the order of their ids, as their JSON. Takes no lock that another thread
    /// could have held while this process was forked from it: what is not to be had then is left
    /// out, and what comes behind it too.
    pub(crate) fn all(&self, rings: &RingFile) -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = rings.contexts().into_iter().map(|(_, json)| json).collect();
        if let Ok(inlined) = self.inlined.try_read() {
            let first = self.stored.load(Ordering::Acquire);
            let behind = (first..).map_while(|id| inlined.get(&id));
            all.extend(behind.map(|json| json.to_vec()));
        }
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
    pub(crate) fn inlined(&self, id: u32) -> Option<Arc<[u8]>> {
        let inlined = self.inlined.read().unwrap_or_else(PoisonError::into_inner);
        inlined.get(&id).cloned()
    }
}
