//! The globals of scripts: Lua's libraries as Redis offers them, the `redis` table, everything read-only.

use crate::algorithms::bytes::{Append, Bytes};
use crate::lua::value::{Str, TableId};
use crate::lua::{Call, Host, Thrown, Value, Vm, lib};

use super::digest_of;

/// Functions of the `redis` table that only the engine can carry out: what [`Host::call`] is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum HostFunction {
    Call,
    ProtectedCall,
    Log,
    SetResp,
    SetReplication,
    AclCheck,
    RegisterFunction,
    #[cfg(feature = "debugger")]
    ErrorReply,
    #[cfg(feature = "debugger")]
    StatusReply,
    #[cfg(feature = "debugger")]
    Sha1,
    #[cfg(feature = "debugger")]
    Breakpoint,
    #[cfg(feature = "debugger")]
    Debug,
}

/// The version scripts see, and as a number.
const VERSION: (&str, f64) = (crate::state::REDIS_VERSION, 524_803.0);

type Run = fn(&mut Vm, &mut dyn Host, &mut Call) -> Result<usize, Thrown>;

macro_rules! host_functions {
    ($($name:ident = $function:ident),* $(,)?) => {
        $(
            pub fn $name(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
                host.call(vm, call, HostFunction::$function as u32)
            }
        )*
    };
}

host_functions! {
    redis_call = Call,
    redis_pcall = ProtectedCall,
    redis_log = Log,
    redis_setresp = SetResp,
    redis_set_repl = SetReplication,
    redis_acl_check = AclCheck,
    redis_register_function = RegisterFunction,
}

#[cfg(feature = "debugger")]
host_functions! {
    told_error_reply = ErrorReply,
    told_status_reply = StatusReply,
    told_sha1hex = Sha1,
    told_breakpoint = Breakpoint,
    told_debug = Debug,
}

/// Lets the host take part in functions of the `redis` table that need no engine otherwise.
#[cfg(feature = "debugger")]
pub fn open_debugging(vm: &mut Vm) {
    let functions: [(&str, Run); 5] = [
        ("error_reply", told_error_reply),
        ("status_reply", told_status_reply),
        ("sha1hex", told_sha1hex),
        ("breakpoint", told_breakpoint),
        ("debug", told_debug),
    ];
    let key = Value::String(vm.heap.name("redis"));
    if let Value::Table(redis) = vm.heap.table_of(vm.globals).get(key) {
        for (name, run) in functions {
            vm.register(redis, name, run);
        }
    }
}

const REDIS: &[(&str, Run)] = &[
    ("call", redis_call),
    ("pcall", redis_pcall),
    ("log", redis_log),
    ("setresp", redis_setresp),
    ("set_repl", redis_set_repl),
    ("acl_check_cmd", redis_acl_check),
    ("error_reply", error_reply),
    ("status_reply", status_reply),
    ("sha1hex", sha1hex),
    ("replicate_commands", replicate_commands),
    ("breakpoint", breakpoint),
    ("debug", debug),
];

const NUMBERS: &[(&str, f64)] = &[
    ("LOG_DEBUG", 0.0),
    ("LOG_VERBOSE", 1.0),
    ("LOG_NOTICE", 2.0),
    ("LOG_WARNING", 3.0),
    ("REPL_NONE", 0.0),
    ("REPL_AOF", 1.0),
    ("REPL_REPLICA", 2.0),
    ("REPL_SLAVE", 2.0),
    ("REPL_ALL", 3.0),
];

/// What Lua 5.1 has and Redis took away.
const DEPRECATED: [&str; 3] = ["getfenv", "setfenv", "newproxy"];

/// Fills the globals.
pub fn open(vm: &mut Vm, is_deprecated_api_open: bool) {
    lib::open(vm);
    let globals = vm.globals;
    if !is_deprecated_api_open {
        for name in DEPRECATED {
            vm.set_field(globals, name, Value::Nil);
        }
    }
    vm.register(globals, "__redis__err__handler", error_handler);
    let os = lib::library(vm, "os", &[("clock", os_clock)]);
    let redis = lib::library(vm, "redis", REDIS);
    for (name, value) in NUMBERS {
        vm.set_field(redis, name, Value::Number(*value));
    }
    let version = Value::String(vm.heap.name(VERSION.0));
    vm.set_field(redis, "REDIS_VERSION", version);
    vm.set_field(redis, "REDIS_VERSION_NUM", Value::Number(VERSION.1));
    let _ = os;
    protect(vm);
}

/// Makes the globals, every library and the metatables read-only, and asking for a global there is none an error.
fn protect(vm: &mut Vm) {
    let globals = vm.globals;
    let Ok(metatable) = vm.heap.table(0, 1) else {
        return;
    };
    vm.register(metatable, "__index", no_such_global);
    let mut tables = vec![globals, metatable];
    tables.extend(vm.string_metatable);
    vm.heap.table_of(globals).for_each(|_, value| {
        if let Value::Table(table) = value {
            tables.push(table);
        }
    });
    vm.heap.table_mut(globals).metatable = Some(metatable);
    for table in tables {
        vm.heap.table_mut(table).is_readonly = true;
    }
}

fn no_such_global(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    if call.count != 2 {
        let message = b"Wrong number of arguments to luaProtectedTableError";
        return Err(vm.native_error(message));
    }
    if !matches!(call.arg(vm, 1), Value::String(_) | Value::Number(_)) {
        let message = b"Second argument to luaProtectedTableError must be a string or number";
        return Err(vm.native_error(message));
    }
    let name = call.bytes(vm, 1)?;
    let mut message = b"Script attempted to access nonexistent global variable '".to_vec();
    message.put(&name);
    message.push(b'\'');
    Err(vm.native_error(&message))
}

/// The names of fields that results and replies have, made once for a machine.
#[derive(Debug, Clone, Copy)]
pub struct Fields {
    pub err: Str,
    pub ok: Str,
    pub double: Str,
    pub map: Str,
    pub set: Str,
    pub big_number: Str,
    pub verbatim_string: Str,
    pub format: Str,
    pub string: Str,
    pub is_counted: Str,
}

impl Fields {
    /// Makes the names, and keeps them alive.
    pub fn new(vm: &mut Vm) -> Fields {
        let mut name = |text: &str| {
            let name = vm.heap.name(text);
            vm.roots.push(Value::String(name));
            name
        };
        Fields {
            err: name("err"),
            ok: name("ok"),
            double: name("double"),
            map: name("map"),
            set: name("set"),
            big_number: name("big_number"),
            verbatim_string: name("verbatim_string"),
            format: name("format"),
            string: name("string"),
            is_counted: name("ignore_error_stats_update"),
        }
    }
}

/// A table with one field.
fn with_field(vm: &mut Vm, name: &str, text: &[u8]) -> Result<TableId, Thrown> {
    let table = vm.heap.table(0, 1)?;
    let (key, text) = (Value::String(vm.heap.name(name)), vm.text(text)?);
    vm.heap.set(table, key, text)?;
    Ok(table)
}

/// `{err = message, ignore_error_stats_update = true}`: what a command that fails gives a script.
///
/// # Errors
/// When there is no memory for it.
pub fn error_table(vm: &mut Vm, message: &[u8], is_counted: bool) -> Result<Value, Thrown> {
    let table = with_field(vm, "err", message)?;
    if is_counted {
        let key = Value::String(vm.heap.name("ignore_error_stats_update"));
        vm.heap.set(table, key, Value::Bool(true))?;
    }
    Ok(Value::Table(table))
}

/// What the only argument is, if it is a text.
fn only_text(vm: &Vm, call: &Call) -> Option<Vec<u8>> {
    match call.arg(vm, 0) {
        Value::String(text) if call.count == 1 => Some(vm.heap.bytes(text).to_vec()),
        _ => None,
    }
}

/// `redis.error_reply(text)`.
///
/// # Errors
/// As every function of the `redis` table.
pub fn error_reply(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let Some(text) = only_text(vm, call) else {
        let table = with_field(vm, "err", b"ERR wrong number or type of arguments")?;
        return call.give(vm, Value::Table(table));
    };
    let message = coded(&text);
    let table = with_field(vm, "err", &message)?;
    call.give(vm, Value::Table(table))
}

/// The text of an error as a script gave it: its first word is the code; a text of one word is no code and a message, but
/// a message.
fn coded(text: &[u8]) -> Vec<u8> {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let text = text.split(|&byte| byte == 0).next().unwrap_or(&[]);
    let text = trim_breaks(text, false);
    let (code, message) = match text.iter().position(|&byte| byte == b' ') {
        Some(at) => (&text[..at], trim_breaks(&text[at + 1..], true)),
        None => (&b"ERR"[..], text),
    };
    [code, b" ", message].concat()
}

/// A text without line breaks at its end, and at its beginning.
fn trim_breaks(mut text: &[u8], at_start_too: bool) -> &[u8] {
    while let [rest @ .., b'\r' | b'\n'] = text {
        text = rest;
    }
    while let ([b'\r' | b'\n', rest @ ..], true) = (text, at_start_too) {
        text = rest;
    }
    text
}

/// `redis.status_reply(text)`.
///
/// # Errors
/// As every function of the `redis` table.
pub fn status_reply(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let (name, text) = match only_text(vm, call) {
        Some(text) => ("ok", text),
        None => ("err", b"ERR wrong number or type of arguments".to_vec()),
    };
    let table = with_field(vm, name, &text)?;
    call.give(vm, Value::Table(table))
}

/// `redis.sha1hex(text)`.
///
/// # Errors
/// As every function of the `redis` table.
pub fn sha1hex(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    if call.count != 1 {
        return Err(throw_table(vm, b"ERR wrong number of arguments"));
    }
    let text = match call.arg(vm, 0) {
        Value::String(_) | Value::Number(_) => call.bytes(vm, 0)?,
        _ => Vec::new(),
    };
    call.give_text(vm, &digest_of(&text))
}

/// Throws `{err = message}`.
pub fn throw_table(vm: &mut Vm, message: &[u8]) -> Thrown {
    match error_table(vm, message, false) {
        Ok(table) => vm.throw(table),
        Err(thrown) => thrown,
    }
}

/// The text of a string or a number, as Lua prints it.
///
/// # Errors
/// When there is no memory for it.
pub fn text_of(vm: &mut Vm, value: Value) -> Result<Option<Vec<u8>>, Thrown> {
    let text = match value {
        Value::String(text) => text,
        Value::Number(number) => vm.number_text(number)?,
        _ => return Ok(None),
    };
    Ok(Some(vm.heap.bytes(text).owned()))
}

/// A line for the log: its level, as `redis.LOG_...` counts, and its text.
pub type LogLine = (usize, Vec<u8>);

/// What `redis.log(level, ...)` is to write.
///
/// # Errors
/// When there is no text, or no such level.
pub fn log_line(vm: &mut Vm, call: &Call) -> Result<LogLine, Thrown> {
    if call.count < 2 {
        let message = b"ERR redis.log() requires two arguments or more.";
        return Err(throw_table(vm, message));
    }
    let Some(level) = vm.to_number(call.arg(vm, 0)) else {
        let message = b"ERR First argument must be a number (log level).";
        return Err(throw_table(vm, message));
    };
    if !(level > -1.0 && level < 4.0) {
        return Err(throw_table(vm, b"ERR Invalid log level."));
    }
    let mut text = Vec::new();
    for at in 1..call.count {
        if let Some(part) = text_of(vm, call.arg(vm, at))? {
            if at > 1 {
                text.push(b' ');
            }
            text.put(&part);
        }
    }
    Ok((level as usize, text))
}

fn replicate_commands(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    call.give(vm, Value::Bool(true))
}

fn breakpoint(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    call.give(vm, Value::Bool(false))
}

fn debug(_: &mut Vm, _: &mut dyn Host, _: &mut Call) -> Result<usize, Thrown> {
    Ok(0)
}

/// The machine's work so far as if it took this many seconds: scripts see no clock but their own pace.
fn os_clock(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    const STEPS_A_SECOND: f64 = 1e8;
    let seconds = vm.steps() as f64 / STEPS_A_SECOND;
    call.give(vm, Value::Number(seconds))
}

/// What Redis does with an error of a script before it replies, for scripts that ask for it: a table with the message and
/// the place.
fn error_handler(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let value = call.arg(vm, 0);
    let table = match value {
        Value::Table(table) => table,
        _ => {
            let mut message = b"ERR ".to_vec();
            if let Value::String(text) = lib::to_text(vm, host, value)? {
                message.put(vm.heap.bytes(text));
            }
            with_field(vm, "err", &message)?
        }
    };
    if let Some((source, line)) = vm.caller() {
        let (key, source) = (Value::String(vm.heap.name("source")), vm.text(&source)?);
        vm.heap.set(table, key, source)?;
        let key = Value::String(vm.heap.name("line"));
        vm.heap.set(table, key, Value::Number(line as f64))?;
    }
    call.give(vm, Value::Table(table))
}
