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
        put(
            &mut page,
            format_args!("<section id=\"{name}\"><h3>{name}</h3><pre>{text}</pre></section>"),
        );
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
    let body = schema_link(&operation["requestBody"]["content"]);
    if !body.is_empty() {
        put(page, format_args!("<tr><td>body</td><td></td><td>{body}</td></tr>"));
    }
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let (description, schema) =
            (text(&response["description"]), schema_link(&response["content"]));
        let status = escape(status);
        put(
            page,
            format_args!(
                "<tr><td>answer</td><td>{status}</td><td>{description} {schema}</td></tr>"
            ),
        );
    }
    page.push_str("</table></section>");
}

/// What a body is made of, further down on the page. Empty if there is none, or if it has no name.
fn schema_link(content: &Value) -> String {
    let types = content.as_object().into_iter().flatten();
    let links = types.filter_map(|(_, body)| {
        let name = body["schema"]["$ref"].as_str()?.rsplit('/').next().map(escape)?;
        Some(format!("<a href=\"#{name}\">{name}</a>"))
    });
    links.collect::<Vec<_>>().join(", ")
}

fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("writing to a string cannot fail");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::render;

    #[test]
    fn a_route_is_shown_with_what_it_takes_and_returns_and_a_link_to_the_schema() {
        let schema = |name: &str| {
            json!({ "application/json": { "schema":
            { "$ref": format!("#/components/schemas/{name}") } } })
        };
        let document = json!({
            "paths": { "/orders": { "post": {
                "summary": "Place an order",
                "requestBody": { "content": schema("NewOrder") },
                "responses": { "201": { "description": "placed", "content": schema("Order") } },
            } } },
            "components": { "schemas": { "NewOrder": {}, "Order": { "title": "<script>" } } },
        });
        let page = render("order", &document.to_string());
        for shown in [
            "<b>POST</b> /orders",
            "<td>body</td><td></td><td><a href=\"#NewOrder\">NewOrder</a></td>",
            "<td>201</td><td>placed <a href=\"#Order\">Order</a></td>",
            "<section id=\"Order\">",
            "&lt;script&gt;",
        ] {
            assert!(page.contains(shown), "{shown} is not in {page}");
        }
    }
}
