//! Pure functions on bytes. Nothing here knows a Redis type, reads a clock or draws a random number.

pub mod num;
