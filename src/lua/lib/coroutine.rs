//! Coroutines.

use super::super::call::Call;
use super::super::function::{Coroutine, Function, Native, Status, Thread, wanted_code};
use super::super::value::{CoroutineId, Value};
use super::super::vm::{Host, Thrown, Unwinding, Vm};
use super::Functions;
use super::base::give_status;

pub const FUNCTIONS: &Functions = &[
    ("create", create),
    ("resume", resume),
    ("running", running),
    ("status", status),
    ("wrap", wrap),
    ("yield", yield_values),
];

fn make(vm: &mut Vm, call: &Call) -> Result<CoroutineId, Thrown> {
    let function = call.arg(vm, 0);
    if !matches!(Function::of(function), Some(Function::Closure(_))) {
        return Err(call.bad(vm, 0, b"Lua function expected"));
    }
    let id = vm.heap.coroutine(Coroutine::default())?;
    let mut thread = Thread::new(id, vm.thread.environment);
    thread.stack.push(function.into());
    thread.top = 1;
    if let Some(coroutine) = vm.heap.coroutines.get_mut(id.0) {
        coroutine.thread = Some(Box::new(thread));
    }
    Ok(id)
}

fn create(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let id = make(vm, call)?;
    call.give(vm, Value::Coroutine(id))
}

fn running(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let value = match vm.current {
        CoroutineId(0) => Value::Nil,
        id => Value::Coroutine(id),
    };
    call.give(vm, value)
}

fn argument(vm: &mut Vm, call: &Call) -> Result<CoroutineId, Thrown> {
    match call.arg(vm, 0) {
        Value::Coroutine(id) => Ok(id),
        _ => Err(call.bad(vm, 0, b"coroutine expected")),
    }
}

fn status_of(vm: &Vm, id: CoroutineId) -> Status {
    vm.heap
        .coroutines
        .get(id.0)
        .map_or(Status::Dead, |coroutine| coroutine.status)
}

fn name(status: Status) -> &'static str {
    match status {
        Status::Suspended => "suspended",
        Status::Running => "running",
        Status::Normal => "normal",
        Status::Dead => "dead",
    }
}

fn status(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let id = argument(vm, call)?;
    let name = name(status_of(vm, id));
    call.give_text(vm, name.as_bytes())
}

/// Lets a coroutine go on with the values from `from` on. True: it has yielded or ended, and its values are in the
/// transfer; false: it has failed, and what it threw is there.
fn go_on(vm: &mut Vm, host: &mut dyn Host, id: CoroutineId, from: usize) -> Result<bool, Thrown> {
    let before = status_of(vm, id);
    if before != Status::Suspended {
        let message = ["cannot resume ", name(before), " coroutine"].concat();
        let text = vm.text(message.as_bytes())?;
        vm.transfer = vec![text];
        return Ok(false);
    }
    let args: Vec<Value> = (from..vm.thread.top).map(|at| vm.stack(at)).collect();
    let me = vm.current;
    enter(vm, me, Status::Normal, id);
    let depth = vm.depth;
    vm.depth += 1;
    let result = match vm.depth <= 200 {
        true => run(vm, host, &args),
        false => Err(vm.error(b"C stack overflow")),
    };
    vm.depth = depth;
    if vm.is_pausing {
        // Where the script may pause is near again.
        vm.fuel = 0;
    }
    let (is_ok, after) = finish(vm, result);
    enter(vm, id, after, me);
    if vm.unwinding == Unwinding::Kill {
        return Err(Thrown);
    }
    Ok(is_ok)
}

/// Switches from one coroutine to another.
fn enter(vm: &mut Vm, from: CoroutineId, status: Status, to: CoroutineId) {
    let Some(thread) = vm
        .heap
        .coroutines
        .get_mut(to.0)
        .and_then(|coroutine| coroutine.thread.take())
    else {
        return;
    };
    let old = std::mem::replace(&mut vm.thread, thread);
    if let Some(coroutine) = vm.heap.coroutines.get_mut(from.0) {
        coroutine.status = status;
        coroutine.thread = Some(old);
    }
    if let Some(coroutine) = vm.heap.coroutines.get_mut(to.0) {
        coroutine.status = Status::Running;
    }
    vm.current = to;
}

/// Runs the coroutine that was switched to until it yields or ends.
fn run(vm: &mut Vm, host: &mut dyn Host, args: &[Value]) -> Result<(), Thrown> {
    if let Some((at, wanted)) = vm.thread.waiting.take() {
        // Its yield returns.
        let from = vm.thread.limit().max(at + 1);
        vm.ensure(from + args.len() + 1)?;
        for (offset, arg) in args.iter().enumerate() {
            vm.set_stack(from + offset, *arg);
        }
        vm.finish_call(at, from, args.len(), wanted_code(wanted));
        vm.thread.depth += 1;
        let result = vm.execute(host, 0);
        vm.thread.depth = 0;
        result?;
        return Ok(());
    }
    vm.ensure(args.len() + 2)?;
    for (offset, arg) in args.iter().enumerate() {
        vm.set_stack(1 + offset, *arg);
    }
    vm.thread.top = 1 + args.len();
    let thread_depth = vm.thread.depth;
    vm.thread.depth += 1;
    let mut result = vm.begin_call(host, 0, args.len(), None);
    if result == Ok(true) {
        result = vm.execute(host, 0).map(|()| true);
    }
    vm.thread.depth = thread_depth;
    result.map(drop)
}

/// What came of it: whether all is well, and how the coroutine stands now.
fn finish(vm: &mut Vm, result: Result<(), Thrown>) -> (bool, Status) {
    if result.is_ok() {
        vm.transfer = (0..vm.thread.top).map(|at| vm.stack(at)).collect();
        vm.thread.stack.clear();
        vm.thread.top = 0;
        return (true, Status::Dead);
    }
    if vm.unwinding == Unwinding::Yield {
        vm.unwinding = Unwinding::No;
        vm.thread.depth = 0;
        return (true, Status::Suspended);
    }
    if vm.unwinding != Unwinding::Kill {
        vm.settle();
        vm.unwinding = Unwinding::No;
    }
    vm.close_upvalues(0);
    vm.thread.frames.clear();
    vm.thread.top = 0;
    vm.transfer = vec![vm.thrown];
    (false, Status::Dead)
}

/// Pushes what was handed over.
fn receive(vm: &mut Vm, call: &Call) -> Result<usize, Thrown> {
    let values = std::mem::take(&mut vm.transfer);
    vm.ensure(vm.thread.top + values.len() + 1)?;
    for value in &values {
        call.push(vm, *value)?;
    }
    Ok(values.len())
}

fn resume(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let id = argument(vm, call)?;
    let is_ok = go_on(vm, host, id, call.place(1))?;
    let at = vm.thread.top;
    receive(vm, call)?;
    give_status(vm, at, is_ok)
}

fn wrapped(vm: &mut Vm, host: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let Value::Coroutine(id) = call.upvalue(vm, 0) else {
        return Ok(0);
    };
    let is_ok = go_on(vm, host, id, call.place(0))?;
    if is_ok {
        return receive(vm, call);
    }
    let thrown = vm.transfer.first().copied().unwrap_or_default();
    vm.transfer.clear();
    if let Value::String(text) = thrown {
        // The place of the call is added, as for any error of a function of the host.
        let mut message = vm.place(1);
        message.extend_from_slice(vm.heap.bytes(text));
        return Err(vm.throw_text(&message));
    }
    Err(vm.throw(thrown))
}

fn wrap(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    let id = make(vm, call)?;
    let native = vm.heap.native(Native {
        run: wrapped,
        upvalues: vec![Value::Coroutine(id)],
        ..Native::default()
    })?;
    call.give(vm, Value::Native(native))
}

fn yield_values(vm: &mut Vm, _: &mut dyn Host, call: &mut Call) -> Result<usize, Thrown> {
    if vm.current == CoroutineId(0) || vm.thread.depth > 1 {
        return Err(vm.throw_text(b"attempt to yield across metamethod/C-call boundary"));
    }
    vm.transfer = (0..call.count).map(|at| call.arg(vm, at)).collect();
    vm.unwinding = Unwinding::Yield;
    // The call's own frame is over: its results come when the coroutine is resumed.
    vm.thread.frames.pop();
    Err(Thrown)
}
