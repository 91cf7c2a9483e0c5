//! Random Lua programs on a real redis-server and on the machine: results and messages have to be the same to the byte.
//! `npm run fuzz:lua` starts a server for it; by hand:
//!
//! `cargo test --test lua_differential -- --address 127.0.0.1:6379 [--seconds 60] [--seed N] [--finds FOLDER]
//! [--spoilt PERCENT]`. The server has to run with `lua-enable-deprecated-api yes`, as programs get globals of their own
//! with `setfenv`. Some programs are generated, the others are recorded ones with spoilt tokens. A difference is shrunk and
//! printed as a pair for `tests/data/lua/programs.txt`.

#[path = "lua/expressions.rs"]
mod expressions;
#[path = "lua/generate.rs"]
mod generate;
#[path = "lua/machine.rs"]
mod machine;
#[path = "lua/spoil.rs"]
mod spoil;
#[path = "lua/words.rs"]
mod words;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use generate::Generator;
use machine::{WRAP, machine};
use redstart::algorithms::rng::Rng;
use redstart::lua::{Call, Host, Interrupt, Ran, Thrown, Value, Vm};

const PROGRAMS: &str = include_str!("data/lua/programs.txt");
/// Calls and jumps, in units of the machine's fuel, after which a program is no case.
const MOST_QUESTIONS: u32 = 100;
const PATIENCE: Duration = Duration::from_millis(1500);
const STACK_BYTES: usize = 64 << 20;
/// Without a folder for them, a run ends at so many.
const MOST_PRINTED: usize = 10;

struct Impatient {
    questions_left: u32,
}

impl Host for Impatient {
    fn interrupt(&mut self) -> Interrupt {
        self.questions_left = self.questions_left.saturating_sub(1);
        match self.questions_left {
            0 => Interrupt::Kill("killed"),
            left if left.is_multiple_of(2) => Interrupt::Pause,
            _ => Interrupt::GoOn,
        }
    }

    fn call(&mut self, _: &mut Vm, _: &mut Call, _: u32) -> Result<usize, Thrown> {
        Ok(0)
    }
}

/// What the machine answers; None when the program does not end soon.
fn ours(program: &str) -> Option<Vec<u8>> {
    let mut vm = machine();
    let mut host = Impatient {
        questions_left: MOST_QUESTIONS,
    };
    let mut result = vm
        .load(WRAP.as_bytes(), b"@user_script")
        .and_then(|function| {
            let source = vm.text(program.as_bytes())?;
            vm.run(&mut host, function, &[source])
        });
    while result == Ok(Ran::Paused) {
        result = vm.resume(&mut host);
    }
    match result {
        _ if vm.was_killed() => None,
        Ok(Ran::Done(Value::String(text))) => Some(vm.heap.bytes(text).to_vec()),
        Ok(_) => Some(b"no text".to_vec()),
        Err(Thrown) => Some(vm.thrown_text().unwrap_or(b"no text").to_vec()),
    }
}

/// A redis-server that is asked with EVAL.
struct Oracle {
    address: String,
    stream: BufReader<TcpStream>,
    hung: usize,
}

impl Oracle {
    fn open(address: &str) -> Oracle {
        let stream = TcpStream::connect(address).expect("a redis-server listens");
        let patience = stream.set_read_timeout(Some(PATIENCE));
        patience.expect("a timeout");
        Oracle {
            address: address.to_string(),
            stream: BufReader::new(stream),
            hung: 0,
        }
    }

    fn send(&mut self, args: &[&[u8]]) {
        let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            bytes.extend(format!("${}\r\n", arg.len()).bytes());
            bytes.extend(*arg);
            bytes.extend(b"\r\n");
        }
        self.stream
            .get_mut()
            .write_all(&bytes)
            .expect("it takes a command");
    }

    /// The reply as text; None when there is none in time.
    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut head = Vec::new();
        match self.stream.read_until(b'\n', &mut head) {
            Ok(0) => panic!("the server is gone"),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return None;
            }
            Err(error) => panic!("{error}"),
        }
        head.truncate(head.len().saturating_sub(2));
        if head.first() != Some(&b'$') {
            return Some(head);
        }
        let length: usize = std::str::from_utf8(&head[1..]).ok()?.parse().ok()?;
        let mut body = vec![0; length + 2];
        self.stream.read_exact(&mut body).expect("a whole reply");
        body.truncate(length);
        Some(body)
    }

    /// What the server answers; None when the program does not end soon.
    fn ask(&mut self, program: &str) -> Option<Vec<u8>> {
        self.send(&[b"EVAL", WRAP.as_bytes(), b"0", program.as_bytes()]);
        let answer = self.receive();
        if answer.is_none() {
            self.hung += 1;
            self.free(program);
        }
        answer
    }

    /// Ends a script that does not end, and waits until the server is back.
    fn free(&mut self, program: &str) {
        let address = self.address.clone();
        for _ in 0..60 {
            let mut other = Oracle::open(&address);
            other.send(&[b"SCRIPT", b"KILL"]);
            let _ = other.receive();
            other.send(&[b"PING"]);
            if other.receive().as_deref() == Some(b"+PONG") {
                self.stream = other.stream;
                return;
            }
        }
        panic!("the server hangs in this program:\n{program}");
    }
}

fn option(name: &str) -> Option<String> {
    let args: Vec<String> = std::env::args().collect();
    let at = args.iter().position(|arg| arg == name)?;
    args.get(at + 1).cloned()
}

fn number(name: &str, fallback: u64) -> u64 {
    let text = option(name);
    text.and_then(|text| text.parse().ok()).unwrap_or(fallback)
}

/// Both answers, if they differ.
fn difference(oracle: &mut Oracle, program: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let found = ours(program)?;
    let expected = oracle.ask(program)?;
    (found != expected).then_some((expected, found))
}

/// The shortest program found that still shows a difference: pieces of it are left out, or `nil` takes their place.
fn shrink(oracle: &mut Oracle, program: &str) -> String {
    const LONGEST: usize = 60;
    let mut tokens = spoil::tokens(program);
    let end = Instant::now() + Duration::from_secs(30);
    let mut size = tokens.len().div_ceil(2);
    while size > 0 && Instant::now() < end {
        let (mut at, before) = (0, tokens.len());
        while at < tokens.len() && Instant::now() < end {
            let longest = if size == 1 { LONGEST } else { size };
            let most = longest.min(tokens.len() - at);
            let lengths = size.min(most)..=most;
            let shorter = lengths.rev().find_map(|length| {
                let parts: [&[String]; 2] = [&tokens[..at], &tokens[at + length..]];
                let without = parts.concat();
                if difference(oracle, &without.concat()).is_some() {
                    return Some(without);
                }
                let nil = parts.join(&String::from(" nil"));
                (size == 1 && length > 1 && difference(oracle, &nil.concat()).is_some())
                    .then_some(nil)
            });
            match shorter {
                Some(shorter) => tokens = shorter,
                None => at += size,
            }
        }
        if size > 1 || tokens.len() == before {
            size /= 2;
        }
    }
    tokens.concat()
}

fn campaign(address: &str) -> ExitCode {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH);
    let clock = clock.map_or(1, |since| since.as_secs());
    let seed = option("--seed").or_else(|| std::env::var("REDSTART_SEED").ok());
    let mut seed = seed.and_then(|text| text.parse().ok()).unwrap_or(clock);
    println!("first seed {seed}");
    let recorded: Vec<&str> = PROGRAMS
        .split("\n===\n")
        .filter_map(|pair| Some(pair.split_once("\n---\n")?.0))
        .filter(|program| !spoil::is_dangerous(program))
        .collect();
    let (finds, spoilt) = (option("--finds"), number("--spoilt", 40));
    let end = Instant::now() + Duration::from_secs(number("--seconds", 20));
    let mut oracle = Oracle::open(address);
    let (mut passed, mut failed, mut endless) = (0, 0, 0);
    while Instant::now() < end && (finds.is_some() || failed < MOST_PRINTED) {
        let mut rng = Rng::new([seed, 3]);
        let program = match rng.below(100) < spoilt {
            true => spoil::program(&mut rng, &recorded),
            false => Generator::new(seed).program(),
        };
        seed += 1;
        if option("--show").is_some() {
            println!("{program}\n");
        }
        let Some(found) = ours(&program) else {
            endless += 1;
            continue;
        };
        match oracle.ask(&program) {
            None => {}
            Some(expected) if expected == found => passed += 1,
            Some(_) => {
                failed += 1;
                let small = shrink(&mut oracle, &program);
                let answers = difference(&mut oracle, &small).unwrap_or_default();
                let text = format!(
                    "{small}\n---\n{}\n===\nours: {}\nseed {}\n",
                    String::from_utf8_lossy(&answers.0),
                    String::from_utf8_lossy(&answers.1),
                    seed - 1
                );
                println!("{text}");
                if let Some(folder) = &finds {
                    let _ = std::fs::create_dir_all(folder);
                    let path = format!("{folder}/lua-{}.txt", seed - 1);
                    let written = std::fs::write(&path, text);
                    written.unwrap_or_else(|error| println!("cannot write {path}: {error}"));
                }
            }
        }
    }
    println!(
        "{endless} endless here, {} there; next seed {seed}",
        oracle.hung
    );
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {word}. {passed} passed; {failed} failed; 0 ignored");
    ExitCode::from(u8::from(failed > 0))
}

fn main() -> ExitCode {
    let address = option("--address").or_else(|| std::env::var("REDSTART_LUA_ORACLE").ok());
    let Some(address) = address else {
        println!(
            "skipped: no redis-server to compare with is named\n\ntest result: ok. 0 passed; 0 failed; 1 ignored"
        );
        return ExitCode::SUCCESS;
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    let thread = thread.spawn(move || campaign(&address));
    thread
        .expect("a thread")
        .join()
        .unwrap_or(ExitCode::FAILURE)
}
