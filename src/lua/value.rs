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

    /// What `type` says.
    pub fn type_name(self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Table(_) => "table",
            Value::Closure(_) | Value::Native(_) => "function",
            Value::Coroutine(_) => "thread",
            Value::Userdata(_) => "userdata",
        }
    }
}
