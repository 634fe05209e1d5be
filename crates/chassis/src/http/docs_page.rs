//! A readable page of the OpenAPI document, complete in itself: it must work without the internet.

use std::fmt::Write;

use serde_json::Value;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;\
padding:0 1rem;color:#222;background:#fff}code,pre{font:14px/1.4 ui-monospace,monospace}\
section{border-top:1px solid #ccc;padding:.5rem 0}h2 code{font-size:1rem}\
table{border-collapse:collapse}td,th{text-align:left;padding:.15rem 1rem .15rem 0;vertical-align:top}\
b{display:inline-block;min-width:4.5rem}pre{background:#f4f4f4;padding:.5rem;overflow:auto}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}pre{background:#262626}}";

/// The page of one service.
pub(crate) fn render(service: &str, document: &str) -> String {
    let api: Value = serde_json::from_str(document).unwrap_or_default();
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Flotilla {service}</title>\
         <style>{STYLE}</style><h1>Flotilla {service}</h1>\
         <p>The same as a document: <a href=\"/openapi.json\">/openapi.json</a> (OpenAPI 3.1). \
         Errors are problem details (RFC 9457), <code>application/problem+json</code>.</p>"
    );
    for (path, methods) in api["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            section(&mut page, path, method, operation);
        }
    }
    page.push_str("<h2>Schemas</h2>");
    for (name, schema) in api["components"]["schemas"].as_object().into_iter().flatten() {
        let text = serde_json::to_string_pretty(schema).unwrap_or_default();
        let (name, text) = (escape(name), escape(&text));
        put(&mut page, format_args!("<section><h3>{name}</h3><pre>{text}</pre></section>"));
    }
    page
}

fn section(page: &mut String, path: &str, method: &str, operation: &Value) {
    let text = |value: &Value| escape(value.as_str().unwrap_or_default());
    let title = format!("<b>{}</b> {}", escape(&method.to_uppercase()), escape(path));
    put(page, format_args!("<section><h2><code>{title}</code></h2>"));
    put(
        page,
        format_args!(
            "<p>{} {}</p><table>",
            text(&operation["summary"]),
            text(&operation["description"])
        ),
    );
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        put(
            page,
            format_args!(
                "<tr><td>{}</td><td><code>{}</code></td><td>{}</td></tr>",
                text(&parameter["in"]),
                text(&parameter["name"]),
                text(&parameter["description"])
            ),
        );
    }
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let description = text(&response["description"]);
        put(
            page,
            format_args!(
                "<tr><td>answer</td><td>{}</td><td>{description}</td></tr>",
                escape(status)
            ),
        );
    }
    page.push_str("</table></section>");
}

fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("writing to a string cannot fail");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
