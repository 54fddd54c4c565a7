use ids::EnrolmentState;
use testkit::{LlamaServer, PATIENCE, wait_until};

use super::money::under_way;
use super::{MODEL, Stand, question};

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_serves_from_its_approval_to_its_suspension() {
    let (stand, llama) = (Stand::new().await, LlamaServer::start(MODEL).await);
    let created = stand.ada.enrol("ada-desk").await.unwrap();
    assert_eq!(created.enrolment.state, EnrolmentState::Pending);
    assert!(created.command.contains("mesh serve") && !created.command.contains(&created.registration_token));
    let mut agent = stand.agent("ada-desk", &created.registration_token, &llama);
    agent.start();
    agent.says("waits for somebody to approve it").await;
    let pending = stand.enrolment("ada-desk").await.unwrap();
    assert!(!pending.online && pending.models.is_empty());
    // Both see the same, so that the approver can ask the owner.
    agent.says(pending.fingerprint.as_deref().unwrap()).await;
    let bob = stand.user("bob", 1).await;
    assert!(bob.asks.models().await.unwrap().data.is_empty());

    let approved = stand.admin.enrolment_decide(&created.enrolment.id, "approve").await.unwrap();
    assert_eq!((approved.state, approved.decided_by.as_deref()), (EnrolmentState::Active, Some("admin")));
    stand.serves("ada-desk").await;
    let models = bob.asks.models().await.unwrap();
    assert_eq!((models.object.as_str(), models.data[0].id.as_str()), ("list", MODEL));
    let answer = bob.chat(&question(8)).await;
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());

    // What is under way ends with the right to it.
    let answer = under_way(&bob).await;
    stand.admin.enrolment_decide(&created.enrolment.id, "suspend").await.unwrap();
    assert!(answer.text().await.unwrap().contains("machine_broke_off"));
    wait_until("the model is gone", PATIENCE, async || bob.asks.models().await.unwrap().data.is_empty()).await;
    assert_eq!(bob.chat(&question(8)).await.status(), 404);
    agent.says("`ada-desk` is suspended").await;
    // Its owner gets it back by no way but the approver's.
    let refused = stand.ada.enrolment_withdraw(&created.enrolment.id).await.unwrap_err();
    assert_eq!(refused.code(), "SUSPENDED");
    let refused = stand.ada.enrolment_rekey(&created.enrolment.id).await.unwrap_err();
    assert_eq!(refused.code(), "SUSPENDED");
    stand.admin.enrolment_decide(&created.enrolment.id, "approve").await.unwrap();
    stand.serves("ada-desk").await;
    // What it is known by outlives the program, and the server.
    agent.start();
    stand.serves("ada-desk").await;
    stand.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_its_owners_and_its_keys() {
    let (stand, llama) = (Stand::new().await, LlamaServer::start(MODEL).await);
    let mut agent = stand.machine("ada-desk", &llama).await;
    let enrolment = stand.enrolment("ada-desk").await.unwrap();
    let bob = stand.user("bob", 0).await;
    // Nobody takes a name over, and nobody reaches what is somebody else's.
    let refused = bob.client.enrol("ada-desk").await.unwrap_err();
    assert_eq!((refused.status, refused.code()), (409, "NODE_ID_TAKEN"));
    assert_eq!(bob.client.enrolment_withdraw(&enrolment.id).await.unwrap_err().status, 404);
    assert_eq!(bob.client.enrolment_rekey(&enrolment.id).await.unwrap_err().status, 404);
    assert!(bob.client.enrolment_list().await.unwrap().enrolments.is_empty());
    for decision in ["approve", "reject", "suspend"] {
        let refused = bob.client.enrolment_decide(&enrolment.id, decision).await.unwrap_err();
        assert_eq!((refused.status, refused.code()), (403, "ADMIN_ONLY"));
    }
    for bad in ["", "ab", "a%", "Ada", "a b c"] {
        assert_eq!(bob.client.enrol(bad).await.unwrap_err().code(), "INVALID_NODE_ID", "{bad:?}");
    }

    // A machine that was set up anew is another one, until its owner and the approver say otherwise.
    agent.forget();
    agent.start();
    agent.says("has registered with another key").await;
    let rekeyed = stand.ada.enrolment_rekey(&enrolment.id).await.unwrap();
    assert_eq!((rekeyed.enrolment.state, rekeyed.enrolment.public_key), (EnrolmentState::Pending, None));
    agent.with_token(&rekeyed.registration_token);
    agent.start();
    agent.says("waits for somebody to approve it").await;
    stand.admin.enrolment_decide(&enrolment.id, "approve").await.unwrap();
    stand.serves("ada-desk").await;
    assert_ne!(stand.enrolment("ada-desk").await.unwrap().fingerprint, enrolment.fingerprint);

    stand.ada.enrolment_withdraw(&enrolment.id).await.unwrap();
    agent.says("nobody has enrolled a machine called `ada-desk`").await;
    assert!(stand.enrolment("ada-desk").await.is_none());
    // The name is free.
    bob.client.enrol("ada-desk").await.unwrap();
}
