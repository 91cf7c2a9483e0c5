//! Error replies, in Redis' exact words.
//!
//! Texts that more than one place needs stand here as constants; a text that belongs to one command stands in that
//! command. The first word is the error code (`ERR`, `WRONGTYPE`, ...), as clients expect.

use std::borrow::Cow;

/// An error reply without the leading `-` and without the trailing CRLF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Cow<'static, [u8]>);

impl Error {
    pub const SYNTAX: Error = Error::new("ERR syntax error");
    pub const WRONG_TYPE: Error =
        Error::new("WRONGTYPE Operation against a key holding the wrong kind of value");
    pub const NOT_INTEGER: Error = Error::new("ERR value is not an integer or out of range");
    pub const NOT_FLOAT: Error = Error::new("ERR value is not a valid float");
    pub const NO_SUCH_KEY: Error = Error::new("ERR no such key");
    pub const OUT_OF_RANGE: Error = Error::new("ERR index out of range");
    pub const BAD_INDEX_DB: Error = Error::new("ERR invalid DB index");
    pub const DB_OUT_OF_RANGE: Error = Error::new("ERR DB index is out of range");
    pub const OVERFLOW: Error = Error::new("ERR increment or decrement would overflow");
    pub const NAN_OR_INFINITY: Error = Error::new("ERR increment would produce NaN or Infinity");
    pub const BUSY_KEY: Error = Error::new("BUSYKEY Target key name already exists.");
    pub const SAME_OBJECT: Error = Error::new("ERR source and destination objects are the same");
    pub const INVALID_CURSOR: Error = Error::new("ERR invalid cursor");
    pub const STRING_TOO_LONG: Error =
        Error::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    pub const TIMEOUT_NOT_FLOAT: Error = Error::new("ERR timeout is not a float or out of range");
    pub const TIMEOUT_NOT_INTEGER: Error =
        Error::new("ERR timeout is not an integer or out of range");
    pub const TIMEOUT_NEGATIVE: Error = Error::new("ERR timeout is negative");
    pub const TIMEOUT_RANGE: Error = Error::new("ERR timeout is out of range");
    pub const OOM: Error = Error::new("OOM command not allowed when used memory > 'maxmemory'.");
    /// What [`Error::MISCONF`] says.
    pub const MISCONF_TEXT: &str = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. \
         Commands that may modify the data set are disabled, because this instance is configured to report errors \
         during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs \
         for details about the RDB error.";
    pub const MISCONF: Error = Error::new(Error::MISCONF_TEXT);
    pub const NO_AUTH: Error = Error::new("NOAUTH Authentication required.");
    pub const EXEC_ABORT: Error =
        Error::new("EXECABORT Transaction discarded because of previous errors.");
    pub const LOADING: Error = Error::new("LOADING Redis is loading the dataset in memory");

    /// An error whose text is fixed.
    pub const fn new(text: &'static str) -> Error {
        Error(Cow::Borrowed(text.as_bytes()))
    }

    /// An error whose text is put together from `parts`. As in Redis a part is shown up to its first zero byte; line
    /// breaks at the end are dropped, others become spaces, so that the reply stays one line on the wire.
    #[cold]
    pub fn concat(parts: &[&[u8]]) -> Error {
        let mut text = Vec::new();
        for part in parts {
            text.extend(part.iter().take_while(|&&byte| byte != 0));
        }
        while let Some(b'\r' | b'\n') = text.last() {
            text.pop();
        }
        Error::of_bytes(text)
    }

    /// An error whose text is the client's own, whole; line breaks become spaces.
    #[cold]
    pub fn of_bytes(mut text: Vec<u8>) -> Error {
        for byte in &mut text {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        Error(Cow::Owned(text))
    }

    /// `ERR wrong number of arguments for '<name>' command`.
    #[cold]
    pub fn wrong_arity(full_name: &[u8]) -> Error {
        Error::concat(&[
            b"ERR wrong number of arguments for '",
            full_name,
            b"' command",
        ])
    }

    /// `ERR invalid expire time in '<name>' command`.
    #[cold]
    pub fn invalid_expire(name: &str) -> Error {
        Error::concat(&[
            b"ERR invalid expire time in '",
            name.as_bytes(),
            b"' command",
        ])
    }

    /// The whole text, code first.
    pub fn text(&self) -> &[u8] {
        &self.0
    }

    /// The first word: what `errorstats` counts by.
    pub fn code(&self) -> &[u8] {
        self.0.split(|&byte| byte == b' ').next().unwrap_or(&[])
    }
}
