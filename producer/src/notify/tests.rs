use std::path::Path;

use shared::config::{Config, LogFile, Webhook};
use shared::failure::{Class, Failure, Reason};
use shared::fleet::{Pause, Scope};
use wiremock::matchers::{body_partial_json, header, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::schedule::Schedule;

const TEXT: &str = "[odoo.erp]\nurl = \"https://erp.example\"\ndatabase = \"x\"\n[json.files]\nfolder = \"out\"\n\
                    [pipeline.customers]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nentity = \"customers\"\n";

struct Stand {
    folder: tempfile::TempDir,
    config: Config,
    state: State,
    server: MockServer,
}

impl Stand {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog-sync.toml");
        std::fs::write(&path, TEXT).unwrap();
        let config = Config::load_with(&path, &|_| None).unwrap();
        let state = State::open_memory().await.unwrap();
        Self { folder, config, state, server: MockServer::start().await }
    }

    fn log(&self) -> LogFile {
        LogFile { path: self.folder.path().join("notifications.log"), bytes: 1 << 20, files: 1 }
    }

    fn notifier(&self) -> Notifier {
        let url = format!("{}/geheim", self.server.uri()).into();
        let webhook = Some(Webhook { url, authorization: Some("Bearer geheim".to_owned().into()) });
        let notify = Notify { log: Some(self.log()), webhook, dead_letters_above: Some(0) };
        Notifier { notify, ..Notifier::new(&self.state, &self.config) }
    }

    fn pipeline(&self) -> &Pipeline {
        &self.config.pipelines[0]
    }

    async fn answers(&self, status: u16, times: u64) {
        let post = Mock::given(method("POST")).and(header("Authorization", "Bearer geheim"));
        post.respond_with(ResponseTemplate::new(status)).up_to_n_times(times).mount(&self.server).await;
    }

    async fn posted(&self) -> usize {
        self.server.received_requests().await.unwrap().len()
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(Path::new(&self.log().path)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    async fn fails(&self) {
        let failure = Failure::systemic(Reason::Unreachable, "no connection to erp.example");
        Schedule::of(&self.state, self.pipeline()).saw(Some(&failure)).await.unwrap();
    }
}

#[tokio::test]
async fn a_cause_is_told_once_and_once_more_when_it_is_over() {
    let stand = Stand::new().await;
    stand.answers(200, 100).await;
    stand.notifier().look().await;
    assert_eq!(stand.posted().await, 0, "all is well");
    stand.fails().await;
    for _ in 0..3 {
        // Another process, or the same one started again.
        stand.notifier().look().await;
        stand.fails().await;
    }
    assert_eq!(stand.posted().await, 1);
    Schedule::of(&stand.state, stand.pipeline()).saw(None).await.unwrap();
    stand.notifier().look().await;
    stand.notifier().look().await;
    assert_eq!(stand.posted().await, 2);
    let bodies = stand.server.received_requests().await.unwrap();
    let said: Vec<serde_json::Value> = bodies.iter().map(|post| post.body_json().unwrap()).collect();
    assert_eq!((&said[0]["cause"], &said[0]["recovered"]), (&"run_failed".into(), &false.into()));
    assert_eq!((&said[1]["pipeline"], &said[1]["recovered"]), (&"customers".into(), &true.into()));
    assert_eq!(said[0]["text"], "no connection to erp.example");
    let lines = stand.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].contains("BEGUN customers run_failed: no connection") && lines[1].contains("RECOVERED"),
        "{lines:?}"
    );
    stand.fails().await;
    stand.notifier().look().await;
    assert_eq!(stand.posted().await, 3, "the next time is another one");
}

#[tokio::test]
async fn two_processes_that_look_at_once_tell_it_once() {
    let stand = Stand::new().await;
    stand.answers(200, 100).await;
    stand.fails().await;
    let notifiers: Vec<Notifier> = (0..4).map(|_| stand.notifier()).collect();
    tokio::join!(notifiers[0].look(), notifiers[1].look(), notifiers[2].look(), notifiers[3].look());
    assert_eq!(stand.posted().await, 1);
}

#[tokio::test]
async fn a_webhook_that_fails_is_posted_to_again() {
    let stand = Stand::new().await;
    stand.answers(500, 2).await;
    stand.answers(200, 100).await;
    stand.fails().await;
    stand.notifier().look().await;
    assert_eq!(stand.posted().await, 3, "two failed, one arrived");
    assert_eq!(stand.lines().len(), 1);
}

#[tokio::test]
async fn what_could_not_be_told_is_told_later_and_logged_once() {
    let stand = Stand::new().await;
    stand.answers(503, 4).await;
    stand.fails().await;
    stand.notifier().look().await;
    assert_eq!(stand.posted().await, 4);
    stand.answers(200, 100).await;
    stand.notifier().look().await;
    assert_eq!(stand.posted().await, 4, "not before two minutes are over");
    let name = "notified/customers/run_failed";
    let mut told: Told = serde_json::from_str(&stand.state.memo(name).await.unwrap().unwrap()).unwrap();
    told.telling = told.telling.map(|since| since - TELLING);
    stand.state.set_memo(name, Some(&write(&told))).await.unwrap();
    stand.notifier().look().await;
    assert_eq!((stand.posted().await, stand.lines().len()), (5, 1));
}

#[tokio::test]
async fn pauses_and_disabled_schedules_are_told_of() {
    let stand = Stand::new().await;
    let says = |cause: &str, recovered: bool| {
        Mock::given(body_partial_json(serde_json::json!({"cause": cause, "recovered": recovered})))
            .respond_with(ResponseTemplate::new(204))
            .expect(1)
    };
    for cause in ["paused", "images_paused", "schedule_disabled"] {
        for recovered in [false, true] {
            says(cause, recovered).mount(&stand.server).await;
        }
    }
    let name = &stand.pipeline().name;
    let schedule = Schedule::of(&stand.state, stand.pipeline());
    for scope in [Scope::Pipeline, Scope::Images] {
        Pause::by_hand(&stand.state, name, scope, "stock-taking").await.unwrap();
    }
    schedule.disable("a move").await.unwrap();
    stand.notifier().look().await;
    for scope in [Scope::Pipeline, Scope::Images] {
        Pause::end(&stand.state, name, scope).await.unwrap();
    }
    schedule.enable().await.unwrap();
    stand.notifier().look().await;
    stand.server.verify().await;
}

#[tokio::test]
async fn an_address_that_leads_nowhere_is_in_no_failure() {
    let webhook = Webhook { url: "http://127.0.0.1:9/geheim".to_owned().into(), authorization: None };
    let name = "customers".parse().unwrap();
    let message = Message {
        program: "catalog-sync",
        pipeline: &name,
        cause: Cause::Paused,
        recovered: false,
        text: "",
        since: Timestamp::UNIX_EPOCH,
        at: Timestamp::UNIX_EPOCH,
    };
    let failure = webhook::post(&webhook, &message).await.unwrap_err();
    assert!(!format!("{failure:#} {webhook:?}").contains("geheim"), "{failure:#}");
}

#[tokio::test]
async fn calls_that_are_used_up_are_told_once_and_the_pause_that_follows_is_not_told_beside_them() {
    let mut stand = Stand::new().await;
    let path = stand.folder.path().join("zoho.toml");
    let text = "[zoho.shop]\ndata_center = \"eu\"\norganization_id = \"7\"\nclient_id = \"1000.A\"\n\
                [odoo.erp]\nurl = \"https://erp.example\"\ndatabase = \"prod\"\n\
                [pipeline.items]\nsource = \"zoho.shop\"\nsink = \"odoo.erp\"\n";
    std::fs::write(&path, text).unwrap();
    stand.config = Config::load_with(&path, &|_| None).unwrap();
    stand.answers(200, 100).await;
    let now = stand.state.now().await.unwrap();
    let until = now + SignedDuration::from_hours(3);
    let budget = format!("{{\"spent\":{{\"since\":\"{now}\",\"until\":\"{until}\"}}}}");
    stand.state.set_memo("zoho-budget/https://www.zohoapis.eu#7", Some(&budget)).await.unwrap();
    let throttled = Failure::new(Class::Throttled, Reason::Throttled, "used up");
    Pause::by_system(&stand.state, &stand.pipeline().name, Scope::Images, &throttled).await.unwrap();
    for _ in 0..3 {
        stand.notifier().look().await;
    }
    let lines = stand.lines();
    assert_eq!((lines.len(), stand.posted().await), (1, 1), "{lines:?}");
    assert!(
        lines[0].contains("BEGUN items quota: zoho.shop: the calls of the day are used up until"),
        "{lines:?}"
    );
    stand.state.set_memo("zoho-budget/https://www.zohoapis.eu#7", None).await.unwrap();
    stand.notifier().look().await;
    assert!(stand.lines()[1].contains("RECOVERED items quota"), "{:?}", stand.lines());
}
