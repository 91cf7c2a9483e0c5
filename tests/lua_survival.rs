//! Programs that a real redis-server would hang or die of: here each ends with an error or a kill within a bounded number
//! of steps, the machine goes on, and its memory is back after a collection.

use redstart::algorithms::hash::HashSeed;
use redstart::lua::{Call, Host, Interrupt, Ran, Thrown, Value, Vm, lib};

const LIMIT_BYTES: usize = 16 << 20;
/// Names and messages of the machine itself are not refused.
const OWN_BYTES: usize = 64 << 10;
/// Questions to the host, each after 100,000 steps, before the script is killed.
const MOST_QUESTIONS: u32 = 5;
/// Without optimisation a call takes ten times the stack that it takes with it.
const STACK_BYTES: usize = 64 << 20;

struct Impatient {
    questions_left: u32,
}

impl Host for Impatient {
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

/// Endless: nothing but a kill ends them.
const ENDLESS: &[&str] = &[
    "repeat until false",
    "local function f() return f() end f()",
    "pcall(function() while true do end end)",
    "while true do pcall(error) end",
    "while true do pcall(pcall, error) end",
    "xpcall(function() while true do end end, function() while true do end end)",
    "xpcall(error, function() while true do end end)",
    "coroutine.resume(coroutine.create(function() while true do end end))",
    "local f = coroutine.wrap(function() while true do coroutine.yield(1) end end) while true do f() end",
    "for _ in coroutine.wrap(function() while true do coroutine.yield(1) end end) do end",
    "while true do coroutine.wrap(function() end)() end",
    "for _ in function() return 1 end do end",
    "for i = 1, 2, 0 do end for i = 2, 1, 0 do end while true do end",
    "local t = setmetatable({}, {__index = function(t, k) while true do end end}) return t.x",
    "local t = setmetatable({}, {__lt = function() while true do end end}) return t < t",
    "local t t = setmetatable({}, {__call = function() return t() end}) return t()",
    "table.sort({3, 2, 1}, function() while true do end end)",
    "local t = {} for i = 1, 20000 do t[i] = i % 7 end while true do table.sort(t) end",
    "string.gsub('x', 'x', function() while true do end end)",
    "while true do string.gsub(string.rep('x', 1000), 'x', 'y') end",
    "string.find(string.rep('a', 30), string.rep('a?', 30) .. string.rep('a', 30) .. 'b')",
    "string.find(string.rep('a', 100000), '.-.-.-b')",
    "string.find(string.rep('a', 200000), 'a*b')",
    "string.gsub(string.rep('a', 100000), '.-b', '')",
    "string.find(string.rep('(', 200000), '%b()')",
    "for w in string.gmatch(string.rep('a', 100000), 'a-b') do end",
    "table.foreach({1}, function() while true do end end)",
    "load(function() while true do end end)",
    "local s = string.rep('x', 1e6) while true do local t = s .. math.random() end",
    "local s = string.rep('x', 1e6) while true do s:reverse():lower():upper() end",
    "local t = {} for i = 1, 5000 do t[i] = 'x' end while true do table.concat(t) end",
    "local s = cjson.encode({1, 2, {3}}) while true do cjson.decode(s) end",
    "local s = cmsgpack.pack({1, 2, {3}}) while true do cmsgpack.unpack(s) end",
    "while true do struct.pack('i8', 1) end",
    "while true do loadstring('return 1') end",
    "while true do collectgarbage() end",
    "while true do unpack({}, 1, 5000) end",
    "while true do string.format('%99.99f', 1) end",
    "local t = {} while true do t[1] = nil t[1] = 1 end",
    "table.remove(setmetatable({1}, {})) while true do tostring({}) end",
];

/// Unbounded: they end because there is no more memory, or at a limit of their own.
const UNBOUNDED: &[&str] = &[
    "local t = {} for i = 1, 1e9 do t[i] = i end",
    "local t = {} for i = 1, 1e9 do t['k' .. i] = i end",
    "local t = {} while true do t = {t, t} end",
    "local s = 'x' while true do s = s .. s end",
    "local t = {} local s = string.rep('x', 1e5) for i = 1, 1e9 do t[i] = s .. i end",
    "string.rep('x', 1e9)",
    "string.rep('x', 2^31 - 1)",
    "string.rep(string.rep('x', 1e6), 1e6)",
    "table.concat({string.rep('x', 4e6), string.rep('y', 4e6), string.rep('z', 4e6)}, string.rep('-', 4e6))",
    "local t = {} for i = 1, 100 do t[i] = string.rep('x', 1e6) end table.concat(t)",
    "string.gsub(string.rep('x', 1e5), 'x', string.rep('y', 1e5))",
    "string.gsub(string.rep('x', 1e5), 'x', function() return string.rep('y', 1e5) end)",
    "string.format(string.rep('%99d', 10), 1)",
    "local t = {} for i = 1, 1e9 do t[i] = function() return t end end",
    "local t = {} for i = 1, 1e9 do t[i] = coroutine.create(function() end) coroutine.resume(t[i]) end",
    "local t = {} for i = 1, 1e9 do t[i] = coroutine.wrap(function() coroutine.yield(i) end) t[i]() end",
    "local function f(...) return f(1, ...) end f()",
    "local function f() return 1 + f() end f()",
    "local t = {} t[1e8] = 1 for i = 1, 1e8 do t[i] = 1 end",
    "table.insert({}, -2^31, 1)",
    "load(function() return 'x = 1 ' end)",
    "load(function() return string.rep('x', 1e6) end)",
    "loadstring(string.rep('local a ', 1e6))",
    "loadstring('return \"' .. string.rep('x', 9e6) .. '\"')",
    "loadstring('return {' .. string.rep('{},', 1e6) .. '}')()",
    "local s = string.rep('a=a ', 5e5) loadstring(s)",
    "cjson.decode(string.rep('[', 1e6))",
    "cjson.decode('[' .. string.rep('[1],', 1e6) .. '1]')",
    "local t = {} for i = 1, 8 do t[i] = t end cjson.encode(t)",
    "local t = {} for i = 1, 8 do t[i] = t end cmsgpack.pack(t)",
    "cmsgpack.unpack('\\221\\127\\255\\255\\255' .. string.rep('\\1', 1e6))",
    "cmsgpack.unpack(string.rep('\\221\\0\\255\\255\\255', 1000))",
    "struct.unpack('c2147483647', 'x')",
    "struct.pack(string.rep('d', 1e6))",
    "local s = string.rep('x', 2e6) cjson.encode({s, s, s, s, s, s, s, s})",
    "error(string.rep('x', 1e9))",
    "assert(false, string.rep('x', 1e8))",
    "unpack({}, 1, 1e8)",
    "string.char(unpack({}, 1, 7000))",
    "string.byte(string.rep('x', 1e6), 1, -1)",
];

fn machine() -> Vm {
    let mut vm = Vm::new(HashSeed::new(1, 2), LIMIT_BYTES);
    lib::open(&mut vm);
    vm
}

/// Runs a program to its end; whether it was killed.
fn run(vm: &mut Vm, source: &str) -> Result<Ran, Thrown> {
    let mut host = Impatient {
        questions_left: MOST_QUESTIONS,
    };
    let function = vm.load(source.as_bytes(), b"@user_script")?;
    vm.run(&mut host, function, &[])
}

/// Runs programs one after another on one machine, each of which has to leave it as it was.
fn survive(programs: &[&str], is_endless: bool) {
    let mut vm = machine();
    let _ = run(&mut vm, "return 1");
    vm.collect();
    let before = vm.heap.used_bytes;
    for source in programs {
        let result = run(&mut vm, source);
        assert!(vm.was_killed() || !is_endless, "{source}: {result:?}");
        let used_bytes = vm.heap.used_bytes;
        assert!(
            used_bytes <= LIMIT_BYTES + OWN_BYTES,
            "{source}: {used_bytes}"
        );
        vm.thrown = Value::Nil;
        vm.collect();
        let after = vm.heap.used_bytes;
        assert!(after < before + (1 << 20), "{source}: {before} {after}");
        let usable = run(&mut vm, "return 'x' .. #{1, 2}");
        assert!(
            matches!(usable, Ok(Ran::Done(Value::String(_)))),
            "{source}"
        );
    }
}

fn with_room(test: fn()) {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    let result = thread.spawn(test).expect("a thread").join();
    assert!(result.is_ok());
}

#[test]
fn what_never_ends_is_killed() {
    with_room(|| survive(ENDLESS, true));
}

#[test]
fn what_takes_too_much_is_an_error() {
    with_room(|| survive(UNBOUNDED, false));
}
