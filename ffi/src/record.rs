//! Records as C has them.

use lb_core::logger::TagList;
use lb_core::record::{Level, TagValue};

use crate::text::{bytes, lb_str};

/// Level TRACE.
pub const LB_LEVEL_TRACE: i32 = 1;
/// Level DEBUG.
pub const LB_LEVEL_DEBUG: i32 = 2;
/// Level INFO.
pub const LB_LEVEL_INFO: i32 = 3;
/// Level WARNING.
pub const LB_LEVEL_WARNING: i32 = 4;
/// Level ERROR.
pub const LB_LEVEL_ERROR: i32 = 5;
/// Level CRITICAL.
pub const LB_LEVEL_CRITICAL: i32 = 6;

/// The value is `value.string`: any bytes.
pub const LB_TAG_STRING: i32 = 1;
/// The value is `value.integer`.
pub const LB_TAG_INTEGER: i32 = 2;
/// The value is `value.unsigned_integer`.
pub const LB_TAG_UNSIGNED: i32 = 3;
/// The value is `value.number`; NaN and infinities become null and are counted.
pub const LB_TAG_NUMBER: i32 = 4;
/// The value is `value.boolean`.
pub const LB_TAG_BOOLEAN: i32 = 5;
/// The value is null; `value` is not read.
pub const LB_TAG_NULL: i32 = 6;

/// The context of the logger itself: its configuration.
pub const LB_CONTEXT_DEFAULT: u32 = 0;
/// No context: a record with it is always rejected and counted. For callers who find that a
/// record's own identity is impossible.
pub const LB_CONTEXT_INVALID: u32 = 0xFFFF_FFFF;

/// The value of a tag; `type` of the tag says which member counts.
#[repr(C)]
#[derive(Clone, Copy)]
pub union lb_tag_value {
    /// LB_TAG_STRING.
    pub string: lb_str,
    /// LB_TAG_INTEGER.
    pub integer: i64,
    /// LB_TAG_UNSIGNED.
    pub unsigned_integer: u64,
    /// LB_TAG_NUMBER.
    pub number: f64,
    /// LB_TAG_BOOLEAN.
    pub boolean: bool,
}

/// A name and a value. Of equal names in a record the last wins.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lb_tag {
    /// Any bytes, at most 16777215.
    pub key: lb_str,
    /// LB_TAG_STRING, LB_TAG_INTEGER, …
    pub r#type: i32,
    /// The value.
    pub value: lb_tag_value,
}

/// One record, borrowed for the call. Set it to zero, then fill in what it has.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lb_record {
    /// sizeof(lb_record), so that the structure may grow.
    pub struct_size: usize,
    /// From lb_logger_context; 0 for the logger's own.
    pub context: u32,
    /// LB_LEVEL_TRACE … LB_LEVEL_CRITICAL.
    pub level: i32,
    /// Nanoseconds since 1970, UTC, which are left as they are; 0 for now. Two records of a thread
    /// that come without a time never have the same.
    pub timestamp_ns: i64,
    /// The text: any bytes.
    pub message: lb_str,
    /// `tag_count` tags; may be NULL when that is 0.
    pub tags: *const lb_tag,
    /// Number of tags.
    pub tag_count: usize,
}

/// A record whose pointers were checked.
pub(crate) struct Checked<'a> {
    pub(crate) level: Level,
    pub(crate) message: &'a [u8],
    pub(crate) tags: Tags<'a>,
}

impl lb_record {
    /// Checks everything that can be checked. The text says what is wrong.
    ///
    /// # Safety
    /// All pointers must be NULL or lead to what their lengths say, unchanged for `'a`.
    #[inline]
    pub(crate) unsafe fn check(&self) -> Result<Checked<'_>, &'static str> {
        if self.struct_size < size_of::<Self>() {
            return Err("struct_size must be sizeof(lb_record)");
        }
        let level = u8::try_from(self.level)
            .ok()
            .and_then(Level::from_number)
            .ok_or("level must be LB_LEVEL_TRACE (1) to LB_LEVEL_CRITICAL (6)")?;
        // SAFETY: the caller's promise.
        let message = unsafe { bytes(self.message.data.cast(), self.message.len) }
            .ok_or("the message is NULL but has a length")?;
        let tags = if self.tag_count == 0 {
            &[]
        } else if self.tags.is_null() || self.tag_count > MAX_TAGS {
            return Err("tags is NULL or tag_count is impossible");
        } else {
            // SAFETY: not NULL; the rest is the caller's promise.
            unsafe { std::slice::from_raw_parts(self.tags, self.tag_count) }
        };
        for tag in tags {
            // SAFETY: the caller's promise.
            if unsafe { read(tag) }.is_none() {
                return Err("a tag has an unknown type, or a NULL string with a length");
            }
        }
        Ok(Checked { level, message, tags: Tags(tags) })
    }
}

/// More tags than this can only be a mistake: they would not fit any record.
const MAX_TAGS: usize = 1 << 24;

/// Tags of a [`Checked`] record.
#[derive(Clone, Copy)]
pub(crate) struct Tags<'a>(&'a [lb_tag]);

impl TagList for Tags<'_> {
    #[inline]
    fn visit(&self, each: &mut dyn FnMut(&[u8], TagValue<'_>) -> bool) {
        for tag in self.0 {
            // SAFETY: only made by `check`, whose caller promised for as long as the borrow.
            if let Some((key, value)) = unsafe { read(tag) }
                && !each(key, value)
            {
                return;
            }
        }
    }
}

/// # Safety
/// The tag's pointers must be NULL or lead to what their lengths say, unchanged for `'a`.
#[inline]
unsafe fn read(tag: &lb_tag) -> Option<(&[u8], TagValue<'_>)> {
    // SAFETY: the caller's promise; which member of the union counts is said by the type, and
    // any bits are valid for each (the boolean is read as a byte).
    unsafe {
        let value = match tag.r#type {
            LB_TAG_STRING => {
                let text = tag.value.string;
                TagValue::String(bytes(text.data.cast(), text.len)?)
            }
            LB_TAG_INTEGER => TagValue::Integer(tag.value.integer),
            LB_TAG_UNSIGNED => TagValue::Unsigned(tag.value.unsigned_integer),
            LB_TAG_NUMBER => TagValue::Number(tag.value.number),
            LB_TAG_BOOLEAN => {
                TagValue::Boolean((&raw const tag.value.boolean).cast::<u8>().read() != 0)
            }
            LB_TAG_NULL => TagValue::Null,
            _ => return None,
        };
        Some((bytes(tag.key.data.cast(), tag.key.len)?, value))
    }
}
