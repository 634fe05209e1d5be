//! What keeps this replica from hearing although brokers and database are there: a right that it lacks, a
//! topic that is gone, a group that does not accept it. The client goes on trying and reports it once or
//! forever, depending on the error; here is what is true now.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Why nothing is heard, from a partition, from a topic or at all; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hindrance {
    /// The brokers refuse it.
    NotAuthorized,
    /// A topic that the service hears does not exist.
    UnknownTopic,
    /// The present members of the group share the partitions in another way.
    InconsistentGroup,
    /// The group does not accept this replica, for another reason.
    Refused,
    /// It holds nothing while its group has partitions that nobody holds.
    LeftOut,
    /// No broker gives the records of a partition: it has no leader, or its leader is silent.
    Silent,
}

impl Hindrance {
    pub(super) const ALL: [Hindrance; 6] = [
        Hindrance::NotAuthorized,
        Hindrance::UnknownTopic,
        Hindrance::InconsistentGroup,
        Hindrance::Refused,
        Hindrance::LeftOut,
        Hindrance::Silent,
    ];

    /// Whether other replicas do better, so that callers should be sent there.
    pub(super) fn is_own(self) -> bool {
        match self {
            Hindrance::NotAuthorized
            | Hindrance::UnknownTopic
            | Hindrance::InconsistentGroup
            | Hindrance::Refused
            | Hindrance::LeftOut => true,
            Hindrance::Silent => false,
        }
    }

    /// Its name in metrics.
    pub(super) fn label(self) -> &'static str {
        match self {
            Hindrance::NotAuthorized => "not_authorized",
            Hindrance::UnknownTopic => "unknown_topic",
            Hindrance::InconsistentGroup => "inconsistent_group",
            Hindrance::Refused => "refused",
            Hindrance::LeftOut => "left_out",
            Hindrance::Silent => "silent",
        }
    }

    /// What to do about it.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Hindrance::NotAuthorized => {
                "allow its Kafka user to read and describe its topics and its group"
            }
            Hindrance::UnknownTopic => "create what is missing with `flotilla topics apply`",
            Hindrance::InconsistentGroup => {
                "somebody else uses the group's name, or a replica of another build does: stop it"
            }
            Hindrance::Refused => "see what the brokers say, and FLOTILLA_KAFKA_SESSION_TIMEOUT_MS",
            Hindrance::LeftOut => "it joins with a new member by itself",
            Hindrance::Silent => {
                "see which brokers are away: nothing of it is heard until one leads it again"
            }
        }
    }

    /// What an error says about the replica, beyond the moment.
    pub(super) fn of(code: RDKafkaErrorCode) -> Option<Self> {
        match code {
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::Authentication => Some(Hindrance::NotAuthorized),
            RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownPartition => Some(Hindrance::UnknownTopic),
            RDKafkaErrorCode::InconsistentGroupProtocol => Some(Hindrance::InconsistentGroup),
            RDKafkaErrorCode::InvalidSessionTimeout
            | RDKafkaErrorCode::GroupMaxSizeReached
            | RDKafkaErrorCode::InvalidGroupId => Some(Hindrance::Refused),
            _of_the_moment => None,
        }
    }

    /// Whether it concerns the group, which looking at a topic does not show.
    fn is_of_group(code: RDKafkaErrorCode) -> bool {
        let of_topic = [
            RDKafkaErrorCode::TopicAuthorizationFailed,
            RDKafkaErrorCode::UnknownTopic,
            RDKafkaErrorCode::UnknownTopicOrPartition,
            RDKafkaErrorCode::UnknownPartition,
        ];
        !of_topic.contains(&code)
    }
}

/// What the member of the group complained of since it was last in the group. Some errors are reported only once.
#[derive(Default)]
pub(crate) struct Complaint {
    /// With the moment of its last repetition.
    open: Mutex<Option<(RDKafkaErrorCode, Instant)>>,
}

impl Complaint {
    /// Notes an error of the member, if it is about the group. Returns whether it is worth a log line.
    pub(super) fn note(&self, error: &KafkaError) -> bool {
        match error.rdkafka_error_code() {
            Some(code) if Hindrance::of(code).is_some() && Hindrance::is_of_group(code) => {
                let before = self.lock().replace((code, Instant::now()));
                before.is_none_or(|(before, _)| before != code)
            }
            _other => true,
        }
    }

    /// The group has accepted the member.
    pub(super) fn settle(&self) {
        *self.lock() = None;
    }

    /// The group accepts the member, unless it complained within this time.
    pub(super) fn settle_after(&self, time: Duration) {
        let mut open = self.lock();
        if open.is_some_and(|(_, at)| at.elapsed() >= time) {
            *open = None;
        }
    }

    /// What keeps the member out of the group.
    pub(super) fn now(&self) -> Option<(Hindrance, String)> {
        let (code, _) = (*self.lock())?;
        Some((Hindrance::of(code)?, format!("the group says: {code}")))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(RDKafkaErrorCode, Instant)>> {
        self.open.lock().expect("no panic under this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_by_the_group_holds_until_it_takes_the_member_and_is_told_once() {
        let complaint = Complaint::default();
        let error = KafkaError::MessageConsumption;
        assert!(complaint.note(&error(RDKafkaErrorCode::BrokerTransportFailure)));
        assert_eq!(complaint.now(), None, "it passes by itself");
        assert!(complaint.note(&error(RDKafkaErrorCode::GroupAuthorizationFailed)));
        assert!(!complaint.note(&error(RDKafkaErrorCode::GroupAuthorizationFailed)), "said before");
        assert_eq!(complaint.now().unwrap().0, Hindrance::NotAuthorized);
        complaint.settle_after(Duration::from_secs(60));
        assert!(complaint.now().is_some(), "it has only just complained");
        complaint.settle_after(Duration::ZERO);
        assert_eq!(complaint.now(), None);
        complaint.note(&error(RDKafkaErrorCode::GroupAuthorizationFailed));
        complaint.settle();
        assert_eq!(complaint.now(), None);
    }
}
