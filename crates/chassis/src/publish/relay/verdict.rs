//! What an error from Kafka says about a message that was not taken. Separate from sending and from setting apart,
//! as both depend on it.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What a failure to publish says about the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Kafka will not take this record, however often it is sent.
    Record,
    /// Kafka takes no record for this topic from us.
    Topic,
    /// Nothing: Kafka, or the way there, has a problem.
    Passing,
}

impl Verdict {
    pub(super) fn of(error: &KafkaError) -> Self {
        match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::MessageBatchTooLarge
                | RDKafkaErrorCode::InvalidMessage
                | RDKafkaErrorCode::InvalidRecord
                | RDKafkaErrorCode::InvalidTimestamp
                | RDKafkaErrorCode::PolicyViolation,
            ) => Verdict::Record,
            Some(
                RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::InvalidTopic,
            ) => Verdict::Topic,
            _ => Verdict::Passing,
        }
    }
}
