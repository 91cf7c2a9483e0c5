//! What random Lua programs are made of.

#[rustfmt::skip]
pub const NUMBERS: &[&str] = &[
    "0", "1", "2", "3", "-1", "-2", "0.5", "-0.5", "1.5", "2.5", "7", "10", "16", "100", "255", "256", "1e15",
    "1e14", "99999999999999", "999999999999999", "2^53", "2^53+1", "-2^53", "2^31", "2^31-1", "-2^31", "2^32",
    "2^63", "-2^63", "2^64", "1e100", "1e300", "1e308*10", "-1e308*10", "0/0", "-(0/0)", "5e-324",
    "2.2250738585072014e-308", "1e-10", "1e-5", "0.0001", "0.1", "1/3", "-0", "0*-1", "0xff", "0x7fffffff",
    "0xFFFFFFFF", "math.huge", "math.pi", "123456.789", "3.14159265358979", "1e21", "123456789012", "65536", ".5",
    "5.", "3e0", "0x.8",
];
#[rustfmt::skip]
pub const TEXTS: &[&str] = &[
    "''", "'a'", "'abc'", "'hello world'", "'10'", "'0x10'", "' 5 '", "'1e2'", "'nan'", "'inf'", "'\\0x\\0y'",
    "'a\\nb'", "'%d'", "'%'", "'key1'", "'x'", "'-3'", "'0x'", "'1e'", "'aXbXc'", "'  trim  '", "'a,b,,c'",
    "'(a(b)c)'", "'\\200\\255'", "'THE (quick) fox'", "'n'", "'__index'", "'k = v; k2 = v2'", "[[long]]",
    "\"it's\"", "'a.b.c'", "'123abc'", "'\\n'", "'aaa'", "'\\\\'",
];
#[rustfmt::skip]
pub const FIELDS: &[&str] = &[
    "x", "y", "n", "key1", "a", "value",
];
#[rustfmt::skip]
pub const ARITHMETIC: &[&str] = &[
    "+", "-", "*", "/", "%", "^",
];
#[rustfmt::skip]
pub const COMPARISON: &[&str] = &[
    "==", "~=", "<", "<=", ">", ">=",
];
#[rustfmt::skip]
pub const MATH_ONE: &[&str] = &[
    "abs", "ceil", "floor", "sqrt", "exp", "deg", "rad", "sin", "cos", "tan", "atan", "frexp", "modf", "log",
    "log10", "asin", "acos",
];
#[rustfmt::skip]
pub const BIT_TWO: &[&str] = &[
    "band", "bor", "bxor", "lshift", "rshift", "arshift", "rol", "ror",
];
#[rustfmt::skip]
pub const EVENTS: &[&str] = &[
    "__add", "__sub", "__mul", "__div", "__mod", "__pow", "__unm", "__concat", "__len", "__eq", "__lt", "__le",
    "__call",
];
#[rustfmt::skip]
pub const PATTERN_ITEMS: &[&str] = &[
    "a", "b", "x", "%a", "%d", "%s", "%w", "%p", "%l", "%u", "%x", "%c", "%A", "%D", "%S", "%W", ".", "[a-c]",
    "[^a]", "[%w_]", "[%]]", "[]a]", "[a-]", "(", ")", "()", "^", "$", "%b()", "%bxy", "%f[%w]", "%f[%W]", "%1",
    "%2", "%.", "%%", ",", " ", "%z", "[^%s]", "(.-)", "(%w+)", "(%d*)", "[%a-z]", "[+--]",
];
#[rustfmt::skip]
pub const PATTERN_TAILS: &[&str] = &[
    "", "", "", "*", "+", "-", "?",
];
#[rustfmt::skip]
pub const BROKEN_PATTERNS: &[&str] = &[
    "[a", "%", "(", ")", "%b", "%bx", "%f", "[]", "[^", "[%", "%9", "(()", "%f[",
];
#[rustfmt::skip]
pub const DIRECTIVES: &[&str] = &[
    "d", "i", "u", "c", "x", "X", "o", "e", "E", "f", "g", "G", "q", "s", "s", "d", "%", "p", "", "a",
];
#[rustfmt::skip]
pub const FLAGS: &[&str] = &[
    "", "", "", "", "-", "0", "+", " ", "#", "-0", "+ ", "00000", "------",
];
#[rustfmt::skip]
pub const STRUCT_ITEMS: &[&str] = &[
    "b", "B", "h", "H", "l", "L", "i", "I", "i1", "i2", "i4", "I4", "i8", "I3", "T", "f", "d", "s", "x", "c0", "c3",
    "<", ">", "!", "!4", "=", "!8", "c", "z", "i33", " ",
];
#[rustfmt::skip]
pub const JSON: &[&str] = &[
    "[", "]", "{", "}", ",", ":", "\"a\"", "\"\"", "1", "-1", "0.5", "1e3", "true", "false", "null",
    "\"\\\\u0041\"", "\"\\\\n\"", " ", "nul", "\"k\":", "\"k\":1", "[1,2]", "{}", "[]", "01", "0x1",
    "\"\\\\ud83d\\\\ude00\"", "\"\\\\ud800\"", "1.", ".5", "-", "+1", "Infinity", "NaN", "'x'", "1e999",
    "\"\\\\x\"",
];
