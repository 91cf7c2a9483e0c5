//! Instructions for expressions: where values live, which registers are free, where jumps go.
//!
//! An expression stays a description ([`Exp`]) until it is known where its value is wanted. Jumps that leave it with the
//! value true or false are two lists, threaded through the jumps' own operands until their target is known.

use std::rc::Rc;

use super::super::code::{FIELDS_A_FLUSH, Ins, Op, Proto};
use super::super::table::Table;
use super::super::value::{Str, Value};
use super::arithmetic::{BinaryOp, Operands};

/// The end of a list of jumps.
pub const NO_JUMP: i32 = -1;
/// More registers a function does not have.
pub const MAX_REGISTERS: usize = 250;
/// More constants do not fit into the operand that may also be a register.
const MAX_OPERAND_K: u32 = u16::MAX as u32;
/// More constants are refused.
const MAX_CONSTANTS: usize = 1 << 18;

/// An error's text without place and token; the parser adds those.
pub type Refusal = &'static [u8];

/// Where an expression's value is or how it comes about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Void,
    Nil,
    True,
    False,
    Constant(u32),
    Number(f64),
    Local(u8),
    Upvalue(u8),
    Global(u32),
    /// A table in a register and a key.
    Indexed(u8, Operand),
    /// A test; the jump is taken when it holds.
    Jump(i32),
    /// An instruction whose target register is still open.
    Open(usize),
    /// A register of its own.
    Register(u8),
    Call(usize),
    VarArg(usize),
}

/// A register or a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    Register(u8),
    Constant(u16),
}

/// An expression.
#[derive(Clone, Copy, Debug)]
pub struct Exp {
    pub kind: Kind,
    /// Jumps taken when the value is true.
    pub when_true: i32,
    /// Jumps taken when it is false.
    pub when_false: i32,
}

impl Exp {
    pub fn new(kind: Kind) -> Exp {
        Exp {
            kind,
            when_true: NO_JUMP,
            when_false: NO_JUMP,
        }
    }

    fn has_jumps(&self) -> bool {
        self.when_true != self.when_false
    }

    /// A number without jumps: what can be calculated now.
    pub(super) fn number(&self) -> Option<f64> {
        match self.kind {
            Kind::Number(number) if self.when_true == NO_JUMP && self.when_false == NO_JUMP => {
                Some(number)
            }
            _ => None,
        }
    }
}

/// A scope.
#[derive(Debug)]
pub struct Block {
    pub breaks: i32,
    /// Active variables outside of it.
    pub active: usize,
    /// A variable of it is captured by a closure.
    pub has_upvalue: bool,
    pub is_loop: bool,
}

/// Where a captured variable is, seen from the function around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    Local(u8),
    Upvalue(u8),
}

/// A function while it is compiled.
pub struct Func {
    pub proto: Proto,
    /// The places of constants.
    known: Table,
    nil_constant: Option<u32>,
    pub blocks: Vec<Block>,
    /// Active variables, as places in the list of all.
    pub active: Vec<u32>,
    pub captures: Vec<Capture>,
    pub free: usize,
    /// Jumps to the next instruction.
    pub(super) pending: i32,
    /// No instruction before this is changed by hindsight: something jumps there.
    pub(super) last_target: usize,
    /// The line of the instructions that are emitted.
    pub line: u32,
}

impl Func {
    pub fn new(source: Rc<[u8]>, chunk: Rc<[u8]>, line_defined: u32) -> Func {
        Func {
            proto: Proto {
                source,
                chunk,
                line_defined,
                frame_size: 2,
                ..Proto::default()
            },
            known: Table::default(),
            nil_constant: None,
            blocks: Vec::new(),
            active: Vec::new(),
            captures: Vec::new(),
            free: 0,
            pending: NO_JUMP,
            last_target: usize::MAX,
            line: line_defined,
        }
    }

    pub fn pc(&self) -> usize {
        self.proto.code.len()
    }

    // ---- instructions ----

    pub fn emit(&mut self, op: Op, a: usize, b: usize, c: i32) -> usize {
        let pending = std::mem::replace(&mut self.pending, NO_JUMP);
        let here = self.pc();
        self.patch_list_to(pending, here, None, here);
        self.proto.code.push(Ins {
            op,
            a: a as u8,
            b: b as u16,
            c,
        });
        self.proto.lines.push(self.line);
        here
    }

    pub fn ins(&mut self, pc: usize) -> Option<&mut Ins> {
        self.proto.code.get_mut(pc)
    }

    /// Says that the last instruction belongs to another line.
    pub fn fix_line(&mut self, line: u32) {
        if let Some(last) = self.proto.lines.last_mut() {
            *last = line;
        }
    }

    pub fn emit_nil(&mut self, from: usize, count: usize) {
        let here = self.pc();
        if here != self.last_target {
            if here == 0 {
                // The registers of a function are nil when it begins.
                if from >= self.active.len() {
                    return;
                }
            } else if let Some(last) = self.proto.code.last_mut()
                && last.op == Op::LoadNil
            {
                let (first, until) = (usize::from(last.a), usize::from(last.b));
                if first <= from && from <= until + 1 {
                    if from + count - 1 > until {
                        last.b = (from + count - 1) as u16;
                    }
                    return;
                }
            }
        }
        self.emit(Op::LoadNil, from, from + count - 1, 0);
    }

    // ---- registers ----

    pub fn check_registers(&mut self, count: usize) -> Result<(), Refusal> {
        let size = self.free + count;
        if size > usize::from(self.proto.frame_size) {
            if size >= MAX_REGISTERS {
                return Err(b"function or expression too complex");
            }
            self.proto.frame_size = size as u8;
        }
        Ok(())
    }

    pub fn reserve(&mut self, count: usize) -> Result<(), Refusal> {
        self.check_registers(count)?;
        self.free += count;
        Ok(())
    }

    pub fn free_register(&mut self, register: u8) {
        if usize::from(register) >= self.active.len() {
            self.free = self.free.saturating_sub(1);
        }
    }

    fn free_operand(&mut self, operand: Operand) {
        if let Operand::Register(register) = operand {
            self.free_register(register);
        }
    }

    pub fn free_exp(&mut self, exp: &Exp) {
        if let Kind::Register(register) = exp.kind {
            self.free_register(register);
        }
    }

    // ---- constants ----

    /// The place of a constant.
    pub fn constant(&mut self, value: Value) -> Result<u32, Refusal> {
        if value.is_nil() {
            if let Some(place) = self.nil_constant {
                return Ok(place);
            }
        } else if let Value::Number(place) = self.known.get(value) {
            return Ok(place as u32);
        }
        let place = self.proto.constants.len();
        if place >= MAX_CONSTANTS {
            return Err(b"constant table overflow");
        }
        self.proto.constants.push(value.into());
        if value.is_nil() {
            self.nil_constant = Some(place as u32);
        } else {
            // A NaN is no key, and a constant of its own each time.
            let _ = self
                .known
                .set(value, Value::Number(place as f64), usize::MAX);
        }
        Ok(place as u32)
    }

    pub fn string(&mut self, text: Str) -> Result<u32, Refusal> {
        self.constant(Value::String(text))
    }

    // ---- values of expressions ----

    /// Wants so many values of an expression that may have several; None for all.
    pub fn set_results(&mut self, exp: &Exp, wanted: Option<usize>) -> Result<(), Refusal> {
        let count = wanted.map_or(0, |wanted| wanted + 1);
        match exp.kind {
            Kind::Call(pc) => {
                if let Some(ins) = self.ins(pc) {
                    ins.c = count as i32;
                }
            }
            Kind::VarArg(pc) => {
                let register = self.free;
                if let Some(ins) = self.ins(pc) {
                    ins.b = count as u16;
                    ins.a = register as u8;
                }
                self.reserve(1)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Wants one value.
    pub fn set_one_result(&mut self, exp: &mut Exp) {
        match exp.kind {
            Kind::Call(pc) => {
                if let Some(ins) = self.ins(pc) {
                    exp.kind = Kind::Register(ins.a);
                }
            }
            Kind::VarArg(pc) => {
                if let Some(ins) = self.ins(pc) {
                    ins.b = 2;
                }
                exp.kind = Kind::Open(pc);
            }
            _ => {}
        }
    }

    /// Makes a variable's value of a variable.
    pub fn discharge(&mut self, exp: &mut Exp) -> Result<(), Refusal> {
        match exp.kind {
            Kind::Local(register) => exp.kind = Kind::Register(register),
            Kind::Upvalue(place) => {
                exp.kind = Kind::Open(self.emit(Op::GetUpvalue, 0, usize::from(place), 0));
            }
            Kind::Global(name) => {
                exp.kind = Kind::Open(self.emit(Op::GetGlobal, 0, 0, name as i32));
            }
            Kind::Indexed(table, key) => {
                self.free_operand(key);
                self.free_register(table);
                let table = usize::from(table);
                let pc = match key {
                    Operand::Register(key) => self.emit(Op::GetTable, 0, table, i32::from(key)),
                    Operand::Constant(key) => {
                        let constant = self.proto.constants.get(usize::from(key));
                        let is_name = constant.is_some_and(|constant| constant.is_string());
                        let op = if is_name { Op::GetField } else { Op::GetTableK };
                        self.emit(op, 0, table, i32::from(key))
                    }
                };
                exp.kind = Kind::Open(pc);
            }
            Kind::VarArg(_) | Kind::Call(_) => self.set_one_result(exp),
            _ => {}
        }
        Ok(())
    }

    fn discharge_to(&mut self, exp: &mut Exp, register: usize) -> Result<(), Refusal> {
        self.discharge(exp)?;
        match exp.kind {
            Kind::Nil => self.emit_nil(register, 1),
            Kind::False | Kind::True => {
                self.emit(
                    Op::LoadBool,
                    register,
                    usize::from(exp.kind == Kind::True),
                    0,
                );
            }
            Kind::Constant(place) => {
                self.emit(Op::LoadK, register, 0, place as i32);
            }
            Kind::Number(number) => {
                let place = self.constant(Value::Number(number))?;
                self.emit(Op::LoadK, register, 0, place as i32);
            }
            Kind::Open(pc) => {
                if let Some(ins) = self.ins(pc) {
                    ins.a = register as u8;
                }
            }
            Kind::Register(from) => {
                if usize::from(from) != register {
                    self.emit(Op::Move, register, usize::from(from), 0);
                }
            }
            _ => return Ok(()),
        }
        exp.kind = Kind::Register(register as u8);
        Ok(())
    }

    fn discharge_anywhere(&mut self, exp: &mut Exp) -> Result<(), Refusal> {
        if matches!(exp.kind, Kind::Register(_)) {
            return Ok(());
        }
        self.reserve(1)?;
        self.discharge_to(exp, self.free - 1)
    }

    fn put_into(&mut self, exp: &mut Exp, register: usize) -> Result<(), Refusal> {
        self.discharge_to(exp, register)?;
        if let Kind::Jump(pc) = exp.kind {
            exp.when_true = self.concat_jumps(exp.when_true, pc);
        }
        if exp.has_jumps() {
            let (mut load_false, mut load_true) = (NO_JUMP, NO_JUMP);
            if self.needs_value(exp.when_true) || self.needs_value(exp.when_false) {
                let skip = match exp.kind {
                    Kind::Jump(_) => NO_JUMP,
                    _ => self.jump(),
                };
                self.label();
                load_false = self.emit(Op::LoadBool, register, 0, 1) as i32;
                self.label();
                load_true = self.emit(Op::LoadBool, register, 1, 0) as i32;
                self.patch_to_here(skip);
            }
            let end = self.label();
            self.patch_list_to(exp.when_false, end, Some(register), load_false as usize);
            self.patch_list_to(exp.when_true, end, Some(register), load_true as usize);
        }
        *exp = Exp::new(Kind::Register(register as u8));
        Ok(())
    }

    /// Puts the value into the next register.
    pub fn put_next(&mut self, exp: &mut Exp) -> Result<(), Refusal> {
        self.discharge(exp)?;
        self.free_exp(exp);
        self.reserve(1)?;
        self.put_into(exp, self.free - 1)
    }

    /// Puts the value into a register, its own if it has one.
    pub fn put_anywhere(&mut self, exp: &mut Exp) -> Result<u8, Refusal> {
        self.discharge(exp)?;
        if let Kind::Register(register) = exp.kind {
            if !exp.has_jumps() {
                return Ok(register);
            }
            if usize::from(register) >= self.active.len() {
                self.put_into(exp, usize::from(register))?;
                return Ok(register);
            }
        }
        self.put_next(exp)?;
        Ok(match exp.kind {
            Kind::Register(register) => register,
            _ => 0,
        })
    }

    pub fn settle(&mut self, exp: &mut Exp) -> Result<(), Refusal> {
        if exp.has_jumps() {
            self.put_anywhere(exp)?;
            return Ok(());
        }
        self.discharge(exp)
    }

    /// Puts the value where an operand may be: a register or a constant.
    pub fn operand(&mut self, exp: &mut Exp) -> Result<Operand, Refusal> {
        self.settle(exp)?;
        let place = match exp.kind {
            Kind::Nil => Some(self.constant(Value::Nil)?),
            Kind::True => Some(self.constant(Value::Bool(true))?),
            Kind::False => Some(self.constant(Value::Bool(false))?),
            Kind::Number(number) => Some(self.constant(Value::Number(number))?),
            Kind::Constant(place) => Some(place),
            _ => None,
        };
        if let Some(place) = place {
            exp.kind = Kind::Constant(place);
            if place <= MAX_OPERAND_K {
                return Ok(Operand::Constant(place as u16));
            }
        }
        self.put_anywhere(exp).map(Operand::Register)
    }

    /// Stores an expression's value in a variable.
    pub fn store(&mut self, variable: &Exp, exp: &mut Exp) -> Result<(), Refusal> {
        match variable.kind {
            Kind::Local(register) => {
                self.free_exp(exp);
                return self.put_into(exp, usize::from(register));
            }
            Kind::Upvalue(place) => {
                let register = self.put_anywhere(exp)?;
                self.emit(Op::SetUpvalue, usize::from(register), usize::from(place), 0);
            }
            Kind::Global(name) => {
                let register = self.put_anywhere(exp)?;
                self.emit(Op::SetGlobal, usize::from(register), 0, name as i32);
            }
            Kind::Indexed(table, key) => {
                let value = self.operand(exp)?;
                self.emit_set(table, key, value);
            }
            _ => {}
        }
        self.free_exp(exp);
        Ok(())
    }

    pub fn emit_set(&mut self, table: u8, key: Operand, value: Operand) {
        let (op, b, c) = match (key, value) {
            (Operand::Register(key), Operand::Register(value)) => {
                (Op::SetTableRR, u16::from(key), i32::from(value))
            }
            (Operand::Register(key), Operand::Constant(value)) => {
                (Op::SetTableRK, u16::from(key), i32::from(value))
            }
            (Operand::Constant(key), Operand::Register(value)) => {
                (Op::SetTableKR, key, i32::from(value))
            }
            (Operand::Constant(key), Operand::Constant(value)) => {
                (Op::SetTableKK, key, i32::from(value))
            }
        };
        self.emit(op, usize::from(table), usize::from(b), c);
    }

    /// `exp:name`: the function and, behind it, its first argument.
    pub fn emit_self(&mut self, exp: &mut Exp, name: &mut Exp) -> Result<(), Refusal> {
        let object = self.put_anywhere(exp)?;
        self.free_exp(exp);
        let function = self.free;
        self.reserve(2)?;
        let key = self.operand(name)?;
        let (op, c) = match key {
            Operand::Constant(place) => (Op::SelfK, i32::from(place)),
            Operand::Register(register) => (Op::SelfR, i32::from(register)),
        };
        self.emit(op, function, usize::from(object), c);
        self.free_exp(name);
        exp.kind = Kind::Register(function as u8);
        Ok(())
    }

    // ---- conditions ----

    fn invert(&mut self, pc: i32) {
        if let Some(ins) = self.control(pc) {
            ins.a ^= 1;
        }
    }

    /// A jump taken when the value is `condition`.
    fn jump_if(&mut self, exp: &mut Exp, condition: bool) -> Result<i32, Refusal> {
        if let Kind::Open(pc) = exp.kind
            && let Some(ins) = self.proto.code.get(pc).copied()
            && ins.op == Op::Not
        {
            // The test can do without.
            self.proto.code.pop();
            self.proto.lines.pop();
            return Ok(self.conditional(
                Op::Test,
                usize::from(ins.b as u8),
                0,
                i32::from(!condition),
            ));
        }
        self.discharge_anywhere(exp)?;
        self.free_exp(exp);
        let register = match exp.kind {
            Kind::Register(register) => usize::from(register),
            _ => 0,
        };
        Ok(self.conditional(Op::TestSet, 255, register, i32::from(condition)))
    }

    fn conditional(&mut self, op: Op, a: usize, b: usize, c: i32) -> i32 {
        self.emit(op, a, b, c);
        self.jump()
    }

    /// Goes on here when the value is true.
    pub fn go_if_true(&mut self, exp: &mut Exp) -> Result<(), Refusal> {
        self.discharge(exp)?;
        let pc = match exp.kind {
            Kind::Constant(_) | Kind::Number(_) | Kind::True => NO_JUMP,
            // Not a plain jump for false: jumps to here would be added to it that leave with another value.
            Kind::Jump(pc) => {
                self.invert(pc);
                pc
            }
            _ => self.jump_if(exp, false)?,
        };
        exp.when_false = self.concat_jumps(exp.when_false, pc);
        let when_true = std::mem::replace(&mut exp.when_true, NO_JUMP);
        self.patch_to_here(when_true);
        Ok(())
    }

    /// Goes on here when the value is false.
    pub fn go_if_false(&mut self, exp: &mut Exp) -> Result<(), Refusal> {
        self.discharge(exp)?;
        let pc = match exp.kind {
            Kind::Nil | Kind::False => NO_JUMP,
            Kind::Jump(pc) => pc,
            _ => self.jump_if(exp, true)?,
        };
        exp.when_true = self.concat_jumps(exp.when_true, pc);
        let when_false = std::mem::replace(&mut exp.when_false, NO_JUMP);
        self.patch_to_here(when_false);
        Ok(())
    }

    /// `not exp`.
    pub fn emit_not(&mut self, exp: &mut Exp) -> Result<(), Refusal> {
        self.discharge(exp)?;
        match exp.kind {
            Kind::Nil | Kind::False => exp.kind = Kind::True,
            Kind::Constant(_) | Kind::Number(_) | Kind::True => exp.kind = Kind::False,
            Kind::Jump(pc) => self.invert(pc),
            Kind::Open(_) | Kind::Register(_) => {
                self.discharge_anywhere(exp)?;
                self.free_exp(exp);
                let register = match exp.kind {
                    Kind::Register(register) => usize::from(register),
                    _ => 0,
                };
                exp.kind = Kind::Open(self.emit(Op::Not, 0, register, 0));
            }
            _ => {}
        }
        std::mem::swap(&mut exp.when_true, &mut exp.when_false);
        self.remove_values(exp.when_false);
        self.remove_values(exp.when_true);
        Ok(())
    }

    /// Two operands for an operation, freed.
    pub(super) fn operands(
        &mut self,
        left: &mut Exp,
        right: &mut Exp,
    ) -> Result<Operands, Refusal> {
        let second = self.operand(right)?;
        let first = self.operand(left)?;
        let operands = match (first, second) {
            (Operand::Register(one), Operand::Register(two)) => {
                // The higher one first, so that both are free again.
                if one > two {
                    self.free_exp(left);
                    self.free_exp(right);
                } else {
                    self.free_exp(right);
                    self.free_exp(left);
                }
                Operands::Registers(one, two)
            }
            (Operand::Register(one), Operand::Constant(two)) => {
                self.free_exp(left);
                Operands::RegisterConstant(one, two)
            }
            (Operand::Constant(one), Operand::Register(two)) => {
                self.free_exp(right);
                Operands::ConstantRegister(one, two)
            }
            (Operand::Constant(_), Operand::Constant(two)) => {
                let register = self.put_anywhere(left)?;
                self.free_exp(left);
                Operands::RegisterConstant(register, two)
            }
        };
        Ok(operands)
    }

    /// A comparison: a jump taken when it is `condition`.
    pub(super) fn compare(
        &mut self,
        op: BinaryOp,
        left: &mut Exp,
        right: &mut Exp,
    ) -> Result<(), Refusal> {
        let (mut one, mut two) = (left, right);
        if matches!(op, BinaryOp::Greater | BinaryOp::GreaterEqual) {
            // a > b is b < a.
            std::mem::swap(&mut one, &mut two);
        }
        let operands = self.operands(one, two)?;
        let (op, holds) = op.comparison(&operands);
        let (b, c) = operands.fields();
        let pc = self.conditional(op, usize::from(holds), b, c);
        let jump = Kind::Jump(pc);
        // The result belongs to the left expression of the source.
        one.kind = jump;
        two.kind = jump;
        Ok(())
    }

    // ---- tables ----

    /// Stores the values behind the table in its next places.
    pub fn emit_set_list(&mut self, table: usize, stored: usize, to_store: Option<usize>) {
        let block = (stored.saturating_sub(1)) / FIELDS_A_FLUSH + 1;
        let count = to_store.unwrap_or(0);
        self.emit(Op::SetList, table, count, block as i32);
        self.free = table + 1;
    }
}
