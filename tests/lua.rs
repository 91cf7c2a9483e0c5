//! Lua programs, run by the machine alone.

use redstart::algorithms::hash::HashSeed;
use redstart::lua::{Call, Host, Interrupt, Ran, Thrown, Value, Vm, lib};

struct Nobody {
    questions_left: u32,
}

impl Host for Nobody {
    fn interrupt(&mut self) -> Interrupt {
        self.questions_left = self.questions_left.saturating_sub(1);
        match self.questions_left {
            0 => Interrupt::Kill("killed"),
            _ => Interrupt::GoOn,
        }
    }

    fn call(&mut self, _: &mut Vm, _: &mut Call, _: u32) -> Result<usize, Thrown> {
        Ok(0)
    }
}

fn machine() -> Vm {
    let mut vm = Vm::new(HashSeed::new(1, 2), 64 << 20);
    lib::open(&mut vm);
    vm
}

fn run(vm: &mut Vm, source: &str, questions: u32) -> Result<String, String> {
    let mut host = Nobody {
        questions_left: questions,
    };
    let text = |vm: &Vm, value: Value| match value {
        Value::String(text) => String::from_utf8_lossy(vm.heap.bytes(text)).into_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Nil => "nil".into(),
        other => other.type_name().into(),
    };
    let result = vm
        .load(source.as_bytes(), b"@user_script")
        .and_then(|function| vm.run(&mut host, function, &[]));
    match result {
        Ok(Ran::Done(value)) => Ok(text(vm, value)),
        Ok(Ran::Paused) => Err("paused".into()),
        Err(Thrown) => Err(text(vm, vm.thrown)),
    }
}

/// Programs and what they return.
const PROGRAMS: &[(&str, &str)] = &[
    ("return 1 + 2 * 3", "7"),
    (
        "local t = {} for i = 1, 10 do t[i] = i * i end return t[7]",
        "49",
    ),
    (
        "local function fib(n) if n < 2 then return n end return fib(n-1) + fib(n-2) end return fib(20)",
        "6765",
    ),
    ("return 'a' .. 1 .. 'b' .. 2.5", "a1b2.5"),
    (
        "local s = 0 for k, v in pairs({a=1, b=2, 3, 4}) do s = s + v end return s",
        "10",
    ),
    (
        "local a, b, c = (function(...) return select('#', ...), ... end)(5, 6) return a .. b .. c",
        "256",
    ),
    ("return select(2, pcall(error, {1}))[1]", "1"),
    (
        "return tostring(pcall(function() local x = nil; return x.y end))",
        "false",
    ),
    (
        "local co = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) return b * 2 end) return co(1) .. co(21)",
        "242",
    ),
    (
        "local t = setmetatable({}, {__index = function(t, k) return k .. '!' end}) return t.hello",
        "hello!",
    ),
    (
        "return string.format('%5.2f|%d|%s|%q', 3.14159, 42, 'x', 'a\"b')",
        " 3.14|42|x|\"a\\\"b\"",
    ),
    (
        "return (string.gsub('hello world', 'o', '0'))",
        "hell0 w0rld",
    ),
    (
        "local t = {5, 2, 8, 1} table.sort(t) return table.concat(t, ',')",
        "1,2,5,8",
    ),
    (
        "local s = '' for w in string.gmatch('one two three', '%a+') do s = s .. w:sub(1, 1) end return s",
        "ott",
    ),
    (
        "local x = 0 repeat local y = x x = x + 1 until y >= 5 return x",
        "6",
    ),
    (
        "local t = {} for i = 1, 3 do t[i] = function() return i end end return t[1]() + t[2]() + t[3]()",
        "6",
    ),
    ("return #{1, 2, 3, nil, 5}", "5"),
    (
        "return tostring(1e15) .. ' ' .. tostring(0.1) .. ' ' .. 2^53",
        "1e+15 0.1 9.007199254741e+15",
    ),
    (
        "return tostring(nil == false) .. tostring(not nil) .. tostring(1 < 2 and 'yes' or 'no')",
        "falsetrueyes",
    ),
    (
        "local function f(...) return arg.n end return f(1, nil, 3)",
        "3",
    ),
    (
        "local a = {} a.b = {} a.b.c = 5 function a.b:get() return self.c end return a.b:get()",
        "5",
    ),
    ("for i = 10, 1, -3 do if i < 5 then return i end end", "4"),
    (
        "local n = 0 while true do n = n + 1 if n > 100 then break end end return n",
        "101",
    ),
    ("return loadstring('return ...')(7)", "7"),
    ("return tostring(loadstring('x ='))", "nil"),
];

#[test]
fn programs_do_what_they_say() {
    let mut vm = machine();
    for (source, expected) in PROGRAMS {
        assert_eq!(
            run(&mut vm, source, 1000).as_deref(),
            Ok(*expected),
            "{source}"
        );
    }
}

#[test]
fn errors_have_a_place_and_name_what_they_are_about() {
    let mut vm = machine();
    for (source, expected) in [
        (
            "local x = nil; return x.y",
            "user_script:1: attempt to index local 'x' (a nil value)",
        ),
        (
            "return foo.bar",
            "user_script:1: attempt to index global 'foo' (a nil value)",
        ),
        (
            "foo()",
            "user_script:1: attempt to call global 'foo' (a nil value)",
        ),
        (
            "local t = {} t.x.y = 1",
            "user_script:1: attempt to index field 'x' (a nil value)",
        ),
        (
            "return 1 + {}",
            "user_script:1: attempt to perform arithmetic on a table value",
        ),
        (
            "return 'a' < 1",
            "user_script:1: attempt to compare string with number",
        ),
        (
            "return {} .. 'x'",
            "user_script:1: attempt to concatenate a table value",
        ),
        ("error('boom')", "user_script:1: boom"),
        ("error('boom', 0)", "boom"),
        (
            "string.rep()",
            "user_script:1: bad argument #1 to 'rep' (string expected, got no value)",
        ),
        (
            "('x'):rep({})",
            "user_script:1: bad argument #1 to 'rep' (number expected, got table)",
        ),
        ("x =", "user_script:1: unexpected symbol near '<eof>'"),
        (
            "local function f() return f() + 1 end f()",
            "user_script:1: stack overflow",
        ),
    ] {
        assert_eq!(
            run(&mut vm, source, 1000),
            Err(expected.to_string()),
            "{source}"
        );
    }
}

#[test]
fn nothing_runs_away() {
    let mut vm = machine();
    for source in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "coroutine.wrap(function() while true do end end)()",
        "string.find(string.rep('a', 5000), '.-.-.-.-b')",
        "for i = 1, math.huge do end",
        "local s = string.rep('x', 1e6) while true do s = s .. 'x' end",
        "local s = string.rep('x', 1e6) while true do s:upper() end",
        "local function f() return f() end f()",
    ] {
        let error = run(&mut vm, source, 20).expect_err("it never ends");
        assert!(error.ends_with("killed"), "{source}: {error}");
        assert!(vm.was_killed());
    }
    for source in [
        "local t = {} for i = 1, 1e9 do t[i] = i end",
        "local s = 'x' while true do s = s .. s end",
        "return string.rep('x', 1e9)",
    ] {
        assert_eq!(
            run(&mut vm, source, 100_000),
            Err("not enough memory".into()),
            "{source}"
        );
    }
    vm.collect();
    assert!(vm.heap.used_bytes < 1 << 20, "{}", vm.heap.used_bytes);
    assert_eq!(run(&mut vm, "return 1", 10).as_deref(), Ok("1"));
}

/// Wants a pause whenever it is asked.
#[derive(Default)]
struct Pausing {
    questions: u32,
}

impl Host for Pausing {
    fn interrupt(&mut self) -> Interrupt {
        self.questions += 1;
        Interrupt::Pause
    }

    fn call(&mut self, _: &mut Vm, _: &mut Call, _: u32) -> Result<usize, Thrown> {
        Ok(0)
    }
}

/// Runs to the end with a collection in every pause: the result, and how often it paused.
fn run_with_pauses(vm: &mut Vm, source: &str) -> (Result<f64, String>, u32) {
    let mut host = Pausing::default();
    let mut pauses = 0;
    let mut ran = vm
        .load(source.as_bytes(), b"@user_script")
        .and_then(|function| vm.run(&mut host, function, &[]));
    while ran == Ok(Ran::Paused) {
        assert!(vm.is_paused());
        pauses += 1;
        vm.collect();
        ran = vm.resume(&mut host);
    }
    assert!(!vm.is_paused());
    let result = match ran {
        Ok(Ran::Done(Value::Number(number))) => Ok(number),
        Ok(other) => Err(format!("{other:?}")),
        Err(Thrown) => Err(String::from_utf8_lossy(vm.thrown_text().unwrap_or(b"?")).into()),
    };
    (result, pauses)
}

/// Programs that run long, what they return, and how often they pause at the least.
const LONG_PROGRAMS: &[(&str, f64, u32)] = &[
    (
        "local s = 0 for i = 1, 1e6 do s = s + i end return s",
        500_000_500_000.0,
        9,
    ),
    (
        "local i, s = 0, {} while i < 5e5 do i = i + 1 s[1] = {i} end return s[1][1]",
        500_000.0,
        4,
    ),
    (
        "local i = 0 repeat local x = {i} i = x[1] + 1 until i >= 5e5 return i",
        500_000.0,
        4,
    ),
    (
        "local function fib(n) if n < 2 then return n end return fib(n-1) + fib(n-2) end return fib(24)",
        46_368.0,
        1,
    ),
    (
        "local function f(n, a) if n == 0 then return a end return f(n - 1, a + 1) end return f(5e5, 0)",
        500_000.0,
        4,
    ),
    (
        "local n = 0 local function add(...) n = n + select('#', ...) end for i = 1, 2e5 do add(i, {}, i) end return n",
        600_000.0,
        3,
    ),
    (
        "local n = 0 for i = 1, 2e5 do n = n + math.max(i, 5) - math.max(i - 1, 5) end return n",
        199_995.0,
        3,
    ),
    (
        "local t = {} for i = 1, 1000 do t[i] = i end local n = 0 for r = 1, 300 do for k, v in pairs(t) do n = n + v end end return n",
        150_150_000.0,
        2,
    ),
    (
        // The host is asked within the metamethod every time; the pause comes behind it.
        "local t = setmetatable({}, {__index = function() return 1 end}) local n = 0 while n < 3e5 do n = n + t.x end return n",
        300_000.0,
        2,
    ),
    (
        "local w = coroutine.wrap(function() while true do for i = 1, 9 do end coroutine.yield(1) end end) local n = 0 while n < 1e5 do n = n + w() end return n",
        100_000.0,
        2,
    ),
    (
        "local n = 0 local ok, e = pcall(function() while true do n = n + 1 if n == 3e5 then error('end') end end end) return n",
        300_000.0,
        2,
    ),
    (
        "local function f(n) local ok, m = pcall(function() if n > 0 then for i = 1, 1e4 do end return select(2, pcall(f, n - 1)) end return 7 end) return m end local ok, m = pcall(f, 40) return m",
        7.0,
        3,
    ),
    (
        // Nothing to pause in: all of it runs in functions of the host.
        "local n = 0 table.sort({1, 2, 3, 4}, function(a, b) for i = 1, 1e5 do n = n + 1 end return a < b end) return n - n",
        0.0,
        1,
    ),
];

#[test]
fn what_is_paused_goes_on_where_it_was() {
    let mut vm = machine();
    for (source, expected, least_pauses) in LONG_PROGRAMS {
        let (result, pauses) = run_with_pauses(&mut vm, source);
        assert_eq!(result, Ok(*expected), "{source}");
        assert!(pauses >= *least_pauses, "{source}: {pauses} pauses");
    }
    let (result, pauses) = run_with_pauses(
        &mut vm,
        "local t = {}\nfor i = 1, 3e5 do t[1] = i end\nt.x.y = 1",
    );
    assert_eq!(
        result,
        Err("user_script:3: attempt to index field 'x' (a nil value)".into())
    );
    assert!(pauses >= 2);
}

#[test]
fn what_is_paused_can_be_given_up() {
    let mut vm = machine();
    let source = b"local n = 0 f = function() return n end while true do n = n + 1 end";
    let function = vm.load(source, b"@user_script").expect("it compiles");
    let mut host = Pausing::default();
    assert_eq!(vm.run(&mut host, function, &[]), Ok(Ran::Paused));
    vm.abandon();
    assert!(!vm.is_paused());
    assert_eq!(vm.resume(&mut host), Err(Thrown));
    // Its variables are as it left them.
    assert_eq!(run(&mut vm, "return f() > 1000", 10).as_deref(), Ok("true"));
    assert_eq!(vm.run(&mut host, function, &[]), Ok(Ran::Paused));
    assert_eq!(run(&mut vm, "return 5", 10).as_deref(), Ok("5"));
    assert!(!vm.is_paused());
}

#[test]
fn programs_that_nothing_refers_to_are_given_back() {
    let mut vm = machine();
    let mut least = usize::MAX;
    for number in 0..2000 {
        let source = format!(
            "local function f(a) return function() return a + {number} end end local g = f(1) kept{} = g return g()",
            number % 3
        );
        assert_eq!(run(&mut vm, &source, 10), Ok((number + 1).to_string()));
        if number == 10 {
            vm.collect();
            least = vm.heap.used_bytes;
        }
    }
    vm.collect();
    let used = vm.heap.used_bytes;
    assert!(used < least + 1024, "{used} bytes, {least} before");
}
