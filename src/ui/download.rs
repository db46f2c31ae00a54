//! A file that the page has made, given to the browser to be saved.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, HtmlElement, Url};

/// The browser reads the file a little after it was told to; until then its address must hold.
const LASTS: std::time::Duration = std::time::Duration::from_mins(1);

/// Saves a file under a name, as the browser saves downloads.
pub fn save(name: &str, file: &Blob) -> Result<(), JsValue> {
    let address = Url::create_object_url_with_blob(file)?;
    let link: HtmlElement = document().create_element("a")?.unchecked_into();
    link.set_attribute("href", &address)?;
    link.set_attribute("download", name)?;
    link.click();
    set_timeout(move || drop(Url::revoke_object_url(&address)), LASTS);
    Ok(())
}
