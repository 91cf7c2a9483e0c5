//! Argument descriptions: what COMMAND DOCS tells, and what the TypeScript types are made of.

/// What an argument is.
#[derive(Debug, Clone, Copy)]
pub enum ArgKind {
    Key,
    String,
    Integer,
    Double,
    Pattern,
    UnixTime,
    /// A word that stands for itself, such as `NX`.
    PureToken,
    /// One of the arguments within.
    OneOf(&'static [Arg]),
    /// All of the arguments within, one after another.
    Block(&'static [Arg]),
}

/// One argument; built with [`key`], [`string`], ... and the methods below.
#[derive(Debug, Clone, Copy)]
pub struct Arg {
    pub name: &'static str,
    pub kind: ArgKind,
    /// The word in front of the value (`EX` of `EX seconds`), or the word itself.
    pub token: Option<&'static str>,
    /// What a usage line shows instead of the name.
    pub display: Option<&'static str>,
    pub since: Option<&'static str>,
    pub deprecated: Option<&'static str>,
    pub is_optional: bool,
    pub is_multiple: bool,
    /// Repeated with its token each time.
    pub is_multiple_token: bool,
    /// Which of the row's key specs it belongs to; of an argument that is no key, 0 for none.
    pub key_spec: u8,
}

const fn arg(name: &'static str, kind: ArgKind) -> Arg {
    Arg {
        name,
        kind,
        token: None,
        display: None,
        since: None,
        deprecated: None,
        is_optional: false,
        is_multiple: false,
        is_multiple_token: false,
        key_spec: 0,
    }
}

pub const fn key(name: &'static str) -> Arg {
    arg(name, ArgKind::Key)
}
pub const fn string(name: &'static str) -> Arg {
    arg(name, ArgKind::String)
}
pub const fn integer(name: &'static str) -> Arg {
    arg(name, ArgKind::Integer)
}
pub const fn double(name: &'static str) -> Arg {
    arg(name, ArgKind::Double)
}
pub const fn pattern(name: &'static str) -> Arg {
    arg(name, ArgKind::Pattern)
}
pub const fn unix_time(name: &'static str) -> Arg {
    arg(name, ArgKind::UnixTime)
}
/// A word with a name of its own.
pub const fn token(name: &'static str, word: &'static str) -> Arg {
    arg(name, ArgKind::PureToken).token(word)
}
/// A word that is its own name.
pub const fn flag(word: &'static str) -> Arg {
    arg(word, ArgKind::PureToken).token(word)
}
pub const fn oneof(name: &'static str, args: &'static [Arg]) -> Arg {
    arg(name, ArgKind::OneOf(args))
}
pub const fn block(name: &'static str, args: &'static [Arg]) -> Arg {
    arg(name, ArgKind::Block(args))
}

impl Arg {
    pub const fn token(mut self, word: &'static str) -> Arg {
        self.token = Some(word);
        self
    }
    pub const fn since(mut self, version: &'static str) -> Arg {
        self.since = Some(version);
        self
    }
    pub const fn deprecated(mut self, version: &'static str) -> Arg {
        self.deprecated = Some(version);
        self
    }
    pub const fn display(mut self, text: &'static str) -> Arg {
        self.display = Some(text);
        self
    }
    pub const fn optional(mut self) -> Arg {
        self.is_optional = true;
        self
    }
    pub const fn multiple(mut self) -> Arg {
        self.is_multiple = true;
        self
    }
    pub const fn multiple_token(mut self) -> Arg {
        self.is_multiple_token = true;
        self
    }
    pub const fn spec(mut self, index: u8) -> Arg {
        self.key_spec = index;
        self
    }
}
