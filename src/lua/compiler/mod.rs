//! The compiler: source text to instructions in one pass, like PUC Lua 5.1, so that limits, messages and the order of
//! evaluation are the same.

pub mod arithmetic;
mod emit;
mod expression;
mod jumps;
mod statement;

use self::emit::{Block, Capture, Exp, Func, Kind, NO_JUMP, Refusal};
use super::code::{Local, Op, Proto};
use super::heap::Heap;
use super::lexer::{Lexer, SyntaxError, Token};
use super::names::{NAME_BYTES, SYNTAX_NAME_BYTES, chunk_name};
use super::value::Str;
use crate::algorithms::num::write_u64;

/// Expressions and statements may be nested so deep.
const MAX_LEVELS: u32 = 200;
const MAX_LOCALS: usize = 200;
const MAX_UPVALUES: usize = 60;

/// Compiles a chunk. `name` is what messages call it; `levels` of the nesting that is allowed are taken by calls.
///
/// # Errors
/// The message of a syntax error, with its place.
pub fn compile(
    heap: &mut Heap,
    source: &[u8],
    name: &[u8],
    levels: u32,
) -> Result<Proto, SyntaxError> {
    // What is read belongs to nothing yet that a collection would find.
    heap.held += 1;
    let mut compiler = Compiler::new(heap, source, name);
    compiler.levels = levels;
    let result = compiler.chunk();
    heap.held -= 1;
    result
}

/// The compiler's state.
struct Compiler<'a> {
    heap: &'a mut Heap,
    lexer: Lexer<'a>,
    token: Token,
    /// The token behind it, if it was looked at.
    ahead: Option<(Token, u32)>,
    /// The functions around, the innermost last.
    outer: Vec<Func>,
    func: Func,
    levels: u32,
}

impl<'a> Compiler<'a> {
    fn new(heap: &'a mut Heap, source: &'a [u8], name: &[u8]) -> Compiler<'a> {
        Compiler {
            heap,
            lexer: Lexer::new(source, chunk_name(name, SYNTAX_NAME_BYTES)),
            token: Token::Eof,
            ahead: None,
            outer: Vec::new(),
            func: Func::new(chunk_name(name, NAME_BYTES).into(), name.into(), 0),
            levels: 0,
        }
    }

    fn chunk(mut self) -> Result<Proto, SyntaxError> {
        self.func.proto.is_vararg = true;
        self.advance()?;
        self.open_function();
        self.statements()?;
        if self.token != Token::Eof {
            return Err(self.expected(Token::Eof));
        }
        self.close_function();
        Ok(self.func.proto)
    }

    // ---- tokens ----

    fn advance(&mut self) -> Result<(), SyntaxError> {
        self.lexer.last_line = self.lexer.line;
        if let Some((token, _)) = self.ahead.take() {
            self.token = token;
        } else {
            self.token = self.lexer.next(self.heap)?;
        }
        self.func.line = self.lexer.last_line;
        Ok(())
    }

    fn look_ahead(&mut self) -> Result<Token, SyntaxError> {
        let token = self.lexer.next(self.heap)?;
        self.ahead = Some((token, self.lexer.line));
        Ok(token)
    }

    fn line(&self) -> u32 {
        self.lexer.line
    }

    fn error(&self, message: &[u8]) -> SyntaxError {
        let near = self.lexer.text(self.token);
        self.lexer.error(message, &near)
    }

    fn expected(&self, token: Token) -> SyntaxError {
        let mut message = vec![b'\''];
        token.describe(&mut message);
        message.extend_from_slice(b"' expected");
        self.error(&message)
    }

    /// Puts the place into what the emitter refuses.
    fn refused(&self, refusal: Refusal) -> SyntaxError {
        self.error(refusal)
    }

    fn limit(&self, func: &Func, limit: usize, what: &[u8]) -> SyntaxError {
        let mut message = Vec::new();
        if func.proto.line_defined == 0 {
            message.extend_from_slice(b"main function has more than ");
        } else {
            message.extend_from_slice(b"function at line ");
            write_u64(&mut message, u64::from(func.proto.line_defined));
            message.extend_from_slice(b" has more than ");
        }
        write_u64(&mut message, limit as u64);
        message.push(b' ');
        message.extend_from_slice(what);
        self.lexer.error(&message, b"")
    }

    fn accept(&mut self, token: Token) -> Result<bool, SyntaxError> {
        let is_it = self.token == token;
        if is_it {
            self.advance()?;
        }
        Ok(is_it)
    }

    fn check(&mut self, token: Token) -> Result<(), SyntaxError> {
        if self.token != token {
            return Err(self.expected(token));
        }
        Ok(())
    }

    fn require(&mut self, token: Token) -> Result<(), SyntaxError> {
        self.check(token)?;
        self.advance()
    }

    /// Wants the token that closes `opening`, which stood at `line`.
    fn expect_closing(
        &mut self,
        token: Token,
        opening: Token,
        line: u32,
    ) -> Result<(), SyntaxError> {
        if self.token == token {
            return self.advance();
        }
        if line == self.line() {
            return Err(self.expected(token));
        }
        let mut message = vec![b'\''];
        token.describe(&mut message);
        message.extend_from_slice(b"' expected (to close '");
        opening.describe(&mut message);
        message.extend_from_slice(b"' at line ");
        write_u64(&mut message, u64::from(line));
        message.push(b')');
        Err(self.error(&message))
    }

    fn name(&mut self) -> Result<Str, SyntaxError> {
        match self.token {
            Token::Name(name) => {
                self.advance()?;
                Ok(name)
            }
            _ => Err(self.expected(Token::Name(Str { id: 0, hash: 0 }))),
        }
    }

    /// One level deeper in the nesting of the source.
    fn enter(&mut self) -> Result<(), SyntaxError> {
        self.levels += 1;
        if self.levels > MAX_LEVELS {
            return Err(self.lexer.error(b"chunk has too many syntax levels", b""));
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.levels -= 1;
    }

    // ---- variables ----

    /// A new variable, not yet active; `ahead` others were made since.
    fn add_local(&mut self, name: Str, ahead: usize) -> Result<(), SyntaxError> {
        if self.func.active.len() + ahead + 1 > MAX_LOCALS {
            return Err(self.limit(&self.func, MAX_LOCALS, b"local variables"));
        }
        self.func.proto.locals.push(Local {
            name,
            from: u32::MAX,
            to: 0,
        });
        Ok(())
    }

    /// Makes the `count` newest variables active.
    fn activate(&mut self, count: usize) {
        let all = self.func.proto.locals.len();
        self.activate_from(all - count, count);
    }

    fn activate_from(&mut self, first: usize, count: usize) {
        let pc = self.func.pc() as u32;
        for place in first..first + count {
            if let Some(local) = self.func.proto.locals.get_mut(place) {
                local.from = pc;
            }
            self.func.active.push(place as u32);
        }
    }

    /// Ends the variables behind the first `level` ones.
    fn deactivate(&mut self, level: usize) {
        let pc = self.func.pc() as u32;
        for place in self.func.active.split_off(level) {
            if let Some(local) = self.func.proto.locals.get_mut(place as usize) {
                local.to = pc;
            }
        }
    }

    /// What a name stands for.
    fn variable(&mut self, name: Str) -> Result<Exp, SyntaxError> {
        let depth = self.outer.len();
        let kind = match self.resolve(depth, name, true)? {
            Some(Capture::Local(register)) => Kind::Local(register),
            Some(Capture::Upvalue(place)) => Kind::Upvalue(place),
            None => Kind::Global(
                self.func
                    .string(name)
                    .map_err(|refusal| self.refused(refusal))?,
            ),
        };
        Ok(Exp::new(kind))
    }

    fn func_at(&mut self, depth: usize) -> &mut Func {
        match self.outer.get_mut(depth) {
            Some(func) => func,
            None => &mut self.func,
        }
    }

    fn resolve(
        &mut self,
        depth: usize,
        name: Str,
        is_base: bool,
    ) -> Result<Option<Capture>, SyntaxError> {
        let func = self.func_at(depth);
        let found = func.active.iter().rposition(|place| {
            func.proto
                .locals
                .get(*place as usize)
                .is_some_and(|local| local.name == name)
        });
        if let Some(register) = found {
            if !is_base {
                // The variable's scope must close it.
                let block = func
                    .blocks
                    .iter_mut()
                    .rev()
                    .find(|block| block.active <= register);
                if let Some(block) = block {
                    block.has_upvalue = true;
                }
            }
            return Ok(Some(Capture::Local(register as u8)));
        }
        if depth == 0 {
            return Ok(None);
        }
        let Some(capture) = self.resolve(depth - 1, name, false)? else {
            return Ok(None);
        };
        let func = self.func_at(depth);
        let known = func
            .captures
            .iter()
            .zip(&func.proto.upvalue_names)
            .position(|(known, known_name)| *known == capture && *known_name == name);
        if let Some(place) = known {
            return Ok(Some(Capture::Upvalue(place as u8)));
        }
        let place = func.captures.len();
        func.captures.push(capture);
        func.proto.upvalue_names.push(name);
        if place + 1 > MAX_UPVALUES {
            let func = self.outer.get(depth).unwrap_or(&self.func);
            return Err(self.limit(func, MAX_UPVALUES, b"upvalues"));
        }
        Ok(Some(Capture::Upvalue(place as u8)))
    }

    // ---- blocks and functions ----

    fn enter_block(&mut self, is_loop: bool) {
        let active = self.func.active.len();
        self.func.blocks.push(Block {
            breaks: NO_JUMP,
            active,
            has_upvalue: false,
            is_loop,
        });
    }

    fn leave_block(&mut self) {
        let Some(block) = self.func.blocks.pop() else {
            return;
        };
        self.deactivate(block.active);
        if block.has_upvalue {
            self.func.emit(Op::Close, block.active, 0, 0);
        }
        self.func.free = self.func.active.len();
        self.func.patch_to_here(block.breaks);
    }

    fn open_function(&mut self) {
        self.func.line = self.lexer.last_line;
    }

    /// Ends the innermost function: its last return, the ends of its variables.
    fn close_function(&mut self) {
        self.deactivate(0);
        self.func.line = self.lexer.last_line;
        self.func.emit(Op::Return, 0, 1, 0);
        self.func.proto.last_line = self.lexer.last_line;
    }

    /// What the emitter refuses becomes an error with a place.
    fn try_emit<R>(
        &mut self,
        emit: impl FnOnce(&mut Func) -> Result<R, Refusal>,
    ) -> Result<R, SyntaxError> {
        emit(&mut self.func).map_err(|refusal| self.refused(refusal))
    }
}
