//! Operators: their precedence, what can be calculated while compiling, and their instructions.

use super::super::code::Op;
use super::emit::{Exp, Func, Kind, Refusal};

/// An operator with two operands, in the order of their tables in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Concat,
    NotEqual,
    Equal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
}

/// Unary operators bind so.
pub const UNARY_PRIORITY: u8 = 8;

impl BinaryOp {
    /// How the operator binds to its left and right operand.
    pub fn priority(self) -> (u8, u8) {
        match self {
            BinaryOp::Add | BinaryOp::Sub => (6, 6),
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod => (7, 7),
            BinaryOp::Pow => (10, 9),
            BinaryOp::Concat => (5, 4),
            BinaryOp::And => (2, 2),
            BinaryOp::Or => (1, 1),
            _ => (3, 3),
        }
    }

    /// The instruction of a comparison, and whether its jump is taken when it holds.
    pub(super) fn comparison(self, operands: &Operands) -> (Op, bool) {
        let (forms, holds) = match self {
            BinaryOp::NotEqual => ([Op::Equal, Op::EqualK, Op::EqualK], false),
            BinaryOp::Equal => ([Op::Equal, Op::EqualK, Op::EqualK], true),
            BinaryOp::Less | BinaryOp::Greater => ([Op::Less, Op::LessRK, Op::LessKR], true),
            _ => ([Op::LessEqual, Op::LessEqualRK, Op::LessEqualKR], true),
        };
        (forms[operands.form()], holds)
    }

    fn arithmetic(self) -> Option<[Op; 3]> {
        Some(match self {
            BinaryOp::Add => [Op::Add, Op::AddRK, Op::AddKR],
            BinaryOp::Sub => [Op::Sub, Op::SubRK, Op::SubKR],
            BinaryOp::Mul => [Op::Mul, Op::MulRK, Op::MulKR],
            BinaryOp::Div => [Op::Div, Op::DivRK, Op::DivKR],
            BinaryOp::Mod => [Op::Mod, Op::ModRK, Op::ModKR],
            BinaryOp::Pow => [Op::Pow, Op::PowRK, Op::PowKR],
            _ => return None,
        })
    }

    /// The result of two numbers, if it is to be calculated now.
    fn fold(self, left: f64, right: f64) -> Option<f64> {
        let result = match self {
            BinaryOp::Add => left + right,
            BinaryOp::Sub => left - right,
            BinaryOp::Mul => left * right,
            BinaryOp::Div if right != 0.0 => left / right,
            BinaryOp::Mod if right != 0.0 => modulo(left, right),
            BinaryOp::Pow => power(left, right),
            _ => return None,
        };
        (!result.is_nan()).then_some(result)
    }
}

/// Lua's `%`: the sign is that of the divisor.
#[inline]
pub fn modulo(left: f64, right: f64) -> f64 {
    left - (left / right).floor() * right
}

/// Lua's `^`.
#[inline]
pub fn power(left: f64, right: f64) -> f64 {
    crate::algorithms::power::pow(left, right)
}

/// Where the operands of an instruction are; at most one is a constant.
#[derive(Clone, Copy, Debug)]
pub enum Operands {
    Registers(u8, u8),
    RegisterConstant(u8, u16),
    ConstantRegister(u16, u8),
}

impl Operands {
    /// Which of an operation's three instructions.
    fn form(&self) -> usize {
        match self {
            Operands::Registers(..) => 0,
            Operands::RegisterConstant(..) => 1,
            Operands::ConstantRegister(..) => 2,
        }
    }

    pub(super) fn fields(&self) -> (usize, i32) {
        match *self {
            Operands::Registers(one, two) => (usize::from(one), i32::from(two)),
            Operands::RegisterConstant(one, two) => (usize::from(one), i32::from(two)),
            Operands::ConstantRegister(one, two) => (usize::from(one), i32::from(two)),
        }
    }
}

impl Func {
    /// Before the right operand is read.
    pub fn infix(&mut self, op: BinaryOp, left: &mut Exp) -> Result<(), Refusal> {
        match op {
            BinaryOp::And => self.go_if_true(left),
            BinaryOp::Or => self.go_if_false(left),
            BinaryOp::Concat => self.put_next(left),
            _ if op.arithmetic().is_some() && left.number().is_some() => Ok(()),
            _ => self.operand(left).map(drop),
        }
    }

    /// Both operands are read; the result is in `left`.
    pub fn binary(&mut self, op: BinaryOp, left: &mut Exp, right: &mut Exp) -> Result<(), Refusal> {
        match op {
            BinaryOp::And => {
                self.discharge(right)?;
                right.when_false = self.concat_jumps(right.when_false, left.when_false);
                *left = *right;
            }
            BinaryOp::Or => {
                self.discharge(right)?;
                right.when_true = self.concat_jumps(right.when_true, left.when_true);
                *left = *right;
            }
            BinaryOp::Concat => self.concat(left, right)?,
            _ => {
                if let Some(forms) = op.arithmetic() {
                    return self.arithmetic(op, forms, left, right);
                }
                if op == BinaryOp::Equal || op == BinaryOp::NotEqual {
                    // A constant is compared on the right.
                    if matches!(left.kind, Kind::Constant(_)) {
                        std::mem::swap(left, right);
                    }
                }
                self.compare(op, left, right)?;
                *left = Exp::new(left.kind);
            }
        }
        Ok(())
    }

    fn arithmetic(
        &mut self,
        op: BinaryOp,
        forms: [Op; 3],
        left: &mut Exp,
        right: &mut Exp,
    ) -> Result<(), Refusal> {
        if let (Some(one), Some(two)) = (left.number(), right.number())
            && let Some(result) = op.fold(one, two)
        {
            left.kind = Kind::Number(result);
            return Ok(());
        }
        let operands = self.operands(left, right)?;
        let (b, c) = operands.fields();
        let pc = self.emit(forms[operands.form()], 0, b, c);
        *left = Exp::new(Kind::Open(pc));
        Ok(())
    }

    /// A chain of `..` is one instruction: the right operand may be the rest of the chain.
    fn concat(&mut self, left: &mut Exp, right: &mut Exp) -> Result<(), Refusal> {
        self.settle(right)?;
        let first = match left.kind {
            Kind::Register(register) => usize::from(register),
            _ => 0,
        };
        if let Kind::Open(pc) = right.kind
            && self.ins(pc).is_some_and(|ins| ins.op == Op::Concat)
        {
            self.free_exp(left);
            if let Some(ins) = self.ins(pc) {
                ins.b = first as u16;
            }
            left.kind = Kind::Open(pc);
            return Ok(());
        }
        self.put_next(right)?;
        let last = match right.kind {
            Kind::Register(register) => i32::from(register),
            _ => 0,
        };
        self.free_exp(right);
        self.free_exp(left);
        let pc = self.emit(Op::Concat, 0, first, last);
        left.kind = Kind::Open(pc);
        Ok(())
    }

    /// `-exp` or `#exp`.
    pub fn unary(&mut self, op: Op, exp: &mut Exp) -> Result<(), Refusal> {
        if op == Op::Minus
            && let Some(number) = exp.number()
        {
            exp.kind = Kind::Number(-number);
            return Ok(());
        }
        let register = self.put_anywhere(exp)?;
        self.free_exp(exp);
        *exp = Exp::new(Kind::Open(self.emit(op, 0, usize::from(register), 0)));
        Ok(())
    }
}
