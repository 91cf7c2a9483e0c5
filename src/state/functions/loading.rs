//! The run of a library that registers its functions.
//!
//! While it runs, the globals are a table with nothing in it but a small `redis` table. Functions keep the globals of
//! the machine, so the two tables change their contents for that time, and reading a global costs functions no detour.

use super::header::{BAD_NAME, is_name};
use super::{Function, Functions};
use crate::algorithms::bytes::Bytes;
use crate::lua::value::TableId;
use crate::lua::{Call, Host, Interrupt, Thrown, Value, Vm};
use crate::resp::Error;
use crate::state::scripts::{
    HostFunction, LogLine, Machine, ScriptFlags, log_line, open_sandbox, redis_register_function,
    text_of, throw_table,
};

/// So often the machine asks whether to go on before a library takes too long: about as long as in Redis, half a second.
const PATIENCE: u32 = 200;
const TIMEOUT: &str = "FUNCTION LOAD timeout";

/// What functions do not find, and scripts do.
const ONLY_FOR_SCRIPTS: [&str; 3] = ["breakpoint", "debug", "replicate_commands"];
/// What a library finds in `redis` while it is loaded, besides `register_function`.
const AT_LOAD: [&str; 7] = [
    "log",
    "LOG_DEBUG",
    "LOG_VERBOSE",
    "LOG_NOTICE",
    "LOG_WARNING",
    "REDIS_VERSION",
    "REDIS_VERSION_NUM",
];

fn field(vm: &mut Vm, table: TableId, name: &str) -> Value {
    let key = Value::String(vm.heap.name(name));
    vm.heap.table_of(table).get(key)
}

/// Fills the globals of functions, and makes those of libraries that are loaded.
fn open(vm: &mut Vm, is_deprecated_api_open: bool) -> Value {
    open_sandbox(vm, is_deprecated_api_open);
    let globals = vm.globals;
    vm.set_field(globals, "__redis__err__handler", Value::Nil);
    let Value::Table(redis) = field(vm, globals, "redis") else {
        return Value::Nil;
    };
    for name in ONLY_FOR_SCRIPTS {
        vm.set_field(redis, name, Value::Nil);
    }
    let (Ok(load_redis), Ok(load_globals)) = (vm.heap.table(0, 8), vm.heap.table(0, 1)) else {
        return Value::Nil;
    };
    for name in AT_LOAD {
        let value = field(vm, redis, name);
        vm.set_field(load_redis, name, value);
    }
    vm.register(load_redis, "register_function", redis_register_function);
    vm.set_field(load_globals, "redis", Value::Table(load_redis));
    // What is not there is an error, in both.
    let metatable = vm.heap.table_of(globals).metatable;
    for table in [load_redis, load_globals] {
        let table = vm.heap.table_mut(table);
        (table.metatable, table.is_readonly) = (metatable, true);
    }
    Value::Table(load_globals)
}

/// Two tables take each other's place.
fn swap(vm: &mut Vm, one: TableId, other: TableId) {
    let taken = core::mem::take(vm.heap.table_mut(one));
    let taken = core::mem::replace(vm.heap.table_mut(other), taken);
    *vm.heap.table_mut(one) = taken;
}

/// What the machine talks to while a library is loaded.
struct Registry<'a> {
    functions: Vec<Function>,
    logged: &'a mut Vec<LogLine>,
    patience: u32,
}

impl Host for Registry<'_> {
    fn interrupt(&mut self) -> Interrupt {
        match self.patience.checked_sub(1) {
            Some(left) => {
                self.patience = left;
                Interrupt::GoOn
            }
            None => Interrupt::Kill(TIMEOUT),
        }
    }

    fn call(&mut self, vm: &mut Vm, call: &mut Call, function: u32) -> Result<usize, Thrown> {
        if function == HostFunction::Log as u32 {
            let line = log_line(vm, call)?;
            self.logged.push(line);
            return Ok(0);
        }
        self.register(vm, call)?;
        Ok(0)
    }
}

/// What is registered, as far as it was read.
#[derive(Default)]
struct Draft {
    name: Option<Vec<u8>>,
    callback: Option<Value>,
    description: Option<Vec<u8>>,
    flags: ScriptFlags,
}

impl Registry<'_> {
    fn register(&mut self, vm: &mut Vm, call: &mut Call) -> Result<(), Thrown> {
        let draft = match call.count {
            1 => read_named(self, vm, call)?,
            2 => read_positional(vm, call)?,
            _ => return fail(vm, b"wrong number of arguments to redis.register_function"),
        };
        let Some(name) = draft.name else {
            return fail(
                vm,
                b"redis.register_function must get a function name argument",
            );
        };
        let Some(callback) = draft.callback else {
            return fail(vm, b"redis.register_function must get a callback argument");
        };
        if !is_name(&name) {
            return Err(throw_table(vm, BAD_NAME.as_bytes()));
        }
        if self.functions.iter().any(|function| function.name == name) {
            return fail(vm, b"Function already exists in the library");
        }
        vm.roots.push(callback);
        self.functions.push(Function {
            name,
            description: draft.description,
            flags: draft.flags,
            root: vm.roots.len() - 1,
        });
        Ok(())
    }
}

/// Throws an error of `redis.register_function`.
#[cold]
fn fail<T>(vm: &mut Vm, message: &[u8]) -> Result<T, Thrown> {
    Err(throw_table(vm, &[b"ERR ", message].concat()))
}

fn is_function(value: Value) -> bool {
    matches!(value, Value::Closure(_) | Value::Native(_))
}

/// `redis.register_function(name, callback)`
fn read_positional(vm: &mut Vm, call: &Call) -> Result<Draft, Thrown> {
    let name = text_of(vm, call.arg(vm, 0))?;
    if name.is_none() {
        return fail(
            vm,
            b"first argument to redis.register_function must be a string",
        );
    }
    let callback = call.arg(vm, 1);
    if !is_function(callback) {
        return fail(
            vm,
            b"second argument to redis.register_function must be a function",
        );
    }
    Ok(Draft {
        name,
        callback: Some(callback),
        ..Draft::default()
    })
}

/// `redis.register_function{function_name=..., callback=..., flags=..., description=...}`
fn read_named(host: &mut Registry, vm: &mut Vm, call: &Call) -> Result<Draft, Thrown> {
    let Value::Table(table) = call.arg(vm, 0) else {
        return fail(vm, b"calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).");
    };
    let mut draft = Draft::default();
    let mut key = Value::Nil;
    while let Ok(Some((name, value))) = vm.heap.table_of(table).next(key) {
        key = name;
        let Some(name) = text_of(vm, name)? else {
            return fail(
                vm,
                b"named argument key given to redis.register_function is not a string",
            );
        };
        if name.is_word(b"function_name") {
            draft.name = text_of(vm, value)?;
            if draft.name.is_none() {
                return fail(
                    vm,
                    b"function_name argument given to redis.register_function must be a string",
                );
            }
        } else if name.is_word(b"description") {
            draft.description = text_of(vm, value)?;
            if draft.description.is_none() {
                return fail(
                    vm,
                    b"description argument given to redis.register_function must be a string",
                );
            }
        } else if name.is_word(b"callback") {
            if !is_function(value) {
                return fail(
                    vm,
                    b"callback argument given to redis.register_function must be a function",
                );
            }
            draft.callback = Some(value);
        } else if name.is_word(b"flags") {
            let Value::Table(_) = value else {
                return fail(vm, b"flags argument to redis.register_function must be a table representing function flags");
            };
            draft.flags = read_flags(host, vm, value)?;
        } else {
            return fail(vm, b"unknown argument given to redis.register_function");
        }
    }
    Ok(draft)
}

fn read_flags(host: &mut Registry, vm: &mut Vm, list: Value) -> Result<ScriptFlags, Thrown> {
    let mut flags = ScriptFlags::default();
    let mut number = 1.0;
    loop {
        let name = vm.index(host, list, Value::Number(number), None)?;
        if name.is_nil() {
            return Ok(flags);
        }
        let name = text_of(vm, name)?.unwrap_or_default().to_ascii_lowercase();
        let Some(flag) = ScriptFlags::named(&name) else {
            return fail(vm, b"unknown flag given");
        };
        flags.0 |= flag;
        number += 1.0;
    }
}

impl Functions {
    fn machine(&mut self) -> &mut Machine {
        let (seed, is_open) = (&self.seed, self.is_deprecated_api_open);
        let load_globals = &mut self.load_globals;
        self.machine.get_or_insert_with(|| {
            let mut machine = Machine::bare(seed.clone());
            let globals = open(&mut machine.vm, is_open);
            *load_globals = machine.keep(globals);
            Box::new(machine)
        })
    }

    /// Compiles and runs the body of a library: what it registered.
    ///
    /// # Errors
    /// What the compiler says, or what the library throws; nothing is registered then.
    pub(super) fn register(&mut self, body: &[u8]) -> Result<Vec<Function>, Error> {
        self.machine();
        let Functions {
            machine: Some(machine),
            load_globals,
            logged,
            ..
        } = self
        else {
            return Ok(Vec::new());
        };
        let Ok(library) = machine.vm.load(body, b"@user_function") else {
            let reason = machine.thrown_text("not enough memory");
            return Err(Error::concat(&[b"ERR Error compiling function: ", &reason]));
        };
        let Value::Table(load_globals) = machine.kept(*load_globals) else {
            return Ok(Vec::new());
        };
        let vm = &mut machine.vm;
        let mut registry = Registry {
            functions: Vec::new(),
            logged,
            patience: PATIENCE,
        };
        let globals = vm.globals;
        swap(vm, globals, load_globals);
        let result = vm.run(&mut registry, library, &[]);
        swap(vm, globals, load_globals);
        let functions = registry.functions;
        let Err(Thrown) = result else {
            return Ok(functions);
        };
        let reason = match vm.was_killed() {
            true => ["ERR ", TIMEOUT].concat().into_bytes(),
            false => machine.failure_text(),
        };
        self.release(&functions);
        self.settle();
        let start = b"ERR Error registering functions: ";
        Err(Error::concat(&[start, &reason]))
    }
}
