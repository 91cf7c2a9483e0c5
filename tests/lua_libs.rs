//! The libraries that Redis adds to Lua, and the order of tables, against what redis-server 8.2.3 answered, and against hostile bytes.

use redstart::algorithms::hash::HashSeed;
use redstart::algorithms::rng::Rng;
use redstart::lua::{Call, Host, Interrupt, Ran, Thrown, Value, Vm, lib};

/// Pairs of lines: a program, and behind `= ` the texts of what `pcall` of it returned in redis-server. Programs are run
/// in order and by one machine, as some change settings.
const RECORDED: &str = include_str!("data/lua/libraries.txt");
/// The same about the order in which tables are gone through.
const ORDER: &str = include_str!("data/lua/tables.txt");
const HEAP_BYTES: usize = 64 << 20;

struct Patient;

impl Host for Patient {
    fn interrupt(&mut self) -> Interrupt {
        Interrupt::GoOn
    }

    fn call(&mut self, _: &mut Vm, _: &mut Call, _: u32) -> Result<usize, Thrown> {
        Ok(0)
    }
}

fn machine(limit_bytes: usize) -> Vm {
    let mut vm = Vm::new(HashSeed::new(1, 2), limit_bytes);
    lib::open(&mut vm);
    vm
}

/// Bytes with all but plain characters written as numbers.
fn shown(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        match byte {
            b'\\' | 0..32 | 127.. => out.push_str(&format!("\\{byte:03}")),
            byte => out.push(char::from(*byte)),
        }
    }
    out
}

fn run(vm: &mut Vm, source: &str) -> Result<String, String> {
    let result = vm
        .load(source.as_bytes(), b"@user_script")
        .and_then(|function| vm.run(&mut Patient, function, &[]));
    let text = |value| match value {
        Value::String(text) => shown(vm.heap.bytes(text)),
        other => other.type_name().to_owned(),
    };
    match result {
        Ok(Ran::Done(value)) => Ok(text(value)),
        Ok(Ran::Paused) => Err("paused".into()),
        Err(Thrown) => Err(text(vm.thrown)),
    }
}

/// What recorded programs may use: `A` gives the texts of its arguments, tables taken apart.
const PRELUDE: &str = "local function S(v) if type(v)=='table' then local o={} for k,x in pairs(v) do \
     o[#o+1]='['..S(k)..']='..S(x) end return '{'..table.concat(o,',')..'}' elseif type(v)=='number' then \
     return string.format('%.17g',v) else return tostring(v) end end local function A(...) local o={} \
     for i=1,select('#',...) do o[i]=S((select(i,...))) end return table.concat(o,' ') end";

/// The program as it was given to redis-server.
fn wrapped(program: &str) -> String {
    format!(
        "{PRELUDE} local r={{pcall(function() {program} end)}} local o={{}} for i=1,12 do \
         o[i]=type(r[i])=='string' and '<'..r[i]..'>' or tostring(r[i]) end \
         return table.concat(o,' ')"
    )
}

fn answer_as_recorded(recorded: &str) -> u32 {
    let mut vm = machine(HEAP_BYTES);
    let mut lines = recorded.lines();
    let mut count = 0;
    while let (Some(program), Some(expected)) = (lines.next(), lines.next()) {
        let answer = run(&mut vm, &wrapped(program));
        assert_eq!(
            answer.as_deref(),
            Ok(expected.strip_prefix("= ").unwrap_or(expected)),
            "{program}"
        );
        count += 1;
    }
    count
}

#[test]
fn libraries_answer_as_recorded() {
    assert_eq!(answer_as_recorded(RECORDED), 1053);
}

#[test]
fn tables_are_gone_through_as_recorded() {
    assert_eq!(answer_as_recorded(ORDER), 150);
}

#[test]
fn what_does_not_fit_is_an_error_and_the_machine_goes_on() {
    let mut vm = machine(4 << 20);
    for program in [
        "cjson.encode_sparse_array(true, 0) return cjson.encode({[2147483647] = 1})",
        "local t = {} for i = 1, 8 do t[i] = t end return cmsgpack.pack(t)",
        "local s = string.rep('/', 1000000) return cjson.encode({s, s, s, s, s})",
        "local s = string.rep('[1],', 100000) return cjson.decode('[' .. s .. '1]')",
        "local s = string.rep('\\144', 65535) return cmsgpack.unpack('\\220\\255\\255' .. s)",
    ] {
        let error = run(&mut vm, program).expect_err(program);
        assert!(error.ends_with("not enough memory"), "{program}: {error}");
        vm.collect();
        assert!(vm.heap.used_bytes < 1 << 20, "{program}");
    }
    assert_eq!(
        run(&mut vm, "return cjson.encode({1})").as_deref(),
        Ok("[1]")
    );
}

#[test]
fn garbage_makes_room_near_the_limit() {
    let mut vm = machine(8 << 20);
    for program in [
        "local keep = string.rep('x', 5000000) for i = 1, 50 do local s = string.rep('y', 1000000) .. i end return 'ok'",
        "local keep = string.rep('x', 5000000) for i = 1, 30000 do local t = {i, {i}} end return 'ok'",
        "local keep = string.rep('x', 5000000) for i = 1, 50 do local s = cjson.encode({string.rep('y', 800000)}) end return 'ok'",
    ] {
        assert_eq!(run(&mut vm, program).as_deref(), Ok("ok"), "{program}");
    }
}

/// A string literal of Lua.
fn literal(bytes: &[u8]) -> String {
    let mut out = String::from("'");
    for byte in bytes {
        out.push_str(&format!("\\{byte:03}"));
    }
    out.push('\'');
    out
}

#[test]
fn hostile_bytes_are_errors() {
    let seed = match std::env::var("REDSTART_SEED") {
        Ok(text) => text.parse().expect("a number"),
        Err(_) => 1,
    };
    println!("REDSTART_SEED={seed}");
    let mut rng = Rng::new([seed, 2]);
    let mut vm = machine(HEAP_BYTES);
    let alphabets: [(&str, &[u8]); 3] = [
        ("cjson.decode(%)", b"[]{},:\"\\ud83e0x1.-+ntfalserui \0\xff"),
        (
            "cmsgpack.unpack(%)",
            b"\x01\x80\x81\x90\x91\x92\xa1\xc0\xc1\xca\xcb\xcc\xcf\xd0\xd3\xd9\xda\xdb\xdc\xdd\xde\xdf\xff\0",
        ),
        (
            "struct.unpack(%, string.rep('\\001', 40))",
            b"bBhHiIlLTfdxsc012347 <>!89=",
        ),
    ];
    for _ in 0..3000 {
        for (call, alphabet) in alphabets {
            let length = rng.below(40) as usize;
            let mut bytes = Vec::new();
            for _ in 0..length {
                bytes.push(match rng.below(10) {
                    0 => rng.below(256) as u8,
                    _ => alphabet[rng.below(alphabet.len() as u64) as usize],
                });
            }
            let call = call.replace('%', &literal(&bytes));
            let source = format!(
                "local ok, why = pcall(function() return {call} end) return ok and 'fine' or why"
            );
            let answer = run(&mut vm, &source);
            let is_empty = answer.as_deref().map_or(true, str::is_empty);
            assert!(!is_empty, "{call}: {answer:?}");
        }
    }
}
