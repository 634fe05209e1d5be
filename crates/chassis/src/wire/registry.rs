//! The schema registry as services use it: to learn ids. A running service never registers anything;
//! registration is a step of deployment (`flotilla schema register`), which uses the second half.

use std::collections::HashMap;
use std::time::Duration;

use language::RecordInfo;
use reqwest::StatusCode;
use schema_registry_converter::async_impl::schema_registry::{
    SrSettings, is_compatible_schema, post_schema,
};
use schema_registry_converter::schema_registry_common::{SchemaType, SuppliedSchema};
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;

/// How long one request may take. The registry is not in the path of messages whose ids are known.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The compatibility that every subject gets: old readers read new events, new readers read old events,
/// across all versions, as topics are replayed from their beginning.
pub const COMPATIBILITY: &str = "FULL_TRANSITIVE";

/// Why the registry did not answer a question.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// It could not be reached, or has a problem. Worth another try.
    #[error("the schema registry at {url} does not answer")]
    Away {
        /// Where it was looked for.
        url: String,
        /// What happened.
        #[source]
        source: reqwest::Error,
    },
    /// Something answered with a status that says nothing about the question: the registry in trouble, or
    /// a proxy in front of it. Worth another try.
    #[error(
        "the schema registry at {url} answered {status}, which is no answer to the question: {body}"
    )]
    Unexpected {
        /// Where it was looked for.
        url: String,
        /// The status of its answer.
        status: StatusCode,
        /// The beginning of what it said.
        body: String,
    },
    /// The registry's client library failed.
    #[error("the schema registry refused: {0}")]
    Client(String),
}

/// A client of a registry that speaks Confluent's API.
#[derive(Debug, Clone)]
pub struct Registry {
    url: String,
    http: reqwest::Client,
}

#[derive(Deserialize)]
struct Registered {
    id: u32,
}

/// A version of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Version {
    /// Its number, from 1 on.
    pub version: u32,
    /// The id by which values name it.
    pub id: u32,
    /// Its text.
    pub schema: String,
}

#[derive(Deserialize)]
struct SchemaText {
    schema: String,
}

/// Confluent's API says by these numbers what does not exist. The status alone says nothing: a proxy
/// without a route, or a registry that is starting, also says 404.
const NO_SUCH_SUBJECT: u32 = 40401;
const NO_SUCH_VERSION: u32 = 40402;
const NO_SUCH_SCHEMA: u32 = 40403;

/// The most that is read of a refusal: the registry's own are short.
const REFUSAL_BYTES_MAX: usize = 4096;

#[derive(Deserialize)]
struct Refusal {
    error_code: u32,
}

/// The subject of a record on a topic: one subject per record type and topic, as several types share a
/// topic to keep the order of a key (Confluent's `TopicRecordNameStrategy`).
pub fn subject(record: &RecordInfo) -> String {
    format!("{}-{}", record.topic, record.full_name)
}

impl Registry {
    /// A client for the registry at `url`, the root of the Confluent API.
    pub fn new(url: &str) -> Self {
        // No redirects: a registry that sends its clients elsewhere is not the one configured.
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .expect("a client without certificates of its own can be built");
        Registry { url: url.trim_end_matches('/').to_owned(), http }
    }

    /// The id of a schema under its subject, if it is registered.
    pub async fn id_of(&self, subject: &str, schema: &str) -> Result<Option<u32>, RegistryError> {
        let request = self.http.post(format!("{}/subjects/{subject}", self.url));
        let request = request.json(&json!({ "schema": schema, "schemaType": "AVRO" }));
        let found: Option<Registered> =
            self.ask(request, &[NO_SUCH_SUBJECT, NO_SUCH_SCHEMA]).await?;
        Ok(found.map(|registered| registered.id))
    }

    /// The text of the schema with an id, if there is one. `None` if the registry itself says that there is none.
    pub async fn schema(&self, id: u32) -> Result<Option<String>, RegistryError> {
        let request = self.http.get(format!("{}/schemas/ids/{id}", self.url));
        let found: Option<SchemaText> = self.ask(request, &[NO_SUCH_SCHEMA]).await?;
        Ok(found.map(|found| found.schema))
    }

    /// All subjects.
    pub async fn subjects(&self) -> Result<Vec<String>, RegistryError> {
        let request = self.http.get(format!("{}/subjects", self.url));
        Ok(self.ask(request, &[]).await?.unwrap_or_default())
    }

    /// The numbers of a subject's versions; empty when there is no such subject.
    pub async fn versions(&self, subject: &str) -> Result<Vec<u32>, RegistryError> {
        let request = self.http.get(format!("{}/subjects/{subject}/versions", self.url));
        Ok(self.ask(request, &[NO_SUCH_SUBJECT]).await?.unwrap_or_default())
    }

    /// One of them; `None` when there is no such version.
    pub async fn version(
        &self,
        subject: &str,
        number: u32,
    ) -> Result<Option<Version>, RegistryError> {
        let request = self.http.get(format!("{}/subjects/{subject}/versions/{number}", self.url));
        self.ask(request, &[NO_SUCH_SUBJECT, NO_SUCH_VERSION]).await
    }

    /// Registers a schema under its subject with [`COMPATIBILITY`], and returns its id.
    pub async fn register(&self, record: &RecordInfo) -> Result<u32, RegistryError> {
        let subject = subject(record);
        // The rule comes before the first version, so that no version is ever exempt from it.
        let rule = self.http.put(format!("{}/config/{subject}", self.url));
        let rule = rule.json(&json!({ "compatibility": COMPATIBILITY }));
        let _confirmed: Option<serde_json::Value> = self.ask(rule, &[]).await?;
        post_schema(&self.settings()?, subject, supplied(record))
            .await
            .map(|registered| registered.id)
            .map_err(|error| RegistryError::Client(error.to_string()))
    }

    /// Whether a schema may become the next version of its subject. A new subject may have any.
    pub async fn is_compatible(&self, record: &RecordInfo) -> Result<bool, RegistryError> {
        let subject = subject(record);
        if self.versions(&subject).await?.is_empty() {
            return Ok(true);
        }
        is_compatible_schema(&self.settings()?, subject, supplied(record))
            .await
            .map_err(|error| RegistryError::Client(error.to_string()))
    }

    fn settings(&self) -> Result<SrSettings, RegistryError> {
        SrSettings::new_builder(self.url.clone())
            .no_proxy()
            .set_timeout(TIMEOUT)
            .build()
            .map_err(|error| RegistryError::Client(error.to_string()))
    }

    /// Sends a request; `None` if the registry itself says, by one of these codes, that there is no such
    /// thing.
    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
        nothing: &[u32],
    ) -> Result<Option<T>, RegistryError> {
        let away = |source| RegistryError::Away { url: self.url.clone(), source };
        let mut response = request.send().await.map_err(away)?;
        let status = response.status();
        if status.is_success() {
            return response.json().await.map(Some).map_err(away);
        }
        let mut body = Vec::new();
        while body.len() < REFUSAL_BYTES_MAX
            && let Some(chunk) = response.chunk().await.map_err(away)?
        {
            body.extend_from_slice(&chunk);
        }
        if status == StatusCode::NOT_FOUND
            && let Ok(refusal) = serde_json::from_slice::<Refusal>(&body)
            && nothing.contains(&refusal.error_code)
        {
            return Ok(None);
        }
        let body = String::from_utf8_lossy(&body).chars().take(300).collect();
        Err(RegistryError::Unexpected { url: self.url.clone(), status, body })
    }
}

fn supplied(record: &RecordInfo) -> SuppliedSchema {
    SuppliedSchema::new(
        Some(record.full_name.to_owned()),
        SchemaType::Avro,
        record.schema.to_owned(),
    )
}

/// Ids of the schemas compiled in, by subject.
pub(crate) type Ids = HashMap<String, u32>;

/// Reads the ids that earlier starts learned, for exactly these schema texts.
pub(crate) async fn stored_ids(
    db: &mut PgConnection,
    records: &[&RecordInfo],
) -> Result<Ids, sqlx::Error> {
    let rows: Vec<(String, i32)> = sqlx::query_as(
        "select subject, id from flotilla.schema_ids
         where (subject, schema) in (select * from unnest($1::text[], $2::text[]))",
    )
    .bind(records.iter().map(|record| subject(record)).collect::<Vec<_>>())
    .bind(records.iter().map(|record| record.schema).collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|(subject, id)| (subject, id as u32)).collect())
}

/// Keeps ids for the next start, which then does not need the registry.
pub(crate) async fn store_ids(
    db: &mut PgConnection,
    records: &[&RecordInfo],
    ids: &Ids,
) -> Result<(), sqlx::Error> {
    let subjects: Vec<String> = records.iter().map(|record| subject(record)).collect();
    sqlx::query(
        "insert into flotilla.schema_ids (subject, schema, id)
         select * from unnest($1::text[], $2::text[], $3::int[]) on conflict do nothing",
    )
    .bind(&subjects)
    .bind(records.iter().map(|record| record.schema).collect::<Vec<_>>())
    .bind(subjects.iter().map(|subject| ids[subject] as i32).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}
