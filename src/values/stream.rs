//! Streams: a log of entries, with groups of consumers.
//!
//! <https://redis.io/docs/latest/develop/data-types/streams/>

use super::{Aggregate, Entry, Object, Type};
use crate::structures::table::Payload;

/// Streams: a log of entries, with groups of consumers.
#[derive(Debug, Clone, Default)]
pub struct Stream {}

impl Stream {
    /// An empty one.
    pub fn new() -> Stream {
        Stream {}
    }

    pub fn is_empty(&self) -> bool {
        true
    }

    /// Bytes held from the allocator. O(1).
    pub fn heap_bytes(&self) -> usize {
        0
    }
}

impl Aggregate for Stream {
    const TYPE: Type = Type::Stream;

    fn of(object: &mut Object) -> Option<&mut Stream> {
        match object {
            Object::Stream(value) => Some(value),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Stream(self)
    }
}

impl<'a> Entry<'a> {
    /// The value, if it is a stream.
    #[inline]
    pub fn stream(&self) -> Option<&'a Stream> {
        match self.view().payload() {
            Payload::Boxed(Object::Stream(value)) => Some(value),
            _ => None,
        }
    }
}
