use super::*;

fn load(text: &str) -> Result<Config, Failure> {
    load_with(text, &|_| None)
}

fn load_with(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Config, Failure> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog-sync.toml");
    std::fs::write(&path, text).unwrap();
    Config::load_with(&path, environment)
}

fn sentence(text: &str) -> String {
    let sentence = load(text).unwrap_err().to_string();
    sentence.split_once("catalog-sync.toml").map_or(sentence.clone(), |(_, rest)| rest.to_owned())
}

const SERVER: &str =
    "[odoo.erp]\nurl = \"https://erp.example\"\ndatabase = \"d\"\n[json.files]\nfolder = \"out\"\n";

fn with_pipeline(lines: &str) -> String {
    format!("{SERVER}[pipeline.customers]\nsource = \"odoo.erp\"\nsink = \"json.files\"\n{lines}")
}

#[test]
fn the_example_is_a_configuration_with_both_entities() {
    let config = load(EXAMPLE).unwrap();
    let names: Vec<_> = config.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
    assert_eq!(names, ["customers", "products"]);
    let (SourceConfig::Odoo(customers), SinkConfig::Json(file)) =
        (&config.pipelines[0].source, &config.pipelines[0].sink)
    else {
        panic!("customers go from Odoo into a file")
    };
    assert!(file.path.ends_with("odoo_database/odoo_customers.json"));
    assert_eq!(customers.columns[0].column.name, "id");
    assert_eq!(customers.overlap, std::time::Duration::from_mins(15));
}

#[test]
fn the_example_with_every_line_uncommented_is_a_configuration_too() {
    let switched_off = |line: &str| line.starts_with('#') && !line.starts_with("# ");
    let text: Vec<&str> = EXAMPLE
        .lines()
        .map(|line| if switched_off(line) { line.trim_start_matches('#') } else { line })
        .collect();
    let text = text.join("\n");
    let config = load(&text).unwrap();
    assert_eq!(config.pipelines.len(), 7);
    let (SourceConfig::Zoho(_), SinkConfig::Odoo(target)) =
        (&config.pipelines[3].source, &config.pipelines[3].sink)
    else {
        panic!("items go from Zoho into Odoo")
    };
    assert_eq!((target.model.as_str(), target.entity.as_str()), ("product.product", "item"));
    assert!(target.images && target.storable);
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_likely_one() {
    assert_eq!(
        sentence(&SERVER.replace("database", "databse")),
        " line 3: there is no key 'databse' here; did you mean 'database'?"
    );
}

#[test]
fn a_secret_in_the_file_is_refused_without_repeating_it() {
    let sentence = sentence(&SERVER.replace("database = \"d\"", "database = \"d\"\npassword = \"geheim\""));
    assert!(sentence.contains("line 4") && sentence.contains("_PASSWORD"), "{sentence}");
    assert!(!sentence.contains("geheim"), "{sentence}");
}

#[test]
fn broken_toml_names_its_line() {
    assert!(sentence("state = \n").starts_with(" line 1:"));
}

#[test]
fn wrong_references_and_values_say_what_to_write() {
    let cases = [
        (with_pipeline("").replace("odoo.erp\"\nsink", "odoo.erb\"\nsink"), "did you mean 'odoo.erp'?"),
        (with_pipeline("entity = \"custmers\"\n"), "did you mean 'customers'?"),
        (with_pipeline("overlap = \"soon\"\n"), "number and s, m, h or d"),
        (with_pipeline("page_size = 0\n"), "use 1 to 5000"),
        (with_pipeline("model = \"res.country\"\n"), "set `fields"),
        (with_pipeline("fields = [\"name\", \"name\"]\n"), "names 'name' twice"),
        (with_pipeline("[pipeline.customers.mapping]\na = 1\n"), "mapping.a is to be"),
        (
            with_pipeline("[pipeline.customers.mapping]\na = { from = \"b\", decimal = 2 }\n"),
            "did you mean 'decimals'?",
        ),
        (
            with_pipeline("[pipeline.customers.mapping]\na = { from = \"b\", decimals = 99 }\n"),
            "from 0 to 15",
        ),
        (with_pipeline("[pipeline.customers.mapping]\na = { concat = [] }\n"), "without fields"),
        (
            with_pipeline("[pipeline.customers.mapping]\na = { from = \"b\", concat = [\"c\"] }\n"),
            "mapping.a is to be",
        ),
        (with_pipeline("[pipeline.Bad]\nsource = \"odoo.erp\"\nsink = \"json.files\"\n"), "no pipeline name"),
        (SERVER.replace("https://", ""), "start it with https://"),
        (
            two_shops("", "").replace("client_id", "reserve_percent = 91\nclient_id"),
            "zoho.north.reserve_percent is more than 90",
        ),
        (SERVER.to_owned(), "add a [pipeline.NAME]"),
    ];
    for (text, expected) in cases {
        let sentence = sentence(&text);
        assert!(sentence.contains(expected), "{sentence}\nlacks {expected}");
    }
}

#[test]
fn two_pipelines_never_write_one_file() {
    let text =
        with_pipeline("[pipeline.b]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nentity = \"customers\"\n");
    assert!(sentence(&text).contains("both write"));
}

/// Two shops into one Odoo; `more` goes to the second.
fn two_shops(first: &str, second: &str) -> String {
    let zoho = |name: &str| {
        format!("[zoho.{name}]\ndata_center = \"eu\"\norganization_id = \"1\"\nclient_id = \"1000.A\"\n")
    };
    let pipeline = |name: &str, more: &str| {
        format!(
            "[pipeline.{name}]\nsource = \"zoho.{name}\"\nsink = \"odoo.erp\"\nentity = \"items\"\nprefix = \"{name}\"\n{more}"
        )
    };
    [SERVER.to_owned(), zoho("north"), zoho("south"), pipeline("north", first), pipeline("south", second)]
        .concat()
}

#[test]
fn two_pipelines_never_write_one_column_of_the_same_records() {
    let by_code = "match_by = [\"default_code\"]\n";
    let sentence = sentence(&two_shops(by_code, by_code));
    assert!(sentence.contains("by 'default_code' and both write 'name'"), "{sentence}");
    load(&two_shops(by_code, "")).unwrap();
    let own = "match_by = [\"default_code\"]\nmapping = { default_code = \"sku\", weight = \"weight?\" }\n";
    load(&two_shops(by_code, own)).unwrap();
}

#[test]
fn only_contacts_have_a_type() {
    assert!(sentence(&two_shops("contact_type = \"vendor\"\n", "")).contains("items have none"));
}

#[test]
fn secrets_come_from_the_environment_or_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "geheim\n").unwrap();
    let file = path.display().to_string();
    let config = load_with(&with_pipeline(""), &|name| {
        (name == "CATALOG_SYNC_ODOO_ERP_PASSWORD_FILE").then(|| file.clone())
    })
    .unwrap();
    assert!(matches!(&config.odoo["erp"].secret, Some(crate::odoo::OdooSecret::Password(secret))
        if secrecy::ExposeSecret::expose_secret(secret) == "geheim"));
    assert!(!format!("{config:?}").contains("geheim"));
}

#[test]
fn pipelines_are_chosen_by_name() {
    let config = load(EXAMPLE).unwrap();
    assert_eq!(config.choose(&["products".to_owned()]).unwrap().len(), 1);
    assert!(
        config.choose(&["product".to_owned()]).unwrap_err().to_string().contains("did you mean 'products'?")
    );
}
