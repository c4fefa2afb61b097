use super::*;

fn continuation() -> Continuation {
    Continuation { previous: "r".to_owned(), from: 3, skipped_bytes: 1000 }
}

fn begun(wanted: Transport, found: Found) -> (TurnPlan, Begin) {
    let mut plan = TurnPlan::new(wanted, Some("s"));
    let begin = plan.begin(2000, false, false, found);
    (plan, begin)
}

fn closed(code: impl Into<Option<u16>>) -> Loss {
    Loss::Closed { code: code.into(), heard: false }
}

#[test]
fn what_is_found_decides_how_a_turn_begins() {
    use Begin::*;
    use NotContinued::*;
    let check = |wanted, found: Found, expected: Begin| {
        assert_eq!(begun(wanted, found.clone()).1, expected, "{wanted:?} {found:?}");
    };
    for wanted in [Transport::Auto, Transport::WebSocket] {
        check(wanted, Found::Nothing(FirstTurn), Connect { kept: true, why: FirstTurn });
        check(wanted, Found::Idle(Ok(continuation())), Reuse(Ok(continuation())));
        check(wanted, Found::Idle(Err(HistoryDiffers)), Reuse(Err(HistoryDiffers)));
    }
    for found in [Found::Busy, Found::Full] {
        check(Transport::Auto, found.clone(), Begin::Sse);
        check(Transport::WebSocket, found, Connect { kept: false, why: NewSocket });
    }
    check(Transport::Sse, Found::Idle(Ok(continuation())), Begin::Sse);
}

#[test]
fn sessions_and_pauses_matter_to_auto_only() {
    let begin = |wanted, session, paused| {
        TurnPlan::new(wanted, session).begin(10, false, paused, Found::Nothing(NotContinued::FirstTurn))
    };
    assert_eq!(begin(Transport::Auto, None, false), Begin::Sse);
    assert_eq!(begin(Transport::Auto, Some("s"), true), Begin::Sse);
    let own = Begin::Connect { kept: false, why: NotContinued::FirstTurn };
    assert_eq!(begin(Transport::WebSocket, None, false), own);
    let kept = Begin::Connect { kept: true, why: NotContinued::FirstTurn };
    assert_eq!(begin(Transport::WebSocket, Some("s"), true), kept);
}

#[test]
fn a_client_that_continues_by_itself_gets_a_socket_of_its_own() {
    let mut plan = TurnPlan::new(Transport::Auto, Some("s"));
    let begin = plan.begin(10, true, false, Found::Idle(Err(NotContinued::MembersDiffer)));
    assert_eq!(begin, Begin::Connect { kept: false, why: NotContinued::FirstTurn });
    assert_eq!(plan.lost(&Loss::PreviousNotFound), Again::No);
}

#[test]
fn only_what_is_sent_has_to_fit_into_a_frame() {
    let large = MAX_FRAME_BYTES;
    let begin = |wanted, found| TurnPlan::new(wanted, Some("s")).begin(large, false, false, found);
    assert_eq!(begin(Transport::Auto, Found::Idle(Err(NotContinued::HistoryDiffers))), Begin::Sse);
    assert_eq!(begin(Transport::WebSocket, Found::Nothing(NotContinued::FirstTurn)), Begin::TooLarge);
    assert_eq!(begin(Transport::Auto, Found::Idle(Ok(continuation()))), Begin::Reuse(Ok(continuation())));
}

#[test]
fn losses_before_output_lead_to_one_fresh_socket_or_to_sse() {
    let fresh = || Found::Nothing(NotContinued::FirstTurn);
    let continued = || Found::Idle(Ok(continuation()));
    let whole = || Found::Idle(Err(NotContinued::MembersDiffer));
    let check = |found: Found, loss: Loss, expected: Again| {
        assert_eq!(begun(Transport::Auto, found.clone()).0.lost(&loss), expected, "{found:?} {loss:?}");
    };
    check(continued(), Loss::PreviousNotFound, Again::FreshSocket);
    check(whole(), Loss::PreviousNotFound, Again::No);
    check(fresh(), Loss::PreviousNotFound, Again::No);
    for found in [fresh(), continued(), whole()] {
        check(found.clone(), Loss::ConnectionLimit, Again::FreshSocket);
        check(found.clone(), closed(1008), Again::FreshSocket);
        check(found, closed(1009), Again::Sse);
    }
    for loss in [closed(None), closed(1000), closed(1006), closed(1011), closed(1012), Loss::Foreign] {
        check(fresh(), loss.clone(), Again::No);
        check(continued(), loss.clone(), Again::FreshSocket);
        check(whole(), loss, Again::FreshSocket);
    }
    check(fresh(), Loss::Closed { code: Some(1008), heard: true }, Again::No);
}

#[test]
fn the_second_loss_of_an_account_is_not_repeated() {
    let second = |wanted, loss: &Loss| {
        let (mut plan, _) = begun(wanted, Found::Idle(Ok(continuation())));
        assert_eq!(plan.lost(&Loss::ConnectionLimit), Again::FreshSocket);
        let again = plan.begin(2000, false, false, Found::Idle(Ok(continuation())));
        assert_eq!(again, Begin::Connect { kept: true, why: NotContinued::Refused }, "whatever is there");
        plan.lost(loss)
    };
    assert_eq!(second(Transport::Auto, &Loss::ConnectionLimit), Again::Sse);
    assert_eq!(second(Transport::Auto, &closed(1008)), Again::Sse);
    assert_eq!(second(Transport::Auto, &closed(1011)), Again::No);
    assert_eq!(second(Transport::WebSocket, &Loss::ConnectionLimit), Again::No);
    assert_eq!(second(Transport::WebSocket, &closed(1009)), Again::No);
}

#[test]
fn each_account_has_its_own_repetition_and_sse_stays() {
    let (mut plan, _) = begun(Transport::Auto, Found::Idle(Ok(continuation())));
    assert_eq!(plan.lost(&closed(None)), Again::FreshSocket);
    plan.next_account();
    let begin = plan.begin(2000, false, false, Found::Idle(Ok(continuation())));
    assert_eq!(begin, Begin::Reuse(Ok(continuation())), "nothing is left of the account before");
    assert_eq!(plan.lost(&closed(None)), Again::FreshSocket);

    let (mut plan, _) = begun(Transport::Auto, Found::Busy);
    plan.next_account();
    assert!(!plan.may_use_socket());
}

#[test]
fn refused_upgrades_are_classified_and_broken_ones_lead_to_sse() {
    let after = |wanted, what| begun(wanted, Found::Nothing(NotContinued::FirstTurn)).0.no_socket(what);
    let answered = |status, is_json| NoSocket::Answered { status, is_json };
    for status in [401, 402, 403, 429] {
        for is_json in [true, false] {
            assert_eq!(after(Transport::WebSocket, answered(status, is_json)), AfterUpgrade::Classify);
        }
    }
    for status in [500, 503, 529] {
        assert_eq!(after(Transport::Auto, answered(status, true)), AfterUpgrade::Classify);
        assert_eq!(after(Transport::Auto, answered(status, false)), AfterUpgrade::Sse);
    }
    for status in [200, 302, 400, 404, 405, 408, 426] {
        assert_eq!(after(Transport::Auto, answered(status, true)), AfterUpgrade::Sse, "{status}");
        assert_eq!(after(Transport::WebSocket, answered(status, true)), AfterUpgrade::Failed, "{status}");
    }
    assert_eq!(after(Transport::Auto, NoSocket::Nothing), AfterUpgrade::Sse);
    assert_eq!(after(Transport::WebSocket, NoSocket::Nothing), AfterUpgrade::Failed);
}
