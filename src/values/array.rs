//! Arrays: values at 64-bit indices.
//!
//! <https://redis.io/docs/latest/develop/data-types/arrays/>

use super::{Aggregate, Entry, Object, Type};
use crate::structures::table::Payload;

/// Arrays: values at 64-bit indices.
#[derive(Debug, Clone, Default)]
pub struct Array {}

impl Array {
    /// An empty one.
    pub fn new() -> Array {
        Array {}
    }

    pub fn is_empty(&self) -> bool {
        true
    }

    /// Bytes held from the allocator. O(1).
    pub fn heap_bytes(&self) -> usize {
        0
    }
}

impl Aggregate for Array {
    const TYPE: Type = Type::Array;

    fn of(object: &mut Object) -> Option<&mut Array> {
        match object {
            Object::Array(value) => Some(value),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Array(self)
    }
}

impl<'a> Entry<'a> {
    /// The value, if it is an array.
    #[inline]
    pub fn array(&self) -> Option<&'a Array> {
        match self.view().payload() {
            Payload::Boxed(Object::Array(value)) => Some(value),
            _ => None,
        }
    }
}
