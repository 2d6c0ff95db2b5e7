//! The crate from outside: what it computes, refuses and exports.

#[cfg(test)]
mod export;
#[cfg(test)]
mod graph;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod refusal;
#[cfg(test)]
mod run;
#[cfg(test)]
mod sample;
