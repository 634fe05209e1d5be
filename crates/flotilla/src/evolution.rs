//! How two versions of a schema differ, and what that means for those who write and read it: which rule allows or
//! refuses each change, and what to do instead. A registry says only that two versions do not go together.
//!
//! Topics are kept for ever and services are upgraded one by one, so each version reads what any other wrote. Where
//! Avro lets a change pass that changes what a value means, it is refused here.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

/// One difference between two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The field, by its path from the record; empty for the record itself.
    pub at: String,
    /// What is different there.
    pub what: What,
}

/// A kind of difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A field is new.
    FieldAdded {
        /// Whether a reader has something in its place.
        has_default: bool,
    },
    /// A field is gone.
    FieldRemoved {
        /// Whether readers of the older version have something in its place.
        had_default: bool,
    },
    /// A field has another default, or none any more.
    DefaultChanged {
        /// Whether it has one.
        has_default: bool,
    },
    /// The type is another one.
    TypeChanged {
        /// What it was.
        from: String,
        /// What it is.
        to: String,
    },
    /// The same type means something else, such as a time in place of a number.
    MeaningChanged {
        /// What it meant.
        from: String,
        /// What it means.
        to: String,
    },
    /// A record, an enum or a fixed has another name.
    Renamed {
        /// Its full name before.
        from: String,
        /// Its full name now.
        to: String,
    },
    /// An enum has one more symbol.
    SymbolAdded {
        /// The symbol.
        symbol: String,
        /// Whether readers that do not know it have something in its place.
        has_default: bool,
    },
    /// An enum lacks a symbol that it had.
    SymbolRemoved {
        /// The symbol.
        symbol: String,
        /// Whether readers that do not know it any more have something in its place.
        has_default: bool,
    },
    /// An enum lost the symbol that stands for those that a reader does not know, or has another one.
    EnumDefaultChanged {
        /// Whether it has one.
        has_default: bool,
    },
    /// Fields are in another order.
    FieldsReordered,
}

/// What may be done about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the new version may be released.
    pub is_allowed: bool,
    /// Why, in one sentence.
    pub rule: &'static str,
    /// What leads to the same end, where it may not.
    pub instead: Option<&'static str>,
}

impl What {
    /// Whether the change is allowed.
    pub fn verdict(&self) -> Verdict {
        let allowed = |rule| Verdict { is_allowed: true, rule, instead: None };
        let refused = |rule, instead| Verdict { is_allowed: false, rule, instead: Some(instead) };
        match self {
            What::FieldAdded { has_default: true } => {
                allowed("a reader takes the default where an older writer has no such field")
            }
            What::FieldAdded { has_default: false } => refused(
                "what was written before has no such field, and a reader has nothing in its place",
                "give it a default that says that it is not known",
            ),
            // A reader of the older version takes its default, and never learns that nobody says it any more.
            What::FieldRemoved { .. } => refused(
                "those who read it would silently read nothing, or something that nobody said",
                "keep it, and say in its doc what is to be read in its place",
            ),
            What::DefaultChanged { has_default: true } => {
                allowed("a default is the reader's; what was written stays as it is")
            }
            What::DefaultChanged { has_default: false } => {
                refused("versions without the field can no longer be read", "keep the default")
            }
            What::TypeChanged { .. } => refused(
                "one of the two versions cannot read what the other wrote",
                "add a field of the new type beside it, with a default",
            ),
            What::MeaningChanged { .. } => refused(
                "both versions can be read, and the same bytes mean something else",
                "add a field with the new meaning beside it, with a default",
            ),
            What::Renamed { .. } => refused(
                "a record is known by its name: it would be another one",
                "keep the name; if it is another fact, write another record",
            ),
            What::SymbolAdded { has_default: true, .. } => {
                allowed("a reader that does not know the symbol takes the enum's default")
            }
            What::SymbolAdded { has_default: false, .. } => refused(
                "a reader that does not know the symbol has nothing in its place",
                "add a field for what is new; an enum without a default cannot grow",
            ),
            What::SymbolRemoved { .. } => refused(
                "what was written with the symbol would be read as another one, or not at all",
                "keep the symbol, and write it no more",
            ),
            What::EnumDefaultChanged { has_default: true } => {
                allowed("a default is the reader's; what was written stays as it is")
            }
            What::EnumDefaultChanged { has_default: false } => {
                refused("no symbol could ever be added again", "keep the default")
            }
            What::FieldsReordered => allowed("a reader finds fields by their names"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.at.is_empty() {
            write!(f, "{}: ", self.at)?;
        }
        let default = |has| if has { "with a default" } else { "without a default" };
        match &self.what {
            What::FieldAdded { has_default } => write!(f, "added, {}", default(*has_default)),
            What::FieldRemoved { had_default } => write!(f, "removed, {}", default(*had_default)),
            What::DefaultChanged { has_default: true } => write!(f, "has another default"),
            What::DefaultChanged { has_default: false } => write!(f, "has no default any more"),
            What::TypeChanged { from, to } => write!(f, "is {to}, was {from}"),
            What::MeaningChanged { from, to } => write!(f, "means {to}, meant {from}"),
            What::Renamed { from, to } => write!(f, "is called {to}, was called {from}"),
            What::SymbolAdded { symbol, .. } => write!(f, "has the symbol {symbol}"),
            What::SymbolRemoved { symbol, .. } => write!(f, "lacks the symbol {symbol}"),
            What::EnumDefaultChanged { has_default: true } => {
                write!(f, "has another symbol for unknown ones")
            }
            What::EnumDefaultChanged { has_default: false } => {
                write!(f, "has no symbol for unknown ones any more")
            }
            What::FieldsReordered => write!(f, "has its fields in another order"),
        }
    }
}

/// The differences between two versions of a schema, in the order of the newer one's fields.
///
/// # Errors
/// When one of them is no JSON.
pub fn changes(older: &str, newer: &str) -> Result<Vec<Change>, serde_json::Error> {
    let (older, newer): (Value, Value) =
        (serde_json::from_str(older)?, serde_json::from_str(newer)?);
    let mut names = [Names::default(), Names::default()];
    names[0].learn(&older, "");
    names[1].learn(&newer, "");
    let [old_names, new_names] = names;
    let mut compared = Compared { old_names, new_names, found: Vec::new(), open: Vec::new() };
    compared.types("", &older, &newer);
    Ok(compared.found)
}

/// The named types of a schema, which are described once and then called by their names.
#[derive(Default)]
struct Names(BTreeMap<String, Value>);

impl Names {
    fn learn(&mut self, schema: &Value, namespace: &str) {
        match schema {
            Value::Array(branches) => {
                branches.iter().for_each(|branch| self.learn(branch, namespace));
            }
            Value::Object(described) => {
                let own = full_name(described, namespace);
                let space = own.as_ref().and_then(|name| name.rsplit_once('.'));
                let namespace = space.map_or(namespace, |(space, _name)| space).to_owned();
                if let Some(name) = &own {
                    let mut schema = schema.clone();
                    schema["namespace"] = namespace.clone().into();
                    self.0.insert(name.clone(), schema);
                }
                for inner in ["type", "items", "values"] {
                    if let Some(inner) = described.get(inner) {
                        self.learn(inner, &namespace);
                    }
                }
                let fields = described.get("fields").and_then(Value::as_array);
                for field in fields.into_iter().flatten() {
                    self.learn(&field["type"], &namespace);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// What a name stands for, or the schema as it is. A short name is looked for in every namespace: a schema does not
    /// use one for two types.
    fn resolve(&self, schema: &Value) -> Value {
        let Some(name) = schema.as_str() else { return schema.clone() };
        let short = format!(".{name}");
        let mut named = self.0.iter().filter(|(full, _)| *full == name || full.ends_with(&short));
        named.next().map_or_else(|| schema.clone(), |(_name, described)| described.clone())
    }
}

impl Names {
    /// What sort of type it is; of a union, all of its branches.
    fn kind(&self, schema: &Value) -> String {
        match self.resolve(schema) {
            Value::String(name) => name,
            Value::Array(branches) => {
                branches.iter().map(|one| self.kind(one)).collect::<Vec<_>>().join(" or ")
            }
            Value::Object(described) => match described.get("type") {
                Some(Value::String(name)) => name.clone(),
                Some(inner) => self.kind(inner),
                None => "nothing".to_owned(),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) => "nothing".to_owned(),
        }
    }

    /// A type in few words.
    fn shown(&self, schema: &Value) -> String {
        let name = schema.get("name").and_then(Value::as_str);
        name.map_or_else(|| self.kind(schema), |name| format!("{} {name}", self.kind(schema)))
    }
}

/// The full name of a described type that has one.
fn full_name(described: &Map<String, Value>, namespace: &str) -> Option<String> {
    let is_named = matches!(described.get("type")?.as_str()?, "record" | "enum" | "fixed");
    let name = described.get("name")?.as_str().filter(|_| is_named)?;
    let space = described.get("namespace").and_then(Value::as_str).unwrap_or(namespace);
    Some(match name.contains('.') || space.is_empty() {
        true => name.to_owned(),
        false => format!("{space}.{name}"),
    })
}

struct Compared {
    old_names: Names,
    new_names: Names,
    found: Vec<Change>,
    /// Pairs of records that are being compared: a record may have itself within it.
    open: Vec<(String, String)>,
}

impl Compared {
    fn note(&mut self, at: &str, what: What) {
        self.found.push(Change { at: at.to_owned(), what });
    }

    fn types(&mut self, at: &str, older: &Value, newer: &Value) {
        let older = self.old_names.resolve(older);
        let newer = self.new_names.resolve(newer);
        let (from, to) = (self.old_names.kind(&older), self.new_names.kind(&newer));
        if from != to {
            let (from, to) = (self.old_names.shown(&older), self.new_names.shown(&newer));
            return self.note(at, What::TypeChanged { from, to });
        }
        if let (Some(before), Some(after)) = (older.as_array(), newer.as_array()) {
            let branches = before.iter().zip(after);
            return branches.for_each(|(before, after)| self.types(at, before, after));
        }
        let meaning = |schema: &Value| {
            let logical = schema.get("logicalType").and_then(Value::as_str).unwrap_or(to.as_str());
            let part = |name: &str| schema.get(name).map(|value| format!(" {name} {value}"));
            let parts = ["size", "precision", "scale"].into_iter().filter_map(part);
            parts.fold(logical.to_owned(), |meaning, part| meaning + &part)
        };
        let (meant, means) = (meaning(&older), meaning(&newer));
        if meant != means {
            self.note(at, What::MeaningChanged { from: meant, to: means });
        }
        match to.as_str() {
            "record" => self.records(at, &older, &newer),
            "enum" => self.enums(at, &older, &newer),
            "fixed" => self.names(at, &older, &newer),
            "array" => self.types(&format!("{at}[]"), &older["items"], &newer["items"]),
            "map" => self.types(&format!("{at}{{}}"), &older["values"], &newer["values"]),
            _primitive => {}
        }
    }

    fn names(&mut self, at: &str, older: &Value, newer: &Value) {
        let name = |schema: &Value| {
            let name = schema.as_object().and_then(|described| full_name(described, ""));
            name.unwrap_or_default()
        };
        let (from, to) = (name(older), name(newer));
        if from != to {
            self.note(at, What::Renamed { from, to });
        }
    }

    fn records(&mut self, at: &str, older: &Value, newer: &Value) {
        let pair = (older["name"].to_string(), newer["name"].to_string());
        if self.open.contains(&pair) {
            return;
        }
        self.open.push(pair);
        self.names(at, older, newer);
        let (before, after) = (fields(older), fields(newer));
        let path_of =
            |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
        for (name, field) in &after {
            let path = path_of(name);
            let Some((_, was)) = before.iter().find(|(known, _)| known == name) else {
                let has_default = field.get("default").is_some();
                self.note(&path, What::FieldAdded { has_default });
                continue;
            };
            if was.get("default") != field.get("default") {
                let has_default = field.get("default").is_some();
                // One that had none can only gain.
                self.note(&path, What::DefaultChanged { has_default });
            }
            self.types(&path, &was["type"], &field["type"]);
        }
        for (name, was) in &before {
            if !after.iter().any(|(kept, _)| kept == name) {
                let path = path_of(name);
                let had_default = was.get("default").is_some();
                self.note(&path, What::FieldRemoved { had_default });
            }
        }
        let kept = |of: &[(&str, &Value)], other: &[(&str, &Value)]| -> Vec<String> {
            let names = of.iter().map(|(name, _)| (*name).to_owned());
            names.filter(|name| other.iter().any(|(known, _)| known == name)).collect()
        };
        if kept(&before, &after) != kept(&after, &before) {
            self.note(at, What::FieldsReordered);
        }
        self.open.pop();
    }

    fn enums(&mut self, at: &str, older: &Value, newer: &Value) {
        self.names(at, older, newer);
        let symbols = |schema: &Value| -> Vec<String> {
            let symbols = schema["symbols"].as_array().into_iter().flatten();
            symbols.filter_map(|symbol| Some(symbol.as_str()?.to_owned())).collect()
        };
        let (before, after) = (symbols(older), symbols(newer));
        let default = |schema: &Value| schema.get("default").cloned();
        // Older readers take their own default for what is new, today's theirs for what is gone.
        for symbol in after.iter().filter(|symbol| !before.contains(symbol)) {
            let has_default = default(older).is_some();
            self.note(at, What::SymbolAdded { symbol: symbol.clone(), has_default });
        }
        for symbol in before.iter().filter(|symbol| !after.contains(symbol)) {
            let has_default = default(newer).is_some();
            self.note(at, What::SymbolRemoved { symbol: symbol.clone(), has_default });
        }
        if default(older).is_some() && default(older) != default(newer) {
            self.note(at, What::EnumDefaultChanged { has_default: default(newer).is_some() });
        }
    }
}

fn fields(record: &Value) -> Vec<(&str, &Value)> {
    let fields = record["fields"].as_array().into_iter().flatten();
    fields.filter_map(|field| Some((field["name"].as_str()?, field))).collect()
}

#[cfg(test)]
mod tests;
