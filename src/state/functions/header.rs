//! The first line of a library: `#!lua name=mylib`.

use crate::algorithms::bytes::Bytes;
use crate::resp::{Error, split_inline};

/// A library's source with its first line read.
#[derive(Debug)]
pub struct Header<'a> {
    pub name: Vec<u8>,
    /// The source behind the first line; its line break stays, so that lines keep their numbers.
    pub body: &'a [u8],
}

/// What is said of a name of a library or function.
pub const BAD_NAME: &str = "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

/// Whether a library or function may be called so.
pub fn is_name(name: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    !name.is_empty() && name.iter().all(is_allowed)
}

/// Reads the first line.
///
/// # Errors
/// There is none, it says something unknown or no name, or names another language.
pub fn read(source: &[u8]) -> Result<Header<'_>, Error> {
    const NAME: &[u8] = b"name=";
    let invalid = || Error::new("ERR Invalid library metadata");
    if !source.starts_with(b"#!") {
        return Err(Error::new("ERR Missing library metadata"));
    }
    // Redis looks for the end of the line in a C string: there is none behind a zero byte.
    let end = source.iter().position(|byte| matches!(byte, b'\n' | 0));
    let end = end
        .filter(|end| source.get(*end) == Some(&b'\n'))
        .ok_or_else(invalid)?;
    let (line, body) = source.split_at(end);
    let (mut text, mut ranges) = (Vec::new(), Vec::new());
    if !split_inline(line, &mut text, &mut ranges) {
        return Err(invalid());
    }
    let mut words = ranges
        .iter()
        .map(|&(from, to)| text.get(from..to).unwrap_or_default());
    let engine = words.next().unwrap_or_default();
    let engine = engine.get(2..).unwrap_or_default();
    let mut name: Option<&[u8]> = None;
    for word in words {
        match word.split_at_checked(NAME.len()) {
            Some((start, value)) if start.is_word(NAME) => {
                if name.replace(value).is_some() {
                    return Err(Error::new(
                        "ERR Invalid metadata value, name argument was given multiple times",
                    ));
                }
            }
            _ => {
                return Err(Error::concat(&[
                    b"ERR Invalid metadata value given: ",
                    word,
                ]));
            }
        }
    }
    let name = name.ok_or(Error::new("ERR Library name was not given"))?;
    if !is_name(name) {
        return Err(Error::new(BAD_NAME));
    }
    if !engine.is_word(b"lua") {
        return Err(Error::concat(&[b"ERR Engine '", engine, b"' not found"]));
    }
    Ok(Header {
        name: name.owned(),
        body,
    })
}
