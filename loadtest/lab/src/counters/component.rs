//! To which component of a program a function belongs: its crate, or its library.

use std::path::Path;

/// Functions of the C library that manage the heap, by how their names begin.
const ALLOCATOR: [&str; 12] = [
    "malloc",
    "free",
    "calloc",
    "realloc",
    "memalign",
    "posix_memalign",
    "aligned_alloc",
    "_int_",
    "unlink_chunk",
    "sysmalloc",
    "systrim",
    "tcache",
];
/// What a program without symbols, and its code in C, is called.
const UNKNOWN: &str = "other";

/// Returns the component of a function with this symbol, in this object file.
pub(super) fn component(symbol: &str, object: &str) -> String {
    let plain = symbol.split(['@', '\'']).next().unwrap_or(symbol);
    if let Ok(path) = rustc_demangle::try_demangle(plain) {
        return root(&format!("{path:#}"));
    }
    if ALLOCATOR.iter().any(|name| plain.starts_with(name)) {
        return "allocator".to_owned();
    }
    let file = Path::new(object).file_name().unwrap_or_default().to_string_lossy();
    file.split_once(".so").map_or(UNKNOWN, |(library, _)| library).to_owned()
}

/// Returns the crate in which a path such as `<hyper::Body as core::fmt::Debug>::fmt` begins. That of an implementation for
/// a type without a path, such as `<T as tower::Service>::call`, is the crate of the trait.
fn root(path: &str) -> String {
    let mut parts = path.split(|each: char| !(each.is_alphanumeric() || each == '_' || each == ':'));
    let crate_name =
        parts.find_map(|part| part.split_once("::").map(|(first, _)| first).filter(|first| !first.is_empty()));
    match crate_name {
        Some("core" | "alloc" | "std") => "std".to_owned(),
        Some(name) => name.to_owned(),
        None => UNKNOWN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_crates_and_libraries() {
        for (symbol, object, wanted) in [
            ("_ZN5hyper5proto2h14conn4Conn4read17h0123456789abcdefE", "/bin/session-server", "hyper"),
            ("_RNvNtCs1234_7mycrate3foo3bar", "/bin/session-server", "mycrate"),
            ("_ZN4core3ptr13drop_in_place17h0123456789abcdefE", "/bin/session-server", "std"),
            ("_int_malloc", "/usr/lib/libc.so.6", "allocator"),
            ("free'2", "/usr/lib/libc.so.6", "allocator"),
            ("memcpy@@GLIBC_2.14", "/usr/lib/libc.so.6", "libc"),
            ("sha256_block_data_order", "/bin/jwt-server", "other"),
            ("0x00000000000123", "/bin/jwt-server", "other"),
        ] {
            assert_eq!(component(symbol, object), wanted, "{symbol}");
        }
    }

    #[test]
    fn crate_of_an_implementation_is_that_of_its_type_or_else_of_its_trait() {
        for (path, wanted) in [
            ("<hyper::body::Body as core::fmt::Debug>::fmt", "hyper"),
            ("<&mut serde_json::Deserializer<R> as serde::Deserializer>::deserialize_any", "serde_json"),
            ("<T as tower_service::Service<R>>::call", "tower_service"),
            ("<alloc::vec::Vec<T> as core::ops::Drop>::drop", "std"),
            ("main", "other"),
        ] {
            assert_eq!(root(path), wanted, "{path}");
        }
    }
}
