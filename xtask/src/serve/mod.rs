//! A small web server for `dist/` on this machine: for `cargo xtask serve` and for the browser tests.
//!
//! It answers GET and HEAD, whole files and single ranges, one request a connection. In [`Headers::Strict`] it sends the
//! strictest headers that the page is meant to work under; in [`Headers::Plain`] it sends what any static host sends.

mod csp;
mod http;
mod overlay;

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

pub use overlay::{Overlay, Replacement};

/// Which headers accompany every answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Headers {
    /// Cross-origin isolation and a content security policy that allows this page and nothing else.
    #[default]
    Strict,
    /// A content type and a length, nothing that a page could ask for; and nothing is cached unasked, so that a change is seen.
    Plain,
}

/// How to serve.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to start looking for a free port; 0 takes any.
    pub port: u16,
    /// The headers.
    pub headers: Headers,
    /// The path under which `dist/` appears; begins and ends with `/`.
    pub base: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            headers: Headers::default(),
            base: "/".into(),
        }
    }
}

/// A running server. It ends when it is dropped.
pub struct Server {
    port: u16,
    site: Arc<Site>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves a folder on 127.0.0.1.
    pub fn start(dist: &Path, options: Options) -> io::Result<Self> {
        if !dist.join("index.html").is_file() {
            let problem = format!("{} has no index.html; `cargo xtask build` makes it", dist.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, problem));
        }
        let listener = bind(options.port)?;
        let mut server = Self {
            port: listener.local_addr()?.port(),
            site: Arc::new(Site {
                folder: dist.to_owned(),
                base: options.base,
                headers: options.headers,
                overlay: Overlay::default(),
                requests: Mutex::default(),
            }),
            ended: Arc::default(),
            thread: None,
        };
        server.listen(listener);
        Ok(server)
    }

    fn listen(&mut self, listener: TcpListener) {
        self.ended = Arc::default();
        let (site, ended) = (self.site.clone(), self.ended.clone());
        self.thread = Some(std::thread::spawn(move || listen(&listener, &site, &ended)));
    }

    /// Answers nobody any more, as if it had never been there.
    pub fn stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.ended.store(true, Ordering::SeqCst);
            // A last connection wakes the thread that waits for one.
            drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
            drop(thread.join());
        }
    }

    /// Is there again, at the same address.
    pub fn start_again(&mut self) -> io::Result<()> {
        self.stop();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))?;
        self.listen(listener);
        Ok(())
    }

    /// The address of the page.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{}", self.port, self.site.base)
    }

    /// What is served in the place of files; it may change while the server runs.
    #[must_use]
    pub fn overlay(&self) -> &Overlay {
        &self.site.overlay
    }

    /// Every path that was asked for so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.site
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Serves until the program is ended.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What is served, and how.
struct Site {
    folder: PathBuf,
    base: String,
    headers: Headers,
    overlay: Overlay,
    requests: Mutex<Vec<String>>,
}

fn bind(port: u16) -> io::Result<TcpListener> {
    let tries = if port == 0 { 1 } else { 100 };
    let mut outcome = Err(io::ErrorKind::AddrInUse.into());
    for port in (port..=u16::MAX).take(tries) {
        outcome = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        match &outcome {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Ok(_) | Err(_) => break,
        }
    }
    outcome
}

fn listen(listener: &TcpListener, site: &Arc<Site>, ended: &AtomicBool) {
    for stream in listener.incoming() {
        if ended.load(Ordering::SeqCst) {
            return;
        }
        if let Ok(stream) = stream {
            let site = site.clone();
            // A browser that hangs up early is no news.
            std::thread::spawn(move || drop(answer(&stream, &site)));
        }
    }
}

fn answer(stream: &TcpStream, site: &Site) -> io::Result<()> {
    let Some(request) = http::read(stream)? else {
        return Ok(());
    };
    site.requests
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(request.path.clone());
    let response = site.respond(&request);
    http::write(stream, &request, response)
}

impl Site {
    fn respond(&self, request: &http::Request) -> http::Response {
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return http::Response::status(405);
        }
        let Some(inside) = request.path.strip_prefix(&self.base) else {
            // Hosts send those who forget the last slash to the folder: the page's addresses are relative to it.
            if self.base.strip_suffix('/') == Some(&request.path) {
                let mut response = http::Response::status(301);
                response.header("Location", &self.base);
                return response;
            }
            return http::Response::status(404);
        };
        let name = if inside.is_empty() || inside.ends_with('/') {
            format!("{inside}index.html")
        } else {
            inside.to_owned()
        };
        let mut response = self.body(&name);
        response.header("Content-Type", http::media_type(&name));
        response.header("Cache-Control", "no-cache");
        if self.headers == Headers::Strict {
            response.header("Cross-Origin-Opener-Policy", "same-origin");
            response.header("Cross-Origin-Embedder-Policy", "require-corp");
            response.header("Cross-Origin-Resource-Policy", "same-origin");
            response.header("X-Content-Type-Options", "nosniff");
            response.header("Referrer-Policy", "no-referrer");
            let page = std::fs::read_to_string(self.folder.join("index.html")).unwrap_or_default();
            response.header("Content-Security-Policy", &csp::policy(&page));
        }
        response
    }

    fn body(&self, name: &str) -> http::Response {
        if let Some(replacement) = self.overlay.get(name) {
            std::thread::sleep(replacement.delay);
            let mut response = http::Response::status(replacement.status);
            if let Some(body) = replacement.body {
                response.body = body;
                return response;
            }
            if replacement.status != 200 {
                return response;
            }
        }
        // A path that climbs, or that names a drive, stays outside.
        let plain = Path::new(name)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        match std::fs::read(self.folder.join(name)) {
            Ok(body) if plain => http::Response {
                body,
                ..http::Response::status(200)
            },
            Ok(_) | Err(_) => http::Response::status(404),
        }
    }
}

#[cfg(test)]
mod tests;
