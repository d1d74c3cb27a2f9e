//! Errors: one sentence, the documented exit code, and no loss of data.

use std::net::TcpListener;
use std::process::Command;

use engine::record::Status;

use crate::support::{
    SKIP_CONFORMANCE, TestDir, authbench, command, exclusive, json, load, reference_record, server, start, stderr,
    wait_for_load,
};

/// Runs authbench, and checks the exit code and the words of its message.
#[track_caller]
fn expect_error(arguments: &[&str], code: i32, words: &[&str]) {
    let output = authbench(arguments);
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {printed}");
    for word in words {
        assert!(printed.contains(word), "{arguments:?} does not say {word:?}: {printed}");
    }
    assert!(!printed.contains("panicked"), "{arguments:?}: {printed}");
}

const UNREACHABLE: &str = "http://127.0.0.1:1";

#[test]
fn invalid_flags_are_usage_errors() {
    expect_error(&["compare", "--schemes", "jwt-none"], 2, &["jwt-none", "jwt-hs256"]);
    expect_error(&["compare", "--experiments", "speed"], 2, &["speed", "latency"]);
    expect_error(&["compare", "--profile", "slow"], 2, &["slow", "standard"]);
    expect_error(&["compare", "--carrier", "pigeon"], 2, &["pigeon", "bearer"]);
    expect_error(&["compare", "--balancer", "nginx"], 2, &["nginx", "haproxy"]);
    expect_error(&["compare", "--balancer", "haproxy"], 2, &["haproxy", "scaling"]);
    let load = |more: &[&'static str]| [&["load", "--target", UNREACHABLE], more].concat();
    expect_error(&load(&["--rate", "0", "--duration", "5s"]), 2, &["the rate is 0", "above 0"]);
    expect_error(&load(&["--rate", "-5", "--duration", "5s"]), 2, &["the rate is -5"]);
    expect_error(&load(&["--rate", "nan", "--duration", "5s"]), 2, &["the rate is NaN"]);
    expect_error(&load(&["--users", "0", "--duration", "5s"]), 2, &["connections"]);
    expect_error(&load(&["--rate", "5", "--duration", "-5s"]), 2, &["-5s"]);
    expect_error(&load(&["--rate", "5", "--duration", "0s"]), 2, &["the duration is 0"]);
    expect_error(&load(&["--rate", "5"]), 2, &["--duration"]);
    expect_error(&load(&["--duration", "5s"]), 2, &["--rate"]);
    expect_error(&load(&["--rate", "5", "--users", "5", "--duration", "5s"]), 2, &["--users"]);
    expect_error(&load(&["--slo", "10ms"]), 2, &["10ms", "p99=10ms"]);
    expect_error(&load(&["--slo", "p100=10ms"]), 2, &["p100", "p99.9"]);
    expect_error(&load(&["--slo", "p99.99999=10ms"]), 2, &["125000000 requests", "--duration 12.500s"]);
    expect_error(&load(&["--slo", "p99=10"]), 2, &["10ms"]);
    expect_error(&load(&["--slo", "p99=0ms"]), 2, &["out of range"]);
    expect_error(&load(&["--slo", "p99=10ms", "--rate", "5"]), 2, &["--rate"]);
    expect_error(&load(&["--slo", "p99=10ms", "--users", "5"]), 2, &["--users"]);
    expect_error(&load(&["--slo", "p99=10ms", "--plan", "plan.toml"]), 2, &["--plan"]);
    expect_error(&load(&["--slo", "p99=10ms", "--duration", "0s"]), 2, &["the duration is 0"]);
    expect_error(&["conform"], 2, &["conform"]);
}

#[test]
fn non_http_target_is_a_usage_error() {
    for command in [&["load", "--rate", "5", "--duration", "1s"][..], &["conform"]] {
        let target = |address: &'static str| [command, &["--target", address]].concat();
        expect_error(
            &target("https://auth.example.org"),
            2,
            &["https://auth.example.org", "TLS", "plain http address"],
        );
        expect_error(&target("127.0.0.1:8080"), 2, &["give http://127.0.0.1:8080"]);
        expect_error(&target("redis://127.0.0.1:6379"), 2, &["only http is supported"]);
        expect_error(&target("not a url"), 2, &["not a url"]);
    }
}

#[test]
fn malformed_plan_is_a_usage_error_with_its_location() {
    let dir = TestDir::new();
    let cases = [
        ("arrivals = 5", "plan.toml"),
        ("duration_s = 5\narrivals = { kind = \"poisson\", rate_rps = 0 }", "the rate is 0"),
        ("duration_s = 5\narrivals = { kind = \"closed\" }\nspeed = 3", "speed"),
        (
            "duration_s = 5\narrivals = { kind = \"closed\" }\nwarmup = { kind = \"fixed\", seconds = 9 }",
            "the warm-up is 9",
        ),
        ("\u{0}", "plan.toml"),
    ];
    for (text, word) in cases {
        let plan = dir.file("plan.toml", text);
        expect_error(&["load", "--target", UNREACHABLE, "--plan", plan.to_str().unwrap()], 2, &[word]);
    }
    expect_error(&["load", "--target", UNREACHABLE, "--plan", "/nowhere/plan.toml"], 2, &["/nowhere/plan.toml"]);
}

#[test]
fn unreadable_record_is_a_usage_error() {
    let dir = TestDir::new();
    let report = |text| {
        let path = dir.file("record.json", text);
        path.to_str().unwrap().to_owned()
    };
    expect_error(&["report", &report("{")], 2, &["is not an authbench record"]);
    expect_error(&["report", &report(r#"{"format":"2.0"}"#)], 2, &["is not an authbench record", "run"]);
    expect_error(&["report", &report(r#"{"format":"99.0","later":true}"#)], 2, &["99.0", "supports up to"]);
    expect_error(&["report", &report(r#"{"format":"0.9"}"#)], 2, &["0.9", "no longer supports"]);
    expect_error(
        &["report", &report(r#"{"format":"1.4"}"#)],
        2,
        &["format 1.4", "no longer supports; use authbench 0.1"],
    );
    expect_error(&["report", &report(r#"{"format":"one"}"#)], 2, &["major.minor"]);
    expect_error(&["report", "/nowhere"], 2, &["/nowhere"]);
}

/// It is detected only when figures are computed, after the whole record has been read.
#[test]
fn damaged_histogram_is_a_usage_error_with_its_round() {
    let dir = TestDir::new();
    let damaged = dir.file("record.json", &reference_record().replacen("HISTF", "HISTE", 1));
    expect_error(&["report", damaged.to_str().unwrap()], 2, &["a histogram of", "block 0", "the record is damaged"]);
}

/// A program that opens a FIFO without a writer would block forever.
#[test]
fn special_file_is_a_usage_error() {
    let dir = TestDir::new();
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let folder = dir.path().to_str().unwrap();
    for (path, what) in [(fifo.to_str().unwrap(), "a FIFO"), ("/dev/zero", "a device"), (folder, "a directory")] {
        if what != "a directory" {
            expect_error(&["report", path], 2, &[path, what]);
        }
        expect_error(&["load", "--target", UNREACHABLE, "--plan", path], 2, &[path, what]);
        for flag in ["--secret-file", "--key-file", "--log"] {
            expect_error(&["conform", "--target", UNREACHABLE, flag, path], 2, &[flag, path, what]);
        }
    }
    let record = dir.path().join("record.json");
    std::fs::rename(&fifo, &record).unwrap();
    expect_error(&["report", folder], 2, &["record.json", "a FIFO"]);
    let huge = dir.file("huge", "");
    std::fs::File::options().write(true).open(&huge).unwrap().set_len(2 << 30).unwrap();
    expect_error(&["report", huge.to_str().unwrap()], 2, &["huge", "larger than the limit"]);
    expect_error(
        &["load", "--target", UNREACHABLE, "--plan", huge.to_str().unwrap()],
        2,
        &["huge", "larger than the limit"],
    );
}

/// The same for the settings and keys of the servers.
#[test]
fn server_does_not_block_on_a_special_file() {
    let dir = TestDir::new();
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let cases = [
        ("anonymous-server", &["--config"][..]),
        ("jwt-server", &["--scheme", "jwt-hs256", "--secret-file"]),
        ("jwt-server", &["--scheme", "jwt-es256", "--key-file"]),
        ("session-server", &["--scheme", "cookie-sealed", "--sealing-key-file"]),
    ];
    for (program, flags) in cases {
        let mut command = Command::new(lab::server::locate(program).unwrap());
        let output = command.args(flags).arg(&fifo).args(["--listen", "127.0.0.1:0"]).output().unwrap();
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{program} {flags:?}: {printed}");
        assert!(printed.contains("not a regular file"), "{program} {flags:?}: {printed}");
    }
}

#[test]
fn unreachable_target_is_named_in_the_error() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let run = dir.run();
    let load = ["--rate", "5", "--duration", "1s", "--out", run.to_str().unwrap(), "--target"];
    expect_error(&[&["load"], &load[..], &[UNREACHABLE]].concat(), 1, &["cannot reach", "127.0.0.1:1"]);
    let redis = lab::redis::Redis::start(dir.path(), &dir.path().join("redis.log"), &lab::child::Bounds::default());
    if let Ok(redis) = redis {
        let redis_target = redis.url().replace("redis://", "http://");
        let output = authbench(&[&["load"], &load[..], &[redis_target.as_str()]].concat());
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    }
}

#[test]
fn cause_of_an_error_is_printed_once() {
    let dir = TestDir::new();
    let run = dir.run();
    let load = ["load", "--rate", "5", "--duration", "1s", "--out", run.to_str().unwrap(), "--target", UNREACHABLE];
    let redis = ["compare", "--schemes", "session-redis", "--out", run.to_str().unwrap(), "--redis-url"];
    let cases = [load.to_vec(), [&redis[..], &["redis://127.0.0.1:1/0"]].concat()];
    for arguments in cases {
        let printed = stderr(&authbench(&arguments));
        assert_eq!(printed.matches("refused").count(), 1, "{arguments:?}: {printed}");
    }
}

#[test]
fn web_server_that_is_no_auth_server_is_reported() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("http://{}", listener.local_addr().unwrap());
    // A web server with a single page.
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    let run = dir.run();
    let load = ["load", "--target", &target, "--rate", "5", "--duration", "1s", "--out", run.to_str().unwrap()];
    expect_error(&load, 1, &["log in", "auth server"]);
    expect_error(&[&load[..], &["--scheme-from-target"]].concat(), 1, &["/bench/scheme"]);
}

#[test]
fn folder_that_is_not_empty_is_not_modified() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let precious = dir.file("precious", "data");
    let out = dir.path().to_str().unwrap();
    expect_error(&["compare", "--experiments", "wire", "--out", out], 1, &["not empty", "--out"]);
    assert_eq!(std::fs::read_to_string(precious).unwrap(), "data");
    assert_eq!(std::fs::read_dir(out).unwrap().count(), 1, "nothing was added");
    expect_error(&["compare", "--out", "/proc/nowhere"], 1, &["/proc/nowhere", "--out"]);
}

/// A full disk, simulated by a limit on the size of files, which also works without root.
#[test]
fn full_disk_keeps_earlier_rounds() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let run = dir.run();
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\"";
    let mut limited = Command::new("bash");
    limited.args(["-c", script, env!("CARGO_BIN_EXE_authbench")]);
    limited.args([
        "compare",
        "--schemes",
        "jwt-hs256",
        "--experiments",
        "cost",
        SKIP_CONFORMANCE,
        "--out",
        run.to_str().unwrap(),
    ]);
    let output = start(limited).wait_with_output().unwrap();
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains("cannot write") && printed.contains("--out"), "{printed}");
    let record = record_file::read(&run).unwrap();
    assert!(matches!(record.run.status, Status::Incomplete { .. }));
    assert!(!record.experiments.is_empty(), "the rounds before it are there");
    let left: Vec<_> = std::fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".authbench")), "{left:?}");
}

#[test]
fn external_redis_must_be_reachable_and_empty() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let compare = ["compare", "--schemes", "session-redis", "--experiments", "wire", SKIP_CONFORMANCE, "--redis-url"];
    let run = |name: &str| ["--out".to_owned(), dir.path().join(name).to_str().unwrap().to_owned()];
    let out = run("unreachable");
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let no_redis = format!("redis://{}/0", web.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in web.incoming().map_while(Result::ok) {
            std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").ok();
        }
    });
    for url in ["redis://127.0.0.1:1/0", &no_redis] {
        let output = authbench(&[&compare[..], &[url, &out[0], &out[1]]].concat());
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{printed}");
        assert_eq!(printed.lines().count(), 1, "{printed}");
        let address = url.trim_start_matches("redis://").trim_end_matches("/0");
        assert!(printed.contains(address) && printed.contains("nothing was measured"), "{printed}");
        assert!(!std::path::Path::new(&out[1]).exists(), "no folder is left");
    }

    let redis =
        lab::redis::Redis::start(dir.path(), &dir.path().join("redis.log"), &lab::child::Bounds::default()).unwrap();
    let mut used = PlainRedis::connect(redis.url());
    used.set("precious", "data");
    let out = run("used");
    expect_error(&[&compare[..], &[redis.url(), &out[0], &out[1]]].concat(), 1, &["1 keys", "empty"]);
    let out = run("allowed");
    let output = authbench(&[&compare[..], &[redis.url(), "--redis-in-use", &out[0], &out[1]]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(redis.keys().unwrap(), 1, "only the foreign key is left");
}

/// A connection to Redis with a minimal implementation of its protocol.
struct PlainRedis(std::net::TcpStream);

impl PlainRedis {
    fn connect(url: &str) -> Self {
        let address = url.trim_start_matches("redis://").split('/').next().unwrap();
        Self(std::net::TcpStream::connect(address).unwrap())
    }

    fn set(&mut self, key: &str, value: &str) {
        use std::io::{Read as _, Write as _};
        self.0.write_all(format!("SET {key} {value}\r\n").as_bytes()).unwrap();
        let mut reply = [0; 5];
        self.0.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"+OK\r\n");
    }
}

#[test]
fn without_redis_other_schemes_are_compared_with_a_note() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let run = dir.run();
    let arguments =
        ["compare", "--schemes", "session-redis,jwt-hs256", "--experiments", "wire", SKIP_CONFORMANCE, "--out"];
    let run_without_redis = |arguments: &[&str]| {
        let mut command = command(arguments);
        command.env("PATH", "/nowhere");
        start(command).wait_with_output().unwrap()
    };
    let output = run_without_redis(&[&arguments[..], &[run.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("LEFT OUT: session-redis"), "{}", stderr(&output));
    assert!(stderr(&output).contains("apt-get install redis-server"));
    let record = record_file::read(&run).unwrap();
    assert_eq!(
        record.omitted.iter().map(|omission| omission.what.as_str()).collect::<Vec<_>>(),
        ["session-redis", "conformance"]
    );
    assert!(std::fs::read_to_string(run.join("report.md")).unwrap().contains("session-redis"));

    let nothing = dir.path().join("nothing");
    let output = run_without_redis(&["compare", "--schemes", "session-redis", "--out", nothing.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no scheme is left to compare"), "{}", stderr(&output));
}

#[test]
fn server_exit_under_load_invalidates_the_measurement() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let server = server("anonymous", &dir, None);
    let more = ["--users", "4", "--duration", "6s", "--population", "10"];
    let load = start(load(&dir, &server.base_url(), &more));
    wait_for_load(&server);
    drop(server);
    let output = load.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(12), "{}", stderr(&output));
    let result = json(&output);
    assert!(result["errors"].as_u64().unwrap() > 0);
    assert_eq!(result["validity"]["valid"], false);
    assert!(result["validity"]["reasons"][0].as_str().unwrap().contains("failed"), "{result}");
}
