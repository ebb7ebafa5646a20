//! Which wording has which class. The recordings of real servers are replayed in the `tests` package; here are the rules, and
//! the wordings that no recording has.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::failure::{Class, Failure, Reason};
use crate::odoo::{Answer, Call, Envelope, Expected, Operation, Place, Purpose, Row, SearchRead};

fn place() -> Place {
    Place::new("https://erp.example", "shop", Some("admin")).unwrap()
}

fn write<R>(judge: impl FnOnce(Purpose<'_>) -> R) -> R {
    let values = Row::new();
    let operation = Operation::Write { ids: &[1], values: &values };
    judge(Purpose::Call(&Call { model: "product.template", operation, context: Row::new() }))
}

fn read<R>(judge: impl FnOnce(Purpose<'_>) -> R) -> R {
    let search = SearchRead::new("product.template");
    let operation = Operation::SearchRead(&search);
    judge(Purpose::Call(&Call { model: "product.template", operation, context: Row::new() }))
}

fn classify(purpose: Purpose<'_>, envelope: Envelope, answer: &Answer) -> Result<Value, Failure> {
    Expected { place: &place(), purpose, envelope }.classify(answer)
}

fn html(status: u16) -> Answer {
    Answer {
        status,
        content_type: Some("text/html; charset=utf-8".to_owned()),
        body: b"<!doctype html><title>Error</title><p>No database is selected".to_vec(),
        ..Answer::default()
    }
}

fn raised(purpose: Purpose<'_>, name: &str, message: &str) -> Failure {
    let data = json!({"name": name, "message": message, "debug": "Traceback: /opt/odoo password=hunter2"});
    let body = json!({"jsonrpc": "2.0", "id": 1, "error": {"code": 200, "message": "Odoo Server Error", "data": data}});
    let rpc = Answer { status: 200, body: body.to_string().into_bytes(), ..Answer::default() };
    let bare = Answer { status: 500, body: data.to_string().into_bytes(), ..Answer::default() };
    let failure = classify(purpose, Envelope::JsonRpc, &rpc).unwrap_err();
    let other = classify(purpose, Envelope::Bare, &bare).unwrap_err();
    assert_eq!((failure.class, failure.reason), (other.class, other.reason), "{message}");
    assert!(!format!("{failure:#}").contains("hunter2"), "{failure:#}");
    failure
}

fn class_of_write(name: &str, message: &str) -> (Class, Reason) {
    let failure = write(|purpose| raised(purpose, name, message));
    (failure.class, failure.reason)
}

fn class_of_read(name: &str, message: &str) -> (Class, Reason) {
    let failure = read(|purpose| raised(purpose, name, message));
    (failure.class, failure.reason)
}

#[test]
fn busy_server_is_transient_whatever_was_asked() {
    for (name, message, reason) in [
        (
            "psycopg2.errors.SerializationFailure",
            "could not serialize access due to concurrent update\n",
            Reason::Conflict,
        ),
        (
            "odoo.exceptions.ValidationError",
            "could not serialize access due to read/write dependencies",
            Reason::Conflict,
        ),
        ("psycopg2.errors.DeadlockDetected", "deadlock detected\nDETAIL: Process 1", Reason::Conflict),
        (
            "psycopg2.errors.LockNotAvailable",
            "could not obtain lock on row in relation \"x\"",
            Reason::Conflict,
        ),
        ("odoo.exceptions.LockError", "Cannot grab a lock on records", Reason::Conflict),
        ("psycopg2.errors.QueryCanceled", "canceling statement due to statement timeout", Reason::Timeout),
        ("builtins.Exception", "CPU time limit exceeded.", Reason::Timeout),
        ("psycopg2.OperationalError", "FATAL: remaining connection slots are reserved", Reason::ServerError),
        ("odoo.sql_db.PoolError", "The Connection Pool Is Full", Reason::ServerError),
        ("psycopg2.InterfaceError", "cursor already closed", Reason::ServerError),
        ("builtins.MemoryError", "", Reason::ServerError),
    ] {
        assert_eq!(class_of_write(name, message), (Class::Transient, reason), "{name}");
        assert_eq!(class_of_read(name, message), (Class::Transient, reason), "{name}");
    }
}

#[test]
fn what_a_person_must_mend_is_systemic_whatever_was_asked() {
    for (name, message, reason) in [
        ("odoo.exceptions.AccessDenied", "Access Denied", Reason::Credentials),
        (
            "odoo.exceptions.AccessDenied",
            "Too many login failures, please wait a bit before trying again.",
            Reason::Credentials,
        ),
        (
            "odoo.exceptions.MissingError",
            "Record does not exist or has been deleted.\n(Record: res.users(9,), User: 9)",
            Reason::Credentials,
        ),
        (
            "psycopg2.OperationalError",
            "connection failed: FATAL:  database \"shop\" does not exist\n",
            Reason::Database,
        ),
        ("builtins.KeyError", "'shop'", Reason::Database),
        ("odoo.exceptions.AccessError", "Database not found.", Reason::Database),
        ("psycopg2.errors.UndefinedTable", "relation \"ir_module_module\" does not exist", Reason::Database),
        ("odoo.exceptions.UserError", "Object product.template doesn't exist", Reason::Model),
        ("builtins.AttributeError", "type object 'product.template' has no attribute 'write'", Reason::Model),
        ("builtins.ValueError", "Invalid field 'x' on model 'product.template'", Reason::Field),
        ("odoo.exceptions.UserError", "Invalid language code: fr_FX", Reason::Field),
        (
            "odoo.exceptions.AccessError",
            "You do not have enough rights to access the field \"x\" on Product (product.template).",
            Reason::Field,
        ),
        ("builtins.OSError", "[Errno 28] No space left on device", Reason::DiskFull),
    ] {
        let expected = (Class::Systemic, reason);
        if !message.contains("'write'") {
            assert_eq!(class_of_read(name, message), expected, "{message}");
        }
        assert_eq!(class_of_write(name, message), expected, "{message}");
    }
}

#[test]
fn rule_on_one_record_is_the_records_and_missing_right_the_models() {
    let rule = "Uh-oh! Looks like you have stumbled upon some top-secret records.\n\nSorry, Ann (id=7) doesn't have 'write' access to:\n- Product (product.template)";
    let model = "Vous n'êtes pas autorisé à modifier 'Article' (product.template).\n\nCette opération est autorisée pour :\n\t- Ventes";
    let name = "odoo.exceptions.AccessError";
    assert_eq!(class_of_write(name, rule), (Class::Permanent, Reason::Rights));
    assert_eq!(class_of_write(name, model), (Class::Systemic, Reason::Rights));
    assert_eq!(class_of_read(name, rule), (Class::Systemic, Reason::Rights));
}

#[test]
fn bad_value_is_the_records_and_bad_search_the_pipelines() {
    for (name, message) in [
        ("odoo.exceptions.ValidationError", "Barcode(s) already assigned"),
        ("odoo.exceptions.UserError", "This file could not be decoded as an image file."),
        ("builtins.ValueError", "could not convert string to float: 'abc'"),
        ("psycopg2.errors.InvalidTextRepresentation", "invalid input syntax for type integer: \"Units\""),
        ("psycopg2.DataError", "value too long for type character varying(8)"),
    ] {
        assert_eq!(class_of_write(name, message), (Class::Permanent, Reason::BadRecord), "{name}");
        assert_eq!(class_of_read(name, message), (Class::Systemic, Reason::Configuration), "{name}");
    }
    let bug = ("builtins.ZeroDivisionError", "division by zero");
    assert_eq!(class_of_write(bug.0, bug.1), (Class::Permanent, Reason::BadRecord));
    assert_eq!(class_of_read(bug.0, bug.1), (Class::Systemic, Reason::ServerError));
}

#[test]
fn values_that_sound_like_trouble_are_still_the_records() {
    for (name, message) in [
        (
            "odoo.exceptions.ValidationError",
            "Barcode already assigned to: Over the time limit exceeded clock",
        ),
        ("odoo.exceptions.ValidationError", "Invalid field 'colour' of this product"),
        ("odoo.exceptions.UserError", "The book 'database \"x\" does not exist' is sold out"),
        ("builtins.OSError", "image file is truncated (12 bytes not processed)"),
    ] {
        assert_eq!(class_of_write(name, message), (Class::Permanent, Reason::BadRecord), "{message}");
    }
    assert_eq!(
        class_of_write("builtins.OSError", "[Errno 5] Input/output error"),
        (Class::Transient, Reason::ServerError)
    );
}

#[test]
fn refused_login_is_the_users() {
    let failure = raised(Purpose::Login, "odoo.exceptions.UserError", "Logins are closed today.");
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Credentials));
    assert!(failure.to_string().contains("user 'admin': Logins are closed today;"), "{failure}");
}

#[test]
fn unknown_field_is_named() {
    for message in [
        "Invalid field 'nofield' on model 'product.template'",
        "Invalid field 'nofield' in 'product.template'",
        "Invalid field 'nofield' on 'product.template'",
        "Invalid field name 'nofield'",
        "Invalid field product.template.nofield in leaf ('nofield', '=', 1)",
        "Invalid field product.template.nofield in condition ('nofield', '=', 1)",
        "Cannot convert product.template.nofield to SQL because it is not stored",
    ] {
        let failure = read(|purpose| raised(purpose, "builtins.ValueError", message));
        assert_eq!(failure.reason, Reason::Field, "{message}");
        assert!(failure.what().contains("field 'nofield' of model 'product.template'"), "{failure}");
    }
}

#[test]
fn column_of_load_is_named_where_python_says_only_the_key() {
    let fields = ["id".to_owned(), "nofield/.id".to_owned()];
    let call = Call {
        model: "product.template",
        operation: Operation::Load { fields: &fields, rows: &[] },
        context: Row::new(),
    };
    let judged = |key: &str| raised(Purpose::Call(&call), "builtins.KeyError", key);
    assert_eq!(judged("nofield").reason, Reason::Field);
    assert_eq!((judged("other").class, judged("other").reason), (Class::Permanent, Reason::BadRecord));
}

#[test]
fn page_of_a_proxy_is_judged_by_its_status() {
    let judged = |status, is_read| {
        let judge = |purpose: Purpose<'_>| classify(purpose, Envelope::Bare, &html(status)).unwrap_err();
        let failure = if is_read { read(judge) } else { write(judge) };
        (failure.class, failure.reason)
    };
    for (status, class, reason) in [
        (200, Class::Transient, Reason::Protocol),
        (400, Class::Systemic, Reason::Protocol),
        (401, Class::Systemic, Reason::Credentials),
        (404, Class::Systemic, Reason::Database),
        (408, Class::Transient, Reason::Timeout),
        (413, Class::Permanent, Reason::BadRecord),
        (429, Class::Throttled, Reason::Throttled),
        (500, Class::Transient, Reason::ServerError),
        (502, Class::Transient, Reason::ServerError),
        (503, Class::Transient, Reason::ServerError),
        (504, Class::Transient, Reason::Timeout),
        (302, Class::Systemic, Reason::Configuration),
    ] {
        assert_eq!(judged(status, true), (class, reason), "{status}");
        assert_eq!(judged(status, false), (class, reason), "{status}");
    }
    assert_eq!(judged(403, true), (Class::Systemic, Reason::Rights));
    assert_eq!(judged(403, false), (Class::Permanent, Reason::Rights));
}

#[test]
fn json_page_of_a_proxy_is_judged_by_its_status() {
    let body = br#"{"error": "upstream timed out"}"#.to_vec();
    let answer = Answer { status: 502, body, ..Answer::default() };
    let failure = read(|purpose| classify(purpose, Envelope::Bare, &answer).unwrap_err());
    assert_eq!((failure.class, failure.reason), (Class::Transient, Reason::ServerError));
}

#[test]
fn wait_that_was_told_is_kept() {
    let wait = std::time::Duration::from_secs(42);
    for status in [429, 503] {
        let answer = Answer { retry_after: Some(wait), ..html(status) };
        let failure = read(|purpose| classify(purpose, Envelope::JsonRpc, &answer).unwrap_err());
        assert_eq!((failure.class, failure.retry_after), (Class::Throttled, Some(wait)));
    }
}

#[test]
fn anything_but_odoo_is_told_at_the_version() {
    let judged = |answer: &Answer| classify(Purpose::Version, Envelope::JsonRpc, answer).unwrap_err();
    let page = |status| Answer { body: b"<html>".to_vec(), ..html(status) };
    let list = Answer { status: 200, body: b"[]".to_vec(), ..Answer::default() };
    for answer in [page(404), page(400), page(200), list] {
        assert!(judged(&answer).what().contains("does not look like an Odoo server"));
    }
    assert_eq!(judged(&page(401)).reason, Reason::Credentials);
    assert_eq!(judged(&page(403)).reason, Reason::Rights);
    assert_eq!(judged(&page(502)).class, Class::Transient);
}

#[test]
fn method_without_a_result_is_null() {
    let answer =
        Answer { status: 200, body: br#"{"jsonrpc": "2.0", "id": 1}"#.to_vec(), ..Answer::default() };
    let result = write(|purpose| classify(purpose, Envelope::JsonRpc, &answer).unwrap());
    assert_eq!(result, Value::Null);
}

proptest! {
    #[test]
    fn classify_never_panics_on_arbitrary_answers(
        status in 0_u16..1000,
        body in prop::collection::vec(any::<u8>(), 0..200),
        is_rpc: bool,
    ) {
        let envelope = if is_rpc { Envelope::JsonRpc } else { Envelope::Bare };
        let answer = Answer { status, body, ..Answer::default() };
        let results = [
            write(|purpose| classify(purpose, envelope, &answer)),
            classify(Purpose::Version, envelope, &answer),
        ];
        for failure in results.into_iter().filter_map(Result::err) {
            prop_assert!(!failure.what().is_empty());
        }
    }

    #[test]
    fn classify_never_panics_on_arbitrary_exceptions(name in ".{0,40}", message in "(?s).{0,200}") {
        for failure in [
            write(|purpose| raised(purpose, &name, &message)),
            read(|purpose| raised(purpose, &name, &message)),
        ] {
            prop_assert!(!failure.what().is_empty());
        }
    }

    #[test]
    fn classify_never_panics_on_wordings_cut_anywhere(cut in 0_usize..80) {
        for message in [
            "Invalid field 'nofield' on model 'product.template'",
            "Invalid field product.template.nofield in leaf ('nofield', '=', 1)",
            "Cannot convert product.template.nofield to SQL because it is not stored",
        ] {
            let part: String = message.chars().take(cut).collect();
            let failure = read(|purpose| raised(purpose, "builtins.ValueError", &part));
            prop_assert_eq!(failure.class, Class::Systemic);
        }
    }
}
