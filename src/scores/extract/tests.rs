use super::*;
use crate::model::Event;
use crate::typed_json::write_attributes;

type Pairs = Vec<(&'static str, Value<'static>)>;

fn attributes(pairs: Pairs) -> Vec<(Cow<'static, str>, Value<'static>)> {
    pairs.into_iter().map(|(k, v)| (Cow::Borrowed(k), v)).collect()
}

/// Results of a span, which must be the same before and after it is stored.
fn both(pairs: Pairs, events: Vec<(&'static str, u64, Pairs)>) -> Vec<Evaluation> {
    let span = Span {
        attributes: attributes(pairs),
        events: events
            .into_iter()
            .map(|(name, time_unix_nano, pairs)| Event {
                name: name.into(),
                time_unix_nano,
                attributes: attributes(pairs),
                ..Event::default()
            })
            .collect(),
        ..Span::default()
    };
    let stored = |attributes: &[(Cow<'_, str>, Value<'_>)]| {
        let mut text = String::new();
        write_attributes(&mut text, attributes);
        text
    };
    let texts: Vec<String> = span.events.iter().map(|e| stored(&e.attributes)).collect();
    let events = span.events.iter().zip(&texts).map(|(e, text)| EventText {
        name: &e.name,
        time_unix_nano: i64::try_from(e.time_unix_nano).ok().filter(|&ns| ns != 0),
        attributes: Some(text),
    });
    let from_row = evaluations(Some(&stored(&span.attributes)), events).unwrap();
    assert_eq!(from_row, evaluations_of_span(&span));
    from_row
}

#[test]
fn events_are_results_with_a_time() {
    let result = |name: &'static str, value: Value<'static>| {
        vec![
            ("gen_ai.evaluation.name", name.into()),
            ("gen_ai.evaluation.score.value", value),
            ("gen_ai.evaluation.score.label", "relevant".into()),
            ("gen_ai.evaluation.explanation", "it answers".into()),
        ]
    };
    let got = both(
        vec![],
        vec![
            (RESULT_EVENT, 7, result("relevance", 0.5.into())),
            ("gen_ai.choice", 8, result("no result", 1.into())),
            (RESULT_EVENT, 0, result("helpfulness", 4.into())),
        ],
    );
    assert_eq!(got.len(), 2);
    assert_eq!(
        got[0],
        Evaluation {
            target: Target::Span,
            name: "relevance".into(),
            value: Some(0.5),
            label: Some("relevant".into()),
            explanation: Some("it answers".into()),
            source: "otel gen_ai".into(),
            time_unix_nano: Some(7),
        }
    );
    assert_eq!((got[1].name.as_str(), got[1].value, got[1].time_unix_nano), ("helpfulness", Some(4.0), None));
}

#[test]
fn attributes_of_all_shapes_are_results() {
    let got = both(
        vec![
            ("session.evaluations.0.evaluation.name", "solved".into()),
            ("session.evaluations.0.evaluation.label", "yes".into()),
            ("evaluations.10.evaluation.score", 2.into()),
            ("evaluations.10.evaluation.name", "second".into()),
            ("evaluations.2.evaluation.name", "first".into()),
            ("evaluations.2.evaluation.score", 1.5.into()),
            ("evaluations.2.evaluation.annotator_kind", "LLM".into()),
            ("annotations.0.annotation.name", "thumbs".into()),
            ("annotations.0.annotation.score", "1".into()),
            ("annotations.0.annotation.annotator_kind", "HUMAN".into()),
            ("trace.evaluations.0.name", "whole".into()),
            ("trace.evaluations.0.explanation", "went well".into()),
            ("trace.annotations.0.annotation.name", "seen".into()),
            ("trace.annotations.0.annotation.label", "by me".into()),
            ("gen_ai.evaluation.name", "on the span".into()),
            ("gen_ai.evaluation.score.value", (-1).into()),
            ("evaluation.name", "is one".into()),
            ("evaluation.score", 0.25.into()),
        ],
        vec![],
    );
    let short: Vec<_> = got.iter().map(|e| (e.target.as_str(), e.name.as_str(), e.value, e.source.as_str())).collect();
    assert_eq!(
        short,
        [
            ("span", "on the span", Some(-1.0), "otel gen_ai"),
            ("span", "is one", Some(0.25), "openinference"),
            ("span", "thumbs", Some(1.0), "HUMAN"),
            ("span", "first", Some(1.5), "LLM"),
            ("span", "second", Some(2.0), "openinference"),
            ("trace", "seen", None, "openinference"),
            ("trace", "whole", None, "openinference"),
            ("session", "solved", None, "openinference"),
        ]
    );
}

#[test]
fn a_score_that_is_no_finite_number_is_none() {
    for (given, want) in [
        (Value::from(f64::NAN), None),
        (f64::INFINITY.into(), None),
        ("NaN".into(), None),
        ("inf".into(), None),
        ("good".into(), None),
        ("".into(), None),
        (true.into(), None),
        (Value::Array(vec![1.into()]), None),
        (" 0.5 ".into(), Some(0.5)),
        ("1e-3".into(), Some(0.001)),
        (i64::MAX.into(), Some(i64::MAX as f64)),
    ] {
        let got = both(vec![("evaluation.name", "n".into()), ("evaluation.score", given.clone())], vec![]);
        assert_eq!(got.len(), 1, "{given:?}");
        assert_eq!(got[0].value, want, "{given:?}");
    }
}

#[test]
fn results_without_a_name_or_anything_to_say_are_none() {
    assert_eq!(both(vec![("evaluation.score", 1.into())], vec![]), []);
    assert_eq!(both(vec![("evaluation.name", "".into()), ("evaluation.score", 1.into())], vec![]), []);
    assert_eq!(both(vec![("evaluation.name", "n".into()), ("evaluation.annotator_kind", "LLM".into())], vec![]), []);
    assert_eq!(
        both(
            vec![
                ("evaluations.x.evaluation.name", "n".into()),
                ("evaluations.99999999999.evaluation.name", "n".into()),
                ("evaluations.1", "n".into()),
                ("evaluations.", "n".into()),
                ("gen_ai.evaluation.", "n".into()),
                ("trace.evaluation.name", "n".into()),
                ("input.value", "an evaluation and annotations. of text".into()),
            ],
            vec![]
        ),
        []
    );
}

#[test]
fn the_first_of_two_equal_keys_counts() {
    let got = both(
        vec![("evaluation.name", "a".into()), ("evaluation.name", "b".into()), ("evaluation.label", 3.into())],
        vec![],
    );
    assert_eq!((got[0].name.as_str(), got[0].label.as_deref()), ("a", Some("3")));
}

#[test]
fn text_that_is_no_json_is_an_error_only_where_it_may_hold_results() {
    assert_eq!(evaluations(Some("{broken"), []).unwrap(), []);
    assert!(evaluations(Some("{\"evaluation.name\""), []).is_err());
    assert_eq!(evaluations(None, []).unwrap(), []);
}
