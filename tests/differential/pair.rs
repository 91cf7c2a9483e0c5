//! The oracle and the engine side by side: plays a stream on both and finds the first difference.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redstart::engine::{Engine, Kind, Options, SessionId};

use super::judge::agree;
use super::stream::{Args, LISTENER, Setup, Step, Stream};
use super::value::{Value, decode};

/// How many commands of one client go out together.
const BURST: usize = 30;
/// How long a reply of the oracle may take; when a difference is being shrunk, less.
const PATIENCE: Duration = Duration::from_secs(3);
const STRICT_PATIENCE: Duration = Duration::from_millis(300);
const DATABASES: [&str; 4] = ["0", "1", "2", "15"];

/// What differs: after which step, the command that shows it, and both replies.
#[derive(Debug)]
pub struct Difference {
    pub step: usize,
    pub client: usize,
    pub args: Args,
    pub want: String,
    pub got: String,
}

pub fn encode(args: &Args) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend(format!("${}\r\n", arg.len()).bytes());
        bytes.extend(arg);
        bytes.extend(b"\r\n");
    }
    bytes
}

fn show(value: &Value) -> String {
    let mut lines = Vec::new();
    super::value::print(value, "    ", &mut lines);
    let more = lines.len().saturating_sub(40);
    lines.truncate(40);
    if more > 0 {
        lines.push(format!("    ... and {more} lines"));
    }
    lines.join("\n")
}

/// A connection to the oracle.
struct Connection {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(address: &str) -> Connection {
        let socket = TcpStream::connect(address).expect("the oracle accepts");
        socket.set_nodelay(true).expect("a socket option");
        socket
            .set_read_timeout(Some(PATIENCE))
            .expect("a socket option");
        Connection {
            socket,
            buffer: Vec::new(),
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        // A server may close while it is being written to; the reading side reports it.
        let _ = self.socket.write_all(bytes);
    }

    fn take(&mut self) -> Option<Value> {
        let (value, length) =
            decode(&self.buffer).expect("replies of the oracle are well-formed")?;
        self.buffer.drain(..length);
        Some(value)
    }

    /// The next value; `None` when none comes.
    fn read(&mut self) -> Option<Value> {
        loop {
            if let Some(value) = self.take() {
                return Some(value);
            }
            let mut chunk = [0; 65536];
            match self.socket.read(&mut chunk) {
                Ok(0) | Err(_) => return None,
                Ok(length) => self.buffer.extend_from_slice(&chunk[..length]),
            }
        }
    }

    /// A value that is there already.
    fn peek(&mut self) -> Option<Value> {
        self.socket.set_nonblocking(true).expect("a socket option");
        let mut chunk = [0; 65536];
        loop {
            match self.socket.read(&mut chunk) {
                Ok(length) if length > 0 => self.buffer.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        self.socket.set_nonblocking(false).expect("a socket option");
        self.take()
    }

    fn ask(&mut self, commands: &[Args]) -> Vec<Option<Value>> {
        let bytes: Vec<u8> = commands.iter().flat_map(encode).collect();
        self.write(&bytes);
        commands.iter().map(|_| self.read()).collect()
    }
}

/// One client on both sides.
struct Client {
    connection: Connection,
    session: SessionId,
    /// What the engine sent and was not compared yet.
    buffer: Vec<u8>,
    /// Sent and not answered.
    pending: VecDeque<(usize, Args)>,
    /// What a transaction holds.
    queued: Option<Vec<Args>>,
    ids: [Vec<u8>; 2],
}

pub struct Pair {
    address: String,
    control: Connection,
    engine: Engine,
    clients: Vec<Option<Client>>,
    is_ordered: bool,
    is_resp3: bool,
    defaults: Vec<(String, String)>,
    /// Each command by itself, and everything received compared after it.
    is_strict: bool,
    at: usize,
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a time after 1970");
    since.as_millis() as i64
}

fn new_engine() -> Engine {
    let mut engine = Engine::new(Options {
        seed: [1, 2],
        now_ms: now_ms(),
        ..Options::default()
    });
    let words: [&[u8]; 2] = [b"--enable-debug-command", b"yes"];
    engine
        .configure(b"", b"", &words)
        .expect("a good configuration");
    engine
}

fn words(text: &str) -> Args {
    text.split(' ')
        .map(|word| word.as_bytes().to_vec())
        .collect()
}

/// What streams configure, asked once for the values to go back to.
const SETTINGS: [&str; 13] = [
    "hash-max-listpack-entries",
    "hash-max-listpack-value",
    "set-max-listpack-entries",
    "set-max-listpack-value",
    "set-max-intset-entries",
    "list-max-listpack-size",
    "list-compress-depth",
    "zset-max-listpack-entries",
    "zset-max-listpack-value",
    "stream-node-max-entries",
    "stream-node-max-bytes",
    "notify-keyspace-events",
    "rdbcompression",
];

impl Pair {
    pub fn new(address: &str) -> Pair {
        let mut control = Connection::open(address);
        let mut defaults = Vec::new();
        for name in SETTINGS {
            let reply = control
                .ask(&[words(&format!("CONFIG GET {name}"))])
                .remove(0);
            if let Some(Value::Items { items, .. }) = reply
                && let Some(Value::Leaf { text, .. }) = items.get(1)
            {
                defaults.push((name.to_string(), String::from_utf8_lossy(text).into_owned()));
            }
        }
        control.ask(&[words("DEBUG SET-ACTIVE-EXPIRE 0")]);
        Pair {
            address: address.to_string(),
            control,
            engine: new_engine(),
            clients: Vec::new(),
            is_ordered: false,
            is_resp3: false,
            defaults,
            is_strict: false,
            at: 0,
        }
    }

    pub fn lookup(&self) -> &redstart::table::Lookup {
        self.engine.lookup()
    }

    /// Asks the oracle alone.
    pub fn ask_oracle(&mut self, commands: &[Args]) -> Vec<Option<Value>> {
        self.control.ask(commands)
    }

    fn reset(&mut self, setup: &Setup) {
        self.clients.clear();
        self.clients.resize_with(LISTENER + 1, || None);
        self.engine = new_engine();
        self.is_ordered = setup.is_ordered;
        self.is_resp3 = setup.protocol == 3;
        let mut configure = words("CONFIG SET");
        for (name, value) in &self.defaults {
            let chosen = setup.settings.iter().find(|(other, _)| other == name);
            let value = chosen.map_or(value, |(_, value)| value);
            configure.extend([name.as_bytes().to_vec(), value.as_bytes().to_vec()]);
        }
        let commands = [
            words("FLUSHALL SYNC"),
            words("FUNCTION FLUSH"),
            words("SCRIPT FLUSH"),
            words("DEBUG SET-ACTIVE-EXPIRE 0"),
            configure,
        ];
        self.control.ask(&commands);
        let session = self.engine.connect(Kind::Wire);
        commands[3..]
            .iter()
            .for_each(|command| self.engine.feed(session, &encode(command)));
        self.engine.drain(session);
        self.engine.disconnect(session);
    }

    fn connect(&mut self, number: usize) {
        let mut connection = Connection::open(&self.address);
        if self.is_strict {
            let patience = connection.socket.set_read_timeout(Some(STRICT_PATIENCE));
            patience.expect("a socket option");
        }
        let session = self.engine.connect(Kind::Wire);
        let mut greeting = vec![words("CLIENT ID")];
        if self.is_resp3 {
            greeting.push(words("HELLO 3"));
        }
        let id_of = |value: Option<Value>| match value {
            Some(Value::Leaf { text, .. }) => text,
            _ => Vec::new(),
        };
        let oracle_id = id_of(connection.ask(&greeting).swap_remove(0));
        greeting
            .iter()
            .for_each(|command| self.engine.feed(session, &encode(command)));
        let output = self.engine.drain(session);
        let engine_id = id_of(decode(&output).ok().flatten().map(|(value, _)| value));
        self.clients[number] = Some(Client {
            connection,
            session,
            buffer: Vec::new(),
            pending: VecDeque::new(),
            queued: None,
            ids: [oracle_id, engine_id],
        });
    }

    /// Plays a stream on both sides. `is_strict` compares after each command by itself.
    pub fn play(&mut self, stream: &Stream, is_strict: bool) -> Result<(), Box<Difference>> {
        self.reset(&stream.setup);
        self.is_strict = is_strict;
        let mut at = 0;
        while at < stream.steps.len() {
            let end = self.burst_end(&stream.steps, at);
            self.at = at;
            self.burst(&stream.steps[at..end], at)?;
            at = end;
        }
        self.at = stream.steps.len();
        self.fence()?;
        self.compare_keyspaces()
    }

    /// Where the run of commands that can go out together ends: behind one that may wait, so that nothing is sent behind
    /// it, and around one that needs the oracle's time.
    fn burst_end(&self, steps: &[Step], at: usize) -> usize {
        let Step::Send { client, args } = &steps[at] else {
            return at + 1;
        };
        if self.is_strict || takes_time_of_day(args) || may_wait(args) {
            return at + 1;
        }
        let mut end = at + 1;
        while let Some(Step::Send {
            client: other,
            args,
        }) = steps.get(end)
        {
            if other != client || takes_time_of_day(args) || end - at >= BURST {
                break;
            }
            end += 1;
            if may_wait(args) {
                break;
            }
        }
        end
    }

    fn burst(&mut self, steps: &[Step], at: usize) -> Result<(), Box<Difference>> {
        match &steps[0] {
            Step::Wait { ms } => {
                self.fence()?;
                std::thread::sleep(Duration::from_millis(*ms));
                Ok(())
            }
            Step::Close { client } => {
                if let Some(client) = self.clients[*client].take() {
                    self.engine.disconnect(client.session);
                    drop(client);
                    self.control.ask(&[words("PING"), words("PING")]);
                }
                self.fence()
            }
            Step::Unblock { target, is_error } => self.unblock(*target, *is_error, at),
            Step::Send { client, .. } => self.send(*client, steps, at),
        }
    }

    fn unblock(&mut self, target: usize, is_error: bool, at: usize) -> Result<(), Box<Difference>> {
        let Some(client) = &self.clients[target] else {
            return Ok(());
        };
        let how = if is_error { "ERROR" } else { "TIMEOUT" };
        let command = |id: &[u8]| {
            words(&format!(
                "CLIENT UNBLOCK {} {how}",
                String::from_utf8_lossy(id)
            ))
        };
        let commands = client.ids.each_ref().map(|id| command(id));
        let want = self.control.ask(&commands[..1]).remove(0);
        let session = self.engine.connect(Kind::Wire);
        let fed = self.feed(session, &encode(&commands[1]));
        let got = decode(&self.engine.drain(session))
            .ok()
            .flatten()
            .map(|(value, _)| value);
        self.engine.disconnect(session);
        if want != got || fed.is_err() {
            let shown = |value: Option<Value>| value.as_ref().map_or("(nothing)".to_string(), show);
            return Err(self.difference(at, target, commands[0].clone(), shown(want), shown(got)));
        }
        self.compare_received()?;
        self.fence()
    }

    fn feed(&mut self, session: SessionId, bytes: &[u8]) -> Result<(), String> {
        let engine = &mut self.engine;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            engine.feed(session, bytes);
            while engine.next_request().is_some() {}
        }));
        outcome.map_err(text_of)
    }

    fn difference(
        &self,
        step: usize,
        client: usize,
        args: Args,
        want: String,
        got: String,
    ) -> Box<Difference> {
        Box::new(Difference {
            step,
            client,
            args,
            want,
            got,
        })
    }

    fn send(&mut self, number: usize, steps: &[Step], at: usize) -> Result<(), Box<Difference>> {
        if self.clients[number].is_none() {
            self.connect(number);
        }
        let Some(client) = &mut self.clients[number] else {
            return Ok(());
        };
        // A client that waits sends nothing.
        if !client.pending.is_empty() {
            return Ok(());
        }
        let (session, mut bytes) = (client.session, Vec::new());
        for (offset, step) in steps.iter().enumerate() {
            if let Step::Send { args, .. } = step {
                bytes.extend(encode(args));
                client.pending.push_back((at + offset, args.clone()));
            }
        }
        client.connection.write(&bytes);
        let mut now_ms = now_ms();
        let is_queueing = client.queued.is_some();
        if let [Step::Send { args, .. }] = steps
            && takes_time_of_day(args)
            && !is_queueing
            && let Some(value) = client.connection.read()
        {
            // The engine answers at the time the oracle has put into the id.
            now_ms = time_of(&value).unwrap_or(now_ms);
            let mut back = Vec::new();
            put_back(&value, &mut back);
            back.append(&mut client.connection.buffer);
            client.connection.buffer = back;
        }
        self.engine.set_now(now_ms);
        if let Err(panic) = self.feed(session, &bytes) {
            let args = match &steps[0] {
                Step::Send { args, .. } => args.clone(),
                _ => Args::new(),
            };
            self.engine = new_engine();
            return Err(self.difference(
                at,
                number,
                args,
                "    no panic".to_string(),
                format!("    {panic}"),
            ));
        }
        self.compare_received()?;
        let is_waiting = self.clients[number]
            .as_ref()
            .is_some_and(|client| !client.pending.is_empty());
        if is_waiting || self.is_strict {
            self.fence()
        } else {
            Ok(())
        }
    }

    /// Takes what the engine has sent to each client, waits for as much of the oracle and compares.
    fn compare_received(&mut self) -> Result<(), Box<Difference>> {
        for number in 1..=LISTENER {
            let Some(client) = &mut self.clients[number] else {
                continue;
            };
            self.engine.drain_into(client.session, &mut client.buffer);
            let mut pairs = Vec::new();
            let mut read = 0;
            while let Some((got, length)) =
                decode(&client.buffer[read..]).expect("replies of the engine are well-formed")
            {
                read += length;
                pairs.push((client.connection.read(), got));
            }
            client.buffer.drain(..read);
            for (want, got) in pairs {
                self.compare_one(number, want.as_ref(), Some(&got))?;
            }
        }
        Ok(())
    }

    /// Judges one value that a client received: the reply of its oldest command, or a message.
    fn compare_one(
        &mut self,
        number: usize,
        want: Option<&Value>,
        got: Option<&Value>,
    ) -> Result<(), Box<Difference>> {
        let is_ordered = self.is_ordered;
        let Some(client) = &mut self.clients[number] else {
            return Ok(());
        };
        let (step, args) = client.pending.pop_front().unwrap_or((self.at, Args::new()));
        let alike = match (want, got) {
            (Some(want), Some(got)) => match (&client.queued, want, got) {
                (Some(queued), Value::Items { items, .. }, Value::Items { items: others, .. })
                    if args
                        .first()
                        .is_some_and(|name| name.eq_ignore_ascii_case(b"EXEC")) =>
                {
                    items.len() == others.len()
                        && items.len() == queued.len()
                        && (0..items.len())
                            .all(|at| agree(&queued[at], &items[at], &others[at], is_ordered))
                }
                _ => agree(&args, want, got, is_ordered),
            },
            _ => false,
        };
        if !alike {
            let shown = |value: Option<&Value>| value.map_or("    (nothing)".to_string(), show);
            let (want, got) = (shown(want), shown(got));
            return Err(self.difference(step, number, args, want, got));
        }
        let name = args
            .first()
            .map(|name| name.to_ascii_uppercase())
            .unwrap_or_default();
        let is_status = |text: &[u8]| matches!(want, Some(Value::Leaf { kind: "+", text: found }) if found == text);
        match name.as_slice() {
            b"MULTI" if is_status(b"OK") => client.queued = Some(Vec::new()),
            b"EXEC" | b"DISCARD" => client.queued = None,
            _ if is_status(b"QUEUED") => client.queued.get_or_insert_default().push(args),
            _ => {}
        }
        Ok(())
    }

    /// Redis runs commands one at a time: after two round trips all earlier output is written. What the oracle has sent
    /// beyond the engine's output is a difference.
    fn fence(&mut self) -> Result<(), Box<Difference>> {
        self.control.ask(&[words("PING")]);
        self.control.ask(&[words("PING")]);
        for number in 1..=LISTENER {
            let Some(client) = &mut self.clients[number] else {
                continue;
            };
            if let Some(want) = client.connection.peek() {
                self.compare_one(number, Some(&want), None)?;
            }
        }
        Ok(())
    }

    /// The whole keyspace: which keys, and of each everything that can be asked.
    fn compare_keyspaces(&mut self) -> Result<(), Box<Difference>> {
        let engine = &self.engine;
        let sound = catch_unwind(AssertUnwindSafe(|| engine.keys().check()));
        if let Err(why) = sound.map_err(text_of).flatten() {
            return Err(self.difference(
                self.at,
                0,
                words("CHECK"),
                "    all is well".to_string(),
                format!("    {why}"),
            ));
        }
        for database in DATABASES {
            // The scan removes what has expired: both are to have met it.
            self.ask_both(&[
                words(&format!("SELECT {database}")),
                words("SCAN 0 COUNT 100000"),
                words("DBSIZE"),
                words("KEYS *"),
            ])?;
            let keys = match self.control.ask(&[words("KEYS *")]).remove(0) {
                Some(Value::Items { items, .. }) => items,
                _ => Vec::new(),
            };
            for key in keys {
                let Value::Leaf { text: key, .. } = key else {
                    continue;
                };
                let of_key = |text: &str| -> Args {
                    let mut args = words(text);
                    args.iter_mut()
                        .filter(|word| *word == b"KEY")
                        .for_each(|word| word.clone_from(&key));
                    args
                };
                let value_type = match self.control.ask(&[of_key("TYPE KEY")]).remove(0) {
                    Some(Value::Leaf { text, .. }) => text,
                    _ => Vec::new(),
                };
                let mut questions: Vec<Args> = ["TYPE KEY", "OBJECT ENCODING KEY", "PTTL KEY"]
                    .iter()
                    .map(|text| of_key(text))
                    .collect();
                let more: &[&str] = match value_type.as_slice() {
                    b"list" => &["LLEN KEY", "LRANGE KEY 0 -1"],
                    b"set" => &["SCARD KEY", "SMEMBERS KEY"],
                    b"hash" => &["HLEN KEY", "HGETALL KEY"],
                    b"zset" => &["ZCARD KEY", "ZRANGE KEY 0 -1 WITHSCORES"],
                    b"stream" => &[
                        "XLEN KEY",
                        "XRANGE KEY - +",
                        "XINFO STREAM KEY FULL COUNT 0",
                    ],
                    _ => &["GET KEY"],
                };
                questions.extend(more.iter().map(|text| of_key(text)));
                questions.push(of_key("DEBUG DIGEST-VALUE KEY"));
                questions.push(of_key("DUMP KEY"));
                if value_type == b"hash" {
                    self.compare_field_lives(&of_key("HKEYS KEY"), of_key("HPTTL KEY FIELDS"))?;
                }
                self.ask_both(&questions)?;
            }
        }
        self.ask_both(&[words("SELECT 0"), words("DEBUG DIGEST")])?;
        if self.lookup().find(b"FUNCTION").is_none() {
            return Ok(());
        }
        self.ask_both(&[
            words("FUNCTION LIST WITHCODE"),
            words("FUNCTION STATS"),
            words("FUNCTION DUMP"),
        ])
    }

    fn compare_field_lives(
        &mut self,
        list: &Args,
        mut question: Args,
    ) -> Result<(), Box<Difference>> {
        let Some(Value::Items { items, .. }) =
            self.control.ask(std::slice::from_ref(list)).remove(0)
        else {
            return Ok(());
        };
        question.push(items.len().to_string().into_bytes());
        for item in items {
            if let Value::Leaf { text, .. } = item {
                question.push(text);
            }
        }
        self.ask_both(&[question])
    }

    /// Asks both from the side: the control connection and a client of its own, kept in the listener's place no longer.
    fn ask_both(&mut self, commands: &[Args]) -> Result<(), Box<Difference>> {
        let number = 0;
        if self.clients[number].is_none() {
            self.is_resp3 = false;
            self.connect(number);
        }
        let lookup = self.engine.lookup();
        let is_known = |args: &&Args| args.first().is_some_and(|name| lookup.find(name).is_some());
        let commands: Vec<Args> = commands.iter().filter(is_known).cloned().collect();
        let wants = self.control.ask(&commands);
        self.engine.set_now(now_ms());
        for (args, want) in commands.iter().zip(wants) {
            let Some(session) = self.clients[number].as_ref().map(|client| client.session) else {
                return Ok(());
            };
            let fed = self.feed(session, &encode(args));
            let output = if fed.is_ok() {
                self.engine.drain(session)
            } else {
                Vec::new()
            };
            let got = decode(&output).ok().flatten().map(|(value, _)| value);
            let alike = match (&want, &got) {
                (Some(want), Some(got)) => agree(args, want, got, self.is_ordered),
                _ => false,
            };
            if !alike {
                let shown = |value: &Option<Value>| {
                    value.as_ref().map_or("    (nothing)".to_string(), show)
                };
                let got = fed.err().unwrap_or_else(|| shown(&got));
                return Err(self.difference(self.at, number, args.clone(), shown(&want), got));
            }
        }
        Ok(())
    }
}

/// What the last panic said, and where.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Keeps what a panic says for the report of the difference it is.
pub fn remember_panic(panic: &std::panic::PanicHookInfo) {
    if let Ok(mut text) = PANIC.lock() {
        *text = panic.to_string();
    }
}

fn text_of(_: Box<dyn std::any::Any + Send>) -> String {
    PANIC.lock().map(|text| text.clone()).unwrap_or_default()
}

/// Whether it is a command that may make its client wait.
fn may_wait(args: &Args) -> bool {
    const WAITING: [&str; 10] = [
        "BLPOP",
        "BRPOP",
        "BLMOVE",
        "BLMPOP",
        "BRPOPLPUSH",
        "BZPOPMIN",
        "BZPOPMAX",
        "BZMPOP",
        "XREAD",
        "XREADGROUP",
    ];
    let name = args.first().map_or(&[][..], Vec::as_slice);
    WAITING
        .iter()
        .any(|word| name.eq_ignore_ascii_case(word.as_bytes()))
}

/// XADD with an id of the time: both are to have the same time.
fn takes_time_of_day(args: &Args) -> bool {
    args.first()
        .is_some_and(|name| name.eq_ignore_ascii_case(b"XADD"))
        && args.iter().any(|arg| arg == b"*")
}

/// The ms of a stream's id.
fn time_of(value: &Value) -> Option<i64> {
    let Value::Leaf { kind: "$", text } = value else {
        return None;
    };
    let text = std::str::from_utf8(text).ok()?;
    let ms: i64 = text.split_once('-')?.0.parse().ok()?;
    ((ms - now_ms()).abs() < 60_000).then_some(ms)
}

/// A reply as it stood on the wire; only what XADD answers comes here.
fn put_back(value: &Value, bytes: &mut Vec<u8>) {
    let Value::Leaf { kind, text } = value else {
        return;
    };
    match *kind {
        "$" => {
            bytes.extend(format!("${}\r\n", text.len()).bytes());
            bytes.extend(text);
        }
        "$-1" | "*-1" => bytes.extend(kind.bytes()),
        _ => {
            bytes.extend(kind.bytes());
            bytes.extend(text);
        }
    }
    bytes.extend(b"\r\n");
}
