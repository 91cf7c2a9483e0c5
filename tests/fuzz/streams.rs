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

/// Commands that add one or more elements to a value of each type: words in which `E` stands for an element, `N` for a
/// number, `I` for the id of a stream's entry.
const FILLINGS: [&str; 16] = [
    "SET KEY E",
    "APPEND KEY E",
    "RPUSH KEY E E E",
    "LPUSH KEY N E",
    "SADD KEY N N N",
    "SADD KEY E E N",
    "HSET KEY E E E E",
    "HSETEX KEY EXAT 33177117420 FIELDS 2 E E E E",
    "HPEXPIRE KEY N FIELDS 1 E",
    "ZADD KEY N E N E",
    "XADD KEY I E E E E",
    "XADD KEY * E E",
    "XGROUP CREATE KEY E 0 MKSTREAM",
    "PFADD KEY E E E",
    "GEOADD KEY 13.3 38.1 E",
    "ARSET KEY N E E",
];
/// So small that a few elements reach every encoding.
const SETTINGS: [&str; 12] = [
    "list-max-listpack-size 2",
    "list-max-listpack-size -1",
    "list-compress-depth 1",
    "hash-max-listpack-entries 1",
    "hash-max-listpack-value 4",
    "set-max-intset-entries 1",
    "set-max-listpack-entries 1",
    "zset-max-listpack-entries 1",
    "zset-max-listpack-value 4",
    "stream-node-max-entries 1",
    "stream-node-max-entries 3",
    "stream-node-max-bytes 30",
];

/// A command that puts elements under a key, or makes a threshold small.
pub fn filling(source: &mut Source, key: &[u8]) -> Vec<Vec<u8>> {
    let words = |text: &str| {
        text.split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect()
    };
    if source.chance(15) {
        let mut args: Vec<Vec<u8>> = words("CONFIG SET");
        args.append(&mut words(source.pick(&SETTINGS)));
        return args;
    }
    let mut args: Vec<Vec<u8>> = words(source.pick(&FILLINGS));
    for arg in &mut args {
        *arg = match arg.as_slice() {
            b"KEY" => key.to_vec(),
            b"E" => source.pick(&STRINGS).to_vec(),
            b"N" => source.pick(&INTEGERS).into(),
            b"I" => format!("{}-{}", source.below(9), source.below(9)).into(),
            _ => continue,
        };
    }
    args
}

/// One random command, often valid.
pub fn command(source: &mut Source, lookup: &Lookup) -> Vec<Vec<u8>> {
    if source.chance(30) {
        let key = source.pick(&KEYS);
        return filling(source, key);
    }
    let row: Resolved = source.pick(lookup.rows());
    arguments_for(source, row, None)
}

/// A command with arguments as its row describes them, and sometimes not; about a certain key, if one is given.
pub fn arguments_for(source: &mut Source, row: Resolved, key: Option<&[u8]>) -> Vec<Vec<u8>> {
    let full_name = row.full_name();
    if is_left_out(&full_name) {
        return vec![b"DBSIZE".to_vec()];
    }
    let mut args: Vec<Vec<u8>> = full_name
        .split(|byte| *byte == b'|')
        .map(<[u8]>::to_vec)
        .collect();
    for arg in row.row.args {
        add_argument(source, arg, &mut args, key, 0);
    }
    if source.chance(15) {
        damage(source, &mut args);
    }
    args
}

fn add_argument(
    source: &mut Source,
    arg: &Arg,
    args: &mut Vec<Vec<u8>>,
    key: Option<&[u8]>,
    depth: usize,
) {
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
        match arg.kind {
            ArgKind::Key => args.push(key.unwrap_or_else(|| source.pick(&KEYS)).to_vec()),
            ArgKind::OneOf(choices) if !choices.is_empty() => {
                let choice = source.below(choices.len());
                add_argument(source, &choices[choice], args, key, depth + 1);
            }
            ArgKind::Block(parts) => {
                for part in parts {
                    add_argument(source, part, args, key, depth + 1);
                }
            }
            _ => add_value(source, arg, args),
        }
    }
}

fn add_value(source: &mut Source, arg: &Arg, args: &mut Vec<Vec<u8>>) {
    // Counts of what follows are small, and mostly right.
    if arg.name.starts_with("num") && source.chance(80) {
        args.push(source.pick(&["1", "2", "3"]).into());
        return;
    }
    match arg.kind {
        ArgKind::Integer | ArgKind::UnixTime => args.push(source.pick(&INTEGERS).into()),
        ArgKind::Double => args.push(source.pick(&DOUBLES).into()),
        ArgKind::String | ArgKind::Pattern => args.push(source.pick(&STRINGS).to_vec()),
        _ => {}
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
