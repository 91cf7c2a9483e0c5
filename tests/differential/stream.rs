//! Random streams of commands of several clients, valid and invalid, written from the command table: every command with
//! every option comes up, over a handful of keys, so that commands meet each other's values. One seed gives one stream.

use redstart::algorithms::rng::Rng;
use redstart::table::{Arg, ArgKind, Flags, Group, Lookup, Resolved};

use super::vocabulary::{Dice, Vocabulary};

pub type Args = Vec<Vec<u8>>;

/// One event of a stream. Clients are numbered from 1; the last, [`LISTENER`], only hears keyspace events.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Send {
        client: usize,
        args: Args,
    },
    Wait {
        ms: u64,
    },
    /// Ends the wait of a blocked client.
    Unblock {
        target: usize,
        is_error: bool,
    },
    Close {
        client: usize,
    },
}

pub const CLIENTS: usize = 4;
pub const LISTENER: usize = CLIENTS + 1;
/// The oracle's version: what came later is not asked.
const ORACLE: [u32; 2] = [8, 2];

/// Commands whose replies vary, wait for a clock, end the connection, or change the server.
fn is_left_out(name: &str) -> bool {
    const LEFT_OUT: &str = " randomkey shutdown lastsave lolwut auth hello quit reset monitor save bgsave bgrewriteaof wait \
        waitaof migrate replicaof slaveof failover psync sync replconf role command readonly readwrite asking \
        restore-asking eval evalsha eval_ro evalsha_ro pfselftest pfdebug time info object|freq object|idletime \
        object|refcount flushall swapdb ";
    const FAMILIES: [&str; 11] = [
        "debug", "client", "config", "memory", "acl", "latency", "slowlog", "module", "command|",
        "cluster", "script",
    ];
    LEFT_OUT.contains(&format!(" {name} "))
        || name.ends_with("|help")
        || name.contains("subscribe")
        || FAMILIES.iter().any(|family| name.starts_with(family))
}

fn is_known(since: &str) -> bool {
    let version: Vec<u32> = since
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    version
        .get(..2)
        .is_none_or(|version| version <= &ORACLE[..])
}

/// The commands that streams are made of, by group.
pub struct Repertoire {
    groups: Vec<(Group, Vec<Resolved>)>,
    /// How many steps in a hundred are scripts.
    scripts_percent: usize,
}

impl Repertoire {
    /// `only` names commands or groups; empty for all. With `eval` among them there are scripts above all, which call the
    /// others, or all.
    pub fn new(lookup: &Lookup, only: &[String]) -> Self {
        let is_scripted = only.iter().any(|word| word == "eval");
        let scripts_percent = match is_scripted {
            true => 60,
            false if only.is_empty() => 2,
            false => 0,
        };
        let only: Vec<&String> = only.iter().filter(|word| *word != "eval").collect();
        let mut groups: Vec<(Group, Vec<Resolved>)> = Vec::new();
        for &row in lookup.rows() {
            let name = name_of(row);
            let first = name.split('|').next().unwrap_or_default();
            let is_wanted = only.is_empty()
                || only
                    .iter()
                    .any(|word| *word == first || *word == row.row.group.name());
            let is_container = !row.row.subs.is_empty();
            if is_left_out(&name) || !is_known(row.row.since) || !is_wanted || is_container {
                continue;
            }
            match groups
                .iter_mut()
                .find(|(group, _)| group.name() == row.row.group.name())
            {
                Some((_, rows)) => rows.push(row),
                None => groups.push((row.row.group, vec![row])),
            }
        }
        Repertoire {
            groups,
            scripts_percent,
        }
    }

    pub fn len(&self) -> usize {
        self.groups.iter().map(|(_, rows)| rows.len()).sum()
    }

    /// Groups of values as often as each other, the rest seldom.
    fn pick(&self, dice: &mut Dice) -> Option<Resolved> {
        let is_data = |group: Group| {
            !matches!(
                group,
                Group::Connection | Group::Server | Group::Pubsub | Group::Transactions
            )
        };
        let data: Vec<_> = self
            .groups
            .iter()
            .filter(|(group, _)| is_data(*group))
            .collect();
        let (_, rows) = if data.is_empty() || dice.chance(4) {
            &self.groups[dice.below(self.groups.len())]
        } else {
            data[dice.below(data.len())]
        };
        let row = rows[dice.below(rows.len())];
        // They empty everything: seldom.
        let is_sweeping = matches!(row.row.name, "flushdb" | "select" | "move" | "flush");
        (!is_sweeping || dice.chance(15)).then_some(row)
    }
}

pub fn name_of(row: Resolved) -> String {
    String::from_utf8_lossy(&row.full_name()).into_owned()
}

/// What a stream starts with and how its replies are to be compared.
#[derive(Clone, Debug)]
pub struct Setup {
    pub protocol: u8,
    /// No set and no hash of it becomes a hash table: the order of all replies is the order in Redis.
    pub is_ordered: bool,
    pub settings: Vec<(String, String)>,
}

impl Setup {
    fn new(dice: &mut Dice) -> Self {
        let protocol = if dice.chance(50) { 2 } else { 3 };
        let is_ordered = dice.chance(50);
        let mut settings = Vec::new();
        let mut set = |name: &str, words: &str, dice: &mut Dice| {
            let value = dice.word(words);
            settings.push((
                name.to_string(),
                String::from_utf8_lossy(&value).into_owned(),
            ));
        };
        if is_ordered {
            for name in [
                "hash-max-listpack-entries",
                "set-max-listpack-entries",
                "set-max-intset-entries",
            ] {
                set(name, "10000", dice);
            }
            for name in ["hash-max-listpack-value", "set-max-listpack-value"] {
                set(name, "100000", dice);
            }
        } else {
            set("hash-max-listpack-entries", "0|2|4|512", dice);
            set("set-max-listpack-entries", "0|3|5|128", dice);
            set("set-max-intset-entries", "0|2|4|512", dice);
            set("hash-max-listpack-value", "3|20|64", dice);
            set("set-max-listpack-value", "3|20|64", dice);
        }
        set("list-max-listpack-size", "1|2|4|7|-1|-2|128", dice);
        set("list-compress-depth", "0|0|1|2", dice);
        set("zset-max-listpack-entries", "0|3|6|128", dice);
        set("zset-max-listpack-value", "3|20|64", dice);
        set("stream-node-max-entries", "1|2|3|7|100|0", dice);
        set("stream-node-max-bytes", "0|40|200|4096", dice);
        set(
            "notify-keyspace-events",
            "KEA|KEAmn|EA||Kxe$lshzt|KEAn",
            dice,
        );
        Setup {
            protocol,
            is_ordered,
            settings,
        }
    }
}

pub struct Stream {
    pub setup: Setup,
    pub steps: Vec<Step>,
}

/// Makes the stream of a seed.
pub fn stream(
    lookup: &Lookup,
    repertoire: &Repertoire,
    vocabulary: &Vocabulary,
    seed: u64,
    length: usize,
) -> Stream {
    let mut dice = Dice(Rng::new([seed, 0x5eed]));
    let setup = Setup::new(&mut dice);
    let mut writer = Writer {
        lookup,
        repertoire,
        vocabulary,
        dice,
        steps: Vec::new(),
        is_queueing: [false; CLIENTS + 1],
        is_ordered: setup.is_ordered,
        has_expiry: false,
    };
    let is_heard = setup
        .settings
        .iter()
        .any(|(name, value)| name.starts_with("notify") && !value.is_empty());
    if is_heard {
        writer.send(LISTENER, vec![b"PSUBSCRIBE".to_vec(), b"__key*".to_vec()]);
    }
    let mut client = 1;
    while writer.steps.len() < length {
        // Runs of commands of one client: they go out together.
        if writer.dice.chance(20) {
            client = 1 + writer.dice.below(CLIENTS);
        }
        writer.step(client);
    }
    Stream {
        setup,
        steps: writer.steps,
    }
}

pub struct Writer<'a> {
    lookup: &'a Lookup,
    repertoire: &'a Repertoire,
    vocabulary: &'a Vocabulary,
    pub dice: Dice,
    pub steps: Vec<Step>,
    /// Whether MULTI was the last that a client sent of MULTI, EXEC, DISCARD.
    pub is_queueing: [bool; CLIENTS + 1],
    pub is_ordered: bool,
    has_expiry: bool,
}

fn words(text: &str) -> Args {
    text.split(' ')
        .map(|word| word.as_bytes().to_vec())
        .collect()
}

impl Writer<'_> {
    pub fn send(&mut self, client: usize, args: Args) {
        if args
            .first()
            .is_none_or(|name| self.lookup.find(name).is_none())
        {
            return;
        }
        self.steps.push(Step::Send { client, args });
    }

    fn step(&mut self, client: usize) {
        if self.dice.chance(self.repertoire.scripts_percent) {
            return self.script(client);
        }
        match self.dice.below(1000) {
            0..250 => {
                let args = self.filling();
                self.send(client, args);
            }
            250..256 => self.expire(client),
            262..272 => self.pop_random(client),
            272..290 => self.transaction(client),
            290..296 => {
                let target = 2 + self.dice.below(CLIENTS - 1);
                let is_error = self.dice.chance(30);
                self.steps.push(Step::Unblock { target, is_error });
            }
            296..298 => {
                let client = 2 + self.dice.below(CLIENTS - 1);
                self.is_queueing[client] = false;
                self.steps.push(Step::Close { client });
            }
            _ => self.any(client),
        }
    }

    pub fn any(&mut self, client: usize) {
        let Some(row) = self.repertoire.pick(&mut self.dice) else {
            return;
        };
        let mut args = Args::new();
        let name = name_of(row);
        for word in name.split('|') {
            args.push(self.casing(word));
        }
        self.arguments(row, row.row.args, &mut args, 0);
        if self.dice.chance(12) {
            self.damage(&mut args);
        }
        // Which expired keys a short scan meets is up to the hash table.
        if name == "scan" {
            args.extend(words("COUNT 1000"));
        }
        let is_lexical =
            name.contains("lex") || args.iter().any(|arg| arg.eq_ignore_ascii_case(b"BYLEX"));
        if is_lexical {
            self.make_lexical(client, &mut args);
        }
        let may_block = row.row.is(Flags::BLOCKING);
        // Somebody has to be there to wake the others.
        if may_block && client == 1 && !self.is_queueing[1] {
            return;
        }
        if !is_repeatable(&args, self.is_queueing[client]) {
            return;
        }
        match name.as_str() {
            "multi" => self.is_queueing[client] = true,
            "exec" | "discard" if args.len() == 1 => self.is_queueing[client] = false,
            // Which of several expired keys it tells of first is up to the hash table.
            "scan" if self.has_expiry => return,
            // The encoding of what they store depends on the order of what they read.
            "sdiffstore" | "sunionstore" | "sinterstore" if !self.is_ordered => return,
            "sort" | "sort_ro" if !self.is_ordered && args.len() > 2 => return,
            _ => {}
        }
        self.send(client, args);
    }

    /// Ranges of names mean something where all scores are the same, and only there is their result Redis' own: gives the
    /// command such a sorted set to look at.
    fn make_lexical(&mut self, client: usize, args: &mut Args) {
        let source = if args[0].eq_ignore_ascii_case(b"ZRANGESTORE") {
            2
        } else {
            1
        };
        if let Some(key) = args.get_mut(source) {
            *key = b"lexical".to_vec();
        }
        let mut add = words("ZADD lexical");
        for _ in 0..1 + self.dice.below(7) {
            add.extend([b"0".to_vec(), self.vocabulary.member(&mut self.dice)]);
        }
        self.send(client, words("DEL lexical"));
        self.send(client, add);
    }

    /// A value under a key that commands of its type look at.
    fn filling(&mut self) -> Args {
        let groups = self.repertoire.groups.iter().map(|(group, _)| *group);
        let groups: Vec<Group> = groups.filter(|group| filler(*group).is_some()).collect();
        let group = match groups.len() {
            0 => Group::String,
            count => groups[self.dice.below(count)],
        };
        let (vocabulary, dice) = (self.vocabulary, &mut self.dice);
        let key = vocabulary.key(dice, group);
        let name = filler(group).unwrap_or("SET");
        if group == Group::Scripting {
            let mut args = words("FUNCTION LOAD REPLACE");
            args.push(super::libraries::source(dice));
            return args;
        }
        let times = match group {
            Group::String | Group::Bitmap => 1,
            Group::Stream | Group::Geo => 1 + dice.below(4),
            _ if dice.chance(8) => 10 + dice.below(40),
            _ => 1 + dice.below(7),
        };
        if group == Group::Stream && dice.chance(20) {
            let mut args = words("XGROUP CREATE key grp1 0 MKSTREAM");
            args[2] = key;
            return args;
        }
        let mut args = vec![name.as_bytes().to_vec(), key];
        if group == Group::Stream {
            args.push(format!("{}-{}", dice.below(12), dice.below(9)).into_bytes());
        }
        for _ in 0..times {
            args.extend(vocabulary.part(dice, group));
        }
        args
    }

    /// Something that is over a millisecond later, and the time for it.
    fn expire(&mut self, client: usize) {
        if self.is_queueing[client] {
            return;
        }
        let (vocabulary, dice) = (self.vocabulary, &mut self.dice);
        let key = vocabulary.key(dice, Group::Generic);
        let hash = vocabulary.key(dice, Group::Hash);
        let has_hashes = self
            .repertoire
            .groups
            .iter()
            .any(|(group, _)| *group == Group::Hash);
        let args = match dice.below(5) {
            0 => vec![
                b"SET".to_vec(),
                vocabulary.key(dice, Group::String),
                b"soon".to_vec(),
                b"PX".to_vec(),
                b"1".to_vec(),
            ],
            1 | 2 if has_hashes => vec![
                b"HPEXPIRE".to_vec(),
                hash,
                b"1".to_vec(),
                b"FIELDS".to_vec(),
                b"2".to_vec(),
                vocabulary.field(dice),
                vocabulary.field(dice),
            ],
            _ => vec![b"PEXPIRE".to_vec(), key, b"1".to_vec()],
        };
        self.has_expiry = true;
        self.send(client, args);
        self.steps.push(Step::Wait { ms: 3 });
    }

    /// SPOP where there is no choice.
    fn pop_random(&mut self, client: usize) {
        let has_sets = self
            .repertoire
            .groups
            .iter()
            .any(|(group, _)| *group == Group::Set);
        if !has_sets {
            return;
        }
        let key = self.vocabulary.key(&mut self.dice, Group::Set);
        let member = self.vocabulary.member(&mut self.dice);
        self.send(client, vec![b"DEL".to_vec(), key.clone()]);
        self.send(client, vec![b"SADD".to_vec(), key.clone(), member]);
        self.send(client, vec![b"SPOP".to_vec(), key]);
    }

    fn transaction(&mut self, client: usize) {
        if self.dice.chance(40) {
            let key = self.vocabulary.key(&mut self.dice, Group::Generic);
            self.send(client, vec![b"WATCH".to_vec(), key]);
            if self.dice.chance(30) {
                let other = 1 + self.dice.below(CLIENTS);
                self.any(other);
            }
        }
        self.is_queueing[client] = true;
        self.send(client, words("MULTI"));
        for _ in 0..1 + self.dice.below(5) {
            self.any(client);
        }
        self.is_queueing[client] = false;
        let last = self.dice.word("EXEC|EXEC|EXEC|EXEC|EXEC|EXEC|EXEC|DISCARD");
        self.send(client, vec![last]);
    }

    fn casing(&mut self, word: &str) -> Vec<u8> {
        let text = if self.dice.chance(15) {
            word.to_lowercase()
        } else {
            word.to_uppercase()
        };
        text.into_bytes()
    }

    /// The arguments of a row, of a block or of a chosen alternative. A count that stands before what it counts is made to
    /// fit, and so are lists of the same length (keys and ids of XREAD, weights).
    fn arguments(&mut self, row: Resolved, list: &[Arg], args: &mut Args, depth: usize) {
        let mut counted: Option<usize> = None;
        let mut times_before: Option<usize> = None;
        for arg in list {
            if arg.since.is_some_and(|since| !is_known(since)) || depth > 5 {
                continue;
            }
            let percent = if matches!(arg.kind, ArgKind::PureToken) {
                70
            } else {
                55
            };
            if arg.is_optional && self.dice.chance(percent) {
                continue;
            }
            if arg.name.starts_with("num")
                && matches!(arg.kind, ArgKind::Integer)
                && arg.name != "num-matches"
            {
                if let Some(token) = arg.token {
                    args.push(self.casing(token));
                }
                counted = Some(args.len());
                args.push(b"1".to_vec());
                continue;
            }
            let mut times = 1;
            if arg.is_multiple {
                let is_paired = times_before.is_some() && self.dice.chance(85);
                times = match times_before {
                    Some(before) if is_paired => before,
                    _ => 1 + self.dice.below(3),
                };
                times_before = Some(times);
                if let Some(at) = counted.take() {
                    args[at] = if self.dice.chance(92) {
                        times.to_string().into_bytes()
                    } else {
                        self.dice.word("0|1|2|3|-1|x|100")
                    };
                }
            }
            for time in 0..times {
                if let Some(token) = arg.token.filter(|_| time == 0 || arg.is_multiple_token) {
                    args.push(self.casing(token));
                }
                self.value(row, arg, args, depth);
            }
        }
    }

    fn value(&mut self, row: Resolved, arg: &Arg, args: &mut Args, depth: usize) {
        let (vocabulary, dice) = (self.vocabulary, &mut self.dice);
        let (name, group) = (name_of(row), row.row.group);
        let value = match arg.kind {
            ArgKind::Key => vocabulary.key(dice, group),
            ArgKind::Integer => vocabulary.integer(dice, arg.name, &name),
            ArgKind::Double => vocabulary.double(dice, arg.name, &name),
            ArgKind::UnixTime => vocabulary.unix_time(dice),
            ArgKind::Pattern => vocabulary.pattern(dice, arg.name),
            ArgKind::String => vocabulary.string(dice, arg.name, &name, group),
            ArgKind::PureToken => return,
            ArgKind::OneOf(choices) => {
                let known = choices
                    .iter()
                    .filter(|choice| choice.since.is_none_or(is_known));
                let known: Vec<Arg> = known.copied().collect();
                if !known.is_empty() {
                    let mut choice = known[dice.below(known.len())];
                    choice.is_optional = false;
                    self.arguments(row, &[choice], args, depth + 1);
                }
                return;
            }
            ArgKind::Block(parts) => return self.arguments(row, parts, args, depth + 1),
        };
        args.push(value);
    }

    /// One wrong thing: an argument lost, doubled, exchanged, replaced or added.
    fn damage(&mut self, args: &mut Args) {
        let count = args.len();
        let dice = &mut self.dice;
        let at = 1 + dice.below(count.saturating_sub(1));
        let other = 1 + dice.below(count.saturating_sub(1));
        match dice.below(5) {
            0 if count > 1 => drop(args.remove(at)),
            1 if count > 1 => args.insert(at, args[at].clone()),
            2 if count > 1 => args.swap(at, other),
            3 if count > 1 => args[at] = self.vocabulary.any_text(dice),
            _ => {
                let words = "NX|GET|EX|XX|CH|LIMIT|WITHSCORES|ANY|FIELDS|REV|BYLEX|MATCH|1|0";
                args.push(dice.word(words));
            }
        }
    }
}

/// The command that adds to a value of a group.
fn filler(group: Group) -> Option<&'static str> {
    Some(match group {
        Group::String | Group::Bitmap => "SET",
        Group::List => "RPUSH",
        Group::Set => "SADD",
        Group::SortedSet => "ZADD",
        Group::Hash => "HSET",
        Group::Stream => "XADD",
        Group::Geo => "GEOADD",
        Group::Hyperloglog => "PFADD",
        Group::Scripting => "FUNCTION",
        _ => return None,
    })
}

/// Whether running it twice gives the same: no choice at random, no end of a wait within the run, no time of day.
fn is_repeatable(args: &Args, is_queueing: bool) -> bool {
    let name = args[0].to_ascii_uppercase();
    let number =
        |at: usize| -> Option<f64> { std::str::from_utf8(args.get(at)?).ok()?.parse().ok() };
    match name.as_slice() {
        b"SPOP" => {
            args.len() > 3
                || args.len() == 3 && number(2).is_none_or(|count| !(0.5..900.0).contains(&count))
        }
        b"BLPOP" | b"BRPOP" | b"BZPOPMIN" | b"BZPOPMAX" | b"BLMOVE" | b"BRPOPLPUSH" => {
            number(args.len() - 1).is_none_or(|timeout| timeout <= 0.0 || timeout >= 50.0)
        }
        b"BLMPOP" | b"BZMPOP" => number(1).is_none_or(|timeout| timeout <= 0.0 || timeout >= 50.0),
        b"XREAD" | b"XREADGROUP" => {
            let at = args
                .iter()
                .position(|arg| arg.eq_ignore_ascii_case(b"BLOCK"));
            let ms = at.and_then(|at| number(at + 1));
            ms.is_none_or(|ms| ms <= 0.0 || ms >= 50_000.0)
        }
        // Elements that weigh the same come in the order of a hash table.
        b"SORT" | b"SORT_RO" => {
            let has = |word: &[u8]| args.iter().any(|arg| arg.eq_ignore_ascii_case(word));
            !(has(b"ALPHA") && has(b"BY"))
        }
        // The last bit of a distance is that of the C library.
        b"GEOSEARCHSTORE" | b"GEORADIUS" | b"GEORADIUSBYMEMBER" => !args
            .iter()
            .any(|arg| arg.eq_ignore_ascii_case(b"STOREDIST")),
        b"XADD" => !is_queueing || !args.iter().any(|arg| arg == b"*"),
        // A life that ends while the stream runs.
        b"SET" | b"GETEX" | b"HSETEX" | b"HGETEX" | b"PEXPIRE" | b"HPEXPIRE" | b"EXPIRE"
        | b"HEXPIRE" | b"SETEX" | b"PSETEX" | b"RESTORE" => !args
            .iter()
            .skip(2)
            .any(|arg| (1..=4).contains(&arg.len()) && is_short_life(&name, args, arg)),
        _ => true,
    }
}

/// Whether a small positive number in a command of lives may be a life: not behind NUMFIELDS and the like.
fn is_short_life(name: &[u8], args: &Args, arg: &[u8]) -> bool {
    let number: Option<i64> = std::str::from_utf8(arg)
        .ok()
        .and_then(|text| text.parse().ok());
    let at = args
        .iter()
        .position(|other| std::ptr::eq(other.as_slice(), arg))
        .unwrap_or(0);
    let follows = |words: &[&str]| {
        let before = args.get(at.wrapping_sub(1));
        before.is_some_and(|before| {
            words
                .iter()
                .any(|word| before.eq_ignore_ascii_case(word.as_bytes()))
        })
    };
    let is_life = match name {
        b"SET" | b"GETEX" | b"HSETEX" | b"HGETEX" => follows(&["EX", "PX"]),
        _ => at == 2,
    };
    is_life && number.is_some_and(|number| (1..50_000).contains(&number))
}
