//! How it looks and who can use it: pictures, narrow screens, the keyboard alone, and what axe finds.

use serde_json::{Value, json};
use thirtyfour::Key;

use crate::desk::Desk;
use crate::page::pictures;

/// Sets the viewport's size in CSS pixels.
async fn resize(desk: &Desk, width: u32, height: u32) {
    let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
    desk.page.devtools("Emulation.setDeviceMetricsOverride", size).await;
}

async fn colours(desk: &Desk, scheme: &str) {
    let features = json!({ "features": [
        { "name": "prefers-color-scheme", "value": scheme },
        { "name": "prefers-reduced-motion", "value": "reduce" },
    ] });
    desk.page.devtools("Emulation.setEmulatedMedia", features).await;
}

/// Takes a picture of the whole page.
async fn picture(desk: &Desk, width: u32, name: &str) {
    resize(desk, width, 800).await;
    let height = desk
        .page
        .script("return document.documentElement.scrollHeight")
        .await
        .as_u64()
        .expect("a height");
    resize(desk, width, (height as u32).max(800)).await;
    desk.page
        .driver
        .screenshot(&pictures().join(format!("{name}-{width}.png")))
        .await
        .expect("a picture");
}

/// Folds everything that folds, or unfolds it.
async fn fold(desk: &Desk, folded: bool) {
    desk.page
        .script(&format!(
            "document.querySelectorAll('details').forEach(fold => fold.open = !{folded})"
        ))
        .await;
}

/// A desk on which everything has happened once.
async fn lived_in() -> Desk {
    let desk = Desk::open().await;
    desk.set("Length", "48").await;
    for ratings in [[4, 3, 2, 3], [2, 3, 1, 2], [5, 4, 4, 4]] {
        desk.write("Advice for entrepreneurs").await;
        desk.rate(ratings).await;
        desk.teach().await;
    }
    desk.write("Raising your prices").await;
    desk.rate([4, 4, 3, 5]).await;
    fold(&desk, true).await;
    desk
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn nothing_scrolls_sideways_and_pictures_show_it() {
    let desk = Desk::open().await;
    for scheme in ["light", "dark"] {
        colours(&desk, scheme).await;
        picture(&desk, 1280, &format!("fresh-{scheme}")).await;
        picture(&desk, 390, &format!("fresh-{scheme}")).await;
    }
    drop(desk);

    let desk = lived_in().await;
    for scheme in ["light", "dark"] {
        colours(&desk, scheme).await;
        for width in [1280, 390] {
            picture(&desk, width, &format!("lived-in-{scheme}")).await;
        }
    }
    for width in [390, 320] {
        for folded in [true, false] {
            resize(&desk, width, 800).await;
            fold(&desk, folded).await;
            let wide = desk.page.script("return document.documentElement.scrollWidth").await;
            assert_eq!(wide, json!(width), "at {width}, folded: {folded}");
        }
    }
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn axe_finds_nothing() {
    let Some(script) = std::env::var_os("FLEDGE_AXE") else {
        println!("FLEDGE_AXE names no script: NOT CHECKED");
        return;
    };
    let axe = std::fs::read_to_string(script).expect("axe-core's script");
    let desk = lived_in().await;
    for scheme in ["light", "dark"] {
        colours(&desk, scheme).await;
        for (what, width, folded) in [
            ("folded", 1280, true),
            ("unfolded", 1280, false),
            ("narrow", 390, false),
        ] {
            resize(&desk, width, 900).await;
            fold(&desk, folded).await;
            let faults = faults(&desk, &axe).await;
            assert!(faults.is_empty(), "{scheme}, {what}: {faults:#?}");
        }
    }
    resize(&desk, 1280, 900).await;
    desk.page.press("Settings").await;
    let faults = faults(&desk, &axe).await;
    assert!(faults.is_empty(), "settings: {faults:#?}");
}

/// What axe objects to, with the elements concerned.
async fn faults(desk: &Desk, axe: &str) -> Vec<Value> {
    let run = format!(
        "{axe}; const done = arguments[arguments.length - 1];
         axe.run().then(({{ violations }}) => done(violations.map(({{ id, help, nodes }}) =>
             [id, help, nodes.slice(0, 5).map(({{ html, failureSummary }}) => [html.slice(0, 200), failureSummary])])))"
    );
    let found = desk.page.driver.execute_async(run, Vec::new()).await.expect("axe runs");
    found.json().as_array().expect("a list").clone()
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn the_keyboard_alone_is_enough() {
    let desk = Desk::open().await;
    desk.set("Length", "12").await;
    desk.page.script("document.activeElement.blur()").await;

    desk.page.keys("/").await;
    desk.page.keys("Saying no to a customer").await;
    desk.page.keys(Key::Enter).await;
    desk.hears("is written").await;
    desk.becomes("ready").await;
    // The page moves on to the ratings by itself.
    desk.page
        .until(
            "the first rating in focus",
            "return document.activeElement?.type === 'radio'",
        )
        .await;
    for digit in ["2", "3", "1", "4"] {
        desk.page.keys(digit).await;
    }
    assert_eq!(desk.ratings().await, [2, 3, 1, 4]);
    desk.page.keys("t").await;
    desk.hears("Lesson 1 is learned.").await;
    desk.becomes("ready").await;
    desk.page.keys("u").await;
    desk.hears("is taken back.").await;

    // As long as a lesson can be: there is time to stop it.
    desk.set("Steps", "32").await;
    desk.page.script("document.activeElement.blur()").await;
    desk.when_said(
        "Step 1 of",
        "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))",
    )
    .await;
    desk.page.keys("t").await;
    desk.hears("Nothing of this lesson was learned.").await;
    desk.becomes("ready").await;

    desk.page.script("document.activeElement.blur()").await;
    desk.page.keys("?").await;
    desk.page.the("dialog", "Keyboard").await;
    desk.page.keys(Key::Escape).await;
    desk.page
        .until("the list is closed", "return !document.querySelector('dialog[open]')")
        .await;
    desk.is_unharmed().await;
}
