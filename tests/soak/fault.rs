//! What can happen.

/// One kind of bad day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    WorkerKilled,
    ProducerKilled,
    WorkerAsleep,
    ProducerAsleep,
    WorkerTerminated,
    BrokerRestarted,
    BrokerKilled,
    BrokerCut,
    BrokerSilent,
    ConnectionsClosed,
    QueuePurged,
    QueueDeleted,
    MemoryAlarm,
    RedisRestarted,
    RedisKilled,
    RedisCut,
    RedisSilent,
    RedisFlushed,
    OdooBadGateway,
    OdooReplyLost,
    OdooLate,
    OdooConflict,
    OdooThrottled,
    ErpCut,
    ZohoThrottled,
    ZohoBadGateway,
    ZohoCut,
}

impl Kind {
    /// Kills, which are what a fleet must bear most often, stand here several times.
    pub(crate) const ALL: [Self; 33] = [
        Self::WorkerKilled,
        Self::WorkerKilled,
        Self::WorkerKilled,
        Self::WorkerKilled,
        Self::WorkerKilled,
        Self::ProducerKilled,
        Self::ProducerKilled,
        Self::ProducerKilled,
        Self::WorkerAsleep,
        Self::ProducerAsleep,
        Self::WorkerTerminated,
        Self::BrokerRestarted,
        Self::BrokerKilled,
        Self::BrokerCut,
        Self::BrokerSilent,
        Self::ConnectionsClosed,
        Self::QueuePurged,
        Self::QueueDeleted,
        Self::MemoryAlarm,
        Self::RedisRestarted,
        Self::RedisKilled,
        Self::RedisCut,
        Self::RedisSilent,
        Self::RedisFlushed,
        Self::OdooBadGateway,
        Self::OdooReplyLost,
        Self::OdooLate,
        Self::OdooConflict,
        Self::OdooThrottled,
        Self::ErpCut,
        Self::ZohoThrottled,
        Self::ZohoBadGateway,
        Self::ZohoCut,
    ];

    /// In words.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::WorkerKilled => "worker killed",
            Self::ProducerKilled => "producer killed",
            Self::WorkerAsleep => "worker asleep",
            Self::ProducerAsleep => "producer asleep",
            Self::WorkerTerminated => "worker terminated",
            Self::BrokerRestarted => "broker restarted",
            Self::BrokerKilled => "broker killed",
            Self::BrokerCut => "broker cut",
            Self::BrokerSilent => "broker silent",
            Self::ConnectionsClosed => "connections closed by the broker",
            Self::QueuePurged => "queue purged",
            Self::QueueDeleted => "queue deleted",
            Self::MemoryAlarm => "memory alarm",
            Self::RedisRestarted => "Redis restarted",
            Self::RedisKilled => "Redis killed",
            Self::RedisCut => "Redis cut",
            Self::RedisSilent => "Redis silent",
            Self::RedisFlushed => "FLUSHALL",
            Self::OdooBadGateway => "Odoo 502",
            Self::OdooReplyLost => "Odoo's reply lost",
            Self::OdooLate => "Odoo late",
            Self::OdooConflict => "Odoo conflict",
            Self::OdooThrottled => "Odoo 429",
            Self::ErpCut => "the source Odoo's answer cut",
            Self::ZohoThrottled => "Zoho 429",
            Self::ZohoBadGateway => "Zoho 502",
            Self::ZohoCut => "Zoho's answer cut",
        }
    }

    /// Whether it is a kill -9 of a process of ours or of a service.
    pub(crate) fn is_kill(self) -> bool {
        matches!(self, Self::WorkerKilled | Self::ProducerKilled | Self::BrokerKilled | Self::RedisKilled)
    }
}
