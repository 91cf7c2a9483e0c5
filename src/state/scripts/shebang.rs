//! The first line of a script: `#!lua flags=no-writes,allow-oom`.

use crate::resp::Error;
use crate::state::config::split_words;

/// What a script says of itself, or-ed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScriptFlags(pub u8);

impl ScriptFlags {
    pub const NO_WRITES: u8 = 1;
    pub const ALLOW_OOM: u8 = 2;
    pub const ALLOW_STALE: u8 = 4;
    pub const NO_CLUSTER: u8 = 8;
    pub const ALLOW_CROSS_SLOT_KEYS: u8 = 16;
    /// It has no first line of this kind: it may do what scripts could before there were flags.
    pub const COMPATIBLE: u8 = 32;

    /// Names as they stand in a script; functions are listed with the same.
    pub const NAMES: [(&'static str, u8); 5] = [
        ("no-writes", ScriptFlags::NO_WRITES),
        ("allow-oom", ScriptFlags::ALLOW_OOM),
        ("allow-stale", ScriptFlags::ALLOW_STALE),
        ("no-cluster", ScriptFlags::NO_CLUSTER),
        ("allow-cross-slot-keys", ScriptFlags::ALLOW_CROSS_SLOT_KEYS),
    ];

    pub fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    /// The flag of this name.
    pub fn named(name: &[u8]) -> Option<u8> {
        let mut names = ScriptFlags::NAMES.iter();
        names
            .find(|(known, _)| known.as_bytes() == name)
            .map(|(_, flag)| *flag)
    }
}

/// A source with its first line read.
#[derive(Debug)]
pub struct Shebang<'a> {
    pub flags: ScriptFlags,
    /// The source behind the first line; its line break stays, so that lines keep their numbers.
    pub body: &'a [u8],
}

impl<'a> Shebang<'a> {
    /// Reads the first line of a script, if it has such a one.
    ///
    /// # Errors
    /// Another language, an unknown option or flag, or nothing behind the line.
    pub fn of_script(source: &'a [u8]) -> Result<Shebang<'a>, Error> {
        if !source.starts_with(b"#!") {
            return Ok(Shebang {
                flags: ScriptFlags(ScriptFlags::COMPATIBLE),
                body: source,
            });
        }
        let end = source.iter().position(|byte| matches!(byte, b'\n' | 0));
        let Some(end) = end.filter(|&end| source[end] == b'\n') else {
            return Err(Error::new("ERR Invalid script shebang"));
        };
        let (line, body) = source.split_at(end);
        let words = split_words(line).unwrap_or_default();
        let Some((engine, options)) = words.split_first() else {
            return Err(Error::new("ERR Invalid engine in script shebang"));
        };
        if engine != b"#!lua" {
            let start = b"ERR Unexpected engine in script shebang: ";
            return Err(Error::concat(&[start, engine]));
        }
        let mut flags = ScriptFlags::default();
        for option in options {
            let Some(names) = option.strip_prefix(b"flags=") else {
                return Err(Error::concat(&[
                    b"ERR Unknown lua shebang option: ",
                    option,
                ]));
            };
            flags.0 |= flags_of(names)?;
        }
        Ok(Shebang { flags, body })
    }
}

/// Flags between commas.
fn flags_of(names: &[u8]) -> Result<u8, Error> {
    let mut flags = 0;
    if names.is_empty() {
        return Ok(flags);
    }
    for name in names.split(|&byte| byte == b',') {
        match ScriptFlags::named(name) {
            Some(flag) => flags |= flag,
            // Sent by limiters that hosted services run; where there is one thread it changes nothing.
            None if name == b"allow-key-locking" => {}
            None => {
                let start = b"ERR Unexpected flag in script shebang: ";
                return Err(Error::concat(&[start, name]));
            }
        }
    }
    Ok(flags)
}
