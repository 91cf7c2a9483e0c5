//! The machine that recorded and random programs run on.

use redstart::algorithms::hash::HashSeed;
use redstart::lua::{Value, Vm, lib};

/// Runs a program and returns its results as text; redis-server runs it as it is here.
pub const WRAP: &str = include_str!("../data/lua/wrap.lua");

/// A machine whose libraries are read-only, as a server's are.
pub fn machine() -> Vm {
    let mut vm = Vm::new(HashSeed::new(1, 2), 64 << 20);
    lib::open(&mut vm);
    let mut tables: Vec<_> = vm.string_metatable.into_iter().collect();
    let mut key = Value::Nil;
    while let Ok(Some((next, value))) = vm.heap.table_of(vm.globals).next(key) {
        if let Value::Table(table) = value {
            tables.push(table);
        }
        key = next;
    }
    for table in tables {
        vm.heap.table_mut(table).is_readonly = true;
    }
    vm
}
