//! Steps of completions, many in one transaction: each counts for itself, and everything adds up.

use domain::mesh::price::{Price, Shares};
use ids::{CompletionId, CompletionState, TokenId, UserId};
use store::StepOutcome::{DoneBefore, Taken, TokenSpent, TooFewCredits};
use store::{CompletionEnd, CompletionStep, ISSUED, Movement, StepOutcome, Store, StoredCompletion, account_of};

use super::Fixture;

fn completion(user: &UserId, provider: &UserId, held: i64) -> StoredCompletion {
    StoredCompletion {
        id: CompletionId::new(),
        user_id: user.clone(),
        token_id: None,
        model: "m".into(),
        path: "/v1/chat/completions".into(),
        state: CompletionState::Held,
        epoch: 1,
        node_id: "machine".parse().unwrap(),
        provider_id: Some(provider.clone()),
        price: Price { input: 1, output: 2 },
        held,
        input_tokens: 0,
        output_tokens: 0,
        cost: 0,
        choices: "[]".into(),
        first_byte_ms: None,
        created_at: 5,
        ended_at: None,
    }
}

fn end(of: &StoredCompletion, cost: i64, first_byte_ms: Option<i64>) -> CompletionEnd {
    let shares = Shares::of(cost, of.held, 1000);
    CompletionEnd { state: CompletionState::Done, input_tokens: cost, output_tokens: 0, first_byte_ms, shares }
}

async fn grant(store: &Store, user: &UserId, amount: i64) {
    let account = account_of(user);
    let amounts = [(ISSUED, -amount), (account.as_str(), amount)];
    let movement =
        Movement { kind: "grant", completion: None, reason: Some("why"), by: Some("admin"), amounts: &amounts };
    let mut tx = store.write().await.unwrap();
    tx.ledger_move(&movement, 1).await.unwrap();
    tx.commit().await.unwrap();
}

async fn steps(store: &Store, steps: &[CompletionStep]) -> Vec<StepOutcome> {
    let mut tx = store.write().await.unwrap();
    let taken = tx.completion_steps(steps, 9).await.unwrap();
    tx.commit().await.unwrap();
    taken
}

async fn balance(store: &Store, user: &UserId) -> i64 {
    store.read().await.unwrap().ledger_balance(&account_of(user)).await.unwrap()
}

pub(crate) async fn steps_of_completions_count_each_for_itself(fixture: Fixture) {
    let store = &fixture.store;
    let (bob, eve, ada) = (UserId::new(), UserId::new(), UserId::new());
    grant(store, &bob, 100).await;
    // Of two that fit alone only the first does; somebody else's does anyway, where it costs nothing.
    let (first, second, free) = (completion(&bob, &ada, 60), completion(&bob, &ada, 60), completion(&eve, &ada, 0));
    let (own, poor) = (completion(&bob, &bob, 40), completion(&eve, &ada, 1));
    let holds = [&first, &second, &free, &own, &poor].map(|it| CompletionStep::Hold(it.clone(), None));
    assert_eq!(steps(store, &holds).await, [Taken, TooFewCredits, Taken, Taken, TooFewCredits]);
    assert_eq!(balance(store, &bob).await, 0);
    // Once, however often it is asked for, and whatever was not held is not settled.
    let settle =
        |of: &StoredCompletion, cost| CompletionStep::Settle(of.clone(), end(of, cost, (cost > 0).then_some(7)));
    let ends = [settle(&first, 50), settle(&first, 1), settle(&second, 60), settle(&own, 40), settle(&free, 0)];
    assert_eq!(steps(store, &ends).await, [Taken, DoneBefore, DoneBefore, Taken, Taken]);
    assert_eq!(steps(store, &[settle(&first, 60)]).await, [DoneBefore]);
    // 10 of the 60 came back; of the 40 on the own machine a tenth went as the fee.
    assert_eq!((balance(store, &bob).await, balance(store, &ada).await), (10 + 36, 45));
    let mut tx = store.read().await.unwrap();
    let done = tx.completion(&first.id).await.unwrap().unwrap();
    assert_eq!(
        (done.state, done.cost, done.first_byte_ms, done.ended_at),
        (CompletionState::Done, 50, Some(7), Some(9))
    );
    assert_eq!(tx.completion(&free.id).await.unwrap().unwrap().first_byte_ms, None);
    assert!(tx.completion(&second.id).await.unwrap().is_none());
    let check = tx.ledger_check().await.unwrap();
    assert_eq!((check.sum, check.wrong, check.open_completions), (0, 0, 0));
    // A statement is in the order in which things happened.
    let entries = tx.ledger_statement(&account_of(&bob), None, 10).await.unwrap();
    let seen = entries.iter().map(|entry| (entry.kind.as_str(), entry.balance)).collect::<Vec<_>>();
    assert_eq!(seen, [("settle", 46), ("settle", 10), ("hold", 0), ("hold", 40), ("grant", 100)]);
}

pub(crate) async fn a_token_spends_no_more_than_it_may(fixture: Fixture) {
    let (store, bob, token) = (&fixture.store, UserId::new(), TokenId::new());
    grant(store, &bob, 1000).await;
    let asked = |held| StoredCompletion { token_id: Some(token.clone()), ..completion(&bob, &bob, held) };
    let hold = |of: &StoredCompletion| CompletionStep::Hold(of.clone(), Some(100));
    let (first, second, third) = (asked(60), asked(60), asked(40));
    let outcomes = steps(store, &[hold(&first), hold(&second), hold(&third)]).await;
    assert_eq!(outcomes, [Taken, TokenSpent, Taken]);
    let spent = async || store.read().await.unwrap().token_spent(&token).await.unwrap();
    assert_eq!(spent().await, 100);
    // What comes back may be spent again.
    let settle = CompletionStep::Settle(first.clone(), end(&first, 20, None));
    assert_eq!(steps(store, &[settle.clone(), settle, hold(&second)]).await, [Taken, DoneBefore, TokenSpent]);
    assert_eq!(spent().await, 60);
    assert_eq!(steps(store, &[hold(&asked(40)), hold(&asked(1))]).await, [Taken, TokenSpent]);
    // Another token, or none, is not concerned.
    let free = CompletionStep::Hold(completion(&bob, &bob, 500), Some(1));
    assert_eq!(steps(store, &[free]).await, [Taken]);
    assert_eq!(store.read().await.unwrap().ledger_check().await.unwrap().wrong, 0);
}
