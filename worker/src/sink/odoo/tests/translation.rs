//! Columns in a language: written once, after what they translate, and nothing of them twice.

use sandbox::{Edit, Fault, FaultRule};
use serde_json::{Map, Value, json};
use shared::failure::{Class, Reason};
use shared::job::Job;
use shared::record::Outcome;

use super::super::OdooSink;
use super::stand::{Stand, VERSIONS, all, job, outcomes, settings, try_upsert};

const TEXTS: [&str; 4] = ["name", "name@fr_FR", "description_sale", "description_sale@fr_FR"];

impl Stand {
    /// Installs languages of the stand-in, as its settings do.
    fn install(&self, codes: &[&str]) {
        let rows = self.control().rows("res.lang").unwrap();
        let rows = rows.iter().filter(|row| codes.contains(&row["code"].as_str().unwrap()));
        let edits = rows.map(|row| Edit::Update {
            model: "res.lang".to_owned(),
            id: row["id"].as_i64().unwrap(),
            values: Map::from_iter([("active".to_owned(), json!(true))]),
            write_date: sandbox::WriteDate::Transaction,
        });
        self.control().edit(edits.collect()).unwrap();
    }

    fn text(&self, key: &str, field: &str, lang: &str) -> Option<String> {
        self.control().text_in(lang, "product.product", self.named()[key], field).unwrap()
    }

    /// What the name of product 1 is in French, and in English.
    fn names(&self) -> (Option<String>, Option<String>) {
        (self.text("1", "name", "fr_FR"), self.text("1", "name", "en_US"))
    }

    async fn french(version: sandbox::OdooVersion) -> (Self, OdooSink) {
        let stand = Self::new(version).await;
        stand.install(&["fr_FR", "de_DE"]);
        let sink = stand.open(settings(), &TEXTS).await.unwrap();
        (stand, sink)
    }
}

fn named(key: usize, name: &str, french: &Value) -> Job {
    job(
        key,
        json!({"name": name, "name@fr_FR": french, "description_sale": null, "description_sale@fr_FR": null}),
    )
}

fn said(french: &str, english: &str) -> (Option<String>, Option<String>) {
    (Some(french.to_owned()), Some(english.to_owned()))
}

#[tokio::test]
async fn translations_are_one_call_more_for_a_batch_and_none_where_nothing_differs() {
    for version in VERSIONS {
        let (stand, mut sink) = Stand::french(version).await;
        let chairs = |french: &str| -> Vec<Job> {
            (1..=60)
                .map(|key| named(key, &format!("chair {key}"), &json!(format!("{french} {key}"))))
                .collect()
        };
        stand.counts();
        assert!(all(&outcomes(&mut sink, &chairs("chaise")).await, Outcome::Created));
        assert_eq!(stand.counts().calls_of("product.product", "load"), 2, "one to make and one to translate");
        assert_eq!(stand.names(), said("chaise 1", "chair 1"));
        assert_eq!(stand.text("60", "name", "de_DE").unwrap(), "chair 60", "other languages fall back");
        assert!(all(&outcomes(&mut sink, &chairs("chaise")).await, Outcome::Unchanged));
        let counts = stand.counts();
        assert_eq!(
            (counts.rows_written, counts.calls_of("product.product", "search_read")),
            (0, 2),
            "{counts:?}"
        );
        assert!(all(&outcomes(&mut sink, &chairs("siège")).await, Outcome::Updated));
        assert_eq!(
            (stand.counts().calls_of("product.product", "load"), stand.names()),
            (1, said("siège 1", "chair 1"))
        );
        assert_eq!(stand.sizes(), (60, 60));
    }
}

#[tokio::test]
async fn a_translation_stays_what_it_is_when_the_text_that_it_equalled_changes() {
    for version in VERSIONS {
        let (stand, mut sink) = Stand::french(version).await;
        // The same in both languages, so that nothing is kept for French.
        outcomes(&mut sink, &[named(1, "Sofa", &json!("Sofa"))]).await;
        assert_eq!(stand.names(), said("Sofa", "Sofa"));
        assert_eq!(outcomes(&mut sink, &[named(1, "Couch", &json!("Sofa"))]).await, [Outcome::Updated]);
        assert_eq!(stand.names(), said("Sofa", "Couch"));
        stand.counts();
        assert_eq!(outcomes(&mut sink, &[named(1, "Couch", &json!("Sofa"))]).await, [Outcome::Unchanged]);
        assert_eq!(stand.counts().rows_written, 0);
    }
}

#[tokio::test]
async fn an_empty_translation_shows_the_field_s_own_text_and_an_empty_field_has_none() {
    for version in VERSIONS {
        let (stand, mut sink) = Stand::french(version).await;
        let with = |text: Value, french: Value| {
            job(
                1,
                json!({"name": "Sofa", "name@fr_FR": null, "description_sale": text, "description_sale@fr_FR": french}),
            )
        };
        let shown =
            || ["fr_FR", "en_US"].map(|lang| stand.text("1", "description_sale", lang).unwrap_or_default());
        for (job, expected) in [
            (with(json!("soft"), json!("doux")), ["doux", "soft"]),
            (with(json!("soft"), json!("")), ["soft", "soft"]),
            (with(json!("softer"), json!(null)), ["softer", "softer"]),
            (with(json!("softer"), json!("doux")), ["doux", "softer"]),
            // Odoo keeps no translation of nothing; written alone it would become the field's own text.
            (with(json!(null), json!("doux")), ["", ""]),
            (with(json!("soft"), json!("doux")), ["doux", "soft"]),
        ] {
            outcomes(&mut sink, std::slice::from_ref(&job)).await;
            assert_eq!(shown(), expected);
            stand.counts();
            assert_eq!(outcomes(&mut sink, &[job]).await, [Outcome::Unchanged], "{expected:?}");
            assert_eq!(stand.counts().rows_written, 0, "{expected:?}");
        }
    }
}

#[tokio::test]
async fn a_batch_whose_translations_were_lost_on_the_way_is_completed_when_it_is_repeated() {
    for version in VERSIONS {
        for fault in [Fault::BadGateway, Fault::LoseReply, Fault::CloseBeforeAnswer] {
            let (stand, mut sink) = Stand::french(version).await;
            let jobs: Vec<Job> =
                (1..=20).map(|key| named(key, "Sofa", &json!(format!("divan {key}")))).collect();
            // The second `load` is the French one.
            stand.control().fault(FaultRule { skip: 1, ..FaultRule::once(fault.clone()).method("load") });
            let first = try_upsert(&mut sink, &jobs).await;
            let failures = first.unwrap().into_iter().filter_map(Result::err);
            let failures: Vec<_> = failures.collect();
            assert_eq!(failures.len(), 20, "none is said to have arrived");
            assert!(failures.iter().all(|failure| failure.class == Class::Transient), "{failures:?}");
            assert!(stand.control().pending_faults().is_empty());
            outcomes(&mut sink, &jobs).await;
            assert_eq!((stand.names(), stand.sizes()), (said("divan 1", "Sofa"), (20, 20)));
            stand.counts();
            assert!(all(&outcomes(&mut sink, &jobs).await, Outcome::Unchanged));
            assert_eq!(stand.counts().rows_written, 0);
        }
    }
}

#[tokio::test]
async fn the_pipeline_s_own_language_and_another_are_two() {
    let stand = Stand::new(VERSIONS[2]).await;
    stand.install(&["fr_FR", "de_DE"]);
    let mut german = settings();
    german.context.insert("lang".to_owned(), "de_DE".into());
    let mut sink = stand.open(german.clone(), &["name", "name@en_US", "name@fr_FR"]).await.unwrap();
    let sofa = |english: &str| job(1, json!({"name": "Bank", "name@en_US": english, "name@fr_FR": "canapé"}));
    outcomes(&mut sink, &[sofa("bench")]).await;
    let shown = || ["de_DE", "en_US", "fr_FR"].map(|lang| stand.text("1", "name", lang).unwrap());
    assert_eq!(shown(), ["Bank", "bench", "canapé"]);
    outcomes(&mut sink, &[sofa("bank")]).await;
    assert_eq!(shown(), ["Bank", "bank", "canapé"]);
    assert_eq!(outcomes(&mut sink, &[sofa("bank")]).await, [Outcome::Unchanged]);
    let failure = stand.open(german, &["name", "name@de_DE"]).await.unwrap_err();
    assert!(failure.to_string().contains("in which this pipeline writes anyway"), "{failure}");
}

#[tokio::test]
async fn a_language_that_cannot_work_is_told_with_the_one_that_was_meant() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        stand.install(&["fr_FR"]);
        for (columns, says) in [
            (["name", "name@fr_FX"], "in the language 'fr_FX', which is not installed"),
            (["name", "name@de_DE"], "install the language"),
            (["name", "name@"], "the language ''"),
            (["name", "default_code@fr_FR"], "has the same value in every language"),
            (["name", "description@fr_FR"], "is no text that is translated as a whole"),
            (["name", "description_sale@fr_FR"], "map 'description_sale' beside it"),
        ] {
            let failure = stand.open(settings(), &columns).await.unwrap_err();
            assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Field), "{failure}");
            assert!(format!("{failure}").contains(says), "{failure}");
        }
    }
}

#[tokio::test]
async fn a_language_that_is_taken_away_stops_the_pipeline_and_spends_no_record() {
    for version in VERSIONS {
        let (stand, mut sink) = Stand::french(version).await;
        let id = stand.control().rows("res.lang").unwrap().iter().find(|row| row["code"] == "fr_FR").unwrap()
            ["id"]
            .as_i64()
            .unwrap();
        stand
            .control()
            .edit(vec![Edit::Archive { model: "res.lang".to_owned(), id, active: false }])
            .unwrap();
        outcomes(&mut sink, &[named(1, "Sofa", &json!(null))]).await;
        let failure = try_upsert(&mut sink, &[named(1, "Couch", &json!("Sofa"))]).await.unwrap_err();
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Field), "{failure}");
        assert!(failure.to_string().contains("the language 'fr_FR' is not installed"), "{failure}");
    }
}
