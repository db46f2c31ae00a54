use std::io::{Read as _, Write as _};

use super::*;

fn ask(server: &Server, head: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).unwrap();
    write!(stream, "{head}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn site(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("fledge-serve-{}-{name}", std::process::id()));
    std::fs::create_dir_all(folder.join("model")).unwrap();
    std::fs::write(folder.join("index.html"), "<p>hello</p>").unwrap();
    std::fs::write(folder.join("app_bg.wasm"), "0123456789").unwrap();
    std::fs::write(folder.join("manifest.webmanifest"), "{}").unwrap();
    folder
}

#[test]
fn files_come_with_their_type_and_the_strict_headers() {
    let server = Server::start(&site("strict"), Options::default()).unwrap();
    let answer = ask(&server, "GET /app_bg.wasm HTTP/1.1");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("Content-Type: application/wasm\r\n"), "{answer}");
    assert!(
        answer.contains("Cross-Origin-Opener-Policy: same-origin\r\n"),
        "{answer}"
    );
    assert!(
        answer.contains("Content-Security-Policy: default-src 'none';"),
        "{answer}"
    );
    assert!(answer.ends_with("\r\n\r\n0123456789"), "{answer}");
    assert_eq!(server.requests(), ["/app_bg.wasm"]);
}

#[test]
fn a_plain_host_sends_no_such_headers() {
    let server = Server::start(
        &site("plain"),
        Options {
            headers: Headers::Plain,
            ..Options::default()
        },
    )
    .unwrap();
    let answer = ask(&server, "GET / HTTP/1.1");
    assert!(answer.ends_with("<p>hello</p>"), "{answer}");
    assert!(ask(&server, "GET /manifest.webmanifest HTTP/1.1").contains("Content-Type: application/manifest+json\r\n"));
    assert!(
        !answer.contains("Cross-Origin") && !answer.contains("Security"),
        "{answer}"
    );
}

#[test]
fn heads_and_ranges_are_answered() {
    let server = Server::start(&site("range"), Options::default()).unwrap();
    let head = ask(&server, "HEAD /app_bg.wasm HTTP/1.1");
    assert!(
        head.contains("Content-Length: 10\r\n") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    let part = ask(&server, "GET /app_bg.wasm HTTP/1.1\r\nRange: bytes=2-4");
    assert!(
        part.starts_with("HTTP/1.1 206") && part.contains("Content-Range: bytes 2-4/10"),
        "{part}"
    );
    assert!(part.ends_with("\r\n\r\n234"), "{part}");
    assert!(ask(&server, "GET /app_bg.wasm HTTP/1.1\r\nRange: bytes=10-").starts_with("HTTP/1.1 416"));
}

#[test]
fn nothing_outside_the_folder_is_served() {
    let server = Server::start(
        &site("outside"),
        Options {
            base: "/sub/path/".into(),
            ..Options::default()
        },
    )
    .unwrap();
    assert!(ask(&server, "GET /sub/path/ HTTP/1.1").starts_with("HTTP/1.1 200"));
    for path in [
        "/",
        "/index.html",
        "/sub/path/../index.html",
        "/sub/path/%2e%2e/x",
        "/sub/path//etc/hostname",
        "/sub/path/nothing",
    ] {
        assert!(
            ask(&server, &format!("GET {path} HTTP/1.1")).starts_with("HTTP/1.1 404"),
            "{path}"
        );
    }
    let without_slash = ask(&server, "GET /sub/path HTTP/1.1");
    assert!(
        without_slash.starts_with("HTTP/1.1 301") && without_slash.contains("Location: /sub/path/\r\n"),
        "{without_slash}"
    );
    assert!(ask(&server, "POST /sub/path/ HTTP/1.1").starts_with("HTTP/1.1 405"));
}

#[test]
fn an_overlay_takes_the_place_of_a_file_until_it_is_restored() {
    let server = Server::start(&site("overlay"), Options::default()).unwrap();
    server.overlay().replace("index.html", Replacement::body("broken"));
    assert!(ask(&server, "GET / HTTP/1.1").ends_with("broken"));
    server.overlay().replace("index.html", Replacement::status(503));
    assert!(ask(&server, "GET / HTTP/1.1").starts_with("HTTP/1.1 503"));
    server.overlay().restore("index.html");
    assert!(ask(&server, "GET / HTTP/1.1").ends_with("hello</p>"));
}

#[test]
fn a_server_that_was_stopped_can_be_started_again() {
    let mut server = Server::start(&site("again"), Options::default()).unwrap();
    let url = server.url();
    server.stop();
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).is_err());
    server.start_again().unwrap();
    assert_eq!(server.url(), url);
    assert!(ask(&server, "GET / HTTP/1.1").ends_with("hello</p>"));
}

#[test]
fn a_port_that_is_taken_is_passed_over() {
    let first = Server::start(&site("first"), Options::default()).unwrap();
    let second = Server::start(
        &site("second"),
        Options {
            port: first.port,
            ..Options::default()
        },
    )
    .unwrap();
    assert!(second.port > first.port);
}
