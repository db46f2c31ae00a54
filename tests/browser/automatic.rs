//! The automatic rater: it learns how a person rates, fills in their stars, teaches by itself, and measures; and rewards follow the
//! weights.

use crate::desk::Desk;

const PROMPT: &str = "Opening a second shop";

/// More than enough for the rater to be heard, even after a star that does not fit.
const RATINGS: u64 = 20;

/// The longer the better, in stars: what is written here has 20 to 32 words, most of it.
fn by_length(text: &str) -> [usize; 4] {
    [(text.split_whitespace().count().saturating_sub(17) / 3).clamp(1, 5); 4]
}

impl Desk {
    /// Rates some texts, by a rule, and teaches nothing.
    async fn rate_many(&self) {
        for seed in 1..=RATINGS {
            self.set("Seed", &seed.to_string()).await;
            let text = self.write(PROMPT).await;
            self.rate(by_length(&text)).await;
        }
        self.sees_of_the_rater(&format!("It has seen {RATINGS} of your ratings"))
            .await;
    }

    /// Waits until the automatic rater's section says this.
    async fn sees_of_the_rater(&self, words: &str) {
        let script = format!(
            "return document.querySelector('[aria-labelledby=rater-title]').innerText.includes({})",
            serde_json::json!(words)
        );
        self.page.until(words, &script).await;
    }

    /// Writes until there is a text that the rater is sure of, and waits for its stars.
    async fn write_what_is_filled_in(&self) {
        let decided =
            "const asked = document.querySelector('[aria-labelledby=rater-title]').innerText.includes('not sure of');
             const filled = document.querySelectorAll('.metric.filled-in').length === 4;
             return (asked || filled) && { filled }";
        for seed in 100..110 {
            self.set("Seed", &seed.to_string()).await;
            self.write(PROMPT).await;
            let decided = self.page.until("stars, or a question", decided).await;
            if decided["filled"] == true {
                return;
            }
        }
        self.page.fail("it is sure of nothing").await;
    }

    /// What the newest entry of the history says of its four ratings.
    async fn newest_ratings(&self) -> String {
        self.page
            .text_of("return document.querySelector('[aria-labelledby=history-title] li .entry-ratings').textContent")
            .await
    }

    async fn measurement(&self) -> String {
        self.page
            .text_of("return document.querySelectorAll('[aria-labelledby=proof-title] p')[1].textContent.trim()")
            .await
    }
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn it_fills_in_stars_teaches_by_itself_and_measures() {
    let desk = Desk::open().await;
    desk.sees_of_the_rater("It has seen 0 of the 12").await;
    desk.rate_many().await;
    desk.sees_of_the_rater("it fills in your stars").await;

    desk.write_what_is_filled_in().await;
    let filled_in = desk.ratings().await;
    assert!(filled_in.iter().all(|stars| *stars > 0), "{filled_in:?}");
    desk.hears("Filled in as you would rate it").await;
    let corrected = if filled_in[1] == 1 { 2 } else { filled_in[1] - 1 };
    let clarity = desk.page.the("radiogroup", "Clarity").await;
    let star = clarity
        .find_all(thirtyfour::By::Css("input"))
        .await
        .expect("stars")
        .swap_remove(corrected - 1);
    desk.page.click(&star).await;
    desk.teach().await;
    desk.reload().await;
    let ratings = desk.newest_ratings().await;
    assert_eq!(ratings.matches("automatic").count(), 3, "{ratings}");
    assert!(ratings.contains(&format!("Clarity{corrected} of 5O")), "{ratings}");
    desk.sees_of_the_rater(&format!("It has seen {} of your ratings", RATINGS + 1))
        .await;

    desk.page.fill("spinbutton", "Rounds", "2").await;
    let lessons = desk.lessons().await;
    desk.page.press("Teach by itself").await;
    desk.becomes("teaching").await;
    desk.becomes("ready").await;
    desk.hears("2 rounds learned").await;
    assert_eq!(desk.lessons().await, lessons + 2);
    desk.reload().await;
    assert_eq!(desk.lessons().await, lessons + 2);
    let ratings = desk.newest_ratings().await;
    assert_eq!(ratings.matches("automatic").count(), 4, "marked for ever: {ratings}");
    desk.sees_of_the_rater(&format!("It has seen {} of your ratings", RATINGS + 1))
        .await;

    desk.page.press("Measure").await;
    desk.hears("prompts that were never taught").await;
    let measured = desk.measurement().await;
    assert!(
        measured.contains("(95 %: ") && measured.contains("On 24 texts"),
        "{measured}"
    );
    desk.reload().await;
    assert_eq!(desk.measurement().await, measured);
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn other_weights_offer_to_teach_old_ratings_again() {
    let desk = Desk::open().await;
    desk.write(PROMPT).await;
    desk.rate([5, 1, 5, 5]).await;
    desk.teach().await;
    assert!(desk.page.all("button", "Teach them again").await.is_empty());
    desk.weigh("Clarity", true).await;
    desk.page.press("Teach them again").await;
    desk.learns(2).await;
    desk.hears("under your new weights").await;
    assert!(desk.page.all("button", "Teach them again").await.is_empty());
    desk.reload().await;
    assert_eq!(desk.lessons().await, 2);
    assert!(desk.page.all("button", "Teach them again").await.is_empty());
    desk.is_unharmed().await;
}
