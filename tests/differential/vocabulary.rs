//! The words of random streams: what stands for a key, an element, an id, ... by the name and type of the argument.

use redstart::algorithms::rng::Rng;
use redstart::table::Group;

/// Decisions from a seed.
pub struct Dice(pub Rng);

impl Dice {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0.below(limit.max(1) as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    /// A word out of words between bars.
    pub fn word(&mut self, words: &str) -> Vec<u8> {
        let count = words.split('|').count();
        let at = self.below(count);
        words.split('|').nth(at).unwrap_or("").as_bytes().to_vec()
    }
}

const STRINGS: &str = "|a|hello|10|-1|0|007| 12|3.5|3.0e3|1e400|nan|inf|0x10|9223372036854775807|-9223372036854775808|\
    9223372036854775808|1.7976931348623157e308|hello world|*|[a-c]*|h?llo|ohmytext|mynewtext";
const LONG: [&[u8]; 6] = [
    b"\x00\xff\x80bin",
    &[b'x'; 44],
    &[b'y'; 45],
    &[b'z'; 300],
    b"\xe2\x82\xac",
    b"\r\n",
];
const MEMBERS: &str = "a|b|c|d|e|f|g|1|2|3|4|5|-7|100|70000|5000000000|-9223372036854775808|9223372036854775807|\
    9223372036854775808|127|128|4095|4096|-1|0|007|hello|3.5|Palermo|Catania|";
const FIELDS: &str = "f1|f2|f3|f4|f5|f6|1|22|a|";
const SMALL: &str = "0|1|2|3|5|10|-1|-2|-3|-10|100";
// Offsets that fit no value are huge, so that no test allocates half a gigabyte.
const INTEGERS: &str = "0|1|2|3|7|8|10|16|63|100|1000|5000|-1|-2|-5|-100|1099511627776|9223372036854775807|\
    -9223372036854775808";
const BAD_INTEGERS: &str =
    "+1|1.0|01||x| 1|18446744073709551616|9223372036854775808|-0|1e3|-9223372036854775809";
const DOUBLES: &str = "0|1|2|3|-1.5|3.14|0.1|1e3|-1e5|1e17|123456789.123|inf|-inf|+inf|-0|0x10|5e-324|\
    1.7976931348623157e308|-1.7976931348623157e308|3.0e-7|100|4|5|6|7";
const BAD_DOUBLES: &str = "1e400|nan|x|| 1|1 |0x|--1|1.2.3|-nan|infinity|1e";
// Lives long enough that neither side can see the end of it during a run, or is over at once.
const LIVES: &str = "100000|123456789|1000000000|0|-1|-100000";
const BAD_LIVES: &str = "9223372036854775807|x|1.5||1000000000000000|-9223372036854775808";
const PATTERNS: &str = "*|a*|?|[a-c]|[^a]|\\*|k*||{t}*|[a|f*|l?|*1|[";
const IDS: &str =
    "1-1|1-2|1-3|2-1|2-2|3-0|3-1|5-5|7-1|9-9|1|2|3|5|0-1|0|0-0|100-1|7-18446744073709551615";
const ODD_IDS: &str = "-|+|$|>|*|x|1-|-1|1-x|18446744073709551615-18446744073709551615|18446744073709551615|(1-1|\
    18446744073709551616|1-*|3-*|5-*|20-*|";
const RANGE_IDS: &str =
    "-|+|-|+|1|3|2-1|(1-1|(2-2|(-|5-5|(18446744073709551615-18446744073709551615|(0-0|x";

/// Names of keys by the letter of a type; all meet in commands of any key.
const LETTERS: &str = "slezhxgp";

/// What a stream is made from beside the table.
pub struct Vocabulary {
    /// DUMP payloads, some of them damaged.
    pub payloads: Vec<Vec<u8>>,
    /// The same of FUNCTION DUMP.
    pub library_payloads: Vec<Vec<u8>>,
}

impl Vocabulary {
    /// A key, most often one that holds what the group works on.
    pub fn key(&self, dice: &mut Dice, group: Group) -> Vec<u8> {
        if dice.chance(2) {
            return dice.word("k\u{1}|nothing||{t}");
        }
        let letter = match group {
            Group::String | Group::Bitmap => 's',
            Group::List => 'l',
            Group::Set => 'e',
            Group::SortedSet => 'z',
            Group::Hash => 'h',
            Group::Stream => 'x',
            Group::Geo => 'g',
            Group::Hyperloglog => 'p',
            Group::Array => 'r',
            _ => '?',
        };
        let letter = if letter == '?' || dice.chance(8) {
            let at = dice.below(LETTERS.len());
            LETTERS.as_bytes()[at] as char
        } else {
            letter
        };
        format!("{letter}{}", 1 + dice.below(3)).into_bytes()
    }

    pub fn integer(&self, dice: &mut Dice, name: &str, command: &str) -> Vec<u8> {
        if dice.chance(6) {
            return dice.word(BAD_INTEGERS);
        }
        let is_life = name.contains("second") || name == "ttl";
        if is_life && matches!(command, "xread" | "xreadgroup") {
            return dice.word("0|0|100000|-1|x");
        }
        if is_life {
            return if dice.chance(15) {
                dice.word(BAD_LIVES)
            } else {
                dice.word(LIVES)
            };
        }
        match (name, command) {
            (
                "db" | "index" | "destination-db" | "index1" | "index2",
                "select" | "move" | "copy" | "swapdb",
            ) => dice.word("0|0|0|1|2|15|16|-1|x"),
            ("cursor", _) => dice.word("0|0|0|0|x"),
            ("count", "scan") => dice.word("1000|100000|0|-1|x"),
            ("count", "spop") => dice.word("0|1000|1000|-1|x"),
            ("count", "srandmember" | "hrandfield" | "zrandmember") => {
                dice.word("0|1|3|1000|-1|-5|2000|x")
            }
            ("increment" | "decrement" | "value", _) => dice.word(INTEGERS),
            ("offset", "setbit" | "getbit" | "setrange") => {
                dice.word("0|1|7|8|100|5000|-1|1099511627776")
            }
            ("bit", _) => dice.word("0|1|1|2"),
            ("ms" | "min-idle-time", _) => dice.word("0|0|0|100000000|-1"),
            ("entriesread" | "entries-added", _) => dice.word("0|1|2|3|5|100|-1|-2|x"),
            ("weight", _) => dice.word(DOUBLES),
            _ if dice.chance(90) => dice.word(SMALL),
            _ => dice.word(INTEGERS),
        }
    }

    pub fn double(&self, dice: &mut Dice, name: &str, command: &str) -> Vec<u8> {
        match name {
            // Never short: both sides have a clock of their own.
            "timeout" => dice.word("0|0|0|0|100|1000.5|-1|x|1e400|nan||inf"),
            "longitude" => {
                dice.word("13.361389|15.087269|0|-180|180|180.1|2.35|-73.9|100.5|x|nan|13.583333")
            }
            "latitude" => dice.word(
                "38.115556|37.502669|0|-85.05112878|85.05112878|86|48.85|40.7|-33|x|37.316667",
            ),
            "radius" | "width" | "height" => {
                dice.word("0|1|100|200|400|2000|10000|100000|0.5|-1|x|nan|inf")
            }
            "min" | "max" if dice.chance(40) => dice.word("(1|(2|-inf|+inf|inf|(inf|(x|(|(-1.5|5"),
            _ if dice.chance(6) || command == "none" => dice.word(BAD_DOUBLES),
            _ => dice.word(DOUBLES),
        }
    }

    pub fn unix_time(&self, dice: &mut Dice) -> Vec<u8> {
        dice.word("33177117420|33177117420000|33177117420123|1|0|-1|x|9223372036854775807")
    }

    pub fn pattern(&self, dice: &mut Dice, name: &str) -> Vec<u8> {
        if name == "by-pattern" || name == "get-pattern" {
            return dice.word("s*|h*->f1|#|nosort|*|h*->|h*->f*|l*|x|z*->a|*->f1|s1");
        }
        dice.word(PATTERNS)
    }

    pub fn string(&self, dice: &mut Dice, name: &str, command: &str, group: Group) -> Vec<u8> {
        match name {
            "function-code" if dice.chance(97) => super::libraries::source(dice),
            "library-name" | "library-name-pattern" => {
                dice.word("lib1|lib2|lib3|LIB1|Lib2|nosuch|lib*|*|?ib1|")
            }
            "function" => dice.word("f|g|h|i|j|k|l|m|n|f|g|h|i|j|k|l|F|G|nosuch|"),
            "serialized-value" if command == "function|restore" => {
                let at = dice.below(self.library_payloads.len());
                self.library_payloads[at].clone()
            }
            "serialized-value" if dice.chance(90) && !self.payloads.is_empty() => {
                let at = dice.below(self.payloads.len());
                self.payloads[at].clone()
            }
            "encoding" => dice.word("u8|i8|u63|i64|u1|i5|u64|x|i0"),
            "offset" => dice.word("0|#1|7|#3|100|-1|x"),
            "type" => dice.word("string|list|STRING|none|hash|zset|set|stream"),
            "field" if group == Group::Hash || group == Group::Stream => self.text(dice, FIELDS),
            "element" | "pivot" | "member" | "member1" | "member2" => self.text(dice, MEMBERS),
            "min-idle-time" => dice.word("0|0|0|0|100000000|-1|x"),
            "group" => dice.word("grp1|grp1|grp1|grp2|nogroup|"),
            "consumer" => dice.word("c1|c1|c2|c3|"),
            "id" | "lastid" | "last-id" | "max-deleted-id" => self.id(dice, command),
            "start" | "end" if group == Group::Stream => dice.word(RANGE_IDS),
            "threshold" => dice.word("0|1|2|3|10|1-1|3-0|2|-1|x|100"),
            "start" | "stop" | "min" | "max" => match dice.below(10) {
                0..4 => dice.word(SMALL),
                4..7 => dice.word("-|+|[a|(a|[c|(c|[|(|x|[zz|[1|(1"),
                _ => dice.word("-inf|+inf|(1|(2|3|1|(x|inf|(-1.5"),
            },
            _ => self.text(dice, STRINGS),
        }
    }

    /// One of the words, seldom something long or strange.
    pub fn text(&self, dice: &mut Dice, words: &str) -> Vec<u8> {
        if dice.chance(6) {
            return dice.pick(&LONG).to_vec();
        }
        dice.word(words)
    }

    /// What one element of a value takes in the command that adds it.
    pub fn part(&self, dice: &mut Dice, group: Group) -> Vec<Vec<u8>> {
        match group {
            Group::List | Group::Set | Group::Hyperloglog => vec![self.member(dice)],
            Group::SortedSet => vec![dice.word(DOUBLES), self.member(dice)],
            Group::Hash | Group::Stream => vec![self.field(dice), self.any_text(dice)],
            Group::Geo => {
                let mut degrees =
                    |limit| format!("{}.{}", dice.below(limit), dice.below(1000)).into_bytes();
                vec![degrees(40), degrees(60), self.member(dice)]
            }
            _ => vec![self.any_text(dice)],
        }
    }

    pub fn member(&self, dice: &mut Dice) -> Vec<u8> {
        self.text(dice, MEMBERS)
    }

    pub fn field(&self, dice: &mut Dice) -> Vec<u8> {
        self.text(dice, FIELDS)
    }

    pub fn any_text(&self, dice: &mut Dice) -> Vec<u8> {
        self.text(dice, STRINGS)
    }

    fn id(&self, dice: &mut Dice, command: &str) -> Vec<u8> {
        let odd = if command == "xadd" { 40 } else { 15 };
        match command {
            "xreadgroup" if dice.chance(60) => b">".to_vec(),
            "xread" if dice.chance(40) => dice.word("$|+|0"),
            "xgroup|create" | "xgroup|setid" if dice.chance(60) => dice.word("0|$|1-1"),
            _ if dice.chance(odd) => dice.word(ODD_IDS),
            _ => dice.word(IDS),
        }
    }
}
