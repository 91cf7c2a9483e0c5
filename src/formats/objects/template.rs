//! Hashes that share the names of their fields (Redis 8.10): names once, as a template, then values in the same order.
//!
//! ```text
//!   a template in a file: id, count, names
//!   29: names in one of two forms, listpack of an id that does not matter and values
//!   30: listpack of a template's id and values
//!   31: names in one of two forms, values
//!   32: a template's id, values
//!   names: 0, a listpack | 1, count, names
//! ```
//!
//! Numbers are lengths, the rest is strings. Types 29 and 31 are for DUMP, 30 and 32 for files.

use super::super::rdb::{Cursor, ReadError};
use crate::structures::listpack::Listpack;
use crate::values::Limits;
use crate::values::hash::{Hash, Life};

const PACKED: u8 = 29;
const PACKED_REFERENCE: u8 = 30;
const VALUES: u8 = 31;

const NAMES_PACKED: u64 = 0;
const NAMES_PLAIN: u64 = 1;

const BAD: ReadError = ReadError::Corrupt("a hash does not fit its template");

type Names = Vec<Vec<u8>>;

/// The templates of a file.
#[derive(Default)]
pub struct Templates {
    known: Vec<(u64, Names)>,
}

impl Templates {
    /// Reads one.
    ///
    /// # Errors
    /// When the bytes end too early or its id is taken.
    pub fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ReadError> {
        let id = cursor.length()?;
        let names = plain_names(cursor)?;
        if names.is_empty() || self.find(id).is_some() {
            return Err(ReadError::Corrupt("a template of hashes is empty or known"));
        }
        self.known.push((id, names));
        Ok(())
    }

    fn find(&self, id: u64) -> Option<&Names> {
        let mut known = self.known.iter();
        known
            .find(|(other, _)| *other == id)
            .map(|(_, names)| names)
    }
}

fn plain_names(cursor: &mut Cursor<'_>) -> Result<Names, ReadError> {
    let mut names = Names::new();
    for _ in 0..cursor.length()? {
        names.push(cursor.string()?.into_owned());
    }
    Ok(names)
}

fn names(cursor: &mut Cursor<'_>) -> Result<Names, ReadError> {
    match cursor.length()? {
        NAMES_PACKED => {
            let pack = Listpack::checked(cursor.string()?.into_owned()).ok_or(BAD)?;
            Ok(pack.view().iter().map(|(_, item)| item.to_vec()).collect())
        }
        NAMES_PLAIN => plain_names(cursor),
        _ => Err(BAD),
    }
}

pub(super) fn read(
    cursor: &mut Cursor<'_>,
    type_byte: u8,
    limits: &Limits,
    templates: &Templates,
) -> Result<Hash, ReadError> {
    let own;
    let mut names = match type_byte {
        PACKED | VALUES => {
            own = names(cursor)?;
            Some(&own)
        }
        _ => None,
    };
    let mut hash = Hash::new();
    if matches!(type_byte, PACKED | PACKED_REFERENCE) {
        let pack = Listpack::checked(cursor.string()?.into_owned()).ok_or(BAD)?;
        let mut items = pack.view().iter().map(|(_, item)| item);
        let id = items.next().and_then(|item| item.integer()).ok_or(BAD)?;
        if type_byte == PACKED_REFERENCE {
            names = templates.find(id as u64);
        }
        let names = names.ok_or(BAD)?;
        if pack.len() != names.len() + 1 {
            return Err(BAD);
        }
        for (name, value) in names.iter().zip(items) {
            add(&mut hash, name, &value.text(), limits)?;
        }
    } else {
        if type_byte != VALUES {
            names = templates.find(cursor.length()?);
        }
        for name in names.ok_or(BAD)? {
            add(&mut hash, name, &cursor.string()?, limits)?;
        }
    }
    match hash.is_empty() {
        true => Err(BAD),
        false => Ok(hash),
    }
}

fn add(hash: &mut Hash, name: &[u8], value: &[u8], limits: &Limits) -> Result<(), ReadError> {
    let is_new = hash.set(name, value, Life::Clear, limits);
    is_new.then_some(()).ok_or(BAD)
}
