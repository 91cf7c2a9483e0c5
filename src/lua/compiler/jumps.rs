//! Jumps whose target is not known yet: lists of them, and the tests that decide on them.

use super::super::code::{Ins, Op};
use super::emit::{Func, NO_JUMP};

impl Func {
    /// A jump to be patched.
    pub fn jump(&mut self) -> i32 {
        let pending = std::mem::replace(&mut self.pending, NO_JUMP);
        let at = self.emit(Op::Jump, 0, 0, NO_JUMP) as i32;
        self.concat_jumps(at, pending)
    }

    /// Marks this as a place that jumps lead to.
    pub fn label(&mut self) -> usize {
        self.last_target = self.pc();
        self.last_target
    }

    pub(super) fn destination(&self, pc: i32) -> i32 {
        let offset = self
            .proto
            .code
            .get(pc as usize)
            .map_or(NO_JUMP, |ins| ins.c);
        if offset == NO_JUMP {
            NO_JUMP
        } else {
            pc + 1 + offset
        }
    }

    pub(super) fn fix_jump(&mut self, pc: i32, destination: usize) {
        if let Some(ins) = self.ins(pc as usize) {
            ins.c = destination as i32 - (pc + 1);
        }
    }

    /// One list made of two.
    pub fn concat_jumps(&mut self, first: i32, second: i32) -> i32 {
        if second == NO_JUMP {
            return first;
        }
        if first == NO_JUMP {
            return second;
        }
        let mut last = first;
        loop {
            let next = self.destination(last);
            if next == NO_JUMP {
                break;
            }
            last = next;
        }
        self.fix_jump(last, second as usize);
        first
    }

    /// The instruction that decides on a jump: the test before it, or the jump itself.
    pub(super) fn control(&mut self, pc: i32) -> Option<&mut Ins> {
        let pc = pc as usize;
        let is_test = pc > 0
            && self
                .proto
                .code
                .get(pc - 1)
                .is_some_and(|ins| ins.op.is_test());
        self.ins(if is_test { pc - 1 } else { pc })
    }

    /// Whether a jump of the list leaves no value behind.
    pub(super) fn needs_value(&mut self, mut list: i32) -> bool {
        while list != NO_JUMP {
            if self.control(list).is_some_and(|ins| ins.op != Op::TestSet) {
                return true;
            }
            list = self.destination(list);
        }
        false
    }

    /// Makes the test of a jump put its value into `register`, or nowhere.
    pub(super) fn patch_test(&mut self, pc: i32, register: Option<usize>) -> bool {
        let Some(ins) = self.control(pc) else {
            return false;
        };
        if ins.op != Op::TestSet {
            return false;
        }
        match register {
            Some(register) if register != usize::from(ins.b) => ins.a = register as u8,
            _ => {
                *ins = Ins {
                    op: Op::Test,
                    a: ins.b as u8,
                    b: 0,
                    c: ins.c,
                };
            }
        }
        true
    }

    pub(super) fn remove_values(&mut self, mut list: i32) {
        while list != NO_JUMP {
            self.patch_test(list, None);
            list = self.destination(list);
        }
    }

    /// Leads the jumps of a list that have a value to `with_value`, the others to `without`.
    pub(super) fn patch_list_to(
        &mut self,
        mut list: i32,
        with_value: usize,
        register: Option<usize>,
        without: usize,
    ) {
        while list != NO_JUMP {
            let next = self.destination(list);
            if self.patch_test(list, register) {
                self.fix_jump(list, with_value);
            } else {
                self.fix_jump(list, without);
            }
            list = next;
        }
    }

    pub fn patch_list(&mut self, list: i32, target: usize) {
        if target == self.pc() {
            self.patch_to_here(list);
        } else {
            self.patch_list_to(list, target, None, target);
        }
    }

    pub fn patch_to_here(&mut self, list: i32) {
        self.label();
        self.pending = self.concat_jumps(self.pending, list);
    }
}
