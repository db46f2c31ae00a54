//! A copy of the whole page in one file, with what was taught inside; and what such a copy does when somebody opens it.
//!
//! `xtask/src/bundle` makes the page in one file, and says in `page.js` what it gives to this one.

use js_sys::{Array, Function, JsString, Reflect, Uint8Array};
use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, File, Response};

use crate::content::ContentType;
use crate::ui::builds;
use crate::ui::desk::Desk;
use crate::ui::download;
use crate::view::{Phase, Place, ViewState};

/// The page in one file; on a site, it lies beside this one.
const PAGE: &str = "fledge.html";

/// What was taught goes right after this.
const BODY: &str = "<body>";

/// Why there is no copy.
const NO_PAGE: &str = "The copy could not be made: fledge.html is not to be had from this site now. What you taught is unharmed; \
                       Export gives it to you as a file.";

/// Saves a copy of the page with a taste file inside, and says how that went.
pub async fn save(state: RwSignal<ViewState>, name: String, taste: Uint8Array, content: ContentType) {
    state.update(|state| state.status = "Making the copy …".into());
    let name = name.replace(".zip", ".html");
    let saved = async { download::save(&name, &copy(&whole_page().await?, &taste, content)?) };
    match saved.await {
        Ok(()) => state.update(|state| {
            state.status =
                format!("“{name}” is made. Whoever opens it can try what you taught, and teach a copy of their own.");
        }),
        Err(error) => {
            leptos::logging::warn!("no copy: {error:?}");
            state.update(|state| {
                state.status.clear();
                state.tell(Place::Travel, NO_PAGE.into());
            });
        }
    }
}

/// The page in one file, without anybody's taste.
async fn whole_page() -> Result<JsString, JsValue> {
    if let Some(itself) = function("fledgePage") {
        return itself.call0(&JsValue::NULL)?.dyn_into();
    }
    let answer: Response = JsFuture::from(window().fetch_with_str(PAGE)).await?.dyn_into()?;
    if !answer.ok() {
        return Err(JsValue::from_f64(f64::from(answer.status())));
    }
    JsFuture::from(answer.text()?).await?.dyn_into()
}

/// The copy. It keeps what is taught to it apart from every other one: all files of a device share one database.
fn copy(page: &JsString, taste: &Uint8Array, content: ContentType) -> Result<Blob, JsValue> {
    let at = page.index_of(BODY, 0);
    let after = u32::try_from(at).map_err(|_negative| JsValue::from_str("this is not the page"))? + BODY.len() as u32;
    let binary: String = taste.to_vec().into_iter().map(char::from).collect();
    let space = format!("{:x}", (js_sys::Math::random() * 2f64.powi(52)) as u64);
    let taste = format!(
        "\n<script type=\"text/plain\" data-file=\"taste.zip\" data-space=\"{space}\" data-content=\"{}\">{}</script>\n",
        content.tag(),
        window().btoa(&binary)?
    );
    let parts = Array::of3(
        &page.slice(0, after),
        &JsValue::from_str(&taste),
        &page.slice(after, page.length()),
    );
    Blob::new_with_str_sequence(&parts)
}

/// The name under which a copy keeps what is its own; `None` for the page itself.
pub fn space() -> Option<String> {
    given("space")?.as_string()
}

/// What was written when the copy was made.
pub fn content() -> Option<ContentType> {
    let tag = given("content")?.as_string()?;
    ContentType::ALL.into_iter().find(|content| content.tag() == tag)
}

/// Takes in what lies in this copy, when it is opened for the first time.
pub fn open(desk: Desk) {
    let Some(taste) = given("taste").filter(|_| builds::is_one_file()) else {
        return;
    };
    let fresh = desk
        .read(|state| state.phase == Phase::Ready && state.posts.is_empty() && state.timeline.nodes().next().is_none());
    let offer = desk.read(|state| state.offer.clone());
    let asked = StoredValue::new(false);
    Effect::new(move |_| match offer.get() {
        Some(taste) if asked.get_value() => {
            asked.set_value(false);
            desk.preferences
                .update(|preferences| preferences.weights = taste.weights);
            desk.take_in();
        }
        None if fresh.get() && !asked.get_value() => {
            asked.set_value(true);
            if let Ok(file) = File::new_with_u8_array_sequence(&Array::of1(&taste), "taste.zip") {
                desk.inspect(&Array::of1(&file));
            }
        }
        Some(_) | None => {}
    });
}

/// A property of what this copy holds.
fn given(property: &str) -> Option<JsValue> {
    let given = function("fledgeGiven")?.call0(&JsValue::NULL).ok()?;
    Reflect::get(&given, &property.into())
        .ok()
        .filter(|value| !value.is_undefined())
}

fn function(name: &str) -> Option<Function> {
    Reflect::get(&window(), &name.into()).ok()?.dyn_into().ok()
}
