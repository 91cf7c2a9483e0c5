//! Random bytes and spoilt programs: the compiler and the machine never panic, stop when the host says so and stay within
//! their memory. Another seed: `LUA_FUZZ_SEED=5 cargo test --test lua_fuzz`; `LUA_FUZZ_PROGRAMS` says how many.

use redstart::algorithms::hash::HashSeed;
use redstart::lua::{Call, Host, Interrupt, Ran, Thrown, Vm, lib};

const PROGRAMS: &str = include_str!("data/lua/programs.txt");
const LIMIT_BYTES: usize = 4 << 20;
/// What may be there in more than one of them, to be put anywhere.
const PIECES: &[&str] = &[
    "end ",
    "do ",
    "(",
    ")",
    "{",
    "}",
    "[[",
    "]]",
    "nil",
    "function(...) ",
    "return ",
    "while true do ",
    "0/0",
    "1e308",
    "..",
    "...",
    "='x'",
    "\0",
    "\"",
    "'",
    "\\",
    "-- ",
    "--[==[",
    "local a ",
    "a.b",
    ":c",
    "#",
    "-",
    "not ",
    "^",
    "%",
    "coroutine.yield()",
    "coroutine.wrap(function() ",
    "setmetatable({}, {__index = ",
    "string.rep('x', 1e9)",
    "pcall(",
    "error(",
    "for i = 1, 1e9 do ",
    "repeat ",
    "until ",
    "unpack({}, 1, 7000)",
    "table.sort(",
    "collectgarbage() ",
    "('a'):rep(100):gsub('.-b', ",
    "string.format('%99.99f', ",
    "goto ",
    "break ",
    "loadstring(",
];

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

/// xorshift64*
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }
}

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn spoil(random: &mut Random, program: &mut Vec<u8>) {
    for _ in 0..=random.below(6) {
        let at = random.below(program.len() + 1);
        match random.below(5) {
            0 if at < program.len() => program[at] = random.below(256) as u8,
            1 => {
                let to = (at + random.below(12)).min(program.len());
                program.drain(at..to);
            }
            2 => {
                let from = random.below(program.len());
                let to = (from + random.below(40)).min(program.len());
                let piece = program[from..to].to_vec();
                program.splice(at..at, piece);
            }
            _ => {
                let piece = PIECES[random.below(PIECES.len())];
                program.splice(at..at, piece.bytes());
            }
        }
    }
}

fn make(random: &mut Random, programs: &[&str]) -> Vec<u8> {
    match random.below(9) {
        0 => (0..random.below(60))
            .map(|_| random.below(256) as u8)
            .collect(),
        1..=4 => {
            let mut pick = || programs[random.below(programs.len())];
            let (one, two) = (pick(), pick());
            let mut program =
                format!("pcall(function(...) {one}\nend, 1, {{}})\n{two}").into_bytes();
            for byte in &mut program {
                if byte.is_ascii_digit() && random.below(8) == 0 {
                    *byte = b'0' + random.below(10) as u8;
                } else if b"+-*/%^<>#".contains(byte) && random.below(16) == 0 {
                    *byte = b"+-*/%^<>#"[random.below(9)];
                }
            }
            program
        }
        5 => {
            let pieces = (0..random.below(30)).map(|_| PIECES[random.below(PIECES.len())]);
            pieces.collect::<String>().into_bytes()
        }
        _ => {
            let mut program = programs[random.below(programs.len())].as_bytes().to_vec();
            spoil(random, &mut program);
            program
        }
    }
}

/// Without optimisation a call takes ten times the stack that it takes with it.
const STACK_BYTES: usize = 32 << 20;

#[test]
fn programs_end_whatever_they_are() {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    let thread = thread.spawn(nothing_panics_runs_away_or_takes_too_much);
    let result = thread.expect("a thread").join();
    assert!(result.is_ok());
}

fn nothing_panics_runs_away_or_takes_too_much() {
    let seed = number("LUA_FUZZ_SEED", 1);
    let count = number("LUA_FUZZ_PROGRAMS", 3000);
    println!("LUA_FUZZ_SEED={seed}");
    let programs: Vec<&str> = PROGRAMS
        .split("\n===\n")
        .filter_map(|pair| Some(pair.split_once("\n---\n")?.0))
        .collect();
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut vm = Vm::new(HashSeed::new(seed, 2), LIMIT_BYTES);
    lib::open(&mut vm);
    let (mut ran, mut refused) = (0, 0);
    for turn in 0..count {
        let program = make(&mut random, &programs);
        if std::env::var_os("LUA_FUZZ_SHOW").is_some() {
            println!("{turn}: {}", String::from_utf8_lossy(&program));
        }
        let Ok(function) = vm.load(&program, b"@fuzz") else {
            refused += 1;
            continue;
        };
        ran += 1;
        let mut host = Impatient { questions_left: 4 };
        let mut ran = vm.run(&mut host, function, &[]);
        while ran == Ok(Ran::Paused) {
            ran = vm.resume(&mut host);
        }
        let used = vm.heap.used_bytes;
        assert!(used <= LIMIT_BYTES + (1 << 16), "turn {turn}: {used} bytes");
        if turn % 50 == 0 {
            // What a program did to the globals does not matter to the ones behind it for long.
            vm = Vm::new(HashSeed::new(seed, turn), LIMIT_BYTES);
            lib::open(&mut vm);
        }
    }
    assert!(ran > count / 10 && refused > count / 10, "{ran} {refused}");
}
