//! A server under callgrind.
//!
//! Format: <https://valgrind.org/docs/manual/cl-format.html>.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::component::component;
use super::valgrind::{CountersError, read, vgdb_prefix, wrapper};
use crate::server::{Server, ServerSpec};

/// The heap's entry points in the C library.
const ALLOCATING: [&str; 6] = ["malloc", "calloc", "realloc", "memalign", "posix_memalign", "aligned_alloc"];
const FREE: &str = "free";
/// System calls that are not counted: under valgrind reading a clock is one, and without it is none; how often a thread sleeps
/// or waits for events depends on the moments at which they come, not on the requests.
const CLOCKS_AND_WAITS: [&str; 8] = [
    "clock_gettime",
    "__clock_gettime",
    "gettimeofday",
    "time",
    "clock_nanosleep",
    "__clock_nanosleep",
    "nanosleep",
    "epoll_wait",
];

/// What a server did between two moments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Instructions in user space, all threads together, without those of the allocator.
    pub instructions: u64,
    /// Instructions of the allocator. They depend on what the heap went through since the start of the process, and so
    /// differ by several per cent from one process to the next.
    pub allocator_instructions: u64,
    /// Allocations and reallocations on the heap.
    pub allocations: u64,
    /// System calls, except reading the clock, sleeping and waiting for events.
    pub system_calls: u64,
    /// Instructions by component: the crate or the library of the function that they are in. The compiler inlines functions
    /// of one crate into those of another, so that the limits are not sharp.
    pub components: BTreeMap<String, u64>,
}

/// A running server whose work callgrind counts. Dropping it stops it.
#[derive(Debug)]
pub struct CountedServer {
    server: Server,
    folder: PathBuf,
    output: PathBuf,
    taken: u32,
}

impl CountedServer {
    /// Starts this binary under callgrind, which keeps its files in the folder, and waits until the server is ready.
    pub fn start(program: &Path, spec: &ServerSpec, folder: &Path) -> Result<Self, CountersError> {
        let output = folder.join("callgrind.out");
        let options = ["--collect-systime=yes", "--compress-strings=no", "--compress-pos=no", "--demangle=no"];
        let spec = ServerSpec { wrapper: Some(wrapper("callgrind", folder, &output, &options)), ..spec.clone() };
        let server = Server::start_program(program, &spec)?;
        Ok(Self { server, folder: folder.to_owned(), output, taken: 0 })
    }

    /// The server.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// Returns what it did since the last call, or since its start.
    pub fn take(&mut self) -> Result<Counts, CountersError> {
        self.ask()?;
        self.taken += 1;
        let mut path = self.output.clone().into_os_string();
        path.push(format!(".{}", self.taken));
        let path = PathBuf::from(path);
        let counts = parse(&read(&path)?).map_err(|reason| CountersError::Format {
            path: path.clone(),
            tool: "callgrind",
            reason: reason.to_owned(),
        });
        // Each file has megabytes. If it cannot be removed, it goes with its folder.
        let _ = std::fs::remove_file(&path);
        counts
    }

    /// Has callgrind write its counts to a file, and start again from zero.
    fn ask(&self) -> Result<(), CountersError> {
        let failed = |reason: String| CountersError::Ask { reason };
        let mut command = Command::new("vgdb");
        command.arg(vgdb_prefix(&self.folder)).arg(format!("--pid={}", self.server.process().pid())).arg("dump");
        let output = command.stdin(Stdio::null()).output().map_err(|error| failed(format!("vgdb: {error}")))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(failed(format!("vgdb ended with {}: {}", output.status, said.trim())))
    }
}

/// The columns of a cost line after its position.
struct Columns {
    instructions: usize,
    system_calls: usize,
}

/// A function on whose lines the parser is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Function {
    #[default]
    Other,
    Allocating,
    Free,
    ClockOrWait,
}

impl Function {
    /// From a name such as `malloc`, `clock_gettime@@GLIBC_2.17` or, in a recursion, `free'2`.
    fn of(name: &str) -> Self {
        let name = name.split(['@', '\'']).next().unwrap_or(name);
        match name {
            FREE => Self::Free,
            name if ALLOCATING.contains(&name) => Self::Allocating,
            name if CLOCKS_AND_WAITS.contains(&name) => Self::ClockOrWait,
            _ => Self::Other,
        }
    }

    fn is_allocator(self) -> bool {
        matches!(self, Self::Allocating | Self::Free)
    }
}

fn parse(text: &str) -> Result<Counts, &'static str> {
    let columns = columns(text)?;
    let mut counts = Counts::default();
    let mut total = 0;
    let (mut function, mut callee) = (Function::default(), Function::default());
    let mut is_call = false;
    let (mut object, mut place) = ("", 0);
    let mut components = Components::default();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            function = Function::of(name);
            place = components.place(name, object);
        } else if let Some(path) = line.strip_prefix("ob=") {
            object = path;
        } else if let Some(name) = line.strip_prefix("cfn=") {
            callee = Function::of(name);
        } else if let Some(call) = line.strip_prefix("calls=") {
            is_call = true;
            if callee == Function::Allocating && !function.is_allocator() {
                counts.allocations += number(call.split(' ').next())?;
            }
        } else if line.starts_with(|first: char| first.is_ascii_digit()) {
            let cost = |column: usize| match line.split(' ').nth(column) {
                // Zeros at the end of a line are left out.
                None => Ok(0),
                found => number(found),
            };
            let instructions = cost(columns.instructions)?;
            if !is_call {
                total += instructions;
                components.add(place, instructions);
                counts.system_calls += if function == Function::ClockOrWait { 0 } else { cost(columns.system_calls)? };
            } else if callee.is_allocator() && !function.is_allocator() {
                // The line after a call has the cost of all that it led to.
                counts.allocator_instructions += instructions;
            }
            is_call = false;
        }
    }
    counts.components = components.sums();
    counts.instructions =
        u64::checked_sub(total, counts.allocator_instructions).ok_or("calls cost more than what they led to")?;
    Ok(counts)
}

/// Instructions by component. A file names each function many times.
#[derive(Default)]
struct Components<'a> {
    places: HashMap<(&'a str, &'a str), usize>,
    names: Vec<String>,
    instructions: Vec<u64>,
}

impl<'a> Components<'a> {
    /// Returns the place of this function's component.
    fn place(&mut self, function: &'a str, object: &'a str) -> usize {
        *self.places.entry((function, object)).or_insert_with(|| {
            let name = component(function, object);
            self.names.iter().position(|each| *each == name).unwrap_or_else(|| {
                self.names.push(name);
                self.instructions.push(0);
                self.names.len() - 1
            })
        })
    }

    fn add(&mut self, place: usize, instructions: u64) {
        self.instructions[place] += instructions;
    }

    fn sums(self) -> BTreeMap<String, u64> {
        self.names.into_iter().zip(self.instructions).filter(|(_, instructions)| *instructions > 0).collect()
    }
}

fn columns(text: &str) -> Result<Columns, &'static str> {
    let events = text.lines().find_map(|line| line.strip_prefix("events: ")).ok_or("it names no events")?;
    let column = |event: &str| events.split(' ').position(|each| each == event).map(|place| place + 1);
    let instructions = column("Ir").ok_or("it has no instructions")?;
    Ok(Columns { instructions, system_calls: column("sysCount").ok_or("it has no system calls")? })
}

fn number(text: Option<&str>) -> Result<u64, &'static str> {
    text.and_then(|text| text.parse().ok()).ok_or("it has something else instead of a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a real file, shortened.
    const FILE: &str = "\
# callgrind format
version: 1
positions: line
event: sysTime : sysTime (elapsed ms)
events: Ir sysCount sysTime
summary: 2000 4 1

ob=/usr/lib/libc.so.6
fl=clock_gettime.c
fn=clock_gettime@@GLIBC_2.17
38 30
68 0 5 2

fl=clock_nanosleep.c
fn=clock_nanosleep@@GLIBC_2.17
30 0 4 2

fl=epoll_wait.c
fn=epoll_wait
30 0 9 2

fn=malloc
0 100
cfn=_int_malloc
calls=3 0
0 60

fn=_int_malloc
0 60

fn=realloc
0 10
cfn=malloc
calls=1 0
0 20

fn=free
0 40

ob=/usr/bin/server
fl=???
fn=serve
10 500
12 7 3
cob=/usr/lib/libc.so.6
cfn=malloc
calls=2 0
10 140
cob=/usr/lib/libc.so.6
cfn=realloc
calls=1 0
10 30
cob=/usr/lib/libc.so.6
cfn=free
calls=2 0
10 40
cfn=clock_gettime@@GLIBC_2.17
calls=5 0
11 30 5 2
";

    #[test]
    fn allocator_clock_and_waits_are_not_counted_with_the_rest() {
        let counts = parse(FILE).unwrap();
        let components = [("allocator", 210), ("libc", 30), ("other", 507)];
        let expected = Counts {
            instructions: 537,
            allocator_instructions: 210,
            allocations: 3,
            system_calls: 3,
            components: components.map(|(name, count)| (name.to_owned(), count)).into(),
        };
        assert_eq!(counts, expected);
    }

    #[test]
    fn other_formats_are_errors() {
        for (broken, reason) in [
            (FILE.replace("events: ", "evens: "), "it names no events"),
            (FILE.replace("Ir ", "Dr "), "it has no instructions"),
            (FILE.replace("sysCount", "sysCounts"), "it has no system calls"),
            (FILE.replace("10 500", "10 +500x"), "it has something else instead of a number"),
            (FILE.replace("calls=2 0\n10 140", "calls=x\n10 140"), "it has something else instead of a number"),
            (FILE.replace("10 140", "10 140000"), "calls cost more than what they led to"),
        ] {
            assert_eq!(parse(&broken), Err(reason));
        }
    }
}
