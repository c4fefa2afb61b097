//! Whatever a client edits, upstream has the client's conversation in the end.

#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::outline::{delta_frame, full_frame};
use super::*;

/// Items that differ in meaning, each with spellings that mean the same.
#[rustfmt::skip]
const ITEMS: &[&[&str]] = &[
    &[r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"a"}]}"#,
      r#"{"role":"user","type":"message","content":[{"text":"\u0061","type":"input_text"}]}"#,
      r#"{"id":"m","status":"completed","type":"message","role":"user","phase":null,"content":[{"type":"input_text","text":"a","annotations":[],"logprobs":[]}]}"#],
    &[r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"b"}]}"#],
    &[r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"a"}]}"#],
    &[r#"{"type":"message","role":"assistant","content":[{"type":"input_text","text":"a"}]}"#],
    &[r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{\"x\":1,\"y\":[]}"}"#,
      r#"{"id":"fc","type":"function_call","name":"f","call_id":"c","arguments":"{ \"y\" : [ ], \"x\" : 1.0 }"}"#,
      r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{\"y\":[],\"x\":10e-1}","status":"completed"}"#],
    &[r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{\"x\":9007199254740993}"}"#],
    &[r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{\"x\":9007199254740992}"}"#],
    &[r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{\"x\":null}"}"#],
    &[r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#],
    &[r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{"}"#],
    &[r#"{"type":"item_reference","id":"r1"}"#, r#"{"id":"r1","type":"item_reference"}"#],
    &[r#"{"type":"item_reference","id":"r2"}"#],
    &[r#"{"type":"reasoning","id":"q","summary":[],"encrypted_content":"e1"}"#,
      r#"{"type":"reasoning","summary":[],"encrypted_content":"e1","content":null}"#],
    &[r#"{"type":"reasoning","id":"q","summary":[],"encrypted_content":"e2"}"#],
    &[r#"{"type":"reasoning","id":"q1","summary":[]}"#],
    &[r#"{"type":"reasoning","id":"q2","summary":[]}"#],
    &[r#"{"type":"message","role":"user","content":"\ud83d"}"#],
    &[r#"{"type":"message","role":"user","content":"\ufffd"}"#],
    &[r#"{"type":"of_tomorrow","deep":{"id":"1","status":null}}"#, r#"{"deep":{"status":null,"id":"1"},"type":"of_tomorrow"}"#],
    &[r#"{"type":"of_tomorrow","deep":{"id":"2","status":null}}"#],
    &[r#"{"type":"of_tomorrow","deep":{"id":"1"}}"#],
    &[r#""text""#],
    &["1", "1.0", "1e0"],
];

/// The same for the members beside `input`.
const MEMBERS: &[&[&str]] = &[
    &[
        r#""model":"m","tools":[{"n":1}]"#,
        r#""tools":[{"n":1.0}],"client_metadata":{"turn":7},"model":"\u006d""#,
        r#""previous_response_id":null,"stream":true,"model":"m","tools":[{"n":1}]"#,
    ],
    &[r#""model":"m2","tools":[{"n":1}]"#],
    &[r#""model":"m","tools":[{"n":2}]"#],
    &[r#""model":"m","tools":[{"n":1}],"x":null"#],
];

type Choice = (usize, usize);

fn spelled<'a>(catalogue: &[&[&'a str]], (class, spelling): Choice) -> &'a str {
    let spellings = catalogue[class];
    spellings[spelling % spellings.len()]
}

/// The client's edits between two turns.
#[derive(Clone, Debug)]
enum Edit {
    Drop(usize),
    Swap(usize, usize),
    Replace(usize, Choice),
    Insert(usize, Choice),
    /// Means the same.
    Respell(usize),
    Members(usize),
    /// The socket is lost.
    Lost,
}

#[derive(Clone, Debug)]
struct Step {
    edits: Vec<Edit>,
    asked: Vec<Choice>,
    answered: Vec<Choice>,
    spelling: usize,
}

fn choice() -> impl Strategy<Value = Choice> {
    (0..ITEMS.len(), 0..3usize)
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (0..9usize).prop_map(Edit::Drop),
        (0..9usize, 0..9usize).prop_map(|(one, other)| Edit::Swap(one, other)),
        (0..9usize, choice()).prop_map(|(at, item)| Edit::Replace(at, item)),
        (0..9usize, choice()).prop_map(|(at, item)| Edit::Insert(at, item)),
        (0..3usize).prop_map(Edit::Respell),
        (0..MEMBERS.len()).prop_map(Edit::Members),
        Just(Edit::Lost),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let edits = prop_oneof![3 => Just(Vec::new()), 2 => prop::collection::vec(edit(), 1..3)];
    (edits, prop::collection::vec(choice(), 0..3), prop::collection::vec(choice(), 0..4), 0..3usize)
        .prop_map(|(edits, asked, answered, spelling)| Step { edits, asked, answered, spelling })
}

/// A client, a socket and upstream behind it.
#[derive(Default)]
struct Model {
    members: usize,
    /// The client's conversation.
    items: Vec<Choice>,
    conversation: Option<Conversation>,
    /// Upstream's conversation.
    upstream: Option<(Vec<usize>, usize)>,
    responses: usize,
}

impl Model {
    fn apply(&mut self, edit: &Edit) {
        let length = self.items.len();
        match *edit {
            Edit::Drop(at) if at < length => drop(self.items.remove(at)),
            Edit::Swap(one, other) if one < length && other < length => self.items.swap(one, other),
            Edit::Replace(at, item) if at < length => self.items[at] = item,
            Edit::Insert(at, item) if at <= length => self.items.insert(at, item),
            Edit::Respell(spelling) => self.items.iter_mut().for_each(|item| item.1 = spelling),
            Edit::Members(members) => self.members = members,
            Edit::Lost => self.conversation = None,
            _ => {}
        }
    }

    fn classes(&self) -> Vec<usize> {
        self.items.iter().map(|(class, _)| *class).collect()
    }

    /// One turn; returns whether it was continued.
    fn turn(&mut self, step: &Step) -> bool {
        self.items.extend(&step.asked);
        let items: Vec<&str> = self.items.iter().map(|item| spelled(ITEMS, *item)).collect();
        let members = spelled(MEMBERS, (self.members, step.spelling));
        let body = format!(r#"{{{members},"input":[{}]}}"#, items.join(" , "));
        let outline = Outline::read(&body).unwrap();
        let continuation =
            self.conversation.take().and_then(|conversation| conversation.continued_by(&outline).ok());
        let frame = match &continuation {
            Some(it) => delta_frame(&body, &outline, &it.previous, it.from).unwrap(),
            None => full_frame(&body).unwrap(),
        };
        self.receive(&frame, continuation.as_ref());
        self.answer(step, &outline);
        continuation.is_some()
    }

    /// Upstream takes the frame apart; what it holds then has to be the client's conversation.
    fn receive(&mut self, frame: &str, continuation: Option<&Continuation>) {
        #[derive(serde::Deserialize)]
        struct Frame<'a> {
            #[serde(borrow)]
            input: Vec<&'a RawValue>,
            #[serde(default)]
            previous_response_id: Option<String>,
        }
        let frame: Frame<'_> = serde_json::from_str(frame).unwrap();
        let (mut held, members) = match frame.previous_response_id {
            Some(id) => {
                assert_eq!(id, format!("resp_{}", self.responses));
                assert!(continuation.is_some());
                self.upstream.take().unwrap()
            }
            None => (Vec::new(), self.members),
        };
        assert_eq!(members, self.members);
        held.extend(frame.input.iter().map(|item| class_of(item.get())));
        assert_eq!(held, self.classes());
        self.upstream = Some((held, members));
    }

    fn answer(&mut self, step: &Step, outline: &Outline) {
        self.responses += 1;
        let id = format!("resp_{}", self.responses);
        let mut recording = Recording::new(outline);
        let created =
            json!({ "type": "response.created", "response": { "id": id, "status": "in_progress" } });
        assert_eq!(recording.observe(&event(&created.to_string())), None);
        for (index, item) in step.answered.iter().enumerate() {
            let item = spelled(ITEMS, *item);
            for kind in ["added", "done"] {
                let told = format!(
                    r#"{{"type":"response.output_item.{kind}","output_index":{index},"item":{item}}}"#
                );
                assert_eq!(recording.observe(&event(&told)), None);
            }
        }
        let completed = json!({ "type": "response.completed", "response": { "id": id, "status": "completed", "output": [] } });
        let Some(Ended::Well(conversation)) = recording.observe(&event(&completed.to_string())) else {
            panic!("the turn ended well");
        };
        self.conversation = conversation;
        if let Some((held, _)) = &mut self.upstream {
            held.extend(step.answered.iter().map(|(class, _)| class));
        }
        self.items.extend(step.answered.iter().map(|(class, _)| (*class, step.spelling)));
    }
}

fn class_of(item: &str) -> usize {
    ITEMS.iter().position(|spellings| spellings.contains(&item)).unwrap()
}

fn event(text: &str) -> Event {
    Event::of_text(text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]
    #[test]
    fn upstream_holds_the_clients_conversation_whatever_is_edited(steps in prop::collection::vec(step(), 1..12)) {
        let mut model = Model::default();
        for (nth, step) in steps.iter().enumerate() {
            step.edits.iter().for_each(|edit| model.apply(edit));
            let means_the_same = step.edits.iter().all(|edit| matches!(edit, Edit::Respell(_)));
            let continued = model.turn(step);
            // What means the same and asks something new is never sent twice.
            prop_assert!(continued || nth == 0 || !means_the_same || step.asked.is_empty(), "{:?}", step);
        }
    }
}

fn recorded(events: &[Value]) -> Option<Ended> {
    let outline = Outline::read(r#"{"model":"m","input":[{"a":1}]}"#).unwrap();
    let mut recording = Recording::new(&outline);
    events.iter().find_map(|told| recording.observe(&event(&told.to_string())))
}

#[test]
fn turns_that_contradict_themselves_end_badly() {
    let created = json!({ "type": "response.created", "response": { "id": "r" } });
    let added =
        |index: u64| json!({ "type": "response.output_item.added", "output_index": index, "item": {} });
    let done = |index: u64| json!({ "type": "response.output_item.done", "output_index": index, "item": { "a": index } });
    let completed =
        |id: &str| json!({ "type": "response.completed", "response": { "id": id, "status": "completed" } });
    let badly = Some(Ended::Badly);
    let check = |events: &[Value]| assert_eq!(recorded(events), badly, "{events:?}");
    check(&[completed("r")]);
    check(&[created.clone(), completed("other")]);
    check(&[created.clone(), created.clone(), completed("r")]);
    check(&[created.clone(), added(0), completed("r")]);
    check(&[created.clone(), added(0), done(0), done(0), completed("r")]);
    check(&[created.clone(), json!({ "type": "response.output_item.done", "item": {} }), completed("r")]);
    check(&[created.clone(), json!({ "type": "response.completed" })]);
    check(&[
        created.clone(),
        json!({ "type": "response.completed", "response": { "id": "r", "status": "failed" } }),
    ]);
    check(&[created.clone(), json!({ "type": "response.incomplete", "response": { "id": "r" } })]);
    check(&[created.clone(), json!({ "type": "error", "error": {} })]);
    let well = recorded(&[created, added(0), added(1), done(1), done(0), completed("r")]);
    assert!(matches!(well, Some(Ended::Well(Some(_)))), "{well:?}");
}

#[test]
fn outputs_that_are_not_certain_are_not_continued() {
    let created = json!({ "type": "response.created", "response": { "id": "r" } });
    let done = |index: u64| json!({ "type": "response.output_item.done", "output_index": index, "item": { "a": 1 } });
    let completed = |output: Value| json!({ "type": "response.completed", "response": { "id": "r", "status": "completed", "output": output } });
    let known = |events: &[Value]| match recorded(events) {
        Some(Ended::Well(conversation)) => conversation.is_some(),
        other => panic!("{other:?}"),
    };
    assert!(known(&[created.clone(), done(0), completed(json!([]))]));
    assert!(known(&[created.clone(), done(0), completed(json!([{ "id": "x", "a": 1.0 }]))]));
    assert!(!known(&[created.clone(), done(0), completed(json!([{ "a": 2 }]))]));
    assert!(!known(&[created.clone(), done(1), completed(json!([]))]));
    assert!(!known(&[created, completed(json!([{ "a": 1 }]))]));
}
