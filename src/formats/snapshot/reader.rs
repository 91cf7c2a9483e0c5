//! Reading a snapshot, piece by piece.

use super::{
    AUX, Attributes, CHECKSUM_LEN, DATABASE, END, EXPIRE_MS, EXPIRE_SECONDS, FREQUENCY, HEADER_LEN,
    IDLE, Item, MAGIC, MODULE_AUX, SIZES, SLOT_INFO, Usage,
};
use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::crc64::Crc64;
use crate::algorithms::num::{parse_u64, write_u64};
use crate::formats::rdb::{self, Cursor, ReadError};
use crate::formats::{functions, objects};
use crate::values::Limits;

/// Why a file is not a snapshot this engine can load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// Bytes from the start of the file to the item in question.
    pub offset_bytes: u64,
    pub problem: Problem,
}

/// What is wrong at that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It does not start like a snapshot.
    NotASnapshot,
    /// It is of a version this engine does not read.
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
    /// Data of a module.
    Module,
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
            Problem::Module => b"the snapshot has module data, which is not supported",
            Problem::Refused(why) => why.as_bytes(),
        };
        out.put(text);
        out.put(b", at byte ");
        number(&mut out, self.offset_bytes);
        out
    }
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
    stage: Stage,
    version: u64,
    /// What was given and does not form a whole item yet.
    pending: Vec<u8>,
    /// Where `pending` starts in the file.
    offset_bytes: u64,
    checksum: Crc64,
    attributes: Attributes,
    /// The first problem; nothing is read behind it.
    failed: Option<LoadError>,
}

impl Reader {
    /// A reader at the start of a file; the limits decide on the encodings of what it reads.
    pub fn new(limits: Limits) -> Reader {
        Reader {
            limits,
            stage: Stage::Header,
            version: 0,
            pending: Vec::new(),
            offset_bytes: 0,
            checksum: Crc64::new(),
            attributes: Attributes::default(),
            failed: None,
        }
    }

    /// Takes the next piece and gives every item that is complete to `receive`, which may stop the load with a reason.
    /// O(length); a piece that ends inside a long item is kept until the rest comes.
    pub fn feed(
        &mut self,
        piece: &[u8],
        mut receive: impl FnMut(Item<'_>) -> Result<(), &'static str>,
    ) -> Result<(), LoadError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        // Items are read out of the piece itself unless the last one left something over.
        let mut joined = core::mem::take(&mut self.pending);
        let bytes = if joined.is_empty() {
            piece
        } else {
            joined.put(piece);
            joined.as_slice()
        };
        let used = self
            .read(bytes, &mut receive)
            .inspect_err(|error| self.failed = Some(*error))?;
        if joined.is_empty() {
            self.pending = piece.get(used..).unwrap_or_default().owned();
        } else {
            joined.drain(..used);
            self.pending = joined;
        }
        Ok(())
    }

    /// Says that the file ends here. Only now is it known to be whole.
    pub fn finish(self) -> Result<(), LoadError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let problem = match self.stage {
            Stage::Done => return Ok(()),
            Stage::Header if !MAGIC.starts_with(self.pending.get(..5).unwrap_or(&self.pending)) => {
                Problem::NotASnapshot
            }
            _ => Problem::Truncated,
        };
        Err(LoadError {
            offset_bytes: self.offset_bytes,
            problem,
        })
    }

    /// Reads items until the bytes end, and says how many were used.
    fn read(
        &mut self,
        bytes: &[u8],
        receive: &mut impl FnMut(Item<'_>) -> Result<(), &'static str>,
    ) -> Result<usize, LoadError> {
        let mut cursor = Cursor::new(bytes);
        loop {
            let before = cursor;
            let result = match self.stage {
                Stage::Header => self.header(&mut cursor),
                Stage::Items => self.item(&mut cursor, receive),
                Stage::Checksum => self.compare(&mut cursor),
                Stage::Done if cursor.rest().is_empty() => return Ok(bytes.len()),
                Stage::Done => Err(Stop::Problem(Problem::Trailing)),
            };
            let left = cursor.rest().len();
            let read = before
                .rest()
                .get(..before.rest().len() - left)
                .unwrap_or_default();
            match result {
                Ok(()) => {
                    self.checksum.update(read);
                    self.offset_bytes += read.len() as u64;
                }
                Err(Stop::Incomplete) => return Ok(bytes.len() - before.rest().len()),
                Err(Stop::Problem(problem)) => {
                    return Err(LoadError {
                        offset_bytes: self.offset_bytes,
                        problem,
                    });
                }
            }
        }
    }

    fn header(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let header = cursor.array::<HEADER_LEN>()?;
        let digits = header
            .strip_prefix(MAGIC)
            .ok_or(Stop::Problem(Problem::NotASnapshot))?;
        let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
        let version = digits.get(zeros..).and_then(parse_u64).unwrap_or(0);
        if version == 0 || version > rdb::VERSION as u64 {
            return Err(Stop::Problem(Problem::Version(version)));
        }
        self.version = version;
        self.stage = Stage::Items;
        Ok(())
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
            MODULE_AUX => return Err(Stop::Problem(Problem::Module)),
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
            kind => {
                if rdb::type_name(kind).is_none() {
                    return Err(Stop::Problem(Problem::Corrupt("an unknown opcode")));
                }
                let key = cursor.string()?;
                let value = objects::read(cursor, kind, &self.limits)?;
                Item::Entry {
                    key,
                    value,
                    attributes: core::mem::take(&mut self.attributes),
                }
            }
        };
        receive(item).map_err(|why| Stop::Problem(Problem::Refused(why)))
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
        }
    }
}
