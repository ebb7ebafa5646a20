//! Faults, late commits and large catalogues, over real connections.

#[cfg(test)]
mod over_http {
    use std::time::{Duration, Instant};

    use sandbox::{Edit, Fault, FaultRule, OdooSandbox, OdooSettings, OdooVersion, WriteDate};
    use serde_json::{Map, Value, json};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn start(version: OdooVersion, products: usize) -> OdooSandbox {
        let settings = OdooSettings { version, customers: 20, products, ..OdooSettings::default() };
        OdooSandbox::start(settings).await.unwrap()
    }

    async fn call(
        server: &OdooSandbox,
        model: &str,
        method: &str,
        args: Value,
    ) -> reqwest::Result<(u16, String)> {
        let params = json!({"service": "object", "method": "execute_kw",
            "args": [server.database(), 2, server.password(), model, method, args]});
        let body = json!({"jsonrpc": "2.0", "id": 1, "params": params}).to_string();
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build()?;
        let request =
            client.post(format!("{}/jsonrpc", server.url())).header("content-type", "application/json");
        let response = request.body(body).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    fn result(answer: reqwest::Result<(u16, String)>) -> Value {
        serde_json::from_str::<Value>(&answer.unwrap().1).unwrap()["result"].clone()
    }

    fn created(name: &str) -> Vec<Edit> {
        let mut values = Map::new();
        values.insert("name".to_owned(), json!(name));
        vec![Edit::Create { model: "res.partner".to_owned(), values, write_date: WriteDate::Transaction }]
    }

    #[tokio::test]
    async fn a_connection_is_kept_by_a_proxy_alone() {
        for (behind_proxy, expected) in [(false, 1), (true, 2)] {
            let settings =
                OdooSettings { behind_proxy, customers: 0, products: 0, ..OdooSettings::default() };
            let server = OdooSandbox::start(settings).await.unwrap();
            let address = server.url().replace("http://", "");
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let request = b"HEAD / HTTP/1.1\r\nHost: odoo\r\n\r\n";
            stream.write_all(request).await.unwrap();
            let mut told = Vec::new();
            while !told.ends_with(b"\r\n\r\n") {
                assert!(stream.read_buf(&mut told).await.unwrap() > 0);
            }
            stream.write_all(request).await.unwrap();
            stream.shutdown().await.unwrap();
            stream.read_to_end(&mut told).await.unwrap();
            let told = String::from_utf8(told).unwrap();
            assert_eq!(told.matches("HTTP/1.1 ").count(), expected, "{told}");
        }
    }

    #[tokio::test]
    async fn a_text_is_one_for_each_language_and_falls_back_to_english() {
        for version in [OdooVersion::V17, OdooVersion::V19] {
            let server = start(version, 3).await;
            let id = server.control().ids("product.template").unwrap()[0];
            let in_lang = async |lang: &str, method: &str, args: Value| {
                let params = json!({"service": "object", "method": "execute_kw",
                    "args": [server.database(), 2, server.password(), "product.template", method, args,
                        {"context": {"lang": lang}}]});
                let body = json!({"jsonrpc": "2.0", "id": 1, "params": params});
                let client = reqwest::Client::builder().no_proxy().build().unwrap();
                let answer =
                    client.post(format!("{}/jsonrpc", server.url())).json(&body).send().await.unwrap();
                answer.json::<Value>().await.unwrap()
            };
            let read = async |lang: &str| {
                let answer = in_lang(lang, "read", json!([[id], ["name"]])).await;
                answer["result"][0]["name"].as_str().unwrap_or_default().to_owned()
            };
            let write =
                async |lang: &str, name: Value| in_lang(lang, "write", json!([[id], {"name": name}])).await;
            let refused = read_error(&in_lang("fr_FR", "read", json!([[id], ["name"]])).await);
            assert_eq!(refused, "Invalid language code: fr_FR");
            let rows = server.control().rows("res.lang").unwrap();
            for row in rows.iter().filter(|row| row["active"] == false) {
                let values = Map::from_iter([("active".to_owned(), json!(true))]);
                let id = row["id"].as_i64().unwrap();
                let model = "res.lang".to_owned();
                let edit = Edit::Update { model, id, values, write_date: WriteDate::Transaction };
                server.control().edit(vec![edit]).unwrap();
            }
            write("en_US", json!("Chair")).await;
            assert_eq!(read("fr_FR").await, "Chair");
            // What shows already is not kept, so that French goes on falling back.
            write("fr_FR", json!("Chair")).await;
            write("en_US", json!("Seat")).await;
            assert_eq!((read("fr_FR").await, read("de_DE").await), ("Seat".to_owned(), "Seat".to_owned()));
            write("fr_FR", json!("Chaise")).await;
            write("en_US", json!("Stool")).await;
            assert_eq!((read("fr_FR").await, read("de_DE").await), ("Chaise".to_owned(), "Stool".to_owned()));
            let found = in_lang("fr_FR", "search", json!([[["name", "=", "Chaise"]]])).await;
            assert_eq!(found["result"], json!([id]));
            // Emptied in one language it is empty in all, which a required field does not allow.
            assert!(write("fr_FR", json!(false)).await.get("error").is_some());
            assert_eq!(read("en_US").await, "Stool");
        }
    }

    fn read_error(answer: &Value) -> String {
        answer["error"]["data"]["message"].as_str().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn records_that_a_rule_keeps_from_the_user_are_not_found_and_not_read() {
        let server = start(OdooVersion::V18, 0).await;
        let ids = server.control().ids("res.partner").unwrap();
        let hidden = ids[ids.len() - 1];
        let rule = Edit::RuleOut { model: "res.partner".to_owned(), ids: vec![hidden] };
        server.control().edit(vec![rule]).unwrap();
        let found =
            result(call(&server, "res.partner", "search", json!([[["id", "in", [hidden, ids[0]]]]])).await);
        assert_eq!(found, json!([ids[0]]));
        // Unlike one that is not there, which is left out, it refuses the whole call.
        let read =
            async |ids: Value| call(&server, "res.partner", "read", json!([ids, ["name"]])).await.unwrap().1;
        assert!(read(json!([ids[0], hidden])).await.contains("odoo.exceptions.AccessError"));
        assert!(read(json!([ids[0], 999_999])).await.contains("result"));
        let written =
            call(&server, "res.partner", "write", json!([[hidden], {"name": "x"}])).await.unwrap().1;
        assert!(written.contains("odoo.exceptions.AccessError"), "{written}");
        server
            .control()
            .edit(vec![Edit::RuleOut { model: "res.partner".to_owned(), ids: Vec::new() }])
            .unwrap();
        assert!(read(json!([hidden])).await.contains("result"));
    }

    #[tokio::test]
    async fn each_fault_happens_once_and_the_next_call_is_well() {
        let server = start(OdooVersion::V18, 0).await;
        let control = server.control();
        let ask = || call(&server, "res.partner", "search_count", json!([[]]));
        for (fault, status) in [
            (Fault::BadGateway, 502),
            (Fault::TooManyRequests { retry_after: 7 }, 429),
            (Fault::Unavailable { retry_after: 7 }, 503),
        ] {
            control.fault(FaultRule::once(fault));
            assert_eq!(ask().await.unwrap().0, status);
            assert!(result(ask().await).is_number());
        }
        for fault in [Fault::CloseBeforeAnswer, Fault::CutAnswer, Fault::LoseReply] {
            control.fault(FaultRule::once(fault.clone()));
            assert!(ask().await.is_err(), "{fault:?}");
            assert!(result(ask().await).is_number());
        }
        control.fault(FaultRule::once(Fault::SerializationFailure));
        assert!(ask().await.unwrap().1.contains("psycopg2.errors.SerializationFailure"));
        assert!(control.pending_faults().is_empty());
    }

    #[tokio::test]
    async fn a_lost_reply_leaves_the_work_done() {
        let server = start(OdooVersion::V17, 0).await;
        server.control().fault(FaultRule::once(Fault::LoseReply).method("load"));
        let rows = json!([["id", "name"], [["zoho.item_1", "One"]]]);
        assert!(call(&server, "product.template", "load", rows.clone()).await.is_err());
        let again = result(call(&server, "product.template", "load", rows).await);
        assert_eq!(server.control().external_ids("product.template")["zoho.item_1"], again["ids"][0]);
        assert_eq!(server.control().ids("product.template").unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_late_commit_appears_with_the_stamp_of_its_beginning() {
        let server = start(OdooVersion::V19, 0).await;
        let control = server.control();
        control.freeze_clock("2026-11-21 10:00:00.250000").unwrap();
        let slow = control.begin(created("slow")).unwrap();
        control.freeze_clock("2026-11-21 10:05:00").unwrap();
        let fast = control.edit(created("fast")).unwrap();
        let slow = control.commit(slow).unwrap();
        assert!(slow[0] < fast[0], "the slow one took its id first");
        let row = control.row("res.partner", slow[0], &["write_date"]).unwrap().unwrap();
        assert_eq!(row["write_date"], "2026-11-21 10:00:00.250000");
    }

    #[tokio::test]
    async fn a_page_of_a_large_catalogue_costs_a_page() {
        let server = start(OdooVersion::V17, 200_000).await;
        let domain = json!([
            [["id", ">", 150_000], ["write_date", ">=", "2025-01-01 00:00:00"]],
            ["name"],
            0,
            500,
            "id asc"
        ]);
        let begun = Instant::now();
        let page = result(call(&server, "product.template", "search_read", domain).await);
        assert_eq!(page.as_array().unwrap().len(), 500);
        // A scan of all rows takes seconds in an unoptimized build; a page takes milliseconds.
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        let scan = Instant::now();
        let count = result(
            call(
                &server,
                "product.template",
                "search_count",
                json!([[["write_date", ">=", "2026-06-01 00:00:00"]]]),
            )
            .await,
        );
        println!("write_date over 200,000 rows: {count} in {:?}", scan.elapsed());
        assert!(count.as_i64().unwrap() > 0);
    }
}
