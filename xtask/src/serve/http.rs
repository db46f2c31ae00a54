//! As much of HTTP/1.1 as a browser asks of a static server.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

/// What was asked for.
pub(super) struct Request {
    pub method: String,
    /// The path, decoded, without the query.
    pub path: String,
    /// The value of `Range`, if there is one.
    pub range: Option<String>,
}

/// What is answered.
pub(super) struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub(super) fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(super) fn header(&mut self, name: &'static str, value: &str) {
        self.headers.push((name, value.to_owned()));
    }
}

/// Reads a request's head; `None` if the other side hung up or does not speak HTTP.
pub(super) fn read(stream: &TcpStream) -> io::Result<Option<Request>> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut head = BufReader::new(stream.take(64 * 1024));
    let mut line = String::new();
    head.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let mut request = Request {
        method: method.to_owned(),
        path: decode(path),
        range: None,
    };
    loop {
        line.clear();
        head.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("range") {
            request.range = Some(value.trim().to_owned());
        }
    }
    Ok(Some(request))
}

/// Writes the answer, cut to the range that was asked for, and closes.
pub(super) fn write(mut stream: &TcpStream, request: &Request, mut response: Response) -> io::Result<()> {
    let length = response.body.len();
    let mut part = 0..length;
    response.header("Accept-Ranges", "bytes");
    if let Some(range) = request.range.as_deref().filter(|_| response.status == 200) {
        match parse_range(range, length) {
            Asked::Whole => {}
            Asked::Part(range) => {
                response.status = 206;
                response.header(
                    "Content-Range",
                    &format!("bytes {}-{}/{length}", range.start, range.end - 1),
                );
                part = range;
            }
            Asked::Impossible => {
                response.status = 416;
                response.header("Content-Range", &format!("bytes */{length}"));
                part = 0..0;
            }
        }
    }
    let mut head = io::BufWriter::new(stream);
    write!(head, "HTTP/1.1 {} {}\r\n", response.status, reason(response.status))?;
    for (name, value) in &response.headers {
        write!(head, "{name}: {value}\r\n")?;
    }
    write!(head, "Content-Length: {}\r\nConnection: close\r\n\r\n", part.len())?;
    head.flush()?;
    drop(head);
    if request.method != "HEAD" {
        stream.write_all(&response.body[part])?;
    }
    stream.flush()
}

/// The content type by the name's end.
pub(super) fn media_type(name: &str) -> &'static str {
    match Path::new(name).extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("txt" | "md") => "text/plain; charset=utf-8",
        Some(_) | None => "application/octet-stream",
    }
}

/// What a `Range` header amounts to.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// No range that this server knows: the whole file.
    Whole,
    /// These bytes.
    Part(Range<usize>),
    /// Bytes that the file does not have.
    Impossible,
}

fn parse_range(value: &str, length: usize) -> Asked {
    let Some((first, last)) = value.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Asked::Whole;
    };
    let range = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => first..length.min(last.saturating_add(1)),
        (Ok(first), Err(_)) if last.is_empty() => first..length,
        (Err(_), Ok(last)) if first.is_empty() => length.saturating_sub(last)..length,
        _ => return Asked::Whole,
    };
    if range.is_empty() {
        Asked::Impossible
    } else {
        Asked::Part(range)
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        301 => "Moved Permanently",
        404 => "Not Found",
        405 => "Method Not Allowed",
        416 => "Range Not Satisfiable",
        _ => "As The Test Wanted",
    }
}

fn decode(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| path.get(at + 1..at + 3)).flatten();
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            decoded.push(byte);
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_ranges_are_understood() {
        assert_eq!(parse_range("bytes=2-4", 10), Asked::Part(2..5));
        assert_eq!(parse_range("bytes=2-", 10), Asked::Part(2..10));
        assert_eq!(parse_range("bytes=-3", 10), Asked::Part(7..10));
        assert_eq!(parse_range("bytes=-30", 10), Asked::Part(0..10));
        assert_eq!(parse_range("bytes=8-99", 10), Asked::Part(8..10));
        assert_eq!(parse_range("bytes=10-", 10), Asked::Impossible);
        assert_eq!(parse_range("bytes=0-1,4-5", 10), Asked::Whole);
        assert_eq!(parse_range("lines=0-1", 10), Asked::Whole);
    }

    #[test]
    fn paths_are_decoded() {
        assert_eq!(decode("/a%20b/%C3%BC"), "/a b/ü");
        assert_eq!(decode("/100%"), "/100%");
        assert_eq!(decode("/%zz"), "/%zz");
    }
}
