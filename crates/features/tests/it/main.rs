//! The definitions file and the commands, through the public interface.

mod command;
mod definition;
