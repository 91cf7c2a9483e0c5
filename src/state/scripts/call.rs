//! A script that is to run.

use super::ScriptFlags;
use crate::algorithms::bytes::Append;
use crate::algorithms::sha1::sha1;
use crate::lua::Value;

/// A script's name: its SHA1 in 40 lower-case hexadecimal digits.
pub type Digest = [u8; 40];

/// The digest that a client names, in letters of any case; None for what can be none.
pub fn digest_named(word: &[u8]) -> Option<Digest> {
    word.to_ascii_lowercase().try_into().ok()
}

/// The digest of a text.
pub fn digest_of(source: &[u8]) -> Digest {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 40];
    for (pair, byte) in text.as_chunks_mut().0.iter_mut().zip(sha1(source)) {
        *pair = [
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 15)],
        ];
    }
    text
}

/// A call of a script, or of a function of a library, that is checked and may run. Its keys and arguments stand in the
/// command's arguments from the third on.
#[derive(Debug, Clone)]
pub struct ScriptCall {
    /// A function of a library, called with two arguments; a script finds them in globals.
    pub is_function: bool,
    pub function: Value,
    /// The digest, or the function's name.
    pub name: Vec<u8>,
    /// How many of the arguments are keys.
    pub keys: usize,
    pub flags: ScriptFlags,
    /// It may not write: the command says so, or its flags.
    pub is_read_only: bool,
}

impl ScriptCall {
    /// What stands behind the message of an error, if it has a place: ` script: <name>, on <source>:<line>.`
    pub fn put_place(&self, out: &mut Vec<u8>, place: Option<(&[u8], i64)>) {
        if let Some((source, line)) = place {
            out.put(b" script: ");
            out.put(&self.name);
            out.put(b", on ");
            out.put(source.split(|&byte| byte == 0).next().unwrap_or(&[]));
            out.push(b':');
            crate::algorithms::num::write_i64(out, line);
            out.push(b'.');
        }
    }
}
