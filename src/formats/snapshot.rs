//! The snapshot of a whole dataset: a Redis RDB file, written and read piece by piece.
//!
//! A file is `REDIS0012`, a row of items, the byte `0xff`, and a CRC-64 of everything before it (little-endian; zero
//! means that none was computed). An item is an opcode below, or an object's type byte, its key and its value.
//!
//! [`Writer`] appends to a buffer the caller empties as it likes; [`Reader`] takes the file in pieces of any size and
//! hands over what is complete. Neither knows a keyspace: who reads collects the entries aside and takes them over when
//! [`Reader::finish`] has found the file whole.

mod reader;

pub use reader::{LoadError, Modules, Problem, Reader};

use std::borrow::Cow;

use super::functions;
use super::objects::{self, Loaded, Part};
use super::rdb;
use crate::algorithms::bytes::Append;
use crate::algorithms::crc64::Crc64;
use crate::algorithms::lzf::Compressor;
use crate::values::Entry;

const MAGIC: &[u8; 5] = b"REDIS";
const VALKEY_MAGIC: &[u8; 6] = b"VALKEY";
const HEADER_LEN: usize = 9;
const CHECKSUM_LEN: usize = 8;

const TEMPLATE: u8 = 242;
const KEY_META: u8 = 243;
const SLOT_INFO: u8 = 244;
const MODULE_AUX: u8 = 247;
const IDLE: u8 = 248;
const FREQUENCY: u8 = 249;
const AUX: u8 = 250;
const SIZES: u8 = 251;
const EXPIRE_MS: u8 = 252;
const EXPIRE_SECONDS: u8 = 253;
const DATABASE: u8 = 254;
const END: u8 = 255;

/// How long a key was not used, or how often it was: one of them, as the eviction policy counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    IdleSeconds(u64),
    Frequency(u8),
}

/// What accompanies a key and its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Unix time at which the key expires.
    pub expire_ms: Option<i64>,
    pub usage: Option<Usage>,
}

/// A part of a snapshot.
#[derive(Clone, Debug)]
pub enum Item<'a> {
    /// A fact about the file or its writer.
    Aux {
        name: Cow<'a, [u8]>,
        value: Cow<'a, [u8]>,
    },
    /// The entries that follow are of this database.
    Database { index: u64 },
    /// How many keys the database has, and how many of them expire: to make room beforehand.
    Sizes { keys: u64, expiring: u64 },
    /// The source of a function library.
    Function { code: Cow<'a, [u8]> },
    /// A key.
    Entry {
        key: Cow<'a, [u8]>,
        value: Loaded<'a>,
        attributes: Attributes,
    },
}

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Compress long strings (`rdbcompression`).
    pub compression: bool,
    /// Except for those that are longer than this.
    pub longest_compressed: usize,
    /// Compute the checksum (`rdbchecksum`).
    pub checksum: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            compression: true,
            longest_compressed: usize::MAX,
            checksum: true,
        }
    }
}

/// Writes a snapshot: [`Writer::begin`], then databases with their entries, then [`Writer::end`].
pub struct Writer {
    compressor: Option<Compressor>,
    checksum: Option<Crc64>,
}

impl Writer {
    /// A writer for one file.
    pub fn new(options: Options) -> Writer {
        Writer {
            compressor: options.compression.then(|| {
                let mut compressor = Compressor::new();
                compressor.longest_bytes = options.longest_compressed;
                compressor
            }),
            checksum: options.checksum.then(Crc64::new),
        }
    }

    /// Appends with `write`, and adds what it appended to the checksum.
    fn summed(&mut self, out: &mut Vec<u8>, write: impl FnOnce(&mut Writer, &mut Vec<u8>)) {
        let start = out.len();
        write(self, out);
        if let Some(checksum) = &mut self.checksum {
            checksum.update(out.get(start..).unwrap_or_default());
        }
    }

    /// Appends the header.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        self.summed(out, |_, out| {
            out.put(MAGIC);
            let version = rdb::VERSION;
            let digit = |unit: u16| b'0' + (version / unit % 10) as u8;
            out.put(&[digit(1000), digit(100), digit(10), digit(1)]);
        });
    }

    /// Appends a fact about the file, such as `redis-ver` or `ctime`.
    pub fn aux(&mut self, out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
        self.summed(out, |this, out| {
            out.push(AUX);
            rdb::write_string(out, name, this.compressor.as_mut());
            rdb::write_string(out, value, this.compressor.as_mut());
        });
    }

    /// Appends a function library's source.
    pub fn function(&mut self, out: &mut Vec<u8>, code: &[u8]) {
        self.summed(out, |this, out| {
            functions::write_library(out, code, this.compressor.as_mut());
        });
    }

    /// Goes on with entries of a database, new or met before.
    pub fn select(&mut self, out: &mut Vec<u8>, index: u64) {
        self.summed(out, |_, out| {
            out.push(DATABASE);
            rdb::write_length(out, index);
        });
    }

    /// Starts a database. The counts are hints.
    pub fn database(&mut self, out: &mut Vec<u8>, index: u64, keys: u64, expiring: u64) {
        self.select(out, index);
        self.summed(out, |_, out| {
            out.push(SIZES);
            rdb::write_length(out, keys);
            rdb::write_length(out, expiring);
        });
    }

    /// Appends a key with a string that is no entry.
    pub fn string(&mut self, out: &mut Vec<u8>, key: &[u8], value: &[u8], attributes: &Attributes) {
        self.summed(out, |this, out| {
            write_attributes(out, attributes);
            out.push(rdb::TYPE_STRING);
            rdb::write_string(out, key, this.compressor.as_mut());
            rdb::write_string(out, value, this.compressor.as_mut());
        });
    }

    /// Appends a key with its value.
    pub fn entry(&mut self, out: &mut Vec<u8>, entry: &Entry<'_>, attributes: &Attributes) {
        self.part(out, entry, attributes, &mut Part::whole());
    }

    /// Appends a part of a key with its value, as [`objects::write_part`] does; true when that was the last.
    pub fn part(
        &mut self,
        out: &mut Vec<u8>,
        entry: &Entry<'_>,
        attributes: &Attributes,
        part: &mut Part,
    ) -> bool {
        let mut is_end = false;
        self.summed(out, |this, out| {
            if part.is_at_start() {
                write_attributes(out, attributes);
                out.push(objects::type_byte(entry));
                rdb::write_string(out, entry.key(), this.compressor.as_mut());
            }
            is_end = objects::write_part(out, entry, this.compressor.as_mut(), part);
        });
        is_end
    }

    /// Says that no more items come; the checksum belongs behind that.
    pub fn end_items(&mut self, out: &mut Vec<u8>) {
        self.summed(out, |_, out| out.push(END));
    }

    /// Ends the file.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.end_items(out);
        let checksum = self.checksum.as_ref().map_or(0, Crc64::value);
        out.put(&checksum.to_le_bytes());
    }
}

fn write_attributes(out: &mut Vec<u8>, attributes: &Attributes) {
    if let Some(expire_ms) = attributes.expire_ms {
        out.push(EXPIRE_MS);
        out.put(&expire_ms.to_le_bytes());
    }
    match attributes.usage {
        Some(Usage::IdleSeconds(seconds)) => {
            out.push(IDLE);
            rdb::write_length(out, seconds);
        }
        Some(Usage::Frequency(frequency)) => out.put(&[FREQUENCY, frequency]),
        None => {}
    }
}
