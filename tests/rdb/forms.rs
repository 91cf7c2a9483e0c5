//! Files in forms that no server at hand writes: those of the first versions, and those of Redis 8.6 to 8.10.

use redstart::algorithms::crc64::crc64;
use redstart::formats::rdb;
use redstart::structures::listpack::Listpack;

/// A file, and what it holds in the manner of `tests/data/rdb/*.txt`.
pub struct Form {
    pub name: &'static str,
    pub file: Vec<u8>,
    pub listing: String,
}

/// A row of items, as bytes; what each holds, as lines.
#[derive(Default)]
struct Items {
    bytes: Vec<u8>,
    lines: Vec<String>,
}

fn string(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    rdb::write_length(&mut out, text.len() as u64);
    [out, text.to_vec()].concat()
}

fn pack(items: &[&str]) -> Vec<u8> {
    let mut pack = Listpack::new();
    for item in items {
        match item.parse() {
            Ok(number) => pack.push_int(number),
            Err(_) => pack.push(item.as_bytes()),
        }
    }
    string(pack.as_bytes())
}

/// A ziplist of short texts and of integers below 128.
fn ziplist(items: &[&str]) -> Vec<u8> {
    let (mut body, mut previous) = (Vec::new(), 0);
    for item in items {
        let element = match item.parse::<u8>() {
            Ok(number @ 0..=12) => vec![0xf1 + number],
            Ok(number) => vec![0xfe, number],
            Err(_) => [&[item.len() as u8], item.as_bytes()].concat(),
        };
        body.push(previous);
        body.extend(&element);
        previous = element.len() as u8 + 1;
    }
    let total = body.len() as u32 + 11;
    let tail = total - 1 - u32::from(previous);
    let mut bytes = [total.to_le_bytes(), tail.to_le_bytes()].concat();
    bytes.extend((items.len() as u16).to_le_bytes());
    bytes.extend(body);
    bytes.push(0xff);
    string(&bytes)
}

impl Items {
    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend(bytes);
        self
    }

    fn line(&mut self, line: &str) -> &mut Self {
        self.lines.push(line.to_owned());
        self
    }

    /// A key with its value, and a line for it.
    fn key(&mut self, kind: u8, key: &str, value: &[u8], line: &str) -> &mut Self {
        self.put(&[kind])
            .put(&string(key.as_bytes()))
            .put(value)
            .line(line)
    }

    fn form(&self, name: &'static str, header: &[u8; 9]) -> Form {
        let mut file = [header.as_slice(), &self.bytes, &[0xff]].concat();
        if !matches!(
            header,
            b"REDIS0001" | b"REDIS0002" | b"REDIS0003" | b"REDIS0004"
        ) {
            let checksum = crc64(0, &file);
            file.extend(checksum.to_le_bytes());
        }
        let listing = self.lines.join("\n");
        Form {
            name,
            file,
            listing,
        }
    }
}

const DATABASE: [u8; 2] = [0xfe, 0];

/// Before Redis 2.4: elements one after another, times to live in seconds.
fn plain() -> Items {
    let mut items = Items::default();
    items
        .put(&DATABASE)
        .key(0, "text", b"\x05hello", "GET text => \"hello\"")
        .key(0, "int", b"\xc1\x00\x80", "GET int => \"-32768\"")
        .key(
            0,
            "packed",
            b"\xc3\x05\x14\x00a\xe0\x0a\x00",
            "GET packed => \"aaaaaaaaaaaaaaaaaaaa\"",
        )
        .put(b"\xfd")
        .put(&2_100_000_000i32.to_le_bytes())
        .key(0, "late", b"\xc0\x05", "GET late => \"5\"")
        .line("PEXPIRETIME late => :2100000000000")
        .put(b"\xfd")
        .put(&1_000_000_000i32.to_le_bytes())
        .key(0, "gone", b"\x01x", "GET gone => nil")
        .key(
            1,
            "list",
            b"\x03\x01a\xc0\x02\x00",
            "LRANGE list 0 -1 => ( \"a\" \"2\" \"\" )",
        )
        .key(
            2,
            "set",
            b"\x02\x01a\xc0\x02",
            "SMEMBERS set => \"2\" \"a\"",
        )
        .key(
            3,
            "zset",
            b"\x03\x01a\x031.5\x01b\xfe\x01c\xff",
            "ZRANGE zset 0 -1 WITHSCORES => ( \"c\" \"-inf\" \"a\" \"1.5\" \"b\" \"inf\" )",
        )
        .key(
            4,
            "hash",
            b"\x02\x01f\x01v\x01g\xc0\x07",
            "HGETALL hash => \"f\" \"v\" \"g\" \"7\"",
        );
    items
}

/// Redis 2.2 to 2.6: packed forms.
fn packed(has_zipmap: bool) -> Items {
    let mut items = plain();
    if has_zipmap {
        let zipmap = b"\x02\x01f\x03\x02abc..\x05field\x00\x00\xff";
        let value = string(zipmap);
        items.key(
            9,
            "zipmap",
            &value,
            "HGETALL zipmap => \"f\" \"abc\" \"field\" \"\"",
        );
    } else {
        let value = ziplist(&["f", "abc", "g", "100"]);
        items.key(
            13,
            "zipped",
            &value,
            "HGETALL zipped => \"f\" \"abc\" \"g\" \"100\"",
        );
    }
    let list = ziplist(&["a", "7", "100", "b"]);
    let zset = ziplist(&["a", "1", "b", "2"]);
    let ints = string(b"\x02\0\0\0\x02\0\0\0\xfe\xff\x03\0");
    items
        .key(
            10,
            "ziplist",
            &list,
            "LRANGE ziplist 0 -1 => ( \"a\" \"7\" \"100\" \"b\" )",
        )
        .key(11, "ints", &ints, "SMEMBERS ints => \"-2\" \"3\"")
        .key(
            12,
            "zziplist",
            &zset,
            "ZRANGE zziplist 0 -1 WITHSCORES => ( \"a\" \"1\" \"b\" \"2\" )",
        );
    items
}

/// A stream up to its groups: entries 1-1 and 2-1.
fn stream_head() -> Vec<u8> {
    let mut node = Listpack::new();
    for number in [2, 0, 1] {
        node.push_int(number);
    }
    node.push(b"f");
    for tail in [0i64, 2, 0, 0] {
        node.push_int(tail);
    }
    node.push(b"v");
    for tail in [4i64, 2, 1, 0] {
        node.push_int(tail);
    }
    node.push(b"w");
    node.push_int(4);
    let id = [1u64.to_be_bytes(), 1u64.to_be_bytes()].concat();
    let head = b"\x02\x02\x01\x01\x01\0\0\x02";
    [b"\x01", &string(&id)[..], &string(node.as_bytes()), head].concat()
}

fn raw_id(ms: u64, seq: u64) -> Vec<u8> {
    [ms.to_be_bytes(), seq.to_be_bytes()].concat()
}

/// Redis 8.6 and 8.8: streams with marks of producers and with entries given back, arrays, what modules note.
fn streams() -> Items {
    let marks = b"\x0a\x14\x01\x01p\x02\x01a\x01\x01\x01b\x02\x01\x05\x03";
    let unmarked = b"\x40\x64\x40\x64\0\0\0";
    let mut group = b"\x01\x01g\x02\x01\x02\x02".to_vec();
    for (ms, seq) in [(1, 1), (2, 1)] {
        group.extend(raw_id(ms, seq));
        group.extend(7i64.to_le_bytes());
        group.push(1);
    }
    group.extend(b"\x01\x01c");
    group.extend([9i64.to_le_bytes(), 9i64.to_le_bytes()].concat());
    group.push(1);
    group.extend(raw_id(1, 1));
    group.push(1);
    group.extend(raw_id(2, 1));
    let entries = "( ( \"1-1\" ( \"f\" \"v\" ) ) ( \"2-1\" ( \"f\" \"w\" ) ) )";
    let marked = [&stream_head()[..], b"\0", marks].concat();
    let given_back = [&stream_head()[..], &group, unmarked].concat();
    let mut items = Items::default();
    items
        .put(&DATABASE)
        .put(b"\xf4\x05\x01\x00")
        .key(
            26,
            "marked",
            &marked,
            &format!("XRANGE marked - + => {entries}"),
        )
        .line("XINFO STREAM marked idmp-duration => :10")
        .line("XINFO STREAM marked idmp-maxsize => :20")
        .line("XINFO STREAM marked iids-tracked => :2")
        .line("XINFO STREAM marked iids-added => :5")
        .line("XINFO STREAM marked iids-duplicates => :3")
        .key(
            27,
            "back",
            &given_back,
            &format!("XRANGE back - + => {entries}"),
        )
        .line("XPENDING back g => ( :2 \"1-1\" \"2-1\" ( ( \"c\" \"1\" ) ) )")
        .line("XPENDING back g 2-1 + 10 => ( ( \"2-1\" \"\" :-1 :1 ) )")
        .key(
            28,
            "array",
            b"\x03\x01\x09\x00\x00\x01a\x05\x01\xfe\xff\xff\xff\xff\xff\xff\xff\x09\x03\x01b",
            "ARGET array 0 => \"a\"",
        )
        .line("ARGET array 5 => \"-2\"")
        .line("ARGET array 9 => \"b\"");
    items
}

/// Redis 8.10: hashes that share the names of their fields.
fn templates() -> Items {
    let reference = pack(&["7", "x", "2"]);
    let own = [b"\0".to_vec(), pack(&["f", "gg"]), pack(&["0", "x", "2"])].concat();
    let mut items = Items::default();
    items
        .put(b"\xf2\x07\x02\x01f\x02gg")
        .put(b"\xf2\x00\x01\x01z")
        .put(&DATABASE)
        .key(
            30,
            "packed",
            &reference,
            "HGETALL packed => \"f\" \"x\" \"gg\" \"2\"",
        )
        .key(
            32,
            "plain",
            b"\x07\x01x\xc0\x02",
            "HGETALL plain => \"f\" \"x\" \"gg\" \"2\"",
        )
        .key(32, "other", b"\x00\x00", "HGETALL other => \"z\" \"\"")
        .key(29, "own", &own, "HGETALL own => \"f\" \"x\" \"gg\" \"2\"")
        .key(
            31,
            "named",
            b"\x01\x02\x01f\x02gg\x01x\xc0\x02",
            "HGETALL named => \"f\" \"x\" \"gg\" \"2\"",
        );
    items
}

/// Release candidates of Redis 7.4: times to live of fields as they are.
fn early_field_times() -> Items {
    let at = 4_102_444_800_123i64;
    let table = [
        b"\x02\x81",
        &at.to_be_bytes()[..],
        b"\x01f\x01v\x00\x01g\x01w",
    ]
    .concat();
    let packed = pack(&["f", "v", &at.to_string(), "g", "w", "0"]);
    let times = format!("FIELDS 2 f g => ( :{at} :-1 )");
    let mut items = Items::default();
    items
        .put(&DATABASE)
        .key(22, "table", &table, &format!("HPEXPIRETIME table {times}"))
        .key(
            23,
            "packed",
            &packed,
            &format!("HPEXPIRETIME packed {times}"),
        );
    items
}

/// All of them.
pub fn all() -> Vec<Form> {
    vec![
        plain().form("version 1", b"REDIS0001"),
        packed(true).form("version 2", b"REDIS0002"),
        packed(true).form("version 3", b"REDIS0003"),
        packed(false).form("version 4", b"REDIS0004"),
        packed(false).form("version 5", b"REDIS0005"),
        early_field_times().form("version 12, early", b"REDIS0012"),
        streams().form("version 14", b"REDIS0014"),
        templates().form("version 15", b"REDIS0015"),
        packed(true).form("a version to come", b"REDIS0099"),
    ]
}

/// A file of these items.
pub fn file(bytes: &[u8]) -> Vec<u8> {
    let mut items = Items::default();
    items.put(bytes);
    items.form("", b"REDIS0015").file
}
