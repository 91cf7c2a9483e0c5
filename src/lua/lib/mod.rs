//! The libraries of Lua 5.1 as Redis offers them (no files, no `print`, no `debug`, no `require`), and the four it adds.

mod base;
mod bit;
mod cjson;
mod cmsgpack;
mod coroutine;
mod json;
mod math;
mod pack;
mod pattern;
mod string;
mod table;

#[cfg(feature = "debugger")]
pub(super) use base::protected;
pub use base::{plain_text, to_text};

use super::function::Run;
use super::value::{TableId, Value};
use super::vm::Vm;

/// Functions and their names in a library.
type Functions = [(&'static str, Run)];

/// Places on the stack that a function of the host may take in Redis: what its libraries nest ends there.
const MAX_SLOTS: usize = 8000;

/// Adds every library to the globals.
pub fn open(vm: &mut Vm) {
    let globals = vm.globals;
    base::open(vm, globals);
    library(vm, "coroutine", coroutine::FUNCTIONS);
    library(vm, "table", table::FUNCTIONS);
    let math = library(vm, "math", math::FUNCTIONS);
    math::constants(vm, math);
    alias(vm, math, "mod", "fmod");
    let string = library(vm, "string", string::FUNCTIONS);
    string::open(vm, string);
    alias(vm, string, "gfind", "gmatch");
    library(vm, "bit", bit::FUNCTIONS);
    library(vm, "struct", pack::FUNCTIONS);
    let cmsgpack = library(vm, "cmsgpack", cmsgpack::FUNCTIONS);
    cmsgpack::open(vm, cmsgpack);
    let cjson = library(vm, "cjson", &[]);
    cjson::open(vm, cjson);
}

/// An older name for a function of a library.
fn alias(vm: &mut Vm, table: TableId, older: &str, name: &str) {
    let name = vm.heap.name(name);
    let function = vm.heap.table_of(table).get_str(name);
    vm.set_field(table, older, function);
}

/// A table with functions, under a name among the globals.
pub fn library(vm: &mut Vm, name: &str, functions: &Functions) -> TableId {
    // The first libraries are made in a heap that is nearly empty.
    let table = vm
        .heap
        .table(0, functions.len())
        .unwrap_or(TableId(u32::MAX));
    let globals = vm.globals;
    vm.set_field(globals, name, Value::Table(table));
    for (name, run) in functions {
        vm.register(table, name, *run);
    }
    table
}
