//! The grammar of expressions.

use std::rc::Rc;

use super::super::code::{FIELDS_A_FLUSH, Op};
use super::super::lexer::{SyntaxError, Token};
use super::super::value::Str;
use super::Compiler;
use super::arithmetic::{BinaryOp, UNARY_PRIORITY};
use super::emit::{Capture, Exp, Func, Kind, Operand};

fn unary_op(token: Token) -> Option<Op> {
    match token {
        Token::Not => Some(Op::Not),
        Token::Char(b'-') => Some(Op::Minus),
        Token::Char(b'#') => Some(Op::Length),
        _ => None,
    }
}

fn binary_op(token: Token) -> Option<BinaryOp> {
    Some(match token {
        Token::Char(b'+') => BinaryOp::Add,
        Token::Char(b'-') => BinaryOp::Sub,
        Token::Char(b'*') => BinaryOp::Mul,
        Token::Char(b'/') => BinaryOp::Div,
        Token::Char(b'%') => BinaryOp::Mod,
        Token::Char(b'^') => BinaryOp::Pow,
        Token::Concat => BinaryOp::Concat,
        Token::NotEqual => BinaryOp::NotEqual,
        Token::Equal => BinaryOp::Equal,
        Token::Char(b'<') => BinaryOp::Less,
        Token::LessEqual => BinaryOp::LessEqual,
        Token::Char(b'>') => BinaryOp::Greater,
        Token::GreaterEqual => BinaryOp::GreaterEqual,
        Token::And => BinaryOp::And,
        Token::Or => BinaryOp::Or,
        _ => return None,
    })
}

/// A table constructor under way.
struct Fields {
    table: u8,
    /// The last element, not yet stored.
    last: Exp,
    pairs: usize,
    elements: usize,
    /// Elements in registers that wait to be stored.
    waiting: usize,
}

impl Compiler<'_> {
    pub(super) fn expression(&mut self) -> Result<Exp, SyntaxError> {
        self.operators(0).map(|(exp, _)| exp)
    }

    /// An expression of operators that bind tighter than `limit`, and the operator behind it.
    fn operators(&mut self, limit: u8) -> Result<(Exp, Option<BinaryOp>), SyntaxError> {
        self.enter()?;
        let mut exp = match unary_op(self.token) {
            Some(op) => {
                self.advance()?;
                let (mut exp, _) = self.operators(UNARY_PRIORITY)?;
                match op {
                    Op::Not => self.try_emit(|func| func.emit_not(&mut exp))?,
                    op => self.try_emit(|func| func.unary(op, &mut exp))?,
                }
                exp
            }
            None => self.simple()?,
        };
        let mut next = binary_op(self.token);
        while let Some(op) = next.filter(|op| op.priority().0 > limit) {
            self.advance()?;
            self.try_emit(|func| func.infix(op, &mut exp))?;
            let (mut right, following) = self.operators(op.priority().1)?;
            self.try_emit(|func| func.binary(op, &mut exp, &mut right))?;
            next = following;
        }
        self.leave();
        Ok((exp, next))
    }

    fn simple(&mut self) -> Result<Exp, SyntaxError> {
        let kind = match self.token {
            Token::Number(number) => Kind::Number(number),
            Token::String(text) => {
                let place = self.try_emit(|func| func.string(text))?;
                Kind::Constant(place)
            }
            Token::Nil => Kind::Nil,
            Token::True => Kind::True,
            Token::False => Kind::False,
            Token::Dots => {
                if !self.func.proto.is_vararg {
                    return Err(self.error(b"cannot use '...' outside a vararg function"));
                }
                self.func.proto.needs_arg = false;
                Kind::VarArg(self.func.emit(Op::VarArg, 0, 1, 0))
            }
            Token::Char(b'{') => return self.constructor(),
            Token::Function => {
                self.advance()?;
                let line = self.line();
                return self.body(false, line);
            }
            _ => return self.primary(),
        };
        self.advance()?;
        Ok(Exp::new(kind))
    }

    /// A name or an expression in parentheses.
    fn prefix(&mut self) -> Result<Exp, SyntaxError> {
        match self.token {
            Token::Char(b'(') => {
                let line = self.line();
                self.advance()?;
                let mut exp = self.expression()?;
                self.expect_closing(Token::Char(b')'), Token::Char(b'('), line)?;
                self.try_emit(|func| func.discharge(&mut exp))?;
                Ok(exp)
            }
            Token::Name(_) => {
                let name = self.name()?;
                self.variable(name)
            }
            _ => Err(self.error(b"unexpected symbol")),
        }
    }

    /// A prefix with what follows: fields, indices, calls.
    pub(super) fn primary(&mut self) -> Result<Exp, SyntaxError> {
        let mut exp = self.prefix()?;
        loop {
            match self.token {
                Token::Char(b'.') => self.field(&mut exp)?,
                Token::Char(b'[') => {
                    let table = self.try_emit(|func| func.put_anywhere(&mut exp))?;
                    let mut key = self.index()?;
                    let key = self.try_emit(|func| func.operand(&mut key))?;
                    exp = Exp::new(Kind::Indexed(table, key));
                }
                Token::Char(b':') => {
                    self.advance()?;
                    let name = self.name()?;
                    let place = self.try_emit(|func| func.string(name))?;
                    let mut key = Exp::new(Kind::Constant(place));
                    self.try_emit(|func| func.emit_self(&mut exp, &mut key))?;
                    self.arguments(&mut exp)?;
                }
                Token::Char(b'(' | b'{') | Token::String(_) => {
                    self.try_emit(|func| func.put_next(&mut exp))?;
                    self.arguments(&mut exp)?;
                }
                _ => return Ok(exp),
            }
        }
    }

    /// `.name`
    pub(super) fn field(&mut self, exp: &mut Exp) -> Result<(), SyntaxError> {
        let table = self.try_emit(|func| func.put_anywhere(exp))?;
        self.advance()?;
        let name = self.name()?;
        let key = self.name_operand(name)?;
        *exp = Exp::new(Kind::Indexed(table, key));
        Ok(())
    }

    fn name_operand(&mut self, name: Str) -> Result<Operand, SyntaxError> {
        self.try_emit(|func| {
            let place = func.string(name)?;
            func.operand(&mut Exp::new(Kind::Constant(place)))
        })
    }

    /// `[expression]`
    fn index(&mut self) -> Result<Exp, SyntaxError> {
        self.advance()?;
        let mut key = self.expression()?;
        self.try_emit(|func| func.settle(&mut key))?;
        self.require(Token::Char(b']'))?;
        Ok(key)
    }

    fn arguments(&mut self, function: &mut Exp) -> Result<(), SyntaxError> {
        let line = self.line();
        let mut args = Exp::new(Kind::Void);
        match self.token {
            Token::Char(b'(') => {
                if line != self.lexer.last_line {
                    return Err(self.error(b"ambiguous syntax (function call x new statement)"));
                }
                self.advance()?;
                if self.token != Token::Char(b')') {
                    (_, args) = self.expressions()?;
                    self.try_emit(|func| func.set_results(&args, None))?;
                }
                self.expect_closing(Token::Char(b')'), Token::Char(b'('), line)?;
            }
            Token::Char(b'{') => args = self.constructor()?,
            Token::String(text) => {
                let place = self.try_emit(|func| func.string(text))?;
                args = Exp::new(Kind::Constant(place));
                self.advance()?;
            }
            _ => return Err(self.error(b"function arguments expected")),
        }
        let base = match function.kind {
            Kind::Register(register) => usize::from(register),
            _ => 0,
        };
        let count = match args.kind {
            Kind::Call(_) | Kind::VarArg(_) => 0,
            kind => {
                if kind != Kind::Void {
                    self.try_emit(|func| func.put_next(&mut args))?;
                }
                self.func.free - base
            }
        };
        let pc = self.func.emit(Op::Call, base, count, 2);
        self.func.fix_line(line);
        *function = Exp::new(Kind::Call(pc));
        // The call takes away function and arguments and leaves one result.
        self.func.free = base + 1;
        Ok(())
    }

    /// Expressions separated by commas: how many, and the last one, whose value is nowhere yet.
    pub(super) fn expressions(&mut self) -> Result<(usize, Exp), SyntaxError> {
        let mut count = 1;
        let mut exp = self.expression()?;
        while self.accept(Token::Char(b','))? {
            self.try_emit(|func| func.put_next(&mut exp))?;
            exp = self.expression()?;
            count += 1;
        }
        Ok((count, exp))
    }

    // ---- table constructors ----

    fn constructor(&mut self) -> Result<Exp, SyntaxError> {
        let line = self.line();
        let pc = self.func.emit(Op::NewTable, 0, 0, 0);
        let mut exp = Exp::new(Kind::Open(pc));
        self.try_emit(|func| func.put_next(&mut exp))?;
        let table = match exp.kind {
            Kind::Register(register) => register,
            _ => 0,
        };
        let mut fields = Fields {
            table,
            last: Exp::new(Kind::Void),
            pairs: 0,
            elements: 0,
            waiting: 0,
        };
        self.require(Token::Char(b'{'))?;
        while self.token != Token::Char(b'}') {
            self.close_element(&mut fields)?;
            let is_pair = match self.token {
                Token::Name(_) => self.look_ahead()? == Token::Char(b'='),
                token => token == Token::Char(b'['),
            };
            match is_pair {
                true => self.pair(&mut fields)?,
                false => self.element(&mut fields)?,
            }
            if !self.accept(Token::Char(b','))? && !self.accept(Token::Char(b';'))? {
                break;
            }
        }
        self.expect_closing(Token::Char(b'}'), Token::Char(b'{'), line)?;
        self.last_element(&mut fields)?;
        if let Some(ins) = self.func.ins(pc) {
            ins.b = floating_size(fields.elements) as u16;
            ins.c = floating_size(fields.pairs) as i32;
        }
        Ok(exp)
    }

    fn pair(&mut self, fields: &mut Fields) -> Result<(), SyntaxError> {
        let free = self.func.free;
        let mut key = match self.token {
            Token::Name(name) => {
                let place = self.try_emit(|func| func.string(name))?;
                self.advance()?;
                Exp::new(Kind::Constant(place))
            }
            _ => self.index()?,
        };
        fields.pairs += 1;
        self.require(Token::Char(b'='))?;
        let key = self.try_emit(|func| func.operand(&mut key))?;
        let mut value = self.expression()?;
        let value = self.try_emit(|func| func.operand(&mut value))?;
        self.func.emit_set(fields.table, key, value);
        self.func.free = free;
        Ok(())
    }

    fn element(&mut self, fields: &mut Fields) -> Result<(), SyntaxError> {
        fields.last = self.expression()?;
        fields.elements += 1;
        fields.waiting += 1;
        Ok(())
    }

    fn close_element(&mut self, fields: &mut Fields) -> Result<(), SyntaxError> {
        if fields.last.kind == Kind::Void {
            return Ok(());
        }
        let mut last = std::mem::replace(&mut fields.last, Exp::new(Kind::Void));
        self.try_emit(|func| func.put_next(&mut last))?;
        if fields.waiting == FIELDS_A_FLUSH {
            self.func.emit_set_list(
                usize::from(fields.table),
                fields.elements,
                Some(fields.waiting),
            );
            fields.waiting = 0;
        }
        Ok(())
    }

    fn last_element(&mut self, fields: &mut Fields) -> Result<(), SyntaxError> {
        if fields.waiting == 0 {
            return Ok(());
        }
        let table = usize::from(fields.table);
        if matches!(fields.last.kind, Kind::Call(_) | Kind::VarArg(_)) {
            let last = fields.last;
            self.try_emit(|func| func.set_results(&last, None))?;
            self.func.emit_set_list(table, fields.elements, None);
            fields.elements -= 1;
        } else {
            if fields.last.kind != Kind::Void {
                self.try_emit(|func| func.put_next(&mut fields.last))?;
            }
            self.func
                .emit_set_list(table, fields.elements, Some(fields.waiting));
        }
        Ok(())
    }

    // ---- functions ----

    /// `(parameters) statements end`
    pub(super) fn body(&mut self, is_method: bool, line: u32) -> Result<Exp, SyntaxError> {
        let proto = &self.func.proto;
        let mut func = Func::new(proto.source.clone(), proto.chunk.clone(), line);
        func.line = self.func.line;
        self.outer.push(std::mem::replace(&mut self.func, func));
        self.open_function();
        self.require(Token::Char(b'('))?;
        if is_method {
            let name = self.heap.name("self");
            self.add_local(name, 0)?;
            self.activate(1);
        }
        self.parameters()?;
        self.require(Token::Char(b')'))?;
        self.statements()?;
        self.expect_closing(Token::End, Token::Function, line)?;
        self.close_function();
        let Some(outer) = self.outer.pop() else {
            return Err(self.error(b"no function around"));
        };
        let inner = std::mem::replace(&mut self.func, outer);
        self.func.line = self.lexer.last_line;
        let place = self.func.proto.inner.len();
        self.func.proto.inner.push(Rc::new(inner.proto));
        let pc = self.func.emit(Op::Closure, 0, 0, place as i32);
        for capture in inner.captures {
            match capture {
                Capture::Local(register) => {
                    self.func.emit(Op::Move, 0, usize::from(register), 0);
                }
                Capture::Upvalue(place) => {
                    self.func.emit(Op::GetUpvalue, 0, usize::from(place), 0);
                }
            }
        }
        Ok(Exp::new(Kind::Open(pc)))
    }

    fn parameters(&mut self) -> Result<(), SyntaxError> {
        let mut count = 0;
        if self.token != Token::Char(b')') {
            loop {
                match self.token {
                    Token::Name(name) => {
                        self.add_local(name, count)?;
                        self.advance()?;
                        count += 1;
                    }
                    Token::Dots => {
                        self.advance()?;
                        // What Lua 5.0 had instead of `...`, made only where `...` is not used.
                        let name = self.heap.name("arg");
                        self.add_local(name, count)?;
                        self.func.proto.is_vararg = true;
                        self.func.proto.needs_arg = true;
                    }
                    _ => return Err(self.error(b"<name> or '...' expected")),
                }
                if self.func.proto.is_vararg || !self.accept(Token::Char(b','))? {
                    break;
                }
            }
        }
        let all = count + usize::from(self.func.proto.needs_arg);
        self.activate(all);
        self.func.proto.params =
            (self.func.active.len() - usize::from(self.func.proto.needs_arg)) as u8;
        let registers = self.func.active.len();
        self.try_emit(|func| func.reserve(registers))
    }
}

/// A size rounded up to what PUC's one-byte floating point can say: tables are made of these sizes there.
fn floating_size(size: usize) -> usize {
    let (mut mantissa, mut exponent) = (size, 0);
    while mantissa >= 16 {
        mantissa = mantissa.div_ceil(2);
        exponent += 1;
    }
    (mantissa << exponent).min(u16::MAX as usize)
}
