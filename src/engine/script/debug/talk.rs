//! A stop: why, and what the client may ask and order then.

use super::super::ScriptHost;
use super::{Debugging, Said, print};
use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::num;
use crate::lua::{Thrown, Value, Vm};
use crate::state::scripts::throw_table;

/// Lines shown around one.
const CONTEXT_LINES: i64 = 5;
const ALL_LINES: i64 = 1_000_000;
const MAX_BREAKPOINTS: usize = 64;
/// Values are not shortened further.
const LEAST_SHOWN_BYTES: i64 = 60;
const SCRIPT: &[u8] = b"@user_script";
const CODE: &[u8] = b"@ldb_eval";

const HELP: &[&str] = &[
    "Redis Lua debugger help:",
    "[h]elp               Show this help.",
    "[s]tep               Run current line and stop again.",
    "[n]ext               Alias for step.",
    "[c]ontinue           Run till next breakpoint.",
    "[l]ist               List source code around current line.",
    "[l]ist [line]        List source code around [line].",
    "                     line = 0 means: current position.",
    "[l]ist [line] [ctx]  In this form [ctx] specifies how many lines",
    "                     to show before/after [line].",
    "[w]hole              List all source code. Alias for 'list 1 1000000'.",
    "[p]rint              Show all the local variables.",
    "[p]rint <var>        Show the value of the specified variable.",
    "                     Can also show global vars KEYS and ARGV.",
    "[b]reak              Show all breakpoints.",
    "[b]reak <line>       Add a breakpoint to the specified line.",
    "[b]reak -<line>      Remove breakpoint from the specified line.",
    "[b]reak 0            Remove all breakpoints.",
    "[t]race              Show a backtrace.",
    "[e]val <code>        Execute some Lua code (in a different callframe).",
    "[r]edis <cmd>        Execute a Redis command.",
    "[m]axlen [len]       Trim logged Redis replies and Lua var dumps to len.",
    "                     Specifying zero as <len> means unlimited.",
    "[a]bort              Stop the execution of the script. In sync",
    "                     mode dataset changes will be retained.",
    "",
    "Debugger functions you can call from Lua scripts:",
    "redis.debug()        Produce logs in the debugger console.",
    "redis.breakpoint()   Stop execution like if there was a breakpoint in the",
    "                     next line of code.",
];

/// What an order of the client leads to.
#[derive(PartialEq, Eq)]
enum Then {
    Talk,
    GoOn,
}

impl ScriptHost<'_> {
    /// A line begins: stops there if there is a reason to.
    pub(in super::super) fn line_debugged(&mut self, vm: &mut Vm, line: u32) -> Result<(), Thrown> {
        let Some(debug) = &mut self.running.debug else {
            return Ok(());
        };
        if debug.is_talking || debug.is_let_go {
            return Ok(());
        }
        debug.line = line;
        let reason: &[u8] = if debug.is_break_called {
            b"redis.breakpoint() called"
        } else if debug.breakpoints.contains(&i64::from(line)) {
            b"break point"
        } else if debug.is_timed_out {
            b"timeout reached, infinite loop?"
        } else if debug.is_stepping {
            b"step over"
        } else {
            return Ok(());
        };
        debug.is_stepping = false;
        debug.is_break_called = false;
        debug.is_timed_out = false;
        debug.asked = 0;
        let mut number = Vec::new();
        num::write_u64(&mut number, u64::from(line));
        debug.say(&[b"* Stopped at ", &number, b", stop reason = ", reason]);
        debug.say_line(i64::from(line));
        debug.send();
        debug.is_talking = true;
        let result = self.talk(vm);
        if let Some(debug) = &mut self.running.debug {
            debug.is_talking = false;
        }
        result
    }

    /// Does what the client says until it lets the script go on.
    fn talk(&mut self, vm: &mut Vm) -> Result<(), Thrown> {
        loop {
            let Some(debug) = &mut self.running.debug else {
                return Ok(());
            };
            let said = debug.memory.said.get(debug.heard).cloned();
            debug.heard += 1;
            match said {
                None => {
                    debug.is_waiting = true;
                    return Err(vm.end());
                }
                Some(Said::Gone) => {
                    debug.is_let_go = true;
                    return Ok(());
                }
                // As in Redis this is an error that the script may catch, and go on to the next stop.
                Some(Said::Garbage) => {
                    return Err(throw_table(vm, b"ERR protocol error"));
                }
                Some(Said::Words(words)) => {
                    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                    if self.obey(vm, &words)? == Then::GoOn {
                        return Ok(());
                    }
                    if let Some(debug) = &mut self.running.debug {
                        debug.send();
                    }
                }
            }
        }
    }

    fn obey(&mut self, vm: &mut Vm, words: &[&[u8]]) -> Result<Then, Thrown> {
        let Some(debug) = &mut self.running.debug else {
            return Ok(Then::GoOn);
        };
        let (word, rest) = words.split_first().unwrap_or((&(&[] as &[u8]), &[]));
        let word = word.to_ascii_lowercase();
        match word.as_slice() {
            b"h" | b"help" => {
                for line in HELP {
                    debug.say(&[line.as_bytes()]);
                }
            }
            b"s" | b"step" | b"n" | b"next" => {
                debug.is_stepping = true;
                return Ok(Then::GoOn);
            }
            b"c" | b"continue" => return Ok(Then::GoOn),
            b"l" | b"list" => {
                let line = rest.first().map_or(0, |word| number(word));
                let line = if line > 0 {
                    line
                } else {
                    i64::from(debug.line)
                };
                debug.list(line, rest.get(1).map_or(CONTEXT_LINES, |word| number(word)));
            }
            b"w" | b"whole" => debug.list(1, ALL_LINES),
            b"p" | b"print" => match rest {
                [name] => print_named(debug, vm, name),
                _ => print_all(debug, vm),
            },
            b"b" | b"break" => debug.change_breakpoints(rest),
            b"t" | b"trace" => trace(debug, vm),
            b"m" | b"maxlen" => debug.change_length(rest),
            b"e" | b"eval" => self.evaluate(vm, &rest.join(&b' '))?,
            b"r" | b"redis" if !rest.is_empty() => {
                debug.is_stepping = true;
                // Why it was refused is shown already.
                let _ = self.carry_out_debugged(rest);
                if let Some(debug) = &mut self.running.debug {
                    debug.is_stepping = false;
                }
            }
            b"a" | b"abort" => {
                return Err(throw_table(vm, b"ERR script aborted for user request"));
            }
            _ => debug.say(&[
                b"<error> Unknown Redis Lua debugger command or wrong number of arguments.",
            ]),
        }
        Ok(Then::Talk)
    }

    /// Runs code of the client's: as an expression if it is one.
    fn evaluate(&mut self, vm: &mut Vm, code: &[u8]) -> Result<(), Thrown> {
        let expression = [b"return ", code].concat();
        let function = match vm.try_load(&expression, CODE)? {
            Ok(function) => Ok(function),
            Err(_) => vm.try_load(code, CODE)?,
        };
        let result = match function {
            Ok(function) => vm.try_call(self, function)?,
            Err(error) => Err(error),
        };
        let mut text = Vec::new();
        let word: &[u8] = match result {
            Ok(value) => {
                print::value(vm, value, 0, &mut text);
                b"<retval> "
            }
            Err(Value::String(message)) => {
                text.put(vm.heap.bytes(message));
                b"<error> "
            }
            Err(error) => {
                match super::error_of(vm, error) {
                    Some(message) => text = message,
                    None => print::value(vm, error, 0, &mut text),
                }
                b"<error> "
            }
        };
        if let Some(debug) = &mut self.running.debug {
            match word == b"<retval> " {
                true => debug.say_value(&[word, &text]),
                false => debug.say(&[word, &text]),
            }
        }
        Ok(())
    }
}

impl Debugging {
    /// Shows a line of the source.
    fn say_line(&mut self, line: i64) {
        let here = if line == i64::from(self.line) {
            "->"
        } else {
            "  "
        };
        let stop = if self.breakpoints.contains(&line) {
            "#"
        } else {
            " "
        };
        let text = usize::try_from(line - 1)
            .ok()
            .and_then(|place| self.memory.lines.get(place))
            .cloned()
            .unwrap_or_else(|| b"<out of range source code line>".to_vec());
        let mut digits = Vec::new();
        num::write_i64(&mut digits, line);
        while digits.len() < 3 {
            digits.push(b' ');
        }
        self.say(&[here.as_bytes(), stop.as_bytes(), &digits, b" ", &text]);
    }

    /// Shows the lines around one.
    fn list(&mut self, around: i64, context: i64) {
        let count = self.memory.lines.len() as i64;
        for line in
            around.saturating_sub(context).max(1)..=around.saturating_add(context).min(count)
        {
            self.say_line(line);
        }
    }

    fn change_breakpoints(&mut self, words: &[&[u8]]) {
        if words.is_empty() {
            return self.show_breakpoints();
        }
        for word in words {
            match num::parse_i64(word) {
                None => self.say(&[b"Invalid argument:'", word, b"'"]),
                Some(0) => {
                    self.breakpoints.clear();
                    self.say(&[b"All breakpoints removed."]);
                }
                Some(line) if line < 0 => {
                    let line = line.wrapping_neg();
                    match self.breakpoints.iter().position(|known| *known == line) {
                        Some(place) => {
                            self.breakpoints.remove(place);
                            self.say(&[b"Breakpoint removed."]);
                        }
                        None => self.say(&[b"No breakpoint in the specified line."]),
                    }
                }
                Some(_) if self.breakpoints.len() == MAX_BREAKPOINTS => {
                    self.say(&[b"Too many breakpoints set."]);
                }
                Some(line)
                    if line > self.memory.lines.len() as i64
                        || self.breakpoints.contains(&line) =>
                {
                    self.say(&[b"Wrong line number."]);
                }
                Some(line) => {
                    self.breakpoints.push(line);
                    self.list(line, 1);
                }
            }
        }
    }

    fn show_breakpoints(&mut self) {
        if self.breakpoints.is_empty() {
            return self.say(&[b"No breakpoints set. Use 'b <line>' to add one."]);
        }
        let mut count = Vec::new();
        num::write_u64(&mut count, self.breakpoints.len() as u64);
        self.say(&[&count, b" breakpoints set:"]);
        for line in self.breakpoints.clone() {
            self.say_line(line);
        }
    }

    fn change_length(&mut self, words: &[&[u8]]) {
        if let [word] = words {
            self.is_hint_given = true;
            self.shown_bytes = match number(word) {
                0 => 0,
                length => usize::try_from(length.max(LEAST_SHOWN_BYTES)).unwrap_or(0),
            };
        }
        if self.shown_bytes == 0 {
            return self.say(&[b"<value> replies are unlimited."]);
        }
        let mut digits = Vec::new();
        num::write_u64(&mut digits, self.shown_bytes as u64);
        self.say(&[b"<value> replies are truncated at ", &digits, b" bytes."]);
    }
}

/// A number as C reads it: nothing for what is none.
fn number(word: &[u8]) -> i64 {
    let digits = word.iter().skip(usize::from(word.starts_with(b"-")));
    let length = digits.take_while(|byte| byte.is_ascii_digit()).count();
    let end = length + usize::from(word.starts_with(b"-"));
    let number = word.get(..end).and_then(num::parse_i64).unwrap_or(0);
    i64::from(number as i32)
}

/// The variable of this name that is nearest, or the keys or arguments.
fn print_named(debug: &mut Debugging, vm: &mut Vm, name: &[u8]) {
    let mut found = None;
    let mut level = 0;
    while found.is_none() && vm.level(level).is_some() {
        vm.locals(level, &mut |known, value| {
            if known == name && found.is_none() {
                found = Some(value);
            }
        });
        level += 1;
    }
    if found.is_none() && matches!(name, b"KEYS" | b"ARGV") {
        let name = if name == b"KEYS" { "KEYS" } else { "ARGV" };
        let key = Value::String(vm.heap.name(name));
        found = Some(vm.heap.table_of(vm.globals).get(key));
    }
    match found {
        Some(value) => {
            let mut text = Vec::new();
            print::value(vm, value, 0, &mut text);
            debug.say_value(&[b"<value> ", &text]);
        }
        None => debug.say(&[b"No such variable."]),
    }
}

/// All variables of the function that runs.
fn print_all(debug: &mut Debugging, vm: &Vm) {
    let mut is_empty = true;
    vm.locals(0, &mut |name, value| {
        is_empty = false;
        let mut text = Vec::new();
        print::value(vm, value, 0, &mut text);
        debug.say_value(&[b"<value> ", name, b" = ", &text]);
    });
    if is_empty {
        debug.say(&[b"No local variables in the current context."]);
    }
}

/// The functions that run.
fn trace(debug: &mut Debugging, vm: &Vm) {
    let mut level = 0;
    while let Some(found) = vm.level(level) {
        if found.chunk.as_deref() == Some(SCRIPT) {
            let name = found.name.unwrap_or_else(|| b"top level".owned());
            let word: &[u8] = if level == 0 { b"In " } else { b"From " };
            debug.say(&[word, &name, b":"]);
            debug.say_line(i64::from(found.line));
        }
        level += 1;
    }
}
