//! The grammar of statements.

use super::super::code::Op;
use super::super::lexer::{SyntaxError, Token};
use super::super::value::{Str, Value};
use super::Compiler;
use super::emit::{Exp, Kind, NO_JUMP, Operand};

/// A chain of variables may be so long in one assignment.
const MAX_TARGETS: usize = 200;

impl Compiler<'_> {
    /// Statements up to the end of their block.
    pub(super) fn statements(&mut self) -> Result<(), SyntaxError> {
        self.enter()?;
        let mut is_last = false;
        while !is_last && !self.ends_block() {
            is_last = self.statement()?;
            self.accept(Token::Char(b';'))?;
            self.func.free = self.func.active.len();
        }
        self.leave();
        Ok(())
    }

    fn ends_block(&self) -> bool {
        matches!(
            self.token,
            Token::Else | Token::ElseIf | Token::End | Token::Eof | Token::Until
        )
    }

    fn block(&mut self) -> Result<(), SyntaxError> {
        self.enter_block(false);
        self.statements()?;
        self.leave_block();
        Ok(())
    }

    /// One statement; whether it must be the last of its block.
    fn statement(&mut self) -> Result<bool, SyntaxError> {
        let line = self.line();
        match self.token {
            Token::If => self.if_statement(line)?,
            Token::While => self.while_statement(line)?,
            Token::Do => {
                self.advance()?;
                self.block()?;
                self.expect_closing(Token::End, Token::Do, line)?;
            }
            Token::For => self.for_statement(line)?,
            Token::Repeat => self.repeat_statement(line)?,
            Token::Function => self.function_statement(line)?,
            Token::Local => {
                self.advance()?;
                if self.accept(Token::Function)? {
                    self.local_function()?;
                } else {
                    self.local_statement()?;
                }
            }
            Token::Return => {
                self.return_statement()?;
                return Ok(true);
            }
            Token::Break => {
                self.advance()?;
                self.break_statement()?;
                return Ok(true);
            }
            _ => self.expression_statement()?,
        }
        Ok(false)
    }

    fn condition(&mut self) -> Result<i32, SyntaxError> {
        let mut exp = self.expression()?;
        if exp.kind == Kind::Nil {
            // All falses are equal here.
            exp.kind = Kind::False;
        }
        self.try_emit(|func| func.go_if_true(&mut exp))?;
        Ok(exp.when_false)
    }

    fn if_statement(&mut self, line: u32) -> Result<(), SyntaxError> {
        let mut escapes = NO_JUMP;
        let mut when_false = self.test_then_block()?;
        while self.token == Token::ElseIf {
            let jump = self.func.jump();
            escapes = self.func.concat_jumps(escapes, jump);
            self.func.patch_to_here(when_false);
            when_false = self.test_then_block()?;
        }
        if self.token == Token::Else {
            let jump = self.func.jump();
            escapes = self.func.concat_jumps(escapes, jump);
            self.func.patch_to_here(when_false);
            self.advance()?;
            self.block()?;
        } else {
            escapes = self.func.concat_jumps(escapes, when_false);
        }
        self.func.patch_to_here(escapes);
        self.expect_closing(Token::End, Token::If, line)
    }

    fn test_then_block(&mut self) -> Result<i32, SyntaxError> {
        self.advance()?;
        let when_false = self.condition()?;
        self.require(Token::Then)?;
        self.block()?;
        Ok(when_false)
    }

    fn while_statement(&mut self, line: u32) -> Result<(), SyntaxError> {
        self.advance()?;
        let start = self.func.label();
        let when_false = self.condition()?;
        self.enter_block(true);
        self.require(Token::Do)?;
        self.block()?;
        let back = self.func.jump();
        self.func.patch_list(back, start);
        self.expect_closing(Token::End, Token::While, line)?;
        self.leave_block();
        self.func.patch_to_here(when_false);
        Ok(())
    }

    fn repeat_statement(&mut self, line: u32) -> Result<(), SyntaxError> {
        let start = self.func.label();
        self.enter_block(true);
        self.enter_block(false);
        self.advance()?;
        self.statements()?;
        self.expect_closing(Token::Until, Token::Repeat, line)?;
        let when_false = self.condition()?;
        let has_upvalue = self
            .func
            .blocks
            .last()
            .is_some_and(|block| block.has_upvalue);
        if has_upvalue {
            // The variables are closed before the loop goes on or ends.
            self.break_statement()?;
            self.func.patch_to_here(when_false);
            self.leave_block();
            let back = self.func.jump();
            self.func.patch_list(back, start);
        } else {
            self.leave_block();
            self.func.patch_list(when_false, start);
        }
        self.leave_block();
        Ok(())
    }

    fn break_statement(&mut self) -> Result<(), SyntaxError> {
        let mut closes = false;
        let mut target = None;
        for (place, block) in self.func.blocks.iter().enumerate().rev() {
            if block.is_loop {
                target = Some((place, block.active));
                break;
            }
            closes |= block.has_upvalue;
        }
        let Some((place, active)) = target else {
            return Err(self.error(b"no loop to break"));
        };
        if closes {
            self.func.emit(Op::Close, active, 0, 0);
        }
        let jump = self.func.jump();
        let breaks = self
            .func
            .blocks
            .get(place)
            .map_or(NO_JUMP, |block| block.breaks);
        let breaks = self.func.concat_jumps(breaks, jump);
        if let Some(block) = self.func.blocks.get_mut(place) {
            block.breaks = breaks;
        }
        Ok(())
    }

    fn for_statement(&mut self, line: u32) -> Result<(), SyntaxError> {
        self.enter_block(true);
        self.advance()?;
        let name = self.name()?;
        match self.token {
            Token::Char(b'=') => self.for_numbers(name, line)?,
            Token::Char(b',') | Token::In => self.for_each(name)?,
            _ => return Err(self.error(b"'=' or 'in' expected")),
        }
        self.expect_closing(Token::End, Token::For, line)?;
        self.leave_block();
        Ok(())
    }

    fn for_value(&mut self) -> Result<(), SyntaxError> {
        let mut exp = self.expression()?;
        self.try_emit(|func| func.put_next(&mut exp))
    }

    fn hidden(&mut self, name: &str, ahead: usize) -> Result<(), SyntaxError> {
        let name = self.heap.name(name);
        self.add_local(name, ahead)
    }

    fn for_numbers(&mut self, name: Str, line: u32) -> Result<(), SyntaxError> {
        let base = self.func.free;
        for (ahead, hidden) in ["(for index)", "(for limit)", "(for step)"]
            .into_iter()
            .enumerate()
        {
            self.hidden(hidden, ahead)?;
        }
        self.add_local(name, 3)?;
        self.require(Token::Char(b'='))?;
        self.for_value()?;
        self.require(Token::Char(b','))?;
        self.for_value()?;
        if self.accept(Token::Char(b','))? {
            self.for_value()?;
        } else {
            self.try_emit(|func| {
                let place = func.constant(Value::Number(1.0))?;
                let register = func.free;
                func.emit(Op::LoadK, register, 0, place as i32);
                func.reserve(1)
            })?;
        }
        self.for_body(base, line, 1, true)
    }

    fn for_each(&mut self, name: Str) -> Result<(), SyntaxError> {
        let base = self.func.free;
        for (ahead, hidden) in ["(for generator)", "(for state)", "(for control)"]
            .into_iter()
            .enumerate()
        {
            self.hidden(hidden, ahead)?;
        }
        self.add_local(name, 3)?;
        let mut count = 1;
        while self.accept(Token::Char(b','))? {
            let name = self.name()?;
            self.add_local(name, 3 + count)?;
            count += 1;
        }
        self.require(Token::In)?;
        let line = self.line();
        let (values, mut exp) = self.expressions()?;
        self.adjust(3, values, &mut exp)?;
        self.try_emit(|func| func.check_registers(3))?;
        self.for_body(base, line, count, false)
    }

    fn for_body(
        &mut self,
        base: usize,
        line: u32,
        count: usize,
        is_numeric: bool,
    ) -> Result<(), SyntaxError> {
        // The variables of the loop were made last: the hidden ones come before them.
        let all = self.func.proto.locals.len();
        self.activate_from(all - count - 3, 3);
        self.require(Token::Do)?;
        let prepare = match is_numeric {
            true => self.func.emit(Op::ForPrepare, base, 0, NO_JUMP) as i32,
            false => self.func.jump(),
        };
        self.enter_block(false);
        self.activate_from(all - count, count);
        self.try_emit(|func| func.reserve(count))?;
        self.block()?;
        self.leave_block();
        self.func.patch_to_here(prepare);
        let end = match is_numeric {
            true => self.func.emit(Op::ForLoop, base, 0, NO_JUMP),
            false => self.func.emit(Op::ForIn, base, count, 0),
        };
        self.func.fix_line(line);
        let back = match is_numeric {
            true => end as i32,
            false => self.func.jump(),
        };
        self.func.patch_list(back, prepare as usize + 1);
        Ok(())
    }

    fn function_statement(&mut self, line: u32) -> Result<(), SyntaxError> {
        self.advance()?;
        let name = self.name()?;
        let mut variable = self.variable(name)?;
        let mut is_method = false;
        while self.token == Token::Char(b'.') {
            self.field(&mut variable)?;
        }
        if self.token == Token::Char(b':') {
            is_method = true;
            self.field(&mut variable)?;
        }
        let mut body = self.body(is_method, line)?;
        self.try_emit(|func| func.store(&variable, &mut body))?;
        self.func.fix_line(line);
        Ok(())
    }

    fn local_function(&mut self) -> Result<(), SyntaxError> {
        let name = self.name()?;
        self.add_local(name, 0)?;
        let variable = Exp::new(Kind::Local(self.func.free as u8));
        self.try_emit(|func| func.reserve(1))?;
        self.activate(1);
        let line = self.line();
        let mut body = self.body(false, line)?;
        self.try_emit(|func| func.store(&variable, &mut body))?;
        // A debugger sees the variable only behind its definition.
        let pc = self.func.pc() as u32;
        if let Some(place) = self.func.active.last().copied()
            && let Some(local) = self.func.proto.locals.get_mut(place as usize)
        {
            local.from = pc;
        }
        Ok(())
    }

    fn local_statement(&mut self) -> Result<(), SyntaxError> {
        let mut names = 0;
        loop {
            let name = self.name()?;
            self.add_local(name, names)?;
            names += 1;
            if !self.accept(Token::Char(b','))? {
                break;
            }
        }
        let (values, mut exp) = match self.accept(Token::Char(b'='))? {
            true => self.expressions()?,
            false => (0, Exp::new(Kind::Void)),
        };
        self.adjust(names, values, &mut exp)?;
        let all = self.func.proto.locals.len();
        self.activate_from(all - names, names);
        Ok(())
    }

    /// Gives `wanted` registers a value each, from `given` expressions.
    fn adjust(&mut self, wanted: usize, given: usize, exp: &mut Exp) -> Result<(), SyntaxError> {
        let is_open = matches!(exp.kind, Kind::Call(_) | Kind::VarArg(_));
        if is_open {
            let extra = (wanted + 1).saturating_sub(given);
            self.try_emit(|func| {
                func.set_results(exp, Some(extra))?;
                if extra > 1 {
                    func.reserve(extra - 1)
                } else {
                    Ok(())
                }
            })?;
            return Ok(());
        }
        self.try_emit(|func| {
            if exp.kind != Kind::Void {
                func.put_next(exp)?;
            }
            if wanted > given {
                let register = func.free;
                func.reserve(wanted - given)?;
                func.emit_nil(register, wanted - given);
            }
            Ok(())
        })
    }

    /// A call or an assignment.
    fn expression_statement(&mut self) -> Result<(), SyntaxError> {
        let exp = self.primary()?;
        if let Kind::Call(pc) = exp.kind {
            if let Some(ins) = self.func.ins(pc) {
                // No results.
                ins.c = 1;
            }
            return Ok(());
        }
        self.assignment(exp)
    }

    fn assignment(&mut self, first: Exp) -> Result<(), SyntaxError> {
        let mut targets = vec![first];
        loop {
            let is_variable = targets.last().is_some_and(|target| {
                matches!(
                    target.kind,
                    Kind::Local(_) | Kind::Upvalue(_) | Kind::Global(_) | Kind::Indexed(..)
                )
            });
            if !is_variable {
                return Err(self.error(b"syntax error"));
            }
            if !self.accept(Token::Char(b','))? {
                break;
            }
            let target = self.primary()?;
            if let Kind::Local(register) = target.kind {
                self.keep_before_assignment(&mut targets, register)?;
            }
            targets.push(target);
            if targets.len() > MAX_TARGETS - self.levels as usize {
                return Err(self.limit(
                    &self.func,
                    MAX_TARGETS - self.levels as usize,
                    b"variables in assignment",
                ));
            }
        }
        self.require(Token::Char(b'='))?;
        let (values, mut exp) = self.expressions()?;
        if values == targets.len() {
            // The last value goes straight to the last variable.
            self.func.set_one_result(&mut exp);
            if let Some(target) = targets.pop() {
                self.try_emit(|func| func.store(&target, &mut exp))?;
            }
        } else {
            self.adjust(targets.len(), values, &mut exp)?;
            if values > targets.len() {
                self.func.free -= values - targets.len();
            }
        }
        while let Some(target) = targets.pop() {
            let register = (self.func.free - 1) as u8;
            let mut value = Exp::new(Kind::Register(register));
            self.try_emit(|func| func.store(&target, &mut value))?;
        }
        Ok(())
    }

    /// A variable that is assigned to may be table or key of another target: those get a copy first.
    fn keep_before_assignment(
        &mut self,
        targets: &mut [Exp],
        register: u8,
    ) -> Result<(), SyntaxError> {
        let copy = self.func.free as u8;
        let mut is_needed = false;
        for target in targets {
            if let Kind::Indexed(table, key) = &mut target.kind {
                if *table == register {
                    *table = copy;
                    is_needed = true;
                }
                if *key == Operand::Register(register) {
                    *key = Operand::Register(copy);
                    is_needed = true;
                }
            }
        }
        if is_needed {
            self.func
                .emit(Op::Move, usize::from(copy), usize::from(register), 0);
            self.try_emit(|func| func.reserve(1))?;
        }
        Ok(())
    }

    fn return_statement(&mut self) -> Result<(), SyntaxError> {
        self.advance()?;
        if self.ends_block() || self.token == Token::Char(b';') {
            self.func.emit(Op::Return, 0, 1, 0);
            return Ok(());
        }
        let (count, mut exp) = self.expressions()?;
        let (first, wanted) = match exp.kind {
            Kind::Call(pc) | Kind::VarArg(pc) => {
                self.try_emit(|func| func.set_results(&exp, None))?;
                let is_call = matches!(exp.kind, Kind::Call(_));
                if is_call
                    && count == 1
                    && let Some(ins) = self.func.ins(pc)
                {
                    ins.op = Op::TailCall;
                }
                (self.func.active.len(), 0)
            }
            _ if count == 1 => {
                let register = self.try_emit(|func| func.put_anywhere(&mut exp))?;
                (usize::from(register), 2)
            }
            _ => {
                self.try_emit(|func| func.put_next(&mut exp))?;
                (self.func.active.len(), count + 1)
            }
        };
        self.func.emit(Op::Return, first, wanted, 0);
        Ok(())
    }
}
