//! What is in use, counted anew.

use super::*;
use crate::lua::{Call, Host, Interrupt, Thrown, Vm, lib};
use std::collections::HashMap;

struct Patient;

impl Host for Patient {
    fn interrupt(&mut self) -> Interrupt {
        Interrupt::GoOn
    }

    fn call(&mut self, _: &mut Vm, _: &mut Call, _: u32) -> Result<usize, Thrown> {
        Ok(0)
    }
}

fn live<T: Default>(arena: &Arena<T>) -> impl Iterator<Item = &T> {
    let all = arena.items.iter().zip(&arena.marks);
    all.filter(|(_, mark)| **mark != Mark::Free)
        .map(|(item, _)| item)
}

fn add_protos(proto: &Rc<Proto>, found: &mut HashMap<*const Proto, usize>) {
    let inner: usize = proto.inner.iter().map(|inner| inner.heap_bytes()).sum();
    found.insert(Rc::as_ptr(proto), proto.heap_bytes() - inner);
    for inner in &proto.inner {
        add_protos(inner, found);
    }
}

/// What is in use, counted anew.
fn counted(vm: &Vm) -> usize {
    let heap = &vm.heap;
    let mut protos = HashMap::new();
    for closure in live(&heap.closures) {
        if let Some(proto) = &closure.proto {
            add_protos(proto, &mut protos);
        }
    }
    let strings = live(&heap.strings).map(|text| text_bytes(text.bytes().len()));
    let tables = live(&heap.tables).map(|table| size_of::<Table>() + table.heap_bytes());
    let coroutines = live(&heap.coroutines).map(|coroutine| {
        let thread = coroutine.thread.as_ref();
        size_of::<Coroutine>() + thread.map_or(0, |thread| thread.bytes())
    });
    strings.sum::<usize>()
        + tables.sum::<usize>()
        + coroutines.sum::<usize>()
        + live(&heap.closures).map(Closure::bytes).sum::<usize>()
        + live(&heap.natives).map(Native::bytes).sum::<usize>()
        + live(&heap.userdata).count() * size_of::<Userdata>()
        + live(&heap.upvalues).count() * size_of::<Upvalue>()
        + protos.values().sum::<usize>()
        + vm.thread.bytes()
}

#[test]
fn bytes_in_use_are_those_that_are_there() {
    let mut vm = Vm::new(HashSeed::new(1, 2), 64 << 20);
    lib::open(&mut vm);
    assert_eq!(vm.heap.used_bytes, counted(&vm));
    for (number, source) in [
        "t = {} for i = 1, 1000 do t[i] = {i, k = 'v' .. i} end",
        "for i = 1, 1000, 2 do t[i] = nil end for i = 1, 50 do t['x' .. i] = i end",
        "t = nil",
        "f = {} for i = 1, 100 do f[i] = function() i = i + 1 return i end f[i]() end",
        "c = {} for i = 1, 20 do c[i] = coroutine.wrap(function(...) coroutine.yield(...) error(i) end) c[i](i) end",
        "for i = 1, 20, 2 do pcall(c[i]) end f = nil",
        "local function deep(n) if n > 0 then return 1 + deep(n - 1) end return 0 end deep(5000)",
        "s = ('x'):rep(1e5) for i = 1, 20 do s = s:gsub('x', 'y', i) end",
        "w = setmetatable({}, {__mode = 'kv'}) for i = 1, 100 do w[{}] = {} w[i] = {} end",
        "p = {} for i = 1, 50 do p[i] = newproxy(true) end p = cjson.decode('[{\"a\":[1,2]},3]')",
        "g = loadstring('local function inner() return function() end end return inner()')()",
        "return pcall(string.rep, 'x', 1e9), pcall(function() local t = {} for i = 1, 1e8 do t[i] = i end end)",
        "x = 5",
    ]
    .into_iter()
    .enumerate()
    {
        let function = vm.load(source.as_bytes(), b"@test").expect("it compiles");
        assert!(vm.run(&mut Patient, function, &[]).is_ok(), "{source}");
        assert_eq!(vm.heap.used_bytes, counted(&vm), "{source}");
        if number % 3 != 0 {
            vm.collect();
            assert_eq!(vm.heap.used_bytes, counted(&vm), "{source}");
        }
    }
}
