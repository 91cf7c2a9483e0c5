//! Values, and the handles by which they refer to what lives in the heap.

/// A string in the heap. Equal strings are one string, so the handle alone decides on equality.
#[derive(Clone, Copy, Debug)]
pub struct Str {
    pub(super) id: u32,
    /// The hash that decides on a key's place in a table, kept here to save a look at the string.
    pub(super) hash: u32,
}

impl PartialEq for Str {
    #[inline]
    fn eq(&self, other: &Str) -> bool {
        self.id == other.id
    }
}

impl Eq for Str {}

macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $name(pub(super) u32);
        )*
    };
}

handles! {
    /// A table in the heap.
    TableId,
    /// A function written in Lua, with its upvalues.
    ClosureId,
    /// A function of the host, with its upvalues.
    NativeId,
    /// A coroutine.
    CoroutineId,
    /// What `newproxy` makes.
    UserdataId,
    /// A variable shared by closures.
    UpvalueId,
}

/// A value.
#[derive(Clone, Copy, Debug, Default)]
pub enum Value {
    #[default]
    Nil,
    Bool(bool),
    Number(f64),
    String(Str),
    Table(TableId),
    Closure(ClosureId),
    Native(NativeId),
    Coroutine(CoroutineId),
    Userdata(UserdataId),
}

impl PartialEq for Value {
    /// Primitive equality: no metamethods, and NaN differs from itself.
    #[inline]
    fn eq(&self, other: &Value) -> bool {
        match (*self, *other) {
            (Value::Nil, Value::Nil) => true,
            (Value::Bool(one), Value::Bool(two)) => one == two,
            (Value::Number(one), Value::Number(two)) => one == two,
            (Value::String(one), Value::String(two)) => one == two,
            (Value::Table(one), Value::Table(two)) => one == two,
            (Value::Closure(one), Value::Closure(two)) => one == two,
            (Value::Native(one), Value::Native(two)) => one == two,
            (Value::Coroutine(one), Value::Coroutine(two)) => one == two,
            (Value::Userdata(one), Value::Userdata(two)) => one == two,
            _ => false,
        }
    }
}

impl Value {
    /// The userdata that points nowhere, and lives without a place in the heap: JSON's null.
    pub const NULL: Value = Value::Userdata(UserdataId(u32::MAX));

    #[inline]
    pub fn is_nil(self) -> bool {
        matches!(self, Value::Nil)
    }

    /// Neither nil nor false.
    #[inline]
    pub fn is_true(self) -> bool {
        !matches!(self, Value::Nil | Value::Bool(false))
    }

    /// What `type` may say.
    pub const TYPES: [&'static str; 8] = [
        "nil", "boolean", "number", "string", "table", "function", "thread", "userdata",
    ];

    /// The place among [`Value::TYPES`].
    pub fn kind(self) -> usize {
        match self {
            Value::Nil => 0,
            Value::Bool(_) => 1,
            Value::Number(_) => 2,
            Value::String(_) => 3,
            Value::Table(_) => 4,
            Value::Closure(_) | Value::Native(_) => 5,
            Value::Coroutine(_) => 6,
            Value::Userdata(_) => 7,
        }
    }

    /// What `type` says.
    pub fn type_name(self) -> &'static str {
        Value::TYPES[self.kind()]
    }
}

/// A value in 64 bits, as stacks, tables and constants keep it: a number as it is, anything else as a NaN that no
/// calculation makes.
///
/// ```text
///   0000...  to fff8 000000000000   a number; of the NaNs only the two that are all zero behind the sign and the mantissa's
///                                   first bit
///   fff9 00000000000x               nil, false, true
///   fffa hhhhhh iiiiii              a string: 24 bits of its hash, its place in the heap
///   fffb 0000iiiiiiii               a table; and so closures, functions of the host, coroutines, userdata
/// ```
///
/// Two that are equal bit by bit are the same value, but for NaN. No tag but a number's makes a float that equals another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed(u64);

const TAG_SHIFT: u32 = 48;
const CONSTANT: u64 = 0xfff9;
const STRING: u64 = 0xfffa;
const TABLE: u64 = 0xfffb;
const CLOSURE: u64 = 0xfffc;
const NATIVE: u64 = 0xfffd;
const COROUTINE: u64 = 0xfffe;
const USERDATA: u64 = 0xffff;
const LAST_NUMBER: u64 = 0xfff8 << TAG_SHIFT;
const QUIET_NAN: u64 = 0x7ff8 << TAG_SHIFT;
/// How many bits of a string's hash a value holds, and how many its place takes.
pub(super) const STRING_BITS: u32 = 24;
const STRING_MASK: u32 = (1 << STRING_BITS) - 1;

impl Packed {
    pub const NIL: Packed = Packed(CONSTANT << TAG_SHIFT);
    const FALSE: Packed = Packed(Packed::NIL.0 | 1);
    const TRUE: Packed = Packed(Packed::NIL.0 | 2);
    /// A key that is no value: equal to none, and not nil.
    pub const DEAD: Packed = Packed(Packed::NIL.0 | 3);

    /// What a calculation with numbers of the machine gives: no NaN but those of calculations.
    #[inline(always)]
    pub fn calculated(number: f64) -> Packed {
        Packed(number.to_bits())
    }

    #[inline(always)]
    pub fn number(number: f64) -> Packed {
        let bits = number.to_bits();
        if number.is_nan() {
            return Packed(bits & 1 << 63 | QUIET_NAN);
        }
        Packed(bits)
    }

    #[inline(always)]
    pub fn bool(bool: bool) -> Packed {
        Packed(Packed::FALSE.0 + u64::from(bool))
    }

    #[inline(always)]
    fn handle(tag: u64, id: u32) -> Packed {
        Packed(tag << TAG_SHIFT | u64::from(id))
    }

    #[inline(always)]
    pub fn table(id: TableId) -> Packed {
        Packed::handle(TABLE, id.0)
    }

    #[inline(always)]
    pub fn string(text: Str) -> Packed {
        let hash = u64::from(text.hash & STRING_MASK) << STRING_BITS;
        Packed(STRING << TAG_SHIFT | hash | u64::from(text.id & STRING_MASK))
    }

    #[inline(always)]
    fn tag(self) -> u64 {
        self.0 >> TAG_SHIFT
    }

    #[inline(always)]
    pub fn is_nil(self) -> bool {
        self.0 == Packed::NIL.0
    }

    /// Neither nil nor false.
    #[inline(always)]
    pub fn is_true(self) -> bool {
        self.0.wrapping_sub(Packed::NIL.0) > 1
    }

    #[inline(always)]
    pub fn is_number(self) -> bool {
        self.0 <= LAST_NUMBER
    }

    /// The number, if it is one; else some NaN.
    #[inline(always)]
    pub fn float(self) -> f64 {
        f64::from_bits(self.0)
    }

    #[inline(always)]
    pub fn is_string(self) -> bool {
        self.tag() == STRING
    }

    #[inline(always)]
    pub fn as_string(self) -> Option<Str> {
        self.is_string().then_some(self.string_unchecked())
    }

    /// Some string, if this is none.
    #[inline(always)]
    fn string_unchecked(self) -> Str {
        Str {
            id: self.0 as u32 & STRING_MASK,
            hash: self.string_hash(),
        }
    }

    /// The hash, if this is a string.
    #[inline(always)]
    pub fn string_hash(self) -> u32 {
        (self.0 >> STRING_BITS) as u32 & STRING_MASK
    }

    #[inline(always)]
    pub fn as_table(self) -> Option<TableId> {
        (self.tag() == TABLE).then_some(TableId(self.0 as u32))
    }

    #[inline(always)]
    pub fn as_closure(self) -> Option<ClosureId> {
        (self.tag() == CLOSURE).then_some(ClosureId(self.0 as u32))
    }

    #[inline(always)]
    pub fn as_native(self) -> Option<NativeId> {
        (self.tag() == NATIVE).then_some(NativeId(self.0 as u32))
    }

    #[inline(always)]
    pub fn is_function(self) -> bool {
        matches!(self.tag(), CLOSURE | NATIVE)
    }

    /// Primitive equality: no metamethods, and NaN differs from itself.
    #[inline(always)]
    pub fn equals(self, other: Packed) -> bool {
        self.float() == other.float() || (self.0 == other.0 && !self.is_number())
    }

    /// Whether metamethods may make two different ones equal: they are tables, or userdata.
    #[inline]
    pub fn may_equal(self, other: Packed) -> bool {
        self.tag() == other.tag() && matches!(self.tag(), TABLE | USERDATA)
    }

    #[inline]
    pub fn value(self) -> Value {
        let id = self.0 as u32;
        match self.tag() {
            CONSTANT => match self {
                Packed::NIL | Packed::DEAD => Value::Nil,
                other => Value::Bool(other == Packed::TRUE),
            },
            STRING => Value::String(self.string_unchecked()),
            TABLE => Value::Table(TableId(id)),
            CLOSURE => Value::Closure(ClosureId(id)),
            NATIVE => Value::Native(NativeId(id)),
            COROUTINE => Value::Coroutine(CoroutineId(id)),
            USERDATA => Value::Userdata(UserdataId(id)),
            _ => Value::Number(self.float()),
        }
    }
}

impl Default for Packed {
    fn default() -> Packed {
        Packed::NIL
    }
}

impl From<Value> for Packed {
    #[inline]
    fn from(value: Value) -> Packed {
        match value {
            Value::Nil => Packed::NIL,
            Value::Bool(bool) => Packed::bool(bool),
            Value::Number(number) => Packed::number(number),
            Value::String(text) => Packed::string(text),
            Value::Table(id) => Packed::table(id),
            Value::Closure(id) => Packed::handle(CLOSURE, id.0),
            Value::Native(id) => Packed::handle(NATIVE, id.0),
            Value::Coroutine(id) => Packed::handle(COROUTINE, id.0),
            Value::Userdata(id) => Packed::handle(USERDATA, id.0),
        }
    }
}
