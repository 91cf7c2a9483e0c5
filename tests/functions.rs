//! Function libraries beyond the replies of their commands: in snapshots, in loads that fail, while one runs long.

#[cfg(feature = "scripting")]
use redstart::algorithms::rng::Rng;
#[cfg(feature = "scripting")]
use redstart::engine::ScriptLimits;
use redstart::engine::{Engine, Kind, Modules, Options, Purpose, SessionId};
use redstart::formats::snapshot::{Options as WriterOptions, Writer};

/// Written by Redis 8.2.3 with SAVE: two libraries, `counter` and `a`, and a key.
const FILE: &[u8] = include_bytes!("data/functions-8.2.3.rdb");
const START_MS: i64 = 1_700_000_000_000;

struct Host {
    engine: Engine,
    client: SessionId,
}

impl Host {
    fn new() -> Host {
        let mut engine = Engine::new(Options {
            seed: [3, 4],
            now_ms: START_MS,
            ..Options::default()
        });
        let client = engine.connect(Kind::Wire);
        Host { engine, client }
    }

    fn ask(&mut self, command: &str) -> String {
        self.ask_as(self.client, command)
    }

    fn ask_as(&mut self, client: SessionId, command: &str) -> String {
        self.engine
            .feed(client, format!("{command}\r\n").as_bytes());
        String::from_utf8_lossy(&self.engine.drain(client)).into_owned()
    }

    /// Loads a snapshot; its error.
    fn load(&mut self, file: &[u8]) -> Result<(), String> {
        self.engine.begin_load(Modules::Refuse);
        let fed = self.engine.load_chunk(file);
        let done = fed.and_then(|()| self.engine.end_load());
        done.map(drop)
            .map_err(|error| String::from_utf8_lossy(error.text()).into_owned())
    }

    fn save(&mut self) -> Vec<u8> {
        let mut file = Vec::new();
        self.engine.begin_snapshot(Purpose::Save);
        while self.engine.next_chunk(usize::MAX, &mut file) {}
        self.engine.end_snapshot(true);
        file
    }
}

/// A snapshot of these libraries and a key.
fn snapshot(libraries: &[&str]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = Writer::new(WriterOptions::default());
    writer.begin(&mut file);
    for source in libraries {
        writer.function(&mut file, source.as_bytes());
    }
    writer.database(&mut file, 0, 1, 0);
    writer.string(&mut file, b"loaded", b"yes", &Default::default());
    writer.end(&mut file);
    file
}

/// The part of a snapshot with the libraries.
fn libraries_of(file: &[u8]) -> &[u8] {
    let start = file.windows(2).position(|pair| pair == b"\xf5\xc3");
    let end = file.iter().rposition(|byte| *byte == 0xfe);
    &file[start.expect("a compressed library")..end.expect("a database")]
}

#[test]
fn a_real_servers_libraries_are_saved_as_they_were() {
    let mut host = Host::new();
    assert_eq!(host.load(FILE), Ok(()));
    assert_eq!(host.ask("GET k"), "$1\r\nv\r\n");
    let saved = host.save();
    assert_eq!(libraries_of(&saved), libraries_of(FILE));
    let mut other = Host::new();
    assert_eq!(other.load(&saved), Ok(()));
    assert_eq!(libraries_of(&other.save()), libraries_of(FILE));
    assert_eq!(other.load(&snapshot(&[])), Ok(()));
    let saved = other.save();
    assert!(!saved.windows(5).any(|text| text == b"#!lua"));
}

#[cfg(feature = "scripting")]
#[test]
fn a_real_servers_libraries_run() {
    let mut host = Host::new();
    host.ask("FUNCTION LOAD \"#!lua name=before\\nredis.register_function('before', redis.log)\"");
    assert_eq!(host.load(FILE), Ok(()));
    for (command, reply) in [
        ("FCALL count 0", ":1\r\n"),
        ("FCALL COUNT 0", ":2\r\n"),
        ("FCALL_RO read 1 k", "$1\r\nv\r\n"),
        ("FCALL f 0", "$1\r\nf\r\n"),
        ("FCALL before 0", "-ERR Function not found\r\n"),
        ("FLUSHALL", "+OK\r\n"),
        ("FCALL count 0", ":3\r\n"),
    ] {
        assert_eq!(host.ask(command), reply, "{command}");
    }
}

#[cfg(feature = "scripting")]
#[test]
fn a_snapshot_with_a_library_that_does_not_load_changes_nothing() {
    let good = "#!lua name=good\nredis.register_function('g', function() return 1 end)";
    for (bad, reason) in [
        ("x", "ERR Missing library metadata"),
        ("#!lua name=bad\n", "ERR No functions registered"),
        ("#!lua name=bad\nx x", "ERR Error compiling function"),
        (
            "#!lua name=bad\nwhile true do end",
            "ERR Error registering functions: ERR FUNCTION LOAD timeout",
        ),
        (good, "ERR Library 'good' already exists"),
        (
            "#!lua name=bad\nredis.register_function('G', redis.log)",
            "ERR Function G already exists",
        ),
    ] {
        let mut host = Host::new();
        assert_eq!(host.load(FILE), Ok(()));
        host.ask("FCALL count 0");
        let error = host.load(&snapshot(&[good, bad])).unwrap_err();
        assert!(
            error.contains("a function library does not load"),
            "{error}"
        );
        assert!(error.contains(reason), "{error}");
        assert_eq!(host.ask("FCALL count 0"), ":2\r\n");
        assert_eq!(host.ask("FCALL g 0"), "-ERR Function not found\r\n");
        assert_eq!(host.ask("DBSIZE"), ":1\r\n");
        assert_eq!(host.load(&snapshot(&[good])), Ok(()));
        assert_eq!(host.ask("FCALL g 0"), ":1\r\n");
    }
}

#[cfg(feature = "scripting")]
#[test]
fn a_change_of_the_libraries_is_one_of_the_data_set() {
    let mut host = Host::new();
    let load = "FUNCTION LOAD REPLACE \"#!lua name=l\\nredis.register_function('f', redis.log)\"";
    for (command, changes) in [
        (load, 1),
        (load, 1),
        ("FUNCTION LOAD x", 0),
        ("FUNCTION LIST", 0),
        ("FCALL f 0", 0),
        ("FUNCTION DELETE l", 1),
        ("FUNCTION DELETE l", 0),
        ("FUNCTION RESTORE x", 0),
        ("FUNCTION FLUSH", 1),
    ] {
        let count = |host: &mut Host| {
            let info = host.ask("INFO persistence");
            let line = info
                .lines()
                .find_map(|line| line.strip_prefix("rdb_changes_since_last_save:"));
            line.and_then(|number| number.parse::<i64>().ok())
                .expect("the field")
        };
        let before = count(&mut host);
        host.ask(command);
        assert_eq!(count(&mut host) - before, changes, "{command}");
    }
}

#[cfg(feature = "scripting")]
#[test]
fn what_a_library_takes_comes_back() {
    let mut host = Host::new();
    let memory = |host: &mut Host| {
        let info = host.ask("INFO memory");
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("used_memory_vm_functions:"));
        line.and_then(|number| number.parse::<usize>().ok())
            .expect("the field")
    };
    let load = "FUNCTION LOAD REPLACE \"#!lua name=l\\nlocal s = ('x'):rep(3e6) redis.register_function('f', function() return #s end)\"";
    let fail = "FUNCTION LOAD REPLACE \"#!lua name=l\\nlocal s = ('x'):rep(3e6) redis.register_function('f', function() return #s end) x = 1\"";
    host.ask(load);
    assert_eq!(host.ask("FCALL f 0"), ":3000000\r\n");
    for _ in 0..50 {
        host.ask(load);
        assert!(host.ask(fail).contains("readonly table"));
    }
    assert!(memory(&mut host) < 20_000_000);
    host.ask("FUNCTION DELETE l");
    assert!(memory(&mut host) < 10_000_000);
    host.ask("FUNCTION FLUSH");
    assert_eq!(memory(&mut host), 0);
}

/// A library that takes all it can is an error, and the next one loads.
#[cfg(feature = "scripting")]
#[test]
fn greedy_libraries_end() {
    // Calls within each other take more of the stack in a build for tests than a thread of these has.
    let thread = std::thread::Builder::new().stack_size(16 << 20);
    let thread = thread.spawn(load_greedy_libraries).expect("a thread");
    thread.join().expect("every one ends");
}

#[cfg(feature = "scripting")]
fn load_greedy_libraries() {
    let mut host = Host::new();
    for body in [
        "local s = ('x'):rep(1e9)",
        "local s = 'x' while true do s = s .. s end",
        "local function f() return ('x'):rep(10):gsub('x', f) end f()",
        "local f f = function() return 1 + f() end f()",
        "while true do end",
    ] {
        let reply = host.ask(&format!("FUNCTION LOAD \"#!lua name=l\\n{body}\""));
        assert!(
            reply.starts_with("-ERR Error registering functions: ERR "),
            "{body}: {reply}"
        );
        let good = "FUNCTION LOAD REPLACE \"#!lua name=l\\nredis.register_function('f', function() return 1 end)\"";
        assert_eq!(host.ask(good), "$1\r\nl\r\n", "{body}");
        assert_eq!(host.ask("FCALL f 0"), ":1\r\n");
        host.ask("FUNCTION DELETE l");
    }
}

#[cfg(feature = "scripting")]
#[test]
fn a_function_that_runs_long_is_told_of_and_killed() {
    const BUSY: &str = "-BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.\r\n";
    let mut host = Host::new();
    host.engine
        .set_script_limits(ScriptLimits { slice: 1, most: 20 });
    host.ask("CONFIG SET busy-reply-threshold 100");
    host.ask("FUNCTION LOAD \"#!lua name=l\\nredis.register_function('Loop', function() while true do end end)\"");
    let other = host.engine.connect(Kind::Wire);
    assert_eq!(host.ask("FCALL loop 0 'x y'"), "");
    host.engine.set_now(START_MS + 100);
    host.engine.tick();
    for command in ["FCALL loop 0", "GET k", "FUNCTION LIST", "SCRIPT KILL"] {
        assert_eq!(host.ask_as(other, command), BUSY, "{command}");
    }
    let running = "*6\r\n$4\r\nname\r\n$4\r\nLoop\r\n$7\r\ncommand\r\n*4\r\n$5\r\nFCALL\r\n$4\r\nloop\r\n$1\r\n0\r\n$3\r\nx y\r\n\
                   $11\r\nduration_ms\r\n:100\r\n";
    let stats = host.ask_as(other, "FUNCTION STATS");
    assert!(stats.contains(running), "{stats}");
    assert_eq!(host.ask_as(other, "FUNCTION KILL"), "+OK\r\n");
    host.engine.tick();
    let reply = String::from_utf8_lossy(&host.engine.drain(host.client)).into_owned();
    assert_eq!(
        reply,
        "-ERR Script killed by user with SCRIPT KILL... script: Loop, on @user_function:2.\r\n"
    );
    assert_eq!(host.ask("FCALL nosuch 0"), "-ERR Function not found\r\n");
}

/// A library: its name, and the functions with the number that each returns.
#[cfg(feature = "scripting")]
type Model = std::collections::BTreeMap<String, Vec<(String, u64)>>;

/// Whether libraries may come beside those there are, as FUNCTION LOAD and FUNCTION RESTORE decide it.
#[cfg(feature = "scripting")]
fn merged(present: &Model, added: &Model, is_replacing: bool) -> Option<Model> {
    if !is_replacing && added.keys().any(|name| present.contains_key(name)) {
        return None;
    }
    let mut result = present.clone();
    result.retain(|name, _| !added.contains_key(name));
    let is_taken = |(function, _): &(String, u64)| {
        let mut others = result.values().flatten();
        others.any(|(other, _)| other.eq_ignore_ascii_case(function))
    };
    if added.values().flatten().any(is_taken) {
        return None;
    }
    result.extend(added.clone());
    Some(result)
}

/// A library of one or two functions, each of which returns a number of its own.
#[cfg(feature = "scripting")]
fn random_library(rng: &mut Rng, library: &str, number: &mut u64) -> (String, Vec<(String, u64)>) {
    let mut names = vec!["a", "b", "c", "D", "e"];
    let mut source = format!("#!lua name={library}\n");
    let mut functions = Vec::new();
    for _ in 0..1 + rng.below(2) {
        let name = names.swap_remove(rng.below(names.len() as u64) as usize);
        *number += 1;
        source += &format!("redis.register_function('{name}', function() return {number} end)\n");
        functions.push((name.to_string(), *number));
    }
    (source, functions)
}

#[cfg(feature = "scripting")]
#[test]
fn libraries_come_and_go_as_in_a_model() {
    let seed = std::env::var("REDSTART_SEED").ok();
    let seed: u64 = seed.and_then(|text| text.parse().ok()).unwrap_or(1);
    println!("REDSTART_SEED={seed}");
    let mut rng = Rng::new([seed, 7]);
    let mut host = Host::new();
    let native = host.engine.connect(Kind::Native3);
    let (mut model, mut number) = (Model::new(), 0);
    let mut dumps: Vec<(Vec<u8>, Model)> = Vec::new();
    let is_ok = |engine: &mut Engine, args: &[&[u8]]| {
        engine.call(native, args);
        let first = engine.reply().cells().first().copied();
        first.map(|cell| cell & 0xff) != Some(redstart::resp::Cell::Error as u32)
    };
    for _ in 0..1500 {
        let library = format!("lib{}", rng.below(3));
        match rng.below(10) {
            0..5 => {
                let (source, functions) = random_library(&mut rng, &library, &mut number);
                let is_replacing = rng.below(2) == 0;
                let added = Model::from([(library, functions)]);
                let mut args: Vec<&[u8]> = vec![b"FUNCTION", b"LOAD"];
                args.extend(is_replacing.then_some(&b"REPLACE"[..]));
                args.push(source.as_bytes());
                let result = merged(&model, &added, is_replacing);
                assert_eq!(is_ok(&mut host.engine, &args), result.is_some(), "{source}");
                model = result.unwrap_or(model);
            }
            5 => {
                let args: [&[u8]; 3] = [b"FUNCTION", b"DELETE", library.as_bytes()];
                assert_eq!(
                    is_ok(&mut host.engine, &args),
                    model.remove(&library).is_some()
                );
            }
            6 => {
                assert!(is_ok(&mut host.engine, &[b"FUNCTION", b"DUMP"]));
                dumps.push((host.engine.reply().text().to_vec(), model.clone()));
            }
            7 if rng.below(10) == 0 => {
                assert!(is_ok(&mut host.engine, &[b"FUNCTION", b"FLUSH"]));
                model.clear();
            }
            8 if !dumps.is_empty() => {
                let (payload, added) = &dumps[rng.below(dumps.len() as u64) as usize];
                let (mode, result) = match rng.below(3) {
                    0 => (&b"APPEND"[..], merged(&model, added, false)),
                    1 => (&b"REPLACE"[..], merged(&model, added, true)),
                    _ => (&b"FLUSH"[..], Some(added.clone())),
                };
                let args: [&[u8]; 4] = [b"FUNCTION", b"RESTORE", payload, mode];
                assert_eq!(is_ok(&mut host.engine, &args), result.is_some());
                model = result.unwrap_or(model);
            }
            _ => {
                let file = host.save();
                assert_eq!(host.load(&file), Ok(()));
            }
        }
        for name in ["a", "b", "c", "d", "e", "E"] {
            let mut functions = model.values().flatten();
            let found = functions.find(|(other, _)| other.eq_ignore_ascii_case(name));
            let expected = match found {
                Some((_, number)) => format!(":{number}\r\n"),
                None => "-ERR Function not found\r\n".to_string(),
            };
            assert_eq!(host.ask(&format!("FCALL {name} 0")), expected);
        }
    }
    let info = host.ask("INFO memory");
    let count = model.values().map(Vec::len).sum::<usize>();
    assert!(info.contains(&format!("number_of_functions:{count}\r\n")));
    assert!(info.contains(&format!("number_of_libraries:{}\r\n", model.len())));
}
