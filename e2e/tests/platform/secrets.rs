//! Secrets: those that services read from files, and those that External Secrets makes.

use std::path::Path;

use serde_json::{Value, json};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use crate::tools::{HELMS, list, name_of, objects, render, rendered, run};

/// What a URL gives a meaning to, and what is only sometimes written as something else.
const HARD: &str = "a b/c:d@e%20f+g?h#i&j=k'l\"m{n}";

/// What the templates of all ExternalSecrets of databases make as URL, with where they are from.
fn templates() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (origin, objects) in rendered() {
        for object in objects.iter().filter(|object| object["kind"] == "ExternalSecret") {
            let data = object["spec"]["target"]["template"]["data"].as_object();
            let urls = data.into_iter().flatten().filter_map(|(_, text)| text.as_str());
            let urls = urls.filter(|text| text.starts_with("postgres://"));
            found.extend(
                urls.map(|text| (format!("{origin}, {}", name_of(object)), text.to_owned())),
            );
        }
    }
    found
}

/// Renders a template of External Secrets. Helm has the same functions: those of Go's templates, and Sprig's.
fn rendered_by_helm(template: &str, entry: &Value) -> String {
    let chart = Path::new(env!("CARGO_TARGET_TMPDIR")).join("one-template");
    std::fs::create_dir_all(chart.join("templates")).unwrap();
    std::fs::write(chart.join("Chart.yaml"), "{apiVersion: v2, name: one, version: 1.0.0}\n")
        .unwrap();
    let of_values = format!(
        "{{{{ define \"one\" }}}}{template}{{{{ end -}}}}\n\
         kind: One\nurl: {{{{ include \"one\" .Values | quote }}}}\n"
    );
    std::fs::write(chart.join("templates/one.yaml"), of_values).unwrap();
    std::fs::write(chart.join("values.yaml"), entry.to_string()).unwrap();
    let yaml = run("bin/helm", &["template", "one", chart.to_str().unwrap()], "").unwrap();
    objects(&yaml)[0]["url"].as_str().unwrap().to_owned()
}

#[test]
fn whatever_is_in_a_password_is_in_the_url_that_is_made_of_it() {
    let templates = templates();
    assert!(templates.len() > 20, "{templates:?}");
    let mut different: Vec<_> = templates.iter().map(|(_, template)| template).collect();
    different.sort();
    different.dedup();
    let entry =
        json!({ "username": HARD, "password": HARD, "address": "db.example.com:6432/order" });
    let options = PgConnectOptions::new_without_pgpass();
    let options = options.host("db.example.com").port(6432).database("order");
    let expected = options.username("plain").password(HARD).to_url_lossy();
    for template in different {
        let url = rendered_by_helm(template, &entry);
        let read: PgConnectOptions = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
        assert_eq!(read.get_username(), HARD, "{template}");
        // A password can only be seen in the URL that is made of the options, and that takes plain names alone.
        assert_eq!(read.username("plain").to_url_lossy(), expected, "{template}: {url}");
    }
}

#[test]
fn a_service_reads_several_files_of_one_secret_and_none_that_was_taken_out() {
    let (_, objects) =
        rendered().iter().find(|(origin, _)| origin.ends_with("with fifth")).unwrap();
    let named = |object: &&Value| name_of(object) == "Deployment/flotilla-loyalty";
    let pod = &objects.iter().find(named).unwrap()["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    for (variable, volume, key) in [
        ("MAIL_KEY_FILE", "secret-mail-key", "key"),
        ("MAIL_SIGNATURE_FILE", "secret-mail-signature", "signature"),
    ] {
        let one = |place: &Value, what: &str| {
            list(place).find(|entry| entry["name"] == *what).cloned().unwrap_or_default()
        };
        let folder = format!("/run/secrets/flotilla/{volume}");
        assert_eq!(one(&container["env"], variable)["value"], format!("{folder}/value"));
        assert_eq!(one(&container["volumeMounts"], volume)["mountPath"], folder);
        let secret = &one(&pod["volumes"], volume)["secret"];
        assert_eq!(secret["secretName"], "mail");
        assert_eq!(secret["items"], json!([{ "key": key, "path": "value" }]));
    }
    assert!(!pod.to_string().contains("FORMER_KEY_FILE"), "{pod}");
}

#[test]
fn a_secret_with_several_files_is_made_once() {
    let more =
        ["--set-json", "externalSecrets={\"enabled\": true, \"storeRef\": {\"name\": \"vault\"}}"];
    let objects = objects(&render("bin/helm", "fifth", &more).unwrap());
    let made: Vec<_> =
        objects.iter().filter(|object| name_of(object) == "ExternalSecret/mail").collect();
    let [mail] = made[..] else { panic!("{made:?}") };
    let keys: Vec<_> = list(&mail["spec"]["data"]).map(|entry| &entry["secretKey"]).collect();
    assert_eq!(json!(keys), json!(["key", "signature"]));
}

#[test]
fn a_secret_of_files_is_not_that_of_a_database() {
    let store = "externalSecrets={\"enabled\": true, \"storeRef\": {\"name\": \"vault\"}}";
    for secret in ["loyalty-database", "order-database-owner"] {
        let file =
            format!("services.loyalty.secretFiles.MAIL_KEY_FILE.existingSecret=\"{secret}\"");
        let more = ["--set-json", store, "--set-json", &file];
        let said = render("bin/helm", "fifth", &more).unwrap_err();
        assert!(said.contains(&format!("the Secret {secret} is that of a database")), "{said}");
    }
}

#[test]
fn two_secret_files_never_share_a_folder() {
    let both = "services.loyalty.secretFiles.FLOTILLA_MAIL_KEY_FILE={\"existingSecret\": \"a\", \"key\": \"b\"}";
    let said = render("bin/helm", "fifth", &["--set-json", both]).unwrap_err();
    assert!(
        said.contains("FLOTILLA_MAIL_KEY_FILE and MAIL_KEY_FILE mount the same folder"),
        "{said}"
    );
    // Not the folder of the database either, and no name that Kubernetes would refuse.
    let longest = format!("A{}_FILE", "B".repeat(54));
    for (variable, volume) in
        [("DATABASE_FILE", "secret-database"), (&longest, &format!("secret-a{}", "b".repeat(54)))]
    {
        let value = "{\"existingSecret\": \"a\", \"key\": \"b\"}";
        let more = format!("services.loyalty.secretFiles.{variable}={value}");
        let rendered = render("bin/helm", "fifth", &["--set-json", &more]).unwrap();
        assert!(rendered.contains(&format!("name: {volume}\n")), "{variable}");
        assert!(volume.len() <= 63, "{volume}");
    }
}

#[test]
fn a_secret_file_says_its_secret_and_key_and_is_one_that_the_service_reads() {
    let at = |service: &str, secrets: &str| format!("services.{service}.secretFiles={secrets}");
    let ours = "FLOTILLA_PROVIDER_KEY_FILE";
    for (value, complaint) in [
        (at("loyalty", "{\"A_FILE\": {\"existingSecret\": \"a\"}}"), "missing property 'key'"),
        (at("loyalty", "{\"A_FILE\": {\"key\": \"a\"}}"), "missing property 'existingSecret'"),
        (
            at("loyalty", "{\"A_FILE\": {\"existingSecret\": \"a\", \"key\": \"b\", \"mode\": 1}}"),
            "additional properties 'mode' not allowed",
        ),
        (at("loyalty", "{\"a-file\": null}"), "additional properties 'a-file' not allowed"),
        (at("loyalty", "{\"MAIL_KEY\": null}"), "additional properties 'MAIL_KEY' not allowed"),
        (at("loyalty", "{\"MAIL__FILE\": null}"), "additional properties 'MAIL__FILE' not allowed"),
        (
            at(
                "payment",
                "{\"FLOTILLA_PROVDER_KEY_FILE\": {\"existingSecret\": \"a\", \"key\": \"b\"}}",
            ),
            "additional properties 'FLOTILLA_PROVDER_KEY_FILE' not allowed",
        ),
        (
            at("order", &format!("{{\"{ours}\": {{\"existingSecret\": \"a\", \"key\": \"b\"}}}}")),
            ours,
        ),
    ] {
        for helm in HELMS {
            let said = render(helm, "fifth", &["--set-json", &value]).unwrap_err();
            assert!(said.contains(complaint), "{helm}: {value}: {said}");
        }
    }
    for helm in HELMS {
        let without = render(
            helm,
            "fifth",
            &["--set-json", &at("payment", &format!("{{\"{ours}\": null}}"))],
        );
        assert!(!without.unwrap().contains(ours), "{helm}");
    }
}
