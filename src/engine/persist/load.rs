//! Loading: an RDB file replaces the data set.
//!
//! Nothing of a file that is damaged gets in: it is read whole into databases of its own, which replace the old ones at
//! the end.

use super::super::Engine;
use crate::formats::objects::Loaded;
use crate::formats::snapshot::{Item, LoadError, Modules, Reader, Usage};
use crate::keyspace::{Fresh, Keyspace};
use crate::resp::Error;
use crate::state::functions::Functions;
use crate::state::{Hindrance, LoadReport};
use crate::structures::table::Lookup;
use crate::values::{Entry, string};

/// A file's word is taken for so many keys altogether: some four to eight megabytes of index.
const MOST_RESERVED: usize = 1 << 19;

/// Where a load stands.
pub(super) struct Loader {
    reader: Reader,
    fresh: Fresh,
    functions: Functions,
    /// Why a library cannot be loaded.
    problem: Option<Error>,
    db: usize,
    /// For how many more keys room may be made before they come.
    room: usize,
    now_ms: i64,
    done: LoadReport,
}

impl Engine {
    /// Starts loading a snapshot.
    pub fn begin_load(&mut self, modules: Modules) {
        self.keys.begin(0, self.now_ms, false);
        self.transfer.loaded_bytes = 0;
        self.transfer.loader = Some(Loader {
            reader: Reader::new(self.keys.limits.clone(), modules),
            fresh: self.keys.fresh(),
            functions: self.server.functions.fresh(),
            problem: None,
            db: 0,
            room: MOST_RESERVED,
            now_ms: self.keys.now_ms(),
            done: LoadReport::default(),
        });
    }

    /// Takes the next bytes of the snapshot. Keys that have expired by now are left out.
    ///
    /// # Errors
    /// What is wrong with them; the load is over then and the data set as it was.
    pub fn load_chunk(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(mut loader) = self.transfer.loader.take() else {
            return Err(no_load());
        };
        self.transfer.loaded_bytes += bytes.len() as u64;
        let Loader {
            reader,
            fresh,
            functions,
            problem,
            db,
            room,
            now_ms,
            done,
        } = &mut loader;
        let keys = &self.keys;
        let fed = reader.feed(bytes, |item| match item {
            Item::Function { code } => functions.add(&code).map_err(|error| {
                *problem = Some(error);
                "a function library does not load"
            }),
            item => receive(item, fresh, db, room, *now_ms, keys, done),
        });
        fed.map_err(|error| match problem {
            Some(problem) => Error::concat(&[refused(error).text(), b": ", problem.text()]),
            None => refused(error),
        })?;
        self.transfer.loader = Some(loader);
        Ok(())
    }

    /// Starts loading the RDB part of an append-only file, in which everything lives that its commands may prolong.
    pub(super) fn begin_preamble(&mut self) {
        self.begin_load(Modules::Refuse);
        if let Some(loader) = &mut self.transfer.loader {
            loader.reader.keep_rest();
        }
    }

    /// Takes the next bytes of it. With its end the data set is replaced; what stands behind it comes back.
    ///
    /// # Errors
    /// As for [`Engine::load_chunk`].
    pub(super) fn load_preamble(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.load_chunk(bytes)?;
        let loader = self.transfer.loader.as_mut();
        let Some(rest) = loader.and_then(|loader| loader.reader.take_rest()) else {
            return Ok(None);
        };
        // It counts as part of its file.
        self.transfer.loaded_bytes = 0;
        self.end_load()?;
        Ok(Some(rest))
    }

    /// Puts the loaded data set in the place of the present one.
    ///
    /// # Errors
    /// When the snapshot is not complete or its checksum is wrong; the data set stays as it was.
    pub fn end_load(&mut self) -> Result<(), Error> {
        self.load_chunk(&[])?;
        let mut loader = self.transfer.loader.take().ok_or_else(no_load)?;
        loader.done.skipped = loader.reader.skipped();
        loader.reader.finish().map_err(refused)?;
        self.keys.replace(loader.fresh);
        self.server.functions = loader.functions;
        self.server.last_load = loader.done;
        if self.server.hindrance == Hindrance::Loading {
            // The base of an append-only file.
            self.server.aof.count_loaded(self.transfer.loaded_bytes);
        }
        Ok(())
    }

    /// The same for a file that somebody brings: it counts as a change, which is not stored yet.
    ///
    /// # Errors
    /// As [`Engine::end_load`].
    pub fn end_import(&mut self) -> Result<(), Error> {
        self.end_load()?;
        self.keys.dirty += 1;
        Ok(())
    }

    /// What the last load did.
    pub fn last_load(&self) -> LoadReport {
        self.server.last_load
    }
}

/// Stores one item of a snapshot.
fn receive(
    item: Item<'_>,
    fresh: &mut Fresh,
    db: &mut usize,
    room: &mut usize,
    now_ms: i64,
    keys: &Keyspace,
    done: &mut LoadReport,
) -> Result<(), &'static str> {
    match item {
        Item::Database { index } => {
            *db = usize::try_from(index)
                .ok()
                .filter(|index| *index < fresh.dbs.len())
                .ok_or("more databases than `databases` allows")?;
        }
        Item::Entry {
            key,
            value,
            attributes,
        } => {
            if attributes
                .expire_ms
                .is_some_and(|expire_ms| expire_ms < now_ms)
            {
                done.expired += 1;
                return Ok(());
            }
            let table = fresh.dbs.get_mut(*db).ok_or("no such database")?;
            let expiry_ms = attributes.expire_ms;
            let mut bytes = Vec::new();
            let text;
            let (kind, content) = match value {
                Loaded::String(whole) => {
                    text = whole;
                    string::brought(key.len(), &text, expiry_ms)
                }
                Loaded::Object(object) => object.into_content(&mut bytes),
            };
            let Lookup::Vacant(place) = table.lookup(&key) else {
                return Err("a key is there twice");
            };
            let entry = place.insert(kind, content, expiry_ms);
            let (idle_s, frequency) = match attributes.usage {
                Some(Usage::IdleSeconds(idle_s)) => (i64::try_from(idle_s).ok(), None),
                Some(Usage::Frequency(frequency)) => (None, Some(frequency)),
                None => (None, None),
            };
            keys.start_usage(&entry.view(), idle_s, frequency);
            let stored = Entry::new(entry.view());
            let object_bytes = stored.memory_bytes() - stored.view().memory_bytes();
            let deadline_ms = stored.field_deadline_ms();
            fresh.gained(*db, &key, object_bytes, deadline_ms);
            done.keys += 1;
        }
        Item::Sizes { keys: count, .. } => {
            // A damaged file may say anything.
            let count = usize::try_from(count).unwrap_or(usize::MAX).min(*room);
            if let Some(table) = fresh.dbs.get_mut(*db) {
                table.reserve(count);
                *room -= count;
            }
        }
        Item::Aux { .. } | Item::Function { .. } => {}
    }
    Ok(())
}

fn refused(error: LoadError) -> Error {
    Error::concat(&[b"ERR ", &error.message()])
}

fn no_load() -> Error {
    Error::new("ERR no load was begun")
}
