//! Answers as YAML. Our answers are JSON values, so a writer of those is all that it takes; text is quoted as in JSON,
//! which YAML reads alike.

use serde_json::Value;

/// A document with the mark that begins one: several may follow each other.
pub(super) fn document(value: &Value) -> String {
    let mut text = String::from("---\n");
    match value {
        Value::Object(_) | Value::Array(_) if !is_empty(value) => block(value, 0, &mut text),
        plain => {
            text.push_str(&scalar(plain));
            text.push('\n');
        }
    }
    text
}

/// The lines of a list or an object that is not empty.
fn block(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                indent(depth, text);
                text.push_str(&key(name));
                text.push(':');
                below(field, depth, text);
            }
        }
        Value::Array(items) => {
            for item in items {
                indent(depth, text);
                text.push('-');
                below(item, depth, text);
            }
        }
        _plain => {}
    }
}

/// What stands behind a name or a dash: on the same line, or in lines of its own.
fn below(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(_) | Value::Array(_) if !is_empty(value) => {
            text.push('\n');
            block(value, depth + 1, text);
        }
        plain => {
            text.push(' ');
            text.push_str(&scalar(plain));
            text.push('\n');
        }
    }
}

fn indent(depth: usize, text: &mut String) {
    (0..depth).for_each(|_| text.push_str("  "));
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(|fields| fields.is_empty())
        || value.as_array().is_some_and(Vec::is_empty)
}

fn scalar(value: &Value) -> String {
    value.to_string()
}

/// A name that is a plain word stands as it is, except the words that mean something else.
fn key(name: &str) -> String {
    let is_word = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    let means_more = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"]
        .contains(&name.to_ascii_lowercase().as_str());
    match is_word && !means_more {
        true => name.to_owned(),
        false => Value::from(name).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::document;

    #[test]
    fn what_is_empty_quoted_or_nested_stands_where_it_belongs() {
        let value = json!({ "no": [], "items": [{ "sku": "tea: 1", "free": 3 }, [true, null]] });
        let expected = "---\nitems:\n  -\n    free: 3\n    sku: \"tea: 1\"\n  -\n    - true\n    - null\n\"no\": []\n";
        assert_eq!(document(&value), expected);
        assert_eq!(document(&json!([])), "---\n[]\n");
    }
}
