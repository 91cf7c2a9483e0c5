//! Lua programs, section by section of the manual, with what redis-server 8.2.3's EVAL makes of them.

#[path = "lua/machine.rs"]
mod machine;

use machine::{WRAP, machine};
use redstart::lua::{Call, Host, Interrupt, Ran, Thrown, Value, Vm};

/// `program`, a line `---`, what [`WRAP`] returns; then a line `===`.
const PROGRAMS: &str = include_str!("data/lua/programs.txt");

struct Nobody;

impl Host for Nobody {
    fn interrupt(&mut self) -> Interrupt {
        Interrupt::GoOn
    }

    fn call(&mut self, _: &mut Vm, _: &mut Call, _: u32) -> Result<usize, Thrown> {
        Ok(0)
    }
}

fn run(vm: &mut Vm, program: &str) -> String {
    let result = vm
        .load(WRAP.as_bytes(), b"@user_script")
        .and_then(|function| {
            let source = vm.text(program.as_bytes())?;
            vm.run(&mut Nobody, function, &[source])
        });
    match result {
        Ok(Ran::Done(Value::String(text))) => {
            String::from_utf8_lossy(vm.heap.bytes(text)).into_owned()
        }
        Ok(Ran::Done(other)) => other.type_name().into(),
        Ok(Ran::Paused) => "paused".into(),
        Err(Thrown) => String::from_utf8_lossy(vm.thrown_text().unwrap_or(b"no text")).into_owned(),
    }
}

/// Without optimisation a call takes ten times the stack that it takes with it.
const STACK_BYTES: usize = 32 << 20;

#[test]
fn every_program_is_run() {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    let thread = thread.spawn(programs_return_what_redis_server_returns);
    let result = thread.expect("a thread").join();
    assert!(result.is_ok());
}

fn programs_return_what_redis_server_returns() {
    let (mut count, mut wrong) = (0, Vec::new());
    for pair in PROGRAMS.split("\n===\n").filter(|pair| !pair.is_empty()) {
        let (program, expected) = pair
            .split_once("\n---\n")
            .expect("a program and its result");
        let found = run(&mut machine(), program);
        count += 1;
        if found != expected {
            wrong.push(format!(
                "{program}\n  expected {expected}\n  found    {found}"
            ));
        }
    }
    assert!(count > 500, "{count}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
