//! The cost of a login, measured by the memory of its hashing: row 18 of the security table.

use serde_json::json;

use testkit::server::Server;

/// Memory of one hashing: 19 MiB, less what was resident before.
const HASHING_KIB: u64 = 15 * 1024;

/// The most memory the process had resident since [`reset_peak`], in KiB.
fn peak_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

/// See proc(5): 5 sets the peak to what is resident now.
fn reset_peak(server: &Server) -> u64 {
    std::fs::write(format!("/proc/{}/clear_refs", server.pid()), "5").unwrap();
    peak_kib(server)
}

#[test]
fn unknown_user_costs_a_password_hash_like_a_known_one() {
    for name in ["user-000001", "user-999999", "nobody"] {
        let server = Server::start(crate::BINARY, &["--workers", "1"]);
        let before_kib = reset_peak(&server);
        assert_eq!(server.post_json("/login", &json!({"username": name, "password": "wrong"})).status, 401);
        let grown_kib = peak_kib(&server) - before_kib;
        assert!(grown_kib > HASHING_KIB, "{name}: {grown_kib} KiB");
    }
}

#[test]
fn concurrent_logins_queue_and_do_not_block_reads() {
    // The last waits for its turn for longer than a client may take for a request, which is none of its doing.
    let server = Server::start(crate::BINARY, &["--workers", "1", "--request-timeout-s", "1"]);
    let cpus = std::thread::available_parallelism().unwrap().get() as u64;
    let before_kib = reset_peak(&server);
    std::thread::scope(|scope| {
        for user in 0..100 {
            let server = &server;
            scope.spawn(move || assert_eq!(server.login(user).status, 200));
        }
        assert_eq!(server.get("/me", &[]).status, 200);
    });
    let grown_kib = peak_kib(&server) - before_kib;
    assert!(grown_kib < (cpus + 2) * 20 * 1024 + 64 * 1024, "{grown_kib} KiB");
}
