//! Schemas by their fingerprints: two with one fingerprint read and write the same bytes, whatever their docs say.

use anyhow::Result;
use apache_avro::Schema as Avro;
use flotilla::sagas::Schema;
use sha2::{Digest, Sha256};

use super::Event;

/// The schema of an event, as the manifest of the recorded sagas names it.
pub fn fingerprinted(event: &Event) -> Result<Schema> {
    let canonical = Avro::parse_str(event.record.schema)?.canonical_form();
    let sha256 = Sha256::digest(canonical).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Schema { record: event.record.full_name.to_owned(), file: event.file(), sha256 })
}
