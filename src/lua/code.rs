//! What the compiler makes and the interpreter runs: instructions over registers.
//!
//! An instruction is eight bytes: an operation, a register `a`, and two operands `b` and `c`. Registers are numbered
//! within a function's frame, 0 to 249. Where an operand may also be a constant, there is an operation for each case.

use std::rc::Rc;

use super::value::{Packed, Str, Value};

/// An operation. R is a register, K a constant, U an upvalue, G the function's environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Op {
    /// R[a] = R[b]
    Move,
    /// R[a] = K[c]
    LoadK,
    /// R[a] = b != 0; skip the next instruction if c != 0
    LoadBool,
    /// R[a..=b] = nil
    LoadNil,
    /// R[a] = U[b]
    GetUpvalue,
    /// U[b] = R[a]
    SetUpvalue,
    /// R[a] = G[K[c]]
    GetGlobal,
    /// G[K[c]] = R[a]
    SetGlobal,
    /// R[a] = R[b][R[c]]
    GetTable,
    /// R[a] = R[b][K[c]], the constant a string
    GetField,
    /// R[a] = R[b][K[c]]
    GetTableK,
    /// R[a][R[b]] = R[c]
    SetTableRR,
    /// R[a][R[b]] = K[c]
    SetTableRK,
    /// R[a][K[b]] = R[c]
    SetTableKR,
    /// R[a][K[b]] = K[c]
    SetTableKK,
    /// R[a] = {} with room for b elements and c pairs
    NewTable,
    /// R[a + 1] = R[b]; R[a] = R[b][K[c]]
    SelfK,
    /// R[a + 1] = R[b]; R[a] = R[b][R[c]]
    SelfR,
    /// R[a] = R[b] op R[c]; then with a constant at the right, at the left.
    Add,
    AddRK,
    AddKR,
    Sub,
    SubRK,
    SubKR,
    Mul,
    MulRK,
    MulKR,
    Div,
    DivRK,
    DivKR,
    Mod,
    ModRK,
    ModKR,
    Pow,
    PowRK,
    PowKR,
    /// R[a] = -R[b]
    Minus,
    Not,
    Length,
    /// R[a] = R[b] .. ... .. R[c]
    Concat,
    /// pc += c
    Jump,
    /// Skip the next instruction if (R[b] == R[c]) differs from a.
    Equal,
    /// The same with K[c].
    EqualK,
    Less,
    LessRK,
    LessKR,
    LessEqual,
    LessEqualRK,
    LessEqualKR,
    /// Skip the next instruction if R[a] is not c (a truth value).
    Test,
    /// If R[b] is c (a truth value), R[a] = R[b], else skip the next instruction.
    TestSet,
    /// R[a], ... = R[a](R[a + 1], ...): b - 1 arguments, c - 1 results; 0 stands for all.
    Call,
    TailCall,
    /// Returns R[a], ...: b - 1 values; 0 stands for all.
    Return,
    /// R[a] += R[a + 2]; if that is within R[a + 1], R[a + 3] = R[a] and pc += c
    ForLoop,
    /// R[a] -= R[a + 2]; pc += c
    ForPrepare,
    /// R[a + 3], ... = R[a](R[a + 1], R[a + 2]), b results; if the first is nil skip the next instruction.
    ForIn,
    /// R[a][(c - 1) * 50 + i] = R[a + i] for i from 1 to b; b = 0 stands for all.
    SetList,
    /// Closes all variables from R[a] on.
    Close,
    /// R[a] = a closure of the function's inner function c; the next instructions say what its upvalues are.
    Closure,
    /// R[a], ... = the variable arguments, b - 1 of them; 0 stands for all.
    VarArg,
    /// Another line may begin: only in code that is debugged.
    #[cfg(feature = "debugger")]
    Line,
}

impl Op {
    /// Whether this calculates with a constant at the left.
    pub fn is_constant_left(self) -> bool {
        use Op::{AddKR, DivKR, ModKR, MulKR, PowKR, SubKR};
        matches!(self, AddKR | SubKR | MulKR | DivKR | ModKR | PowKR)
    }
}

impl Op {
    /// Compares two values, and nothing else.
    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            Op::Equal
                | Op::EqualK
                | Op::Less
                | Op::LessRK
                | Op::LessKR
                | Op::LessEqual
                | Op::LessEqualRK
                | Op::LessEqualKR
        )
    }

    /// Decides on the jump behind it.
    pub fn is_test(self) -> bool {
        self.is_comparison() || matches!(self, Op::Test | Op::TestSet | Op::ForIn)
    }
}

/// One instruction.
#[derive(Clone, Copy, Debug)]
pub struct Ins {
    pub op: Op,
    pub a: u8,
    pub b: u16,
    pub c: i32,
}

/// How many elements one `SetList` stores.
pub const FIELDS_A_FLUSH: usize = 50;

/// A local variable, for error messages and for debuggers.
#[derive(Clone, Copy, Debug)]
pub struct Local {
    pub name: Str,
    /// The instructions during which it exists.
    pub from: u32,
    pub to: u32,
}

/// A function as it was compiled.
#[derive(Debug, Default)]
pub struct Proto {
    pub code: Vec<Ins>,
    pub constants: Vec<Packed>,
    pub inner: Vec<Rc<Proto>>,
    /// The source line of each instruction.
    pub lines: Vec<u32>,
    pub locals: Vec<Local>,
    pub upvalue_names: Vec<Str>,
    pub params: u8,
    pub is_vararg: bool,
    /// It has a parameter `arg`, a table of the variable arguments.
    pub needs_arg: bool,
    pub frame_size: u8,
    /// The chunk's name as messages show it.
    pub source: Rc<[u8]>,
    /// The same as the host gave it.
    pub chunk: Rc<[u8]>,
    /// 0 for a whole chunk.
    pub line_defined: u32,
    pub last_line: u32,
}

impl Proto {
    /// Visits every value that this and the functions in it refer to.
    pub fn for_each_constant(&self, visit: &mut dyn FnMut(Value)) {
        for constant in &self.constants {
            visit(constant.value());
        }
        for local in &self.locals {
            visit(Value::String(local.name));
        }
        for name in &self.upvalue_names {
            visit(Value::String(*name));
        }
        for inner in &self.inner {
            inner.for_each_constant(visit);
        }
    }

    /// Bytes held from the allocator, those of inner functions included.
    pub fn heap_bytes(&self) -> usize {
        let inner: usize = self.inner.iter().map(|inner| inner.heap_bytes()).sum();
        inner + self.own_bytes()
    }

    /// What goes back to the allocator when one reference to this is dropped: nothing when there are others.
    pub fn released_bytes(self: &Rc<Proto>) -> usize {
        if Rc::strong_count(self) > 1 {
            return 0;
        }
        let inner: usize = self.inner.iter().map(Proto::released_bytes).sum();
        inner + self.own_bytes()
    }

    fn own_bytes(&self) -> usize {
        size_of::<Proto>()
            + self.code.len() * (size_of::<Ins>() + size_of::<u32>())
            + self.constants.len() * size_of::<Packed>()
            + self.locals.len() * size_of::<Local>()
            + self.upvalue_names.len() * size_of::<Str>()
    }

    /// The source line of an instruction.
    pub fn line(&self, pc: usize) -> u32 {
        self.lines.get(pc).copied().unwrap_or(0)
    }

    /// The name of the local variable that is register `register` at an instruction.
    pub fn local_name(&self, register: usize, pc: usize) -> Option<Str> {
        let pc = pc as u32;
        let live = self
            .locals
            .iter()
            .take_while(|local| local.from <= pc)
            .filter(|local| pc < local.to);
        live.map(|local| local.name).nth(register)
    }
}
