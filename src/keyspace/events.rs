//! Keyspace events: which classes are on, and what happened.

/// The classes of events, as bits of `notify-keyspace-events`.
#[derive(Debug)]
pub struct Class;

impl Class {
    /// `K`: publish to `__keyspace@<db>__:<key>`.
    pub const KEYSPACE: u32 = 1 << 0;
    /// `E`: publish to `__keyevent@<db>__:<event>`.
    pub const KEYEVENT: u32 = 1 << 1;
    pub const GENERIC: u32 = 1 << 2;
    pub const STRING: u32 = 1 << 3;
    pub const LIST: u32 = 1 << 4;
    pub const SET: u32 = 1 << 5;
    pub const HASH: u32 = 1 << 6;
    pub const SORTED_SET: u32 = 1 << 7;
    pub const EXPIRED: u32 = 1 << 8;
    pub const EVICTED: u32 = 1 << 9;
    pub const STREAM: u32 = 1 << 10;
    pub const KEY_MISS: u32 = 1 << 11;
    /// Of arrays; a part of `A`, but not asked for when CONFIG GET decides whether to print `A`.
    pub const ARRAY: u32 = 1 << 12;
    pub const MODULE: u32 = 1 << 13;
    pub const NEW: u32 = 1 << 14;
    pub const OVERWRITTEN: u32 = 1 << 15;
    pub const TYPE_CHANGED: u32 = 1 << 16;
    /// `A`: every class but `m`, `n`, `o` and `c`.
    pub const ALL: u32 = Class::GENERIC
        | Class::STRING
        | Class::LIST
        | Class::SET
        | Class::HASH
        | Class::SORTED_SET
        | Class::EXPIRED
        | Class::EVICTED
        | Class::STREAM
        | Class::MODULE;

    /// The letters of `notify-keyspace-events`, in the order CONFIG GET prints them.
    pub const LETTERS: [(u8, u32); 18] = [
        (b'g', Class::GENERIC),
        (b'$', Class::STRING),
        (b'l', Class::LIST),
        (b's', Class::SET),
        (b'h', Class::HASH),
        (b'z', Class::SORTED_SET),
        (b'x', Class::EXPIRED),
        (b'e', Class::EVICTED),
        (b't', Class::STREAM),
        (b'd', Class::MODULE),
        (b'a', Class::ARRAY),
        (b'n', Class::NEW),
        (b'o', Class::OVERWRITTEN),
        (b'c', Class::TYPE_CHANGED),
        (b'K', Class::KEYSPACE),
        (b'E', Class::KEYEVENT),
        (b'm', Class::KEY_MISS),
        (b'A', Class::ALL | Class::ARRAY),
    ];

    /// The classes that `letters` name; None when one is no letter of a class.
    pub fn parse(letters: &[u8]) -> Option<u32> {
        letters.iter().try_fold(0, |all, letter| {
            let class = Class::LETTERS.iter().find(|(known, _)| known == letter)?;
            Some(all | class.1)
        })
    }

    /// The letters of `classes`, `A` for all of its classes.
    pub fn letters(classes: u32) -> Vec<u8> {
        let has_all = classes & Class::ALL == Class::ALL;
        let mut letters = Vec::new();
        if has_all {
            letters.push(b'A');
        }
        for (letter, class) in Class::LETTERS {
            let is_in_all = class & (Class::ALL | Class::ARRAY) != 0;
            if letter != b'A' && classes & class != 0 && !(has_all && is_in_all) {
                letters.push(letter);
            }
        }
        letters
    }
}

/// Something that happened to a key.
#[derive(Debug)]
pub struct Event {
    pub name: &'static str,
    pub key: Vec<u8>,
    pub db: usize,
    pub to_key_channel: bool,
    pub to_event_channel: bool,
}
