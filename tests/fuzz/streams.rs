//! Command streams out of bytes: from a fuzzer, or from the seeded generator. Few keys, so that commands meet each
//! other's values; arguments as the command table describes them, and sometimes not.

use redstart::table::{Arg, ArgKind, Lookup, Resolved};

const KEYS: [&[u8]; 6] = [b"a", b"b", b"{t}1", b"{t}2", b"k\x00\xff", b""];
const INTEGERS: [&str; 20] = [
    "0",
    "1",
    "2",
    "7",
    "8",
    "63",
    "100",
    "1000",
    "-1",
    "-2",
    "-100",
    "1099511627776",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "+1",
    "01",
    "",
    "x",
    "1.0",
];
const STRINGS: [&[u8]; 16] = [
    b"",
    b"a",
    b"hello",
    b"10",
    b"-5",
    b"3.0e3",
    b"1e400",
    b"nan",
    b" 1",
    b"\x00\xff\x80",
    b"*",
    b"[a-",
    b"GET",
    b"NX",
    b"9223372036854775807",
    b"a rather long value, longer than what is kept inline in the smallest form, and then some more of it",
];
const DOUBLES: [&str; 9] = [
    "0", "-1.5", "3.14", "1e308", "-1e308", "nan", "inf", "x", "0x1p3",
];

/// Decisions read from bytes; when they run out every decision is 0, so a stream ends soon.
pub struct Source<'a> {
    bytes: &'a [u8],
}

impl<'a> Source<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Source { bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else {
            return 0;
        };
        self.bytes = rest;
        *first
    }

    pub fn below(&mut self, limit: usize) -> usize {
        let wide = usize::from(self.byte());
        let wide = if limit > 256 {
            wide << 8 | usize::from(self.byte())
        } else {
            wide
        };
        wide % limit.max(1)
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    /// The bytes not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }
}

/// Not run by random streams: they end the process, wait for the clock or ask the host for work.
fn is_left_out(name: &[u8]) -> bool {
    matches!(name, b"shutdown" | b"client|pause") || name.starts_with(b"debug")
}

/// One random command, often valid.
pub fn command(source: &mut Source, lookup: &Lookup) -> Vec<Vec<u8>> {
    if source.chance(20) {
        return vec![
            b"SET".to_vec(),
            source.pick(&KEYS).to_vec(),
            source.pick(&STRINGS).to_vec(),
        ];
    }
    let row: Resolved = source.pick(lookup.rows());
    let full_name = row.full_name();
    if is_left_out(&full_name) {
        return vec![b"DBSIZE".to_vec()];
    }
    let mut args: Vec<Vec<u8>> = full_name
        .split(|byte| *byte == b'|')
        .map(<[u8]>::to_vec)
        .collect();
    for arg in row.row.args {
        add_argument(source, arg, &mut args, 0);
    }
    if source.chance(15) {
        damage(source, &mut args);
    }
    args
}

fn add_argument(source: &mut Source, arg: &Arg, args: &mut Vec<Vec<u8>>, depth: usize) {
    if (arg.is_optional && source.chance(55)) || depth > 4 {
        return;
    }
    let times = if arg.is_multiple {
        1 + source.below(3)
    } else {
        1
    };
    for time in 0..times {
        if let Some(token) = arg.token.filter(|_| time == 0 || arg.is_multiple_token) {
            args.push(token.as_bytes().to_vec());
        }
        add_value(source, arg, args, depth);
    }
}

fn add_value(source: &mut Source, arg: &Arg, args: &mut Vec<Vec<u8>>, depth: usize) {
    match arg.kind {
        ArgKind::Key => args.push(source.pick(&KEYS).to_vec()),
        ArgKind::Integer | ArgKind::UnixTime => args.push(source.pick(&INTEGERS).into()),
        ArgKind::Double => args.push(source.pick(&DOUBLES).into()),
        ArgKind::String | ArgKind::Pattern => args.push(source.pick(&STRINGS).to_vec()),
        ArgKind::PureToken => {}
        ArgKind::OneOf(choices) => {
            if !choices.is_empty() {
                let choice = source.below(choices.len());
                add_argument(source, &choices[choice], args, depth + 1);
            }
        }
        ArgKind::Block(parts) => {
            for part in parts {
                add_argument(source, part, args, depth + 1);
            }
        }
    }
}

/// One wrong thing: an argument lost, doubled, replaced or added.
fn damage(source: &mut Source, args: &mut Vec<Vec<u8>>) {
    let at = source.below(args.len());
    match source.below(4) {
        0 => drop(args.remove(at)),
        1 => args.insert(at, args[at].clone()),
        2 => args[at] = source.pick(&STRINGS).to_vec(),
        _ => args.push(source.pick(&STRINGS).to_vec()),
    }
}

/// A request as a RESP array of bulk strings.
pub fn encode(args: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend(format!("${}\r\n", arg.len()).bytes());
        bytes.extend(arg);
        bytes.extend(b"\r\n");
    }
    bytes
}

/// A pipeline of harmless requests, framed or inline, with some bytes changed: what a broken client sends.
pub fn damaged_pipeline(source: &mut Source) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..1 + source.below(6) {
        let (key, value) = (source.pick(&KEYS).to_vec(), source.pick(&STRINGS).to_vec());
        match source.below(5) {
            0 => bytes.extend(b"GET a\r\n"),
            1 => bytes.extend(b"SET a \"quoted \\x41\"\r\n"),
            2 => bytes.extend(encode(&[b"ECHO".to_vec(), value])),
            3 => bytes.extend(encode(&[b"GET".to_vec(), key])),
            _ => bytes.extend(encode(&[b"SET".to_vec(), key, value])),
        }
    }
    for _ in 0..source.below(4) {
        let at = source.below(bytes.len());
        match source.below(3) {
            0 => bytes[at] = source.byte(),
            1 => bytes.insert(at, source.pick(b"*$\r\n-1 9\"'")),
            _ => drop(bytes.remove(at)),
        }
    }
    bytes
}
