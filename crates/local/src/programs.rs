//! The programs that an environment's servers are, for whoever runs them elsewhere: in images, where none can be pulled.
//! Separate from the servers, which know how theirs is started.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{java, kafka, postgres, registry};

/// Where the programs of the servers are on this machine.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The folder of a Java that runs Kafka and the registry.
    pub java: PathBuf,
    /// The folder of Kafka's jars.
    pub kafka: PathBuf,
    /// The folder of the registry's application.
    pub registry: PathBuf,
    /// The folder of Postgres' programs.
    pub postgres: PathBuf,
}

impl Programs {
    /// Downloads what is missing.
    pub fn find() -> Result<Self> {
        let java = java::find()?.canonicalize()?;
        let home = java.ancestors().nth(2).context("a Java is two folders deep")?;
        Ok(Programs {
            java: home.to_owned(),
            kafka: kafka::download()?,
            registry: registry::download()?,
            postgres: postgres::programs()?,
        })
    }
}
