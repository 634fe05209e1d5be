//! The files of each crate form no circle: whichever of them is read first, it can be understood with those that it
//! names, and without what names it. A file and the folder that belongs to it count as one subject.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The path of a module, from the crate's root.
type Module = Vec<String>;

#[test]
fn no_two_files_of_a_crate_need_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut crates = 0;
    for folder in ["crates", "services", "examples", "bench", "e2e"] {
        for source in sources_below(&root.join(folder)) {
            crates += 1;
            let circle = circle_in(&needs(&source));
            assert_eq!(circle, None, "in {}: these files need each other", source.display());
        }
    }
    assert!(crates > 8, "only {crates} crates were found");
}

#[test]
fn a_circle_is_found_through_a_list_of_imports_and_through_a_third_file() {
    let files = [
        ("a", "use crate::{x::Y, b::{self, Z}};"),
        ("b", "fn f() { crate::c::f() }"),
        ("c", "use super::a::A;"),
    ];
    assert_eq!(
        circle_of(&files),
        Some(vec!["a", "b", "c"].into_iter().map(str::to_owned).collect())
    );
    let mended = [files[0], files[1], ("c", "// crate::a is not needed\nuse std::fmt;")];
    assert_eq!(circle_of(&mended), None);
}

fn circle_of(files: &[(&str, &str)]) -> Option<BTreeSet<String>> {
    let files = files.iter().map(|(name, text)| (vec![(*name).to_owned()], (*text).to_owned()));
    circle_in(&edges(&files.collect()))
}

/// The `src` folders at most one level down.
fn sources_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let below = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for crate_folder in below.chain([folder.to_owned()]) {
        let source = crate_folder.join("src");
        if crate_folder.join("Cargo.toml").exists() && source.exists() {
            found.push(source);
        }
    }
    found
}

fn needs(source: &Path) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut files = BTreeMap::new();
    read_into(&mut files, source, &[]);
    edges(&files)
}

fn read_into(files: &mut BTreeMap<Module, String>, folder: &Path, above: &[String]) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_stem().unwrap().to_str().unwrap().to_owned();
        let module: Module = above.iter().cloned().chain([name.clone()]).collect();
        if entry.is_dir() {
            read_into(files, &entry, &module);
        } else if entry.extension().is_some_and(|extension| extension == "rs")
            && !["lib", "main", "tests"].contains(&name.as_str())
        {
            files.insert(module, fs::read_to_string(&entry).unwrap());
        }
    }
}

/// Which files each file names, except its own parents and children.
fn edges(files: &BTreeMap<Module, String>) -> BTreeMap<Module, BTreeSet<Module>> {
    let is_family = |a: &Module, b: &Module| a.starts_with(b) || b.starts_with(a);
    let named = |module: &Module, text: &str| {
        let mut paths = Vec::new();
        named_in(text, &mut paths);
        let found = paths.iter().filter_map(|path| file_of(files, module, path));
        found.filter(|file| !is_family(file, module)).collect()
    };
    files.iter().map(|(module, text)| (module.clone(), named(module, text))).collect()
}

/// Every path in a text that begins with `crate`, `super` or `self`, tests and comments left out.
fn named_in(text: &str, paths: &mut Vec<Vec<String>>) {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: Vec<&str> =
        text.lines().map(|line| line.split("//").next().unwrap_or(line)).collect();
    let code = code.join("\n");
    for (at, _) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let before = code[..at].chars().next_back();
        // In the middle of a path, or of a list whose beginning was found already.
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '$') {
            continue;
        }
        tree(&code[at..], Vec::new(), paths);
    }
}

/// Reads one path, or a tree of them as in `a::{b, c::d}`. Returns how much of the text it is.
fn tree(text: &str, mut path: Vec<String>, paths: &mut Vec<Vec<String>>) -> usize {
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        if text[at..].starts_with('{') {
            at += 1;
            while at < text.len() && !text[at..].starts_with('}') {
                at += tree(&text[at..], path.clone(), paths);
                at += text[at..].find([',', '}']).unwrap_or(text.len() - at);
                at += usize::from(text[at..].starts_with(','));
                at += text[at..].len() - text[at..].trim_start().len();
            }
            return (at + 1).min(text.len());
        }
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = text[at..].find(|c| !is_word(c)).unwrap_or(text.len() - at);
        path.push(text[at..at + length].to_owned());
        at += length;
        match text[at..].starts_with("::") {
            true => at += 2,
            false => break,
        }
    }
    paths.push(path);
    at
}

/// The file that a path in `module` leads to: the deepest there is.
fn file_of(files: &BTreeMap<Module, String>, module: &Module, path: &[String]) -> Option<Module> {
    let mut rest = path.iter();
    let mut at: Module = match rest.next()?.as_str() {
        "crate" => Vec::new(),
        _super => module[..module.len() - 1].to_vec(),
    };
    for name in rest {
        if name == "super" {
            at.pop();
            continue;
        }
        at.push(name.clone());
        if !files.contains_key(&at) {
            at.pop();
            break;
        }
    }
    files.contains_key(&at).then_some(at)
}

/// The files of a circle, if there is one: what is left when every file that needs none of the rest is taken away,
/// and then every file that none of the rest needs.
fn circle_in(needs: &BTreeMap<Module, BTreeSet<Module>>) -> Option<BTreeSet<String>> {
    let mut left: BTreeSet<&Module> = needs.keys().collect();
    loop {
        let is_needed = |file: &Module| left.iter().any(|other| needs[*other].contains(file));
        let needs_some = |file: &Module| needs[file].iter().any(|other| left.contains(other));
        let circular: BTreeSet<&Module> =
            left.iter().copied().filter(|file| needs_some(file) && is_needed(file)).collect();
        if circular.len() == left.len() {
            break;
        }
        left = circular;
    }
    (!left.is_empty()).then(|| left.into_iter().map(|file| file.join("::")).collect())
}
