//! What a server does for a request, counted instead of timed: instructions, system calls, heap allocations.
//!
//! The server runs under valgrind, one request at a time, so that the counts hardly depend on the machine's speed and load.
//! callgrind writes its counts whenever it is asked to, so that [`CountedServer::take`] gives the counts of a part of the
//! server's life. DHAT writes only at the end of the process, so that [`heap_total`] gives those of a whole life; those of
//! a request are the difference between a longer and a shorter one.
//!
//! valgrind shows the program a processor without SHA extensions: signatures and hashes take other paths than without it.
//! Counts compare versions of the same program, not algorithms.

mod callgrind;
mod component;
mod connection;
mod dhat;
mod valgrind;

pub use callgrind::{CountedServer, Counts};
pub use connection::{Connection, ConnectionError, Transfer};
pub use dhat::{HeapTotal, heap_total};
pub use valgrind::CountersError;
