//! The API as others see it: tools that know nothing of this code judge the documents of a running fleet,
//! make clients of them that place orders, and send what the documents allow and what they forbid.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod tools;

use std::path::{Path, PathBuf};

use e2e::documents::all;
use e2e::shop::Shop;
use roster::SERVICES;
use tools::Tools;

/// How many seconds what is sent at random to one port may take.
const SECONDS_AT_RANDOM: u32 = 12;

/// The tools, and a folder for what they make.
struct Bench {
    tools: Tools,
    folder: PathBuf,
}

impl Bench {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // What an earlier run left.
        std::fs::remove_dir_all(&folder).ok();
        std::fs::create_dir_all(&folder).unwrap();
        Bench { tools: Tools::find(), folder }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// The document of the whole fleet.
    fn fleet(&self) -> String {
        let [(_, fleet), _] = all();
        self.file("fleet.json", &fleet)
    }
}

#[tokio::test]
async fn every_document_that_a_port_serves_is_valid_and_leaves_nothing_to_a_linter() {
    let shop = Shop::open().await.unwrap();
    let bench = Bench::new("documents");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut files = vec![bench.fleet()];
    for service in SERVICES {
        for (port, url) in
            [("public", shop.fleet.url(service)), ("admin", shop.fleet.admin_url(service))]
        {
            let document = http.get(format!("{url}/openapi.json")).send().await.unwrap();
            let document = document.text().await.unwrap();
            files.push(bench.file(&format!("{service}-{port}.json"), &document));
        }
    }
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    bench.tools.python("openapi-spec-validator").args(&files).passes();
    let config = bench.tools.source("redocly.yaml");
    let lint =
        bench.tools.node("redocly").args(&["lint", "--max-problems", "50", "--config", &config]);
    let said = lint.args(&files).passes();
    assert!(!said.contains("warning"), "{said}");
}

/// By AsyncAPI's own parser, which is what its command line judges with: 171 packages instead of 1,268
/// (`npm install --dry-run --json @asyncapi/cli@6.2.0`).
#[test]
fn the_asyncapi_document_its_schemas_and_its_examples_are_valid() {
    let bench = Bench::new("asyncapi");
    let document = bench.file("asyncapi.json", &e2e::contract::asyncapi::document());
    bench.tools.copy("asyncapi.mjs", &bench.folder);
    bench.tools.link_modules(&bench.folder);
    let said = bench.tools.script("asyncapi.mjs", &bench.folder).args(&[&document]).passes();
    let events = e2e::contract::events().len();
    assert!(said.contains(&format!("{events} messages")), "{said}");
}

#[tokio::test]
async fn a_client_generated_in_typescript_compiles_and_places_an_order() {
    let shop = Shop::open().await.unwrap();
    let bench = Bench::new("typescript");
    let types = bench.folder.join("fleet.d.ts").display().to_string();
    bench.tools.node("openapi-typescript").args(&[&bench.fleet(), "--output", &types]).passes();
    let program = bench.tools.copy("place.ts", &bench.folder);
    let strict = ["--strict", "--module", "nodenext", "--target", "es2022", "--types", "node"];
    bench.tools.link_modules(&bench.folder);
    bench.file("package.json", "{\"type\":\"module\"}");
    bench.tools.node("tsc").within(&bench.folder).args(&strict).args(&[&program]).passes();
    let (order, inventory) = (shop.fleet.url("order"), shop.fleet.url("inventory"));
    let said = bench.tools.script("place.js", &bench.folder).args(&[&order, &inventory]).passes();
    assert!(said.contains("completed 500 EUR"), "{said}");
}

#[tokio::test]
async fn a_client_generated_in_python_compiles_and_places_an_order() {
    let shop = Shop::open().await.unwrap();
    let bench = Bench::new("python");
    let package = bench.folder.join("client").display().to_string();
    let fleet = bench.fleet();
    let client = bench.tools.python("openapi-python-client");
    let said = client.args(&["generate", "--path", &fleet, "--output-path", &package]).passes();
    assert!(!said.contains("WARNING"), "{said}");
    bench.tools.python("python").args(&["-m", "compileall", "-q", &package]).passes();
    let (order, inventory) = (shop.fleet.url("order"), shop.fleet.url("inventory"));
    let program = bench.tools.source("place.py");
    let shopping = bench.tools.python("python").env("PYTHONPATH", &package);
    let said = shopping.args(&[&program, &order, &inventory]).passes();
    assert!(said.contains("completed 500 EUR"), "{said}");
}

#[tokio::test]
async fn what_the_documents_allow_is_answered_as_they_say_and_what_they_forbid_is_refused() {
    let shop = Shop::open().await.unwrap();
    let bench = Bench::new("at-random");
    let config = bench.tools.source("schemathesis.toml");
    let admin = shop.fleet.admin_url("inventory");
    let ports = SERVICES.iter().map(|service| shop.fleet.url(service)).chain([admin]);
    let seconds = SECONDS_AT_RANDOM.to_string();
    for url in ports {
        let document = format!("{url}/openapi.json");
        let run = ["--config-file", &config, "run", &document, "--max-time", &seconds];
        bench.tools.python("schemathesis").within(&bench.folder).args(&run).passes();
    }
}
