//! The content security policy under which the page must work.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// Everything is forbidden but what this page brings (its scripts, its wasm, its styles, its files) and downloads of models:
/// a person may name any hub.
pub(super) fn policy(page: &str) -> String {
    let hashes = inline_scripts(page).fold(String::new(), |all, script| {
        let hash = STANDARD.encode(Sha256::digest(script));
        format!("{all} 'sha256-{hash}'")
    });
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'{hashes}; style-src 'self'; img-src 'self' data:; \
         connect-src 'self' https: http://localhost:* http://127.0.0.1:*; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

/// What stands between `<script …>` and `</script>`, for scripts without a `src`.
fn inline_scripts(page: &str) -> impl Iterator<Item = &str> {
    page.split("<script").skip(1).filter_map(|rest| {
        let (attributes, rest) = rest.split_once('>')?;
        let (script, _) = rest.split_once("</script>")?;
        (!attributes.contains("src=")).then_some(script)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_scripts_are_allowed_by_their_hash() {
        // printf 'go()' | openssl dgst -sha256 -binary | base64
        let hash = "'sha256-5KYv+PUboo5h+0+YAtGRPbwv5d/QxzHslP4YGnUaxRw='";
        let policy = policy("<p></p><script src=\"a.js\"></script><script type=\"module\">go()</script>");
        assert!(
            policy.contains(&format!("script-src 'self' 'wasm-unsafe-eval' {hash};")),
            "{policy}"
        );
    }

    #[test]
    fn a_page_without_inline_scripts_needs_no_hash() {
        assert!(policy("<script src=\"a.js\"></script>").contains("script-src 'self' 'wasm-unsafe-eval';"));
    }
}
