//! Reading a snapshot, piece by piece: every version that Redis has written, and what else uses the same numbers.
//!
//! A version says nothing but which numbers a writer knew, so a newer file is read as long as every number in it is known.
//! Valkey 9 and newer give some numbers another meaning, and say `VALKEY080` instead of `REDIS0012`.

use super::{
    AUX, Attributes, CHECKSUM_LEN, DATABASE, END, EXPIRE_MS, EXPIRE_SECONDS, FREQUENCY, HEADER_LEN,
    IDLE, Item, KEY_META, MAGIC, MODULE_AUX, SIZES, SLOT_INFO, TEMPLATE, Usage, VALKEY_MAGIC,
};
use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::crc64::Crc64;
use crate::algorithms::num::{parse_u64, write_u64};
use crate::formats::objects::Templates;
use crate::formats::rdb::{self, Cursor, ReadError};
use crate::formats::{functions, module, objects};
use crate::values::Limits;

/// Why a file is not a snapshot this engine can load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// Bytes from the start of the file to the item in question.
    pub offset_bytes: u64,
    pub problem: Problem,
    /// The beginning of the key whose value is in question.
    pub key: Option<Box<[u8]>>,
}

/// So much of a key is shown.
const SHOWN_KEY_BYTES: usize = 128;

/// What is wrong at that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It does not start like a snapshot.
    NotASnapshot,
    /// No such version can be.
    Version(u64),
    /// It ends too early.
    Truncated,
    /// Something goes on behind the end.
    Trailing,
    /// The checksum is of other bytes.
    Checksum,
    /// A part says something impossible.
    Corrupt(&'static str),
    /// A value of a type this engine does not have.
    Type(u8),
    /// A value of a module's type with this id.
    Module(u64),
    /// Other data that the module with this type has left.
    ModuleAux(u64),
    /// What modules note about a key.
    KeyMeta,
    /// The receiver stopped.
    Refused(&'static str),
}

impl LoadError {
    /// The error as a sentence, in ASCII.
    pub fn message(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let number = |out: &mut Vec<u8>, value: u64| write_u64(out, value);
        let text: &[u8] = match self.problem {
            Problem::NotASnapshot => b"not a snapshot: wrong signature",
            Problem::Version(version) => {
                out.put(b"unsupported snapshot version ");
                number(&mut out, version);
                b""
            }
            Problem::Truncated => b"the snapshot is truncated",
            Problem::Trailing => b"unexpected data behind the end of the snapshot",
            Problem::Checksum => b"the snapshot's checksum is wrong",
            Problem::Corrupt(what) => {
                out.put(b"the snapshot is corrupt: ");
                what.as_bytes()
            }
            Problem::Type(kind) => {
                out.put(b"the snapshot has a value of unsupported type ");
                number(&mut out, kind as u64);
                if let Some(name) = rdb::type_name(kind) {
                    out.put(b" (");
                    out.put(name.as_bytes());
                    out.push(b')');
                }
                b""
            }
            Problem::Module(id) => {
                out.put(b"the snapshot has a value of the module type ");
                out.put(&module::name(id));
                b", which cannot be loaded"
            }
            Problem::ModuleAux(id) => {
                out.put(b"the snapshot has data of the module with the type ");
                out.put(&module::name(id));
                b", which cannot be loaded"
            }
            Problem::KeyMeta => {
                b"the snapshot has what modules note about keys, which cannot be loaded"
            }
            Problem::Refused(why) => why.as_bytes(),
        };
        out.put(text);
        if let Some(key) = &self.key {
            out.put(b", key ");
            quote(&mut out, key);
        }
        out.put(b", at byte ");
        number(&mut out, self.offset_bytes);
        out
    }
}

/// Appends text in double quotes, as ASCII.
fn quote(out: &mut Vec<u8>, text: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.put(&[b'\\', byte]),
            b' '..=b'~' => out.push(byte),
            _ => {
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
                out.put(&[b'\\', b'x', DIGITS[high], DIGITS[low]]);
            }
        }
    }
    out.push(b'"');
}

/// An item of which there is so much is not looked at anew with every piece.
const LONG_ITEM_BYTES: usize = 1 << 18;

/// What becomes of the data of modules, none of which is here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Modules {
    /// A file with such data is refused.
    #[default]
    Refuse,
    /// It is left out, and counted. Values written before Redis 4.0 do not tell where they end: those are refused.
    Skip,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Header,
    Items,
    Checksum,
    Done,
}

/// Reads a snapshot in pieces.
pub struct Reader {
    limits: Limits,
    modules: Modules,
    stage: Stage,
    version: u64,
    is_valkey: bool,
    templates: Templates,
    skipped: u64,
    /// Something else may stand behind the snapshot.
    keeps_rest: bool,
    /// What was given and does not form a whole item yet.
    pending: Vec<u8>,
    /// Not before there is so much of it is it worth another look.
    due_bytes: usize,
    /// Where `pending` starts in the file.
    offset_bytes: u64,
    checksum: Crc64,
    attributes: Attributes,
    /// The first problem; nothing is read behind it.
    failed: Option<LoadError>,
}

impl Reader {
    /// A reader at the start of a file; the limits decide on the encodings of what it reads.
    pub fn new(limits: Limits, modules: Modules) -> Reader {
        Reader {
            limits,
            modules,
            stage: Stage::Header,
            version: 0,
            is_valkey: false,
            templates: Templates::default(),
            skipped: 0,
            keeps_rest: false,
            pending: Vec::new(),
            due_bytes: 0,
            offset_bytes: 0,
            checksum: Crc64::new(),
            attributes: Attributes::default(),
            failed: None,
        }
    }

    /// How many values of modules, and other notes of theirs, were left out.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Takes the next piece and gives every item that is complete to `receive`, which may stop the load with a reason.
    /// O(length); a piece that ends inside a long item is kept until the rest comes, and a very long one is looked at
    /// only now and then. No bytes at all mean that there are no more: everything is looked at.
    pub fn feed(
        &mut self,
        piece: &[u8],
        mut receive: impl FnMut(Item<'_>) -> Result<(), &'static str>,
    ) -> Result<(), LoadError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        // Items are read out of the piece itself unless the last one left something over.
        let mut joined = core::mem::take(&mut self.pending);
        if !piece.is_empty() && joined.len() + piece.len() < self.due_bytes {
            joined.put(piece);
            self.pending = joined;
            return Ok(());
        }
        let bytes = if joined.is_empty() {
            piece
        } else {
            joined.put(piece);
            joined.as_slice()
        };
        let used = self
            .read(bytes, &mut receive)
            .inspect_err(|error| self.failed = Some(error.clone()))?;
        if joined.is_empty() {
            self.pending = piece.get(used..).unwrap_or_default().owned();
        } else {
            joined.drain(..used);
            self.pending = joined;
        }
        // Each look begins at the item's start: with looks at every half more, all of them take three times the last.
        self.due_bytes = match self.pending.len() {
            ..LONG_ITEM_BYTES => 0,
            length => length + length / 2,
        };
        Ok(())
    }

    /// Lets something else stand behind the snapshot: see [`Reader::take_rest`].
    pub fn keep_rest(&mut self) {
        self.keeps_rest = true;
    }

    /// What stood behind the snapshot so far, once that has come to its end.
    pub fn take_rest(&mut self) -> Option<Vec<u8>> {
        matches!(self.stage, Stage::Done).then(|| core::mem::take(&mut self.pending))
    }

    /// Says that the file ends here, after [`Reader::feed`] was given no bytes. Only now is it known to be whole.
    pub fn finish(self) -> Result<(), LoadError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let problem = match self.stage {
            Stage::Done => return Ok(()),
            Stage::Header if !is_beginning(&self.pending) => Problem::NotASnapshot,
            _ => Problem::Truncated,
        };
        Err(LoadError {
            offset_bytes: self.offset_bytes,
            problem,
            key: None,
        })
    }

    /// Reads items until the bytes end, and says how many were used.
    fn read(
        &mut self,
        bytes: &[u8],
        receive: &mut impl FnMut(Item<'_>) -> Result<(), &'static str>,
    ) -> Result<usize, LoadError> {
        let mut cursor = Cursor::new(bytes);
        let mut summed = 0;
        loop {
            let before = cursor;
            let start = bytes.len() - before.rest().len();
            if self.stage != Stage::Items {
                self.sum(bytes.get(summed..start));
                summed = start;
            }
            let result = match self.stage {
                Stage::Header => self.header(&mut cursor),
                Stage::Items => self.item(&mut cursor, receive),
                Stage::Checksum => self.compare(&mut cursor),
                Stage::Done if cursor.rest().is_empty() || self.keeps_rest => {
                    return Ok(bytes.len() - cursor.rest().len());
                }
                Stage::Done => Err(Stop::Problem(Problem::Trailing)),
            };
            match result {
                Ok(()) => {
                    let end = bytes.len() - cursor.rest().len();
                    self.offset_bytes += (end - start) as u64;
                }
                Err(Stop::Incomplete) => {
                    self.sum(bytes.get(summed..start));
                    return Ok(start);
                }
                Err(Stop::Problem(problem)) => {
                    return Err(LoadError {
                        offset_bytes: self.offset_bytes,
                        problem,
                        key: self.key_at(before),
                    });
                }
            }
        }
    }

    /// Adds bytes to the checksum: those of many short items at once.
    fn sum(&mut self, bytes: Option<&[u8]>) {
        self.checksum.update(bytes.unwrap_or_default());
    }

    fn header(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let header = cursor.array::<HEADER_LEN>()?;
        let is_valkey = header.starts_with(VALKEY_MAGIC);
        let digits = match is_valkey {
            true => header.strip_prefix(VALKEY_MAGIC),
            false => header.strip_prefix(MAGIC),
        };
        let digits = digits.ok_or(Stop::Problem(Problem::NotASnapshot))?;
        let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
        let version = digits.get(zeros..).and_then(parse_u64).unwrap_or(0);
        if version == 0 {
            return Err(Stop::Problem(Problem::Version(version)));
        }
        self.version = version;
        self.is_valkey = is_valkey;
        self.stage = Stage::Items;
        Ok(())
    }

    /// The beginning of the key of the item at this place, if it has one.
    fn key_at(&self, mut cursor: Cursor<'_>) -> Option<Box<[u8]>> {
        let kind = cursor.byte().ok()?;
        if self.stage != Stage::Items || rdb::type_name(kind).is_none() {
            return None;
        }
        let key = cursor.string().ok()?;
        let shown = key.get(..SHOWN_KEY_BYTES).unwrap_or(&key);
        Some(shown.owned().into_boxed_slice())
    }

    fn item(
        &mut self,
        cursor: &mut Cursor<'_>,
        receive: &mut impl FnMut(Item<'_>) -> Result<(), &'static str>,
    ) -> Result<(), Stop> {
        let item = match cursor.byte()? {
            EXPIRE_MS => {
                self.attributes.expire_ms = Some(i64::from_le_bytes(cursor.array()?));
                return Ok(());
            }
            EXPIRE_SECONDS => {
                let seconds = i32::from_le_bytes(cursor.array()?);
                self.attributes.expire_ms = Some(seconds as i64 * 1000);
                return Ok(());
            }
            IDLE => {
                self.attributes.usage = Some(Usage::IdleSeconds(cursor.length()?));
                return Ok(());
            }
            FREQUENCY => {
                self.attributes.usage = Some(Usage::Frequency(cursor.byte()?));
                return Ok(());
            }
            SLOT_INFO => {
                // Sizes of a cluster's slot: a hint that is of no use here.
                for _ in 0..3 {
                    cursor.length()?;
                }
                return Ok(());
            }
            END => {
                // Files before version 5 have no checksum.
                self.stage = if self.version < 5 {
                    Stage::Done
                } else {
                    Stage::Checksum
                };
                return Ok(());
            }
            TEMPLATE if !self.is_valkey => return Ok(self.templates.read(cursor)?),
            KEY_META if self.is_valkey => return skip_slot_import(cursor),
            KEY_META => return self.key_meta(cursor),
            MODULE_AUX => return self.module_aux(cursor),
            functions::EARLY_LIBRARY => {
                return Err(Stop::Problem(Problem::Corrupt(
                    "a function library in a form that was never released",
                )));
            }
            AUX => Item::Aux {
                name: cursor.string()?,
                value: cursor.string()?,
            },
            functions::LIBRARY => Item::Function {
                code: cursor.string()?,
            },
            DATABASE => Item::Database {
                index: cursor.length()?,
            },
            SIZES => Item::Sizes {
                keys: cursor.length()?,
                expiring: cursor.length()?,
            },
            kind => match self.entry(cursor, kind)? {
                Some(entry) => entry,
                None => return Ok(()),
            },
        };
        receive(item).map_err(|why| Stop::Problem(Problem::Refused(why)))
    }

    /// A key with its value; None when that is left out.
    fn entry<'a>(&mut self, cursor: &mut Cursor<'a>, kind: u8) -> Result<Option<Item<'a>>, Stop> {
        if rdb::type_name(kind).is_none() {
            return Err(Stop::Problem(Problem::Corrupt("an unknown opcode")));
        }
        let key = cursor.string()?;
        if kind == objects::MODULE && self.modules == Modules::Skip {
            cursor.length()?;
            module::skip(cursor)?;
            self.skipped += 1;
            self.attributes = Attributes::default();
            return Ok(None);
        }
        let kind = match self.is_valkey {
            true => objects::of_valkey(kind).ok_or(Stop::Problem(Problem::Type(kind)))?,
            false => kind,
        };
        let value = objects::read(cursor, kind, &self.limits, &self.templates)?;
        Ok(Some(Item::Entry {
            key,
            value,
            attributes: core::mem::take(&mut self.attributes),
        }))
    }

    /// What a module has left besides values: its type's id, when it wants it (a number behind a 2), parts.
    fn module_aux(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let id = cursor.length()?;
        if self.modules == Modules::Refuse {
            return Err(Stop::Problem(Problem::ModuleAux(id)));
        }
        cursor.length()?;
        cursor.length()?;
        module::skip(cursor)?;
        self.skipped += 1;
        Ok(())
    }

    /// What modules note about the key that follows: how many they are, and of each a number of 4 bytes and parts.
    fn key_meta(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        if self.modules == Modules::Refuse {
            return Err(Stop::Problem(Problem::KeyMeta));
        }
        let classes = cursor.length()?;
        for _ in 0..classes {
            cursor.array::<4>()?;
            module::skip(cursor)?;
        }
        self.skipped += classes;
        Ok(())
    }

    fn compare(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let stored = u64::from_le_bytes(cursor.array::<CHECKSUM_LEN>()?);
        if stored != 0 && stored != self.checksum.value() {
            return Err(Stop::Problem(Problem::Checksum));
        }
        self.stage = Stage::Done;
        Ok(())
    }
}

/// Whether bytes that are fewer than a header may become one.
fn is_beginning(bytes: &[u8]) -> bool {
    let starts = |magic: &[u8]| magic.starts_with(bytes.get(..magic.len()).unwrap_or(bytes));
    starts(MAGIC) || starts(VALKEY_MAGIC)
}

/// Where slots of a cluster were on their way to: a job's name, how many ranges, and their ends.
fn skip_slot_import(cursor: &mut Cursor<'_>) -> Result<(), Stop> {
    cursor.skip_string()?;
    for _ in 0..cursor.length()? {
        cursor.length()?;
        cursor.length()?;
    }
    Ok(())
}

/// Why reading an item stops.
enum Stop {
    Incomplete,
    Problem(Problem),
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Stop {
        match error {
            ReadError::Incomplete => Stop::Incomplete,
            ReadError::Corrupt(what) => Stop::Problem(Problem::Corrupt(what)),
            ReadError::UnknownType(kind) => Stop::Problem(Problem::Type(kind)),
            ReadError::Module(id) => Stop::Problem(Problem::Module(id)),
        }
    }
}
