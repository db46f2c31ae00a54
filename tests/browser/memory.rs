//! Leaving the page loses nothing; forgetting leaves nothing.

use crate::desk::Desk;

const PROMPT: &str = "Raising your prices";

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn everything_is_back_in_a_new_browser() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    desk.write(PROMPT).await;
    desk.rate([1, 2, 1, 2]).await;
    desk.teach().await;
    let taught = desk.write(PROMPT).await;
    desk.rate([3, 4, 5, 2]).await;
    let (history, curve) = (desk.history().await, desk.curve().await);

    let desk = desk.come_back().await;
    desk.hears("with 2 posts and 1 lesson from before").await;
    assert_eq!(desk.newest_post().await, taught);
    assert_eq!(
        desk.ratings().await,
        [3, 4, 5, 2],
        "ratings are kept before they are taught"
    );
    assert_eq!(desk.history().await, history);
    assert_eq!(desk.curve().await, curve);
    assert_eq!(desk.lessons().await, 1);
    assert_eq!(
        desk.write(PROMPT).await,
        taught,
        "the adapter is the one from before, to the letter"
    );

    desk.rate([2, 2, 2, 2]).await;
    desk.teach().await;
    desk.undo().await;
    assert_eq!(
        desk.write(PROMPT).await,
        taught,
        "what came back can be taught and undone"
    );
    desk.is_unharmed().await;
}

/// Makes the database what version 1 of it was: lessons are a line, and lie in their posts.
const AS_VERSION_1: &str = "
    const done = (request) => new Promise((resolve, reject) => { request.onsuccess = () => resolve(request.result); request.onerror = reject; });
    window.downgraded = (async () => {
        const now = await done(indexedDB.open('fledge'));
        const all = {};
        for (const name of ['posts', 'lessons', 'snapshots', 'heads']) {
            const store = now.transaction(name).objectStore(name);
            const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
            all[name] = keys.map((key, at) => [key, values[at]]);
        }
        now.close();
        for (const [[, id], { lesson }] of all.lessons) {
            const [taught] = lesson.posts;
            const [, value] = all.posts.find(([[, post]]) => post === taught.post);
            value.post.lesson = { ...taught, number: id, teaching: lesson.teaching, steps: lesson.steps, after: lesson.after };
            delete value.post.group;
            delete value.post.strength;
        }
        const count = all.lessons.length;
        all.heads = all.heads.map(([key, head]) => [key, { lessons: count, undoable: count, next_post: head.next_post }]);
        await done(indexedDB.deleteDatabase('fledge'));
        const opening = indexedDB.open('fledge', 1);
        opening.onupgradeneeded = () => ['posts', 'snapshots', 'heads'].forEach((name) => opening.result.createObjectStore(name));
        const old = await done(opening);
        const writing = old.transaction(['posts', 'snapshots', 'heads'], 'readwrite');
        for (const name of ['posts', 'snapshots', 'heads']) {
            for (const [key, value] of all[name]) writing.objectStore(name).put(value, key);
        }
        await new Promise((resolve) => { writing.oncomplete = resolve; });
        old.close();
        return true;
    })();
    window.downgraded.then((is) => { window.is_downgraded = is; }, (error) => { window.is_downgraded = String(error); });
";

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn what_an_older_version_kept_is_still_there() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    let mut texts = vec![desk.write(PROMPT).await];
    for _ in 0..2 {
        desk.rate([1, 1, 1, 1]).await;
        desk.teach().await;
        texts.push(desk.write(PROMPT).await);
    }
    desk.page.script(AS_VERSION_1).await;
    desk.page
        .until("the database of old", "return window.is_downgraded === true")
        .await;
    desk.reload().await;
    assert_eq!((desk.lessons().await, desk.write(PROMPT).await), (2, texts[2].clone()));
    desk.rate([2, 1, 2, 1]).await;
    desk.teach().await;

    // What is new does not hide what is old.
    desk.reload().await;
    assert_eq!(desk.lessons().await, 3);
    for expected in [2, 1, 0] {
        desk.page.press("Undo").await;
        let name = if expected == 0 {
            "Untaught".to_owned()
        } else {
            format!("lesson {expected}")
        };
        desk.becomes_the_lesson(&name).await;
        assert_eq!(desk.write(PROMPT).await, texts[expected]);
    }
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn forgetting_asks_first_and_then_leaves_nothing() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    let untaught = desk.write(PROMPT).await;
    desk.rate([1, 1, 1, 1]).await;
    desk.teach().await;

    desk.page.press("Settings").await;
    desk.page.press("Forget everything …").await;
    desk.page.press("Keep everything").await;
    assert_eq!(desk.lessons().await, 1, "it asked, and kept everything");
    desk.page.press("Close").await;
    desk.forget().await;
    assert_eq!(desk.history().await, [""; 0]);
    assert_eq!(desk.curve().await, [""; 0]);
    assert_eq!(desk.newest_post().await, "");

    desk.reload().await;
    assert_eq!(desk.history().await, [""; 0], "nor does it come back");
    assert_eq!(desk.write(PROMPT).await, untaught);
    desk.is_unharmed().await;
}
