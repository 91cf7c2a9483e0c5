//! Random Lua programs that end, do not run away on a server without our limits, and give the same results each time.
//!
//! A program is a list of steps. Each runs in a function of its own under `pcall`, so that an error is a result like
//! another; what a step returns first is a variable for the steps behind it.

use redstart::algorithms::rng::Rng;

use super::words::{FIELDS, NUMBERS, TEXTS};

/// What an expression is meant to be; now and then it is something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Number,
    Text,
    Flag,
    Table,
    Function,
    Any,
}

pub const KINDS: [Kind; 5] = [
    Kind::Number,
    Kind::Text,
    Kind::Flag,
    Kind::Table,
    Kind::Function,
];

/// Makes programs from a seed.
pub struct Generator {
    pub rng: Rng,
    /// Variables in reach.
    pub names: Vec<(String, Kind)>,
    made: usize,
    /// How deep in functions and blocks.
    pub level: u32,
    in_loop: bool,
    pub has_varargs: bool,
    /// So many expressions may still be made.
    pub budget: i32,
}

impl Generator {
    pub fn new(seed: u64) -> Generator {
        Generator {
            rng: Rng::new([seed, 17]),
            names: Vec::new(),
            made: 0,
            level: 0,
            in_loop: false,
            has_varargs: true,
            budget: 0,
        }
    }

    /// The next program.
    pub fn program(&mut self) -> String {
        self.names.clear();
        self.made = 0;
        self.level = 0;
        let mut out = String::from(
            "local out = {}\n\
             local function T(f, ...) local r = {pcall(f, ...)} out[#out+1] = r return r[2] end\n\
             local function K(v) local t = type(v) if t == 'table' or t == 'function' then return t end return v end\n\
             local text = tostring\n\
             local function tostring(...) local t = type(...) if t == 'function' or t == 'table' and not getmetatable(...) then return t end return text(...) end\n\
             math.randomseed(5)\n",
        );
        for _ in 0..3 + self.below(8) {
            let step = self.step();
            out.push_str(&step);
            out.push('\n');
        }
        out.push_str("return out");
        for _ in 0..self.below(3) {
            let name = self.variable();
            out.push_str(", ");
            out.push_str(&name);
        }
        out
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.rng.below(limit as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick(&mut self, from: &[&str]) -> String {
        from[self.below(from.len())].to_string()
    }

    pub fn new_name(&mut self) -> String {
        self.made += 1;
        format!("v{}", self.made)
    }

    pub fn variable(&mut self) -> String {
        self.variable_of(Kind::Any)
    }

    /// A variable, of this kind if there is one.
    pub fn variable_of(&mut self, kind: Kind) -> String {
        if self.names.is_empty() || self.chance(3) {
            return self.pick(&["g1", "g2", "undefined", "_G.g1"]);
        }
        let fits = |found: Kind| kind == Kind::Any || found == kind;
        let fitting: Vec<usize> = (0..self.names.len())
            .filter(|at| fits(self.names[*at].1))
            .collect();
        if fitting.is_empty() || self.chance(7) {
            let at = self.below(self.names.len());
            return self.names[at].0.clone();
        }
        // The latest are used most.
        let back = self.below(fitting.len()).min(self.below(fitting.len()));
        self.names[fitting[fitting.len() - 1 - back]].0.clone()
    }

    /// One step of a program.
    fn step(&mut self) -> String {
        self.budget = 4 + self.below(30) as i32;
        let name = self.new_name();
        let kept = self.names.len();
        let kind = self.kind();
        let params = self.params();
        let body = self.body(&params, kind);
        self.names.truncate(kept);
        self.budget = 3;
        let args = self.list(3, 1);
        let comma = if args.is_empty() { "" } else { ", " };
        let step = format!("local {name} = T(function({params}) {body} end{comma}{args})");
        self.names.push((name, kind));
        step
    }

    pub fn kind(&mut self) -> Kind {
        KINDS[self.below(KINDS.len())]
    }

    pub fn params(&mut self) -> String {
        let mut params: Vec<String> = (0..self.below(3)).map(|_| self.new_name()).collect();
        if self.chance(30) {
            params.push("...".into());
        }
        params.join(", ")
    }

    /// What stands in a function with these parameters.
    pub fn body(&mut self, params: &str, kind: Kind) -> String {
        let kept = self.names.len();
        let (was_in_loop, had_varargs) = (self.in_loop, self.has_varargs);
        self.in_loop = false;
        self.has_varargs = params.ends_with("...");
        let named = params.split(", ").filter(|name| name.starts_with('v'));
        self.names
            .extend(named.map(|name| (name.to_string(), Kind::Any)));
        self.level += 1;
        let mut body = String::new();
        for _ in 0..self.below(4) {
            body.push_str(&self.statement());
            body.push(' ');
        }
        body.push_str("return ");
        body.push_str(&self.expression(kind, 3));
        let more = self.list(3, 2);
        if !more.is_empty() {
            body.push_str(", ");
            body.push_str(&more);
        }
        self.level -= 1;
        self.names.truncate(kept);
        (self.in_loop, self.has_varargs) = (was_in_loop, had_varargs);
        body
    }

    fn block(&mut self, count: usize) -> String {
        let kept = self.names.len();
        self.level += 1;
        let mut block = String::new();
        for _ in 0..1 + self.below(count) {
            block.push_str(&self.statement());
            block.push(' ');
        }
        if self.in_loop && self.chance(10) {
            block.push_str("break ");
        } else if self.chance(6) {
            block.push_str("return ");
            block.push_str(&self.list(2, 2));
            block.push(' ');
        }
        self.level -= 1;
        self.names.truncate(kept);
        block
    }

    fn loop_block(&mut self) -> String {
        let was = std::mem::replace(&mut self.in_loop, true);
        let block = self.block(2);
        self.in_loop = was;
        block
    }

    fn statement(&mut self) -> String {
        self.budget -= 1;
        let choice = match self.level > 4 || self.budget < 0 {
            true => self.below(8),
            false => self.below(20),
        };
        match choice {
            0..=2 => self.local_statement(),
            3 | 4 => {
                let (target, kind) = self.target();
                let value = self.expression(kind, 3);
                format!("{target} = {value};")
            }
            5 => {
                let (one, two) = (self.target().0, self.target().0);
                let values = self.list(3, 2);
                match values.is_empty() {
                    true => format!("{one}, {two} = nil;"),
                    false => format!("{one}, {two} = {values};"),
                }
            }
            6 | 7 => self.call_statement(),
            8 | 9 => self.if_statement(),
            10 | 11 => self.numeric_for(),
            12 | 13 => self.generic_for(),
            14 => self.while_or_repeat(),
            15 => self.function_statement(),
            16 => {
                let was = std::mem::replace(&mut self.in_loop, false);
                let block = self.block(3);
                self.in_loop = was;
                format!("do {block}end")
            }
            17 => self.method_statement(),
            18 => {
                let value = self.expression(Kind::Any, 2);
                let level = self.pick(&["", "", ", 0", ", 1", ", 2", ", 3"]);
                let condition = self.expression(Kind::Flag, 1);
                format!("if {condition} then error({value}{level}) end")
            }
            _ => {
                let object = self.expression(Kind::Table, 1);
                let table = self.metatable();
                let name = self.new_name();
                self.names.push((name.clone(), Kind::Table));
                format!("local {name} = setmetatable({object}, {table});")
            }
        }
    }

    fn local_statement(&mut self) -> String {
        let kind = self.kind();
        let value = self.expression(kind, 3);
        let name = self.new_name();
        let text = match self.below(5) {
            0 => {
                let more = self.list(1, 2);
                let comma = if more.is_empty() { "" } else { ", " };
                self.names.push((format!("{name}b"), Kind::Any));
                format!("local {name}, {name}b = {value}{comma}{more};")
            }
            _ => format!("local {name} = {value};"),
        };
        self.names.push((name, kind));
        text
    }

    fn if_statement(&mut self) -> String {
        let condition = self.expression(Kind::Flag, 3);
        let mut text = format!("if {condition} then {}", self.block(2));
        if self.chance(30) {
            let condition = self.expression(Kind::Any, 2);
            text += &format!("elseif {condition} then {}", self.block(2));
        }
        if self.chance(50) {
            text += &format!("else {}", self.block(2));
        }
        text + "end"
    }

    fn numeric_for(&mut self) -> String {
        let name = self.new_name();
        let small = |generator: &mut Generator| {
            generator.pick(&[
                "1", "0", "3", "-2", "2.5", "5", "'2'", "0.1", "#'ab'", "nil",
            ])
        };
        let (from, to) = (small(self), small(self));
        let step = match self.chance(40) {
            true => format!(", {}", self.pick(&["1", "2", "-1", "0.5", "'1'", "-0.7"])),
            false => String::new(),
        };
        self.names.push((name.clone(), Kind::Number));
        let block = self.loop_block();
        self.names.pop();
        format!("for {name} = {from}, {to}{step} do {block}end")
    }

    fn generic_for(&mut self) -> String {
        let (key, value) = (self.new_name(), self.new_name());
        let table = self.expression(Kind::Table, 2);
        let way = self.pick(&["pairs(#)", "ipairs(#)", "next, #", "pairs(#)"]);
        self.names
            .extend([(key.clone(), Kind::Any), (value.clone(), Kind::Any)]);
        let block = self.loop_block();
        self.names.truncate(self.names.len() - 2);
        format!(
            "for {key}, {value} in {} do {block}end",
            way.replace('#', &table)
        )
    }

    fn while_or_repeat(&mut self) -> String {
        let counter = self.new_name();
        let condition = self.expression(Kind::Flag, 2);
        let block = self.loop_block();
        match self.chance(50) {
            true => format!(
                "local {counter} = 0 while {counter} < 4 and {condition} do {counter} = {counter} + 1 {block}end"
            ),
            false => format!(
                "local {counter} = 0 repeat {counter} = {counter} + 1 if true then {block}end until {counter} > 3 or {condition};"
            ),
        }
    }

    fn function_statement(&mut self) -> String {
        let params = self.params();
        let name = self.new_name();
        let global = self.chance(25);
        if !global {
            self.names.push((name.clone(), Kind::Function));
        }
        let kind = self.kind();
        let body = self.body(&params, kind);
        match global {
            true => format!("function g1({params}) {body} end"),
            false => format!("local function {name}({params}) {body} end"),
        }
    }

    fn method_statement(&mut self) -> String {
        let object = self.expression(Kind::Table, 1);
        let name = self.new_name();
        let field = self.pick(FIELDS);
        let colon = self.pick(&[".", ":"]);
        self.names.push((name.clone(), Kind::Table));
        let params = self.params();
        let kind = self.kind();
        let body = self.body(&params, kind);
        let args = self.list(2, 2);
        format!(
            "local {name} = {object}; function {name}{colon}{field}({params}) {body} end {name}{colon}{field}({args});"
        )
    }

    fn call_statement(&mut self) -> String {
        match self.below(8) {
            0 => {
                let table = self.expression(Kind::Table, 1);
                let value = self.expression(Kind::Any, 2);
                let at = self.pick(&["", "1, ", "2, ", "3, ", "'1', "]);
                format!("table.insert({table}, {at}{value});")
            }
            1 => {
                let table = self.expression(Kind::Table, 1);
                let order = self.pick(&[
                    "",
                    "",
                    ", function(a, b) return a > b end",
                    ", function(a, b) return tostring(a) < tostring(b) end",
                    ", function() return false end",
                ]);
                format!("table.sort({table}{order});")
            }
            2 => {
                let function = self.variable_of(Kind::Function);
                let args = self.list(3, 2);
                format!("{function}({args});")
            }
            3 => {
                let object = self.variable_of(Kind::Table);
                let field = self.pick(FIELDS);
                let args = self.list(2, 2);
                format!("{object}:{field}({args});")
            }
            4 => {
                let table = self.expression(Kind::Table, 1);
                let (key, value) = (self.key(), self.expression(Kind::Any, 1));
                format!("rawset({table}, {key}, {value});")
            }
            5 => {
                let value = self.expression(Kind::Any, 2);
                let message = self.list(1, 1);
                let comma = if message.is_empty() { "" } else { ", " };
                format!("assert({value}{comma}{message});")
            }
            6 => "collectgarbage();".into(),
            _ => {
                let function = self.expression(Kind::Function, 2);
                let args = self.list(2, 2);
                format!("({function})({args});")
            }
        }
    }

    /// What something is assigned to, and what to assign.
    fn target(&mut self) -> (String, Kind) {
        match self.below(6) {
            0 | 1 if !self.names.is_empty() => {
                let at = self.below(self.names.len());
                self.names[at].clone()
            }
            2 | 3 => {
                let table = self.variable_of(Kind::Table);
                (format!("{table}.{}", self.pick(FIELDS)), Kind::Any)
            }
            4 => {
                let table = self.variable_of(Kind::Table);
                (format!("{table}[{}]", self.key()), Kind::Any)
            }
            _ => (self.pick(&["g1", "g2", "_G.g2"]), Kind::Any),
        }
    }

    /// What may be a key of a table. The places of tables and functions in a table depend on their addresses.
    pub fn key(&mut self) -> String {
        match self.below(4) {
            0 => self.pick(NUMBERS),
            1 => self.pick(TEXTS),
            _ => {
                let key = self.expression(Kind::Any, 1);
                format!("K({key})")
            }
        }
    }
}
