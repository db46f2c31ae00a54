//! A stand-in for a hub, with a hub's habits and faults: it sends large files from another address, knows single ranges, and
//! can drop the connection, lie about a length, send wrong bytes, or say nothing more.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// What goes wrong with the next large file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    /// The connection ends after so many bytes, once.
    DropAfter(usize),
    /// Nothing more comes after so many bytes, once; the connection stays.
    StallAfter(usize),
    /// A byte is another one, every time.
    WrongByte,
    /// The pointer promises more bytes than there are.
    LongerPointer,
    /// The server has a bad moment, once.
    Busy,
}

/// A running hub with one repository, `test/model`.
pub struct Hub {
    port: u16,
    state: Arc<State>,
}

struct State {
    files: HashMap<String, Vec<u8>>,
    /// Of the large files.
    sha256: HashMap<String, String>,
    fault: Mutex<Fault>,
    /// The ranges of `model.safetensors` that were asked for.
    ranges: Mutex<Vec<Option<usize>>>,
    down: AtomicBool,
}

impl Hub {
    pub fn start(files: Vec<(&str, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State {
            sha256: files
                .iter()
                .filter(|(name, _)| is_large(name))
                .map(|(name, bytes)| ((*name).to_owned(), sha256(bytes)))
                .collect(),
            files: files
                .into_iter()
                .map(|(name, bytes)| (name.to_owned(), bytes))
                .collect(),
            fault: Mutex::default(),
            ranges: Mutex::default(),
            down: AtomicBool::new(false),
        });
        let serving = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&serving);
                std::thread::spawn(move || drop(answer(&stream, port, &state)));
            }
        });
        Self { port, state }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What goes wrong from now on.
    pub fn set_fault(&self, fault: Fault) {
        *self.state.fault.lock().expect("a lock") = fault;
    }

    /// Answers nobody any more.
    pub fn go_away(&self) {
        self.state.down.store(true, Ordering::SeqCst);
    }

    /// Where the requests for the weights began.
    pub fn ranges(&self) -> Vec<Option<usize>> {
        self.state.ranges.lock().expect("a lock").clone()
    }
}

fn answer(mut stream: &TcpStream, port: u16, state: &State) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut range = None;
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some(bytes) = line.to_lowercase().strip_prefix("range: bytes=") {
            let first_last = bytes
                .split_once('-')
                .map(|(first, last)| (first.parse(), last.parse::<usize>()));
            range = first_last.and_then(|(first, last)| Some((first.ok()?, last.ok())));
        }
    }
    if state.down.load(Ordering::SeqCst) {
        return Ok(());
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (folder, name) = path.rsplit_once('/').unwrap_or_default();
    let fault = *state.fault.lock().expect("a lock");
    let head = |status: &str, headers: &str, length: usize| {
        format!(
            "HTTP/1.1 {status}\r\naccess-control-allow-origin: *\r\naccess-control-expose-headers: content-range\r\n\
             connection: close\r\n{headers}content-length: {length}\r\n\r\n"
        )
    };
    let Some(file) = state.files.get(name) else {
        return stream.write_all(head("404 Not Found", "", 0).as_bytes());
    };
    let large = is_large(name);
    match folder {
        "/test/model/raw/main" if large => {
            let size = file.len() + if fault == Fault::LongerPointer { 1000 } else { 0 };
            let sha = &state.sha256[name];
            let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha}\nsize {size}\n");
            stream.write_all(head("200 OK", "", pointer.len()).as_bytes())?;
            stream.write_all(pointer.as_bytes())
        }
        "/test/model/resolve/main" if large => {
            let to = format!("location: http://localhost:{port}/cdn/{name}\r\n");
            stream.write_all(head("302 Found", &to, 0).as_bytes())
        }
        "/test/model/resolve/main" | "/cdn" => {
            let first = range.map_or(0, |(first, _)| first).min(file.len());
            let last = range
                .and_then(|(_, last)| last)
                .map_or(file.len(), |last| file.len().min(last + 1));
            if range.is_some() && first == file.len() {
                return stream.write_all(head("416 Range Not Satisfiable", "", 0).as_bytes());
            }
            let bytes = &file[first..last.max(first)];
            let mut last_byte = bytes.last().copied();
            let once = || *state.fault.lock().expect("a lock") = Fault::None;
            if large {
                state.ranges.lock().expect("a lock").push(range.map(|(first, _)| first));
                match fault {
                    Fault::Busy => {
                        once();
                        return stream.write_all(head("503 Service Unavailable", "", 0).as_bytes());
                    }
                    Fault::WrongByte => last_byte = last_byte.map(|byte| byte ^ 1),
                    Fault::None | Fault::DropAfter(_) | Fault::StallAfter(_) | Fault::LongerPointer => {}
                }
            }
            let (status, headers) = match range {
                Some(_) => (
                    "206 Partial Content",
                    format!("content-range: bytes {first}-{}/{}\r\n", last - 1, file.len()),
                ),
                None => ("200 OK", String::new()),
            };
            stream.write_all(head(status, &headers, bytes.len()).as_bytes())?;
            match fault {
                Fault::DropAfter(count) if large => {
                    once();
                    stream.write_all(&bytes[..count.min(bytes.len())])
                }
                Fault::StallAfter(count) if large => {
                    once();
                    stream.write_all(&bytes[..count.min(bytes.len())])?;
                    std::thread::sleep(Duration::from_mins(1));
                    Ok(())
                }
                Fault::None
                | Fault::DropAfter(_)
                | Fault::StallAfter(_)
                | Fault::WrongByte
                | Fault::LongerPointer
                | Fault::Busy => {
                    stream.write_all(&bytes[..bytes.len().saturating_sub(1)])?;
                    stream.write_all(last_byte.as_slice())
                }
            }
        }
        _ => stream.write_all(head("404 Not Found", "", 0).as_bytes()),
    }
}

/// Whether a hub keeps a file elsewhere and has a pointer in its place.
fn is_large(name: &str) -> bool {
    name.ends_with(".safetensors")
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |text, byte| text + format!("{byte:02x}").as_str())
}
