//! `cargo xtask bundle`: the whole page in one file, `dist/fledge.html`, which opens by a double click and asks nobody for anything.
//!
//! Programs and model lie in the file as base64, each in a `<script>` that no browser runs. `page.js` starts the page from them;
//! the worker is started from a blob, `worker.js` before its own program, because a page of a file may not read the files beside it
//! (and Chromium starts only classic workers there).

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::shell::say;

/// What it is called, beside `index.html`.
pub const NAME: &str = "fledge.html";

const PAGE: &str = include_str!("page.js");
const WORKER: &str = include_str!("worker.js");

/// What the worker fetches on a site.
const FILES: [&str; 5] = [
    "worker_bg.wasm",
    "model/config.json",
    "model/tokenizer.json",
    "model/fledge.json",
    "model/model.safetensors",
];

/// Writes the file into a folder that is otherwise finished.
pub fn make(dist: &Path) -> Result<()> {
    say("Writing dist/fledge.html: the page, its worker and the model in one file");
    let read = |name: &str| std::fs::read(dist.join(name)).with_context(|| format!("dist/{name} can't be read"));
    let text = |name: &str| Ok::<_, anyhow::Error>(String::from_utf8(read(name)?)?);
    let index = text("index.html")?;
    let app = between(&index, "import init from './", "'").context("index.html starts no program")?;
    let program = text(app)?;
    let exported = "export { initSync, __wbg_init as default };";
    ensure!(program.contains(exported), "{app} exports something else than expected");
    let program = program.replace(exported, "");

    let mut styles = String::new();
    for link in index.split("<link rel=\"stylesheet\" href=\"").skip(1) {
        let name = link.split('"').next().unwrap_or_default();
        styles += &text(name)?;
    }
    let icon = STANDARD.encode(read("icon.svg")?);
    let wasm = STANDARD.encode(read(&app.replace(".js", "_bg.wasm"))?);
    let files = FILES
        .iter()
        .map(|name| Ok(data(name, &STANDARD.encode(read(name)?))))
        .collect::<Result<String>>()?;
    let head = between(&index, "<meta charset", "<link").context("index.html has no head")?;
    let body = between(&index, "<body>", "</body>").context("index.html has no body")?;
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset{head}\
         <link rel=\"icon\" href=\"data:image/svg+xml;base64,{icon}\" />\n<style>\n{styles}</style>\n</head>\n<body>{body}\
         {files}{}{}{}<script type=\"module\">\n{}\n{}\n</script>\n</body>\n</html>\n",
        data("app.wasm", &wasm),
        data("worker.js", &STANDARD.encode(read("worker.js")?)),
        data("loader.js", &STANDARD.encode(WORKER)),
        in_a_script(&program),
        in_a_script(PAGE),
    );
    std::fs::write(dist.join(NAME), page)?;
    Ok(())
}

/// A file, for `page.js` to find.
fn data(name: &str, base64: &str) -> String {
    format!("<script type=\"text/plain\" data-file=\"{name}\">{base64}</script>\n")
}

/// A program that may not end its own element.
fn in_a_script(program: &str) -> String {
    program.replace("</script", "<\\/script").replace("<!--", "<\\!--")
}

/// What stands between two texts, the first time.
fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(between, _)| between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_outside() {
        let dist = std::env::temp_dir().join(format!("fledge-bundle-{}", std::process::id()));
        std::fs::create_dir_all(dist.join("model")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(dist.join(name), text).unwrap();
        write(
            "index.html",
            "<html><head><meta charset=\"utf-8\" /><title>T</title><link rel=\"icon\" href=\"icon.svg\" />\
             <link rel=\"stylesheet\" href=\"a.css\" /><link rel=\"manifest\" href=\"m\" /><script type=\"module\">\
             import init from './app-1.js';</script></head><body><p>Hello</p></body></html>",
        );
        write("a.css", "p { color: red }");
        write("icon.svg", "<svg/>");
        write(
            "app-1.js",
            "const a = '</script>';\nexport { initSync, __wbg_init as default };\n",
        );
        write("app-1_bg.wasm", "wasm");
        write("worker.js", "self.x = 1");
        for name in FILES {
            write(name, name);
        }
        make(&dist).unwrap();
        let page = std::fs::read_to_string(dist.join(NAME)).unwrap();
        for there in [
            "<title>T</title>",
            "p { color: red }",
            "<p>Hello</p>",
            "const a = '<\\/script>'",
            "d2FzbQ==",
        ] {
            assert!(page.contains(there), "{there} is missing:\n{page}");
        }
        for left in ["src=", "href=\"a.css\"", "manifest", "import init", "export {"] {
            assert!(!page.contains(left), "{left} is left:\n{page}");
        }
    }
}
