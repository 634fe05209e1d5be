//! The migrations are compiled in: without this line a new one would not be noticed.
fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
