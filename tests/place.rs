//! A place to run the program in: a folder of its own with a configuration, and the program as a process.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use sandbox::OdooSandbox;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// The variable that the program takes the password from.
pub(crate) const PASSWORD: &str = "CATALOG_SYNC_ODOO_ERP_PASSWORD";
/// The variable that the program takes an API key from.
pub(crate) const API_KEY: &str = "CATALOG_SYNC_ODOO_ERP_API_KEY";

/// A folder with `catalog-sync.toml`; removed when dropped.
pub(crate) struct Place {
    folder: TempDir,
    secrets: Vec<(&'static str, String)>,
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    /// Customers and products of this stand-in, signed in with the password, into the folder `out`.
    pub(crate) fn new(sandbox: &OdooSandbox) -> Self {
        Self::with_secret(sandbox, PASSWORD, sandbox.password())
    }

    /// As [`Place::new`], with another secret.
    pub(crate) fn with_secret(sandbox: &OdooSandbox, variable: &'static str, secret: &str) -> Self {
        let configuration = Self::usual_configuration(&sandbox.url(), sandbox.database(), sandbox.login());
        Self::configured(&configuration, vec![(variable, secret.to_owned())])
    }

    /// With this configuration, and these secrets in the environment.
    pub(crate) fn configured(configuration: &str, secrets: Vec<(&'static str, String)>) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), secrets };
        place.configure(configuration);
        place
    }

    pub(crate) fn usual_configuration(url: &str, database: &str, login: &str) -> String {
        format!(
            "[odoo.erp]\nurl = \"{url}\"\ndatabase = \"{database}\"\nuser = \"{login}\"\ntimeout = \"20s\"\n\
             [json.files]\nfolder = \"out\"\n\
             [pipeline.customers]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nentity = \"customers\"\n\
             [pipeline.products]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nentity = \"products\"\n"
        )
    }

    pub(crate) fn configure(&self, text: &str) {
        std::fs::write(self.path("catalog-sync.toml"), text).unwrap();
    }

    /// Changes the configuration's text.
    pub(crate) fn reconfigure(&self, from: &str, to: &str) {
        let path = self.path("catalog-sync.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from:?} is not in the configuration");
        self.configure(&text.replace(from, to));
    }

    /// One more variable.
    pub(crate) fn add_secret(&mut self, variable: &'static str, value: &str) {
        self.secrets.push((variable, value.to_owned()));
    }

    /// This secret in the place of all others.
    pub(crate) fn set_secret(&mut self, variable: &'static str, secret: &str) {
        self.secrets = vec![(variable, secret.to_owned())];
    }

    /// Another value of one secret.
    pub(crate) fn replace_secret(&mut self, variable: &str, secret: &str) {
        let known = self.secrets.iter_mut().find(|(known, _)| *known == variable);
        secret.clone_into(&mut known.unwrap().1);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn customers(&self) -> PathBuf {
        self.path("out/odoo_customers.json")
    }

    pub(crate) fn products(&self) -> PathBuf {
        self.path("out/odoo_products.json")
    }

    /// The program with these arguments, to be started; killed when dropped.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.prepared(env!("CARGO_BIN_EXE_catalog-sync-under-test"), arguments)
    }

    /// Runs another program here, with the same environment.
    pub(crate) async fn command_of(&self, program: &str, arguments: &[&str]) -> Ran {
        ended(self.prepared(program, arguments)).await
    }

    fn prepared(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            // Where two processes of one machine would meet; what wants a page says so.
            .env("CATALOG_SYNC_PAGE_LISTEN", "")
            .envs(self.secrets.iter().map(|(variable, secret)| (*variable, secret)))
            .current_dir(self.folder.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// With what it says on standard error in a file.
    pub(crate) fn start_logged(&self, arguments: &[&str], log: &std::path::Path) -> Child {
        let log = std::fs::File::create(log).unwrap();
        self.command(arguments).stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        ended(self.command(arguments)).await
    }

    /// `sync --json`, which must end with code 0: its object.
    pub(crate) async fn sync(&self) -> Synced {
        let ran = self.run(&["sync", "--json"]).await;
        assert_eq!(ran.code(), 0, "{ran:?}");
        Synced(ran.json())
    }
}

async fn ended(mut command: Command) -> Ran {
    let output = command.output().await.unwrap();
    Ran {
        status: output.status,
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ran {
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts exit code and that some text was said.
    pub(crate) fn expect(&self, code: i32, says: &[&str]) {
        assert_eq!(self.code(), code, "{self:?}");
        let said = format!("{}{}", self.stdout, self.stderr);
        for text in says {
            assert!(said.contains(text), "{text:?} was not said: {self:?}");
        }
    }
}

/// The object that `sync --json` prints.
pub(crate) struct Synced(Value);

impl Synced {
    /// Numbers and words of one pipeline.
    pub(crate) fn of(&self, pipeline: &str) -> &Value {
        let all = self.0["pipelines"].as_array().unwrap();
        all.iter().find(|report| report["pipeline"] == pipeline).unwrap()
    }

    /// A count out of a pipeline's ledger.
    pub(crate) fn count(&self, pipeline: &str, outcome: &str) -> u64 {
        self.of(pipeline)["outcomes"][outcome].as_u64().unwrap_or_else(|| panic!("{}", self.0))
    }

    pub(crate) fn is_full(&self, pipeline: &str) -> bool {
        self.of(pipeline)["kind"] == "full"
    }
}
