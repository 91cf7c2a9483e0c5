//! The expressions of random programs.

use super::generate::{Generator, KINDS, Kind};
use super::words::*;

impl Generator {
    /// Up to so many expressions with commas between them.
    pub fn list(&mut self, most: usize, depth: u32) -> String {
        let mut items: Vec<String> = (0..self.below(most + 1))
            .map(|_| self.expression(Kind::Any, depth))
            .collect();
        if self.has_varargs && self.chance(15) {
            items.push("...".into());
        }
        items.join(", ")
    }

    pub fn expression(&mut self, kind: Kind, depth: u32) -> String {
        self.budget -= 1;
        if depth == 0 || self.budget < 0 {
            return self.atom(kind);
        }
        let kind = match kind {
            Kind::Any => KINDS[self.below(KINDS.len())],
            kind if self.chance(4) => {
                let other = KINDS[self.below(KINDS.len())];
                if other == Kind::Function { kind } else { other }
            }
            kind => kind,
        };
        if self.chance(10) {
            return self.anything(depth - 1);
        }
        match kind {
            Kind::Number | Kind::Any => self.number(depth - 1),
            Kind::Text => self.text(depth - 1),
            Kind::Flag => self.flag(depth - 1),
            Kind::Table => self.table(depth - 1),
            Kind::Function => self.function(),
        }
    }

    fn atom(&mut self, kind: Kind) -> String {
        if self.chance(45) && !self.names.is_empty() {
            return self.variable_of(kind);
        }
        match kind {
            Kind::Number => match self.chance(50) {
                true => self.pick(NUMBERS),
                false => {
                    let number = self.below(20) as i64 - 5;
                    number.to_string()
                }
            },
            Kind::Text => self.pick(TEXTS),
            Kind::Flag => self.pick(&["true", "false", "nil"]),
            Kind::Table => self.pick(&[
                "{}",
                "{1, 2, 3}",
                "{x = 1, y = 2}",
                "{'b', 'a', 'c', n = 3}",
                "{3, 1, 2, key1 = {1}}",
            ]),
            Kind::Function => self.pick(&[
                "tostring",
                "type",
                "tonumber",
                "math.floor",
                "string.len",
                "next",
                "function(...) return ... end",
            ]),
            Kind::Any => {
                let kind = KINDS[self.below(KINDS.len())];
                self.atom(kind)
            }
        }
    }

    fn number(&mut self, depth: u32) -> String {
        match self.below(19) {
            0..=5 => {
                let operator = self.pick(ARITHMETIC);
                let (one, two) = (
                    self.expression(Kind::Number, depth),
                    self.expression(Kind::Number, depth),
                );
                match self.chance(50) {
                    true => format!("({one} {operator} {two})"),
                    false => format!("{one} {operator} {two}"),
                }
            }
            6 => format!("- {}", self.expression(Kind::Number, depth)),
            7 => {
                let kind = if self.chance(50) {
                    Kind::Text
                } else {
                    Kind::Table
                };
                format!("#{}", self.operand(kind, depth))
            }
            8 | 9 => {
                let function = self.pick(MATH_ONE);
                format!("math.{function}({})", self.expression(Kind::Number, depth))
            }
            10 => {
                let function = self.pick(&["max", "min", "fmod", "ldexp", "pow", "atan2"]);
                let (one, two) = (
                    self.expression(Kind::Number, depth),
                    self.expression(Kind::Number, depth),
                );
                format!("math.{function}({one}, {two})")
            }
            11 => {
                let value = self.expression(Kind::Text, depth);
                let base =
                    self.pick(&["", "", ", 10", ", 16", ", 2", ", 36", ", 8", ", 1", ", 37"]);
                format!("tonumber({value}{base})")
            }
            12 => format!(
                "string.byte({}, {})",
                self.expression(Kind::Text, depth),
                self.atom(Kind::Number)
            ),
            13 => {
                let (text, pattern) = (self.expression(Kind::Text, depth), self.pattern());
                let more = self.pick(&["", "", ", 2", ", -1", ", 1, true", ", 100", ", 0"]);
                format!("string.find({text}, {pattern}{more})")
            }
            14 => {
                let function = self.pick(BIT_TWO);
                let (one, two) = (
                    self.expression(Kind::Number, depth),
                    self.expression(Kind::Number, depth),
                );
                format!("bit.{function}({one}, {two})")
            }
            15 => {
                let args = self.list(3, depth);
                format!(
                    "select('#', {})",
                    if args.is_empty() { "nil" } else { &args }
                )
            }
            16 => {
                let args = self.pick(&[
                    "", "1", "10", "5, 9", "0", "2, 1", "-3, 3", "1.5", "2^31 - 1",
                ]);
                format!("math.random({args})")
            }
            17 => format!(
                "table.{}({})",
                self.pick(&["maxn", "getn"]),
                self.expression(Kind::Table, depth)
            ),
            _ => self.atom(Kind::Number),
        }
    }

    fn operand(&mut self, kind: Kind, depth: u32) -> String {
        let text = self.expression(kind, depth);
        format!("({text})")
    }

    fn text(&mut self, depth: u32) -> String {
        match self.below(22) {
            0..=3 => {
                let one = self.expression(Kind::Text, depth);
                let kind = if self.chance(30) {
                    Kind::Number
                } else {
                    Kind::Text
                };
                let two = self.expression(kind, depth);
                format!("({one} .. {two})")
            }
            4 | 5 => {
                let kind = [Kind::Number, Kind::Flag, Kind::Text][self.below(3)];
                format!("tostring({})", self.expression(kind, depth))
            }
            6 | 7 => self.format(depth),
            8 => {
                let text = self.operand(Kind::Text, depth);
                let (from, to) = (
                    self.expression(Kind::Number, 1),
                    self.expression(Kind::Number, 1),
                );
                match self.chance(60) {
                    true => format!("{text}:sub({from}, {to})"),
                    false => format!("string.sub({text}, {from})"),
                }
            }
            9 => {
                let count = self.pick(&["0", "1", "2", "3", "7", "-1", "2.7", "'3'"]);
                format!(
                    "string.rep({}, {count})",
                    self.expression(Kind::Text, depth)
                )
            }
            10 | 11 => {
                let function = self.pick(&["upper", "lower", "reverse", "len"]);
                format!("{}:{function}()", self.operand(Kind::Text, depth))
            }
            12 | 13 => {
                let (text, pattern) = (self.expression(Kind::Text, depth), self.pattern());
                let with = self.replacement();
                let limit = self.pick(&["", "", "", ", 1", ", 2", ", 0"]);
                format!("string.gsub({text}, {pattern}, {with}{limit})")
            }
            14 | 15 => {
                let (text, pattern) = (self.expression(Kind::Text, depth), self.pattern());
                let from = self.pick(&["", "", ", 2", ", -2"]);
                format!("string.match({text}, {pattern}{from})")
            }
            16 => {
                let table = self.expression(Kind::Table, depth);
                let more = self.pick(&["", ", ','", ", '-', 2", ", '', 1, 2", ", 1"]);
                format!("table.concat({table}{more})")
            }
            17 => format!("type({})", self.expression(Kind::Any, depth)),
            18 => format!(
                "string.char({})",
                self.pick(&["65, 66", "0", "255", "256", "-1", "", "97.9", "'98'"])
            ),
            19 => self.packed(depth),
            20 => {
                let (text, pattern) = (self.expression(Kind::Text, depth), self.pattern());
                format!(
                    "(function() local r = {{}} for a, b in string.gmatch({text}, {pattern}) do r[#r+1] = tostring(a) .. '/' .. tostring(b) end return table.concat(r, ';') end)()"
                )
            }
            _ => self.atom(Kind::Text),
        }
    }

    fn packed(&mut self, depth: u32) -> String {
        match self.below(6) {
            0 => format!("cjson.encode({})", self.expression(Kind::Any, depth)),
            1 => {
                let text: String = (0..1 + self.below(6)).map(|_| self.pick(JSON)).collect();
                format!("cjson.decode('{text}')")
            }
            2 => format!("cmsgpack.pack({})", self.expression(Kind::Any, depth)),
            3 => format!(
                "cmsgpack.unpack(cmsgpack.pack({}))",
                self.expression(Kind::Any, depth)
            ),
            4 => {
                let items: String = (0..1 + self.below(4))
                    .map(|_| self.pick(STRUCT_ITEMS))
                    .collect();
                let (one, two, three) = (
                    self.expression(Kind::Number, depth),
                    self.expression(Kind::Number, depth),
                    self.expression(Kind::Text, depth),
                );
                format!("struct.pack('{items}', {one}, {two}, {three})")
            }
            _ => {
                let items: String = (0..1 + self.below(4))
                    .map(|_| self.pick(STRUCT_ITEMS))
                    .collect();
                let bytes: String = (0..self.below(20))
                    .map(|_| format!("\\{}", [0, 1, 2, 127, 128, 255, 65][self.below(7)]))
                    .collect();
                format!("struct.unpack('{items}', '{bytes}')")
            }
        }
    }

    fn format(&mut self, depth: u32) -> String {
        let mut text = String::new();
        let mut args = Vec::new();
        for _ in 0..1 + self.below(3) {
            let letter = self.pick(DIRECTIVES);
            let flags = self.pick(FLAGS);
            let width = self.pick(&["", "", "", "1", "5", "12", "99", "100"]);
            let precision = self.pick(&[
                "", "", "", ".", ".0", ".1", ".3", ".14", ".20", ".99", ".100",
            ]);
            text += &format!("%{flags}{width}{precision}{letter}|");
            if letter == "%" {
                continue;
            }
            let kind = if letter == "s" || letter == "q" {
                Kind::Text
            } else {
                Kind::Number
            };
            // Some of C's formats take the place of other bytes of an argument that is too large for them.
            args.push(match letter.as_str() {
                "c" => self.pick(&["65", "0", "97", "255", "'66'"]),
                _ => self.expression(kind, depth.min(1)),
            });
        }
        if self.chance(5) {
            args.pop();
        }
        let comma = if args.is_empty() { "" } else { ", " };
        format!("string.format('{text}'{comma}{})", args.join(", "))
    }

    fn pattern(&mut self) -> String {
        if self.chance(6) {
            return format!("'{}'", self.pick(BROKEN_PATTERNS));
        }
        if self.chance(4) {
            return self.variable();
        }
        let mut text = String::new();
        for _ in 0..1 + self.below(4) {
            text += &self.pick(PATTERN_ITEMS);
            text += &self.pick(PATTERN_TAILS);
        }
        format!("'{text}'")
    }

    fn replacement(&mut self) -> String {
        match self.below(7) {
            0 | 1 => self.pick(&[
                "'<%0>'", "'%1'", "'x'", "''", "'%2%1'", "'%%'", "'%'", "'%x'", "7",
            ]),
            2 => "{a = 'A', b = false, x = 1, [1] = 'one'}".into(),
            3 => "function(...) return select('#', ...) end".into(),
            4 => "function(a, b) return b or a end".into(),
            5 => "function() return {} end".into(),
            _ => self.expression(Kind::Any, 1),
        }
    }

    fn flag(&mut self, depth: u32) -> String {
        match self.below(10) {
            0..=3 => {
                let kind = [Kind::Number, Kind::Text, Kind::Number, Kind::Any][self.below(4)];
                let operator = self.pick(COMPARISON);
                let (one, two) = (self.expression(kind, depth), self.expression(kind, depth));
                format!("({one} {operator} {two})")
            }
            4 | 5 => format!("not {}", self.expression(Kind::Any, depth)),
            6 => {
                let operator = self.pick(&["and", "or"]);
                let (one, two) = (
                    self.expression(Kind::Flag, depth),
                    self.expression(Kind::Flag, depth),
                );
                format!("{one} {operator} {two}")
            }
            7 => {
                let (one, two) = (
                    self.expression(Kind::Any, depth),
                    self.expression(Kind::Any, depth),
                );
                format!("rawequal({one}, {two})")
            }
            8 => {
                let table = self.expression(Kind::Table, depth);
                format!("next({table}) == nil")
            }
            _ => self.atom(Kind::Flag),
        }
    }

    fn table(&mut self, depth: u32) -> String {
        match self.below(10) {
            0..=4 => {
                let mut items = Vec::new();
                for _ in 0..self.below(5) {
                    items.push(match self.below(6) {
                        0 | 1 => {
                            let field = self.pick(FIELDS);
                            format!("{field} = {}", self.expression(Kind::Any, depth))
                        }
                        2 => {
                            let key = self.key();
                            format!("[{key}] = {}", self.expression(Kind::Any, depth))
                        }
                        _ => self.expression(Kind::Any, depth),
                    });
                }
                if self.has_varargs && self.chance(20) {
                    items.push("...".into());
                }
                let separator = self.pick(&[", ", "; "]);
                format!("{{{}}}", items.join(&separator))
            }
            5 | 6 => {
                let object = self.expression(Kind::Table, depth);
                let table = self.metatable();
                format!("setmetatable({object}, {table})")
            }
            7 => {
                let table = self.expression(Kind::Table, depth);
                let more = self.pick(&["", ", 2", ", 1, 3", ", -1, 1", ", 2, 1"]);
                format!("{{unpack({table}{more})}}")
            }
            8 => {
                let function = self.expression(Kind::Function, depth);
                let args = self.list(2, depth);
                let comma = if args.is_empty() { "" } else { ", " };
                format!("{{pcall({function}{comma}{args})}}")
            }
            _ => self.atom(Kind::Table),
        }
    }

    pub fn metatable(&mut self) -> String {
        let mut items = Vec::new();
        for _ in 0..1 + self.below(3) {
            items.push(match self.below(9) {
                0 => "__index = function(t, k) return k end".into(),
                1 => format!("__index = {}", self.atom(Kind::Table)),
                2 => {
                    "__newindex = function(t, k, v) rawset(t, 'y', v) rawset(t, 'x', k) end".into()
                }
                3 => "__tostring = function(t) return 'me' end".into(),
                4 => self.pick(&[
                    "__metatable = 'locked'",
                    "__mode = 'k'",
                    "__tostring = function() return 1 end",
                    "__metatable = false",
                ]),
                5 => {
                    let event = self.pick(EVENTS);
                    format!("{event} = {}", self.variable())
                }
                6 => {
                    let event = self.pick(EVENTS);
                    format!("{event} = function(...) return ... end")
                }
                _ => {
                    let event = self.pick(EVENTS);
                    format!("{event} = function(a, b) return type(a) .. type(b) end")
                }
            });
        }
        format!("{{{}}}", items.join(", "))
    }

    fn function(&mut self) -> String {
        if self.level > 4 || self.budget < 0 || self.chance(25) {
            return self.atom(Kind::Function);
        }
        let params = self.params();
        let kind = self.kind();
        let body = self.body(&params, kind);
        format!("function({params}) {body} end")
    }

    /// What may be of any kind: calls, fields, coroutines.
    fn anything(&mut self, depth: u32) -> String {
        match self.below(14) {
            0 | 1 => format!("{}({})", self.variable(), self.list(2, depth))
                .replace("nil(", "g1(")
                .replace("1(", "g1("),
            2 => {
                let object = self.expression(Kind::Table, depth);
                let field = self.pick(FIELDS);
                format!("({object}).{field}")
            }
            3 => {
                let object = self.variable_of(Kind::Table);
                let key = self.expression(Kind::Any, depth);
                format!("({object})[{key}]")
            }
            4 => {
                let object = self.operand(Kind::Table, depth);
                let field = self.pick(FIELDS);
                let args = self.list(2, depth);
                format!("{object}:{field}({args})")
            }
            5 => {
                let (one, two, three) = (
                    self.expression(Kind::Any, depth),
                    self.expression(Kind::Any, depth),
                    self.expression(Kind::Any, depth),
                );
                format!("({one} and {two} or {three})")
            }
            6 => {
                let at = self.pick(&["1", "2", "-1", "0", "5", "-9"]);
                format!("select({at}, {})", self.expression(Kind::Any, depth))
            }
            7 => {
                let function = self.expression(Kind::Function, depth);
                let args = self.list(2, depth);
                format!(
                    "P({function}, {})",
                    if args.is_empty() { "nil" } else { &args }
                )
            }
            8 | 9 => self.coroutine(),
            10 => {
                let function = self.expression(Kind::Function, depth);
                let handler = self.pick(&[
                    "function(e) return {e} end",
                    "tostring",
                    "type",
                    "error",
                    "nil",
                ]);
                format!("select(2, xpcall({function}, {handler}))")
            }
            11 => self.chunk(),
            12 => {
                let table = self.expression(Kind::Table, depth);
                let key = self.expression(Kind::Any, 1);
                let function = self.pick(&["rawget", "next"]);
                format!("{function}({table}, {key})")
            }
            _ => {
                let table = self.expression(Kind::Table, depth);
                let at = self.pick(&["", ", 1", ", 5", ", 0"]);
                format!("table.remove({table}{at})")
            }
        }
    }

    fn coroutine(&mut self) -> String {
        let params = self.params();
        self.level += 1;
        let first = self.list(2, 1);
        let kind = self.kind();
        let body = self.body(&params, kind);
        self.level -= 1;
        let args = self.list(2, 1);
        match self.chance(50) {
            true => format!(
                "(function() local w = coroutine.wrap(function({params}) local y = coroutine.yield({first}) {body} end) return w({args}), w(y) end)()"
            ),
            false => format!(
                "(function() local c = coroutine.create(function({params}) local y = coroutine.yield({first}) {body} end) local r = {{coroutine.resume(c, {})}} r.s = coroutine.status(c) r.t = {{coroutine.resume(c, r)}} r.u = {{coroutine.resume(c)}} return r end)()",
                if args.is_empty() { "nil" } else { &args }
            ),
        }
    }

    /// A function made of text without variables.
    fn chunk(&mut self) -> String {
        let kept = std::mem::take(&mut self.names);
        let text = self.expression(Kind::Number, 1);
        self.names = kept;
        // The globals of such a chunk are those of the server.
        let text = text
            .replace('\\', "\\\\")
            .replace('\'', "\\'")
            .replace('\n', " ");
        match ["g1", "g2", "undefined"]
            .iter()
            .any(|name| text.contains(name))
        {
            true => "loadstring('return ...')".into(),
            false => format!("loadstring('return {text}')"),
        }
    }
}
