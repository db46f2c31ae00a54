//! Posts, e-mails and copy: each has its own history and its own adapter, and is asked for in its own way.

use crate::desk::Desk;

const POST: &str = "Advice for entrepreneurs";
const EMAIL: &str = "Thank a customer for a large order";

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn teaching_e_mails_does_not_bend_posts() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    desk.write(POST).await;
    desk.rate([1, 1, 2, 1]).await;
    desk.teach().await;
    let post = desk.write(POST).await;

    desk.choose("E-mail").await;
    assert_eq!(desk.history().await, [""; 0], "e-mails begin anew");
    assert_eq!(desk.newest_post().await, "");
    desk.be_greedy().await;
    let email = desk.write(EMAIL).await;
    desk.rate([1, 1, 1, 2]).await;
    desk.teach().await;
    let taught = desk.write(EMAIL).await;
    assert_ne!(taught, email, "the e-mails' own adapter has learned");
    assert_eq!(desk.lessons().await, 1);

    desk.choose("Post").await;
    assert_eq!(desk.newest_post().await, post);
    assert_eq!(desk.write(POST).await, post, "posts are as they were, to the letter");

    desk.choose("E-mail").await;
    desk.reload().await;
    assert_eq!(
        desk.newest_post().await,
        taught,
        "the page comes back to what was written last"
    );
    assert_eq!(desk.write(EMAIL).await, taught);
    desk.choose("Marketing copy").await;
    assert_eq!(desk.history().await, [""; 0]);
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn each_type_has_its_length_and_its_limit() {
    let desk = Desk::open().await;
    for (name, limit) in [
        ("Post", "/ 280"),
        ("E-mail", "/ 120 words"),
        ("Marketing copy", "/ 300 characters"),
    ] {
        if name != "Post" {
            desk.choose(name).await;
        }
        // The likeliest text of no end: whatever the model is, it is stopped by the limit if by nothing else.
        desk.set("Temperature", "0").await;
        desk.set("Length", "200").await;
        desk.write("A new shop").await;
        let count = desk.count().await;
        assert!(count.ends_with(limit), "{name}: {count}");
        let (length, most) = count.split_once(" / ").expect("two numbers");
        let most: usize = most
            .split(' ')
            .next()
            .and_then(|most| most.parse().ok())
            .expect("a number");
        assert!(length.parse::<usize>().expect("a number") <= most, "{name}: {count}");
    }
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn forgetting_forgets_all_types() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    desk.write(POST).await;
    desk.choose("E-mail").await;
    desk.write(EMAIL).await;
    desk.reload().await;

    desk.forget().await;
    assert_eq!(desk.history().await, [""; 0]);
    desk.choose("Post").await;
    assert_eq!(desk.history().await, [""; 0], "also what this page had not opened");
    desk.is_unharmed().await;
}
