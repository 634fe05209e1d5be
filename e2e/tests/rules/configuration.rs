//! The page of settings is what the programs read.

use crate::documents::is_current;

#[test]
fn the_page_of_settings_is_what_the_programs_say() {
    is_current("configuration.md", &e2e::configuration::document());
}
