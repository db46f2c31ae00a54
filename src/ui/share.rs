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

/// Saves a copy of the page with taste files inside, one for each type of text that was taught, and says how that went.
pub async fn save(state: RwSignal<ViewState>, name: String, tastes: Vec<(ContentType, Uint8Array)>) {
    let saved = async { download::save(&name, &copy(&whole_page().await?, &tastes)?) };
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
fn copy(page: &JsString, tastes: &[(ContentType, Uint8Array)]) -> Result<Blob, JsValue> {
    let at = page.index_of(BODY, 0);
    let after = u32::try_from(at).map_err(|_negative| JsValue::from_str("this is not the page"))? + BODY.len() as u32;
    let space = format!("{:x}", (js_sys::Math::random() * 2f64.powi(52)) as u64);
    let parts = Array::of1(&page.slice(0, after));
    for (content, taste) in tastes {
        let binary: String = taste.to_vec().into_iter().map(char::from).collect();
        let taste = format!(
            "\n<script type=\"text/plain\" data-file=\"taste.zip\" data-space=\"{space}\" data-content=\"{}\">{}</script>\n",
            content.tag(),
            window().btoa(&binary)?
        );
        parts.push(&JsValue::from_str(&taste));
    }
    parts.push(&page.slice(after, page.length()));
    Blob::new_with_str_sequence(&parts)
}

/// The name under which a copy keeps what is its own; `None` for the page itself.
pub fn space() -> Option<String> {
    given("space")?.as_string()
}

/// The type of text that was chosen when the copy was made.
pub fn content() -> Option<ContentType> {
    let tag = given("content")?.as_string()?;
    ContentType::ALL.into_iter().find(|content| content.tag() == tag)
}

/// Takes in what lies in this copy, once a type of text is chosen for which nothing was done yet.
pub fn open(desk: Desk) {
    if !builds::is_one_file() {
        return;
    }
    let fresh = desk.read(|state| {
        let nothing = state.posts.is_empty() && state.timeline.nodes().next().is_none();
        (state.phase == Phase::Ready && nothing).then_some(state.content)
    });
    let offer = desk.read(|state| state.offer.clone());
    let refused = desk.read(|state| state.problem_at(Place::Travel).is_some());
    // The types whose taste was asked for, and whether the last one is not there yet.
    let asked = StoredValue::new((Vec::new(), false));
    Effect::new(move |_| {
        let (offer, content, refused) = (offer.get(), fresh.get(), refused.get());
        let (mut tried, waits) = asked.get_value();
        if let Some(taste) = offer.filter(|_| waits) {
            asked.set_value((tried, false));
            // Only at first: they are the same for all types, and whoever opened it may have changed them since.
            desk.take_in((taste.content == self::content()).then_some(taste.weights));
        } else if refused {
            asked.set_value((tried, false));
        } else if let Some((content, taste)) = content
            .filter(|content| !waits && !tried.contains(content))
            .and_then(|content| Some((content, taste(content)?)))
        {
            tried.push(content);
            asked.set_value((tried, true));
            if let Ok(file) = File::new_with_u8_array_sequence(&Array::of1(&taste), "taste.zip") {
                desk.inspect(&Array::of1(&file));
            }
        }
    });
}

/// What this copy holds for a type of text.
fn taste(content: ContentType) -> Option<JsValue> {
    let taste = function("fledgeTaste")?
        .call1(&JsValue::NULL, &content.tag().into())
        .ok()?;
    (!taste.is_undefined()).then_some(taste)
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
