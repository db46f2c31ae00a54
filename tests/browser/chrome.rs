//! Headless Chromium behind its `WebDriver`: one process of each a session, one profile a test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use thirtyfour::{ChromeCapabilities, ChromiumLikeCapabilities as _, LoggingPrefsLogLevel, WebDriver};

/// A folder for what a browser keeps; deleted in the end.
pub struct Profile(PathBuf);

impl Profile {
    pub fn fresh() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("fledge-profile-{}-{number}", std::process::id())))
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A chromedriver process.
pub struct ChromeDriver {
    process: Child,
    port: u16,
}

impl ChromeDriver {
    /// Starts one on a port of its choice.
    pub fn start() -> Self {
        let program = std::env::var_os("FLEDGE_CHROMEDRIVER").unwrap_or_else(|| "chromedriver".into());
        let mut process = Command::new(&program)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", Path::new(&program).display()));
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                line.rsplit_once("successfully on port ")?
                    .1
                    .trim_end_matches('.')
                    .parse()
                    .ok()
            })
            .expect("chromedriver says its port");
        // Whatever else it says is read, so that it never waits for a reader.
        std::thread::spawn(move || lines.count());
        Self { process, port }
    }

    /// Opens a browser.
    pub async fn browser(&self, profile: &Profile) -> WebDriver {
        let mut capabilities = ChromeCapabilities::new();
        if let Ok(chromium) = std::env::var("FLEDGE_CHROMIUM") {
            capabilities.set_binary(&chromium).expect("a path");
        }
        let profile = format!("--user-data-dir={}", profile.0.display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-gpu",
            "--window-size=1280,900",
            &profile,
        ];
        for argument in arguments {
            capabilities.add_arg(argument).expect("an argument");
        }
        capabilities
            .set_browser_log_level(LoggingPrefsLogLevel::All)
            .expect("a level");
        let driver = WebDriver::new(format!("http://127.0.0.1:{}", self.port), capabilities)
            .await
            .expect("Chromium opens");
        // The session ends with its driver process, below; a `WebDriver` that is dropped would end it on its own.
        driver.clone().leak().expect("a fresh session");
        driver
    }
}

impl Drop for ChromeDriver {
    /// Asks the driver to end its browser and itself, so that the profile is written to the end.
    fn drop(&mut self) {
        if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
            drop(stream.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"));
            drop(stream.read_to_end(&mut Vec::new()));
        } else {
            drop(self.process.kill());
        }
        drop(self.process.wait());
    }
}
