//! The fleet on its stage, with services of its own behind proxies, and what befalls it.

use std::time::{Duration, Instant};

use sandbox::{Fault, FaultRule, ZohoFault, ZohoFaultRule};
use serde_json::Value;
use services::{Broker, Proxy, RedisServer};

use crate::check::{Found, has_arrived};
use crate::dice::Dice;
use crate::fault::Kind;
use crate::fleet::catalogue::Size;
use crate::fleet::processes::{Fleet, Role};
use crate::shop_killed::shop::TOKEN_WINDOW;
use crate::tally::Tally;

/// What is kept in step.
pub(crate) const SIZE: Size =
    Size { items: 300, images: true, customers: 1_000, call: Duration::from_millis(10) };

/// A change that is not through by then never will be.
const STUCK: Duration = Duration::from_mins(3);

/// What waits for its next attempt may wait ten minutes; and Odoo ends late work after its own time limit.
const END: Duration = Duration::from_mins(15);

/// Failed records are looked for only when waiting has not helped.
const LOOK_FOR_LETTERS: Duration = Duration::from_secs(20);

const WORKERS: usize = 3;
const PRODUCERS: usize = 2;

/// Everything on stage.
pub(crate) struct Cast {
    pub(crate) fleet: Fleet,
    workers: Vec<Role>,
    producers: Vec<Role>,
    broker: Broker,
    redis: RedisServer,
    to_broker: Proxy,
    to_redis: Proxy,
    /// Processes that ended by themselves and were started again, as a supervisor would.
    pub(crate) restarted: u32,
}

impl Cast {
    pub(crate) async fn new() -> Self {
        let (broker, redis) = (Broker::start(), RedisServer::start_durable());
        let (to_broker, to_redis) = (Proxy::to(broker.addr()), Proxy::to(redis.addr()));
        let fleet = Fleet::at(SIZE, to_broker.addr(), to_redis.addr()).await;
        let workers = (0..WORKERS).map(|_| fleet.worker()).collect();
        let producers = (0..PRODUCERS).map(|_| fleet.producer()).collect();
        Self { fleet, workers, producers, broker, redis, to_broker, to_redis, restarted: 0 }
    }

    /// It happens; on return it is over, but for what was ordered of the stand-ins.
    pub(crate) async fn befall(&mut self, kind: Kind, dice: &mut Dice) {
        match kind {
            Kind::WorkerKilled
            | Kind::ProducerKilled
            | Kind::WorkerAsleep
            | Kind::ProducerAsleep
            | Kind::WorkerTerminated => self.befall_role(kind, dice).await,
            Kind::RedisRestarted
            | Kind::RedisKilled
            | Kind::RedisCut
            | Kind::RedisSilent
            | Kind::RedisFlushed => {
                self.befall_redis(kind, dice).await;
            }
            Kind::OdooBadGateway
            | Kind::OdooReplyLost
            | Kind::OdooLate
            | Kind::OdooConflict
            | Kind::OdooThrottled
            | Kind::ErpCut
            | Kind::ZohoThrottled
            | Kind::ZohoBadGateway
            | Kind::ZohoCut => self.befall_remote(kind, dice),
            _ => self.befall_broker(kind, dice).await,
        }
    }

    async fn befall_role(&mut self, kind: Kind, dice: &mut Dice) {
        let is_worker = !matches!(kind, Kind::ProducerKilled | Kind::ProducerAsleep);
        let fresh = || if is_worker { self.fleet.worker() } else { self.fleet.producer() };
        let roles = if is_worker { &mut self.workers } else { &mut self.producers };
        let at = usize::try_from(dice.roll(roles.len() as u64)).unwrap();
        match kind {
            Kind::WorkerAsleep | Kind::ProducerAsleep => {
                roles[at].freeze();
                tokio::time::sleep(Duration::from_millis(3_000 + dice.roll(12_000))).await;
                roles[at].thaw();
            }
            Kind::WorkerTerminated => {
                std::mem::replace(&mut roles[at], fresh()).terminate().await;
            }
            _ => std::mem::replace(&mut roles[at], fresh()).kill().await,
        }
    }

    async fn befall_broker(&mut self, kind: Kind, dice: &mut Dice) {
        let lanes = ["items.record", "items.image", "customers.record.single"];
        let queue = format!("{}.{}", self.fleet.prefix, lanes[usize::try_from(dice.roll(3)).unwrap()]);
        match kind {
            Kind::BrokerRestarted => {
                self.broker.stop();
                self.broker.start_again();
            }
            Kind::BrokerKilled => {
                self.broker.kill();
                self.broker.start_again();
            }
            Kind::BrokerCut => self.to_broker.cut(),
            Kind::BrokerSilent => silent(&self.to_broker, dice).await,
            Kind::ConnectionsClosed => drop(self.broker.rabbitmqctl(&["close_all_connections", "soak"])),
            Kind::QueuePurged => drop(self.broker.rabbitmqctl(&["purge_queue", &queue])),
            // Where it was deleted already, nobody has come yet to declare it.
            Kind::QueueDeleted if self.has_queue(&queue) => {
                drop(self.broker.rabbitmqctl(&["delete_queue", &queue]));
            }
            Kind::QueueDeleted => {}
            _ => {
                self.broker.rabbitmqctl(&["set_vm_memory_high_watermark", "absolute", "1"]);
                tokio::time::sleep(Duration::from_millis(dice.roll(6_000))).await;
                self.broker.rabbitmqctl(&["set_vm_memory_high_watermark", "0.6"]);
            }
        }
    }

    fn has_queue(&self, queue: &str) -> bool {
        let listed = self.broker.rabbitmqctl(&["list_queues", "name"]);
        listed.lines().any(|line| line.trim() == queue)
    }

    async fn befall_redis(&mut self, kind: Kind, dice: &mut Dice) {
        match kind {
            Kind::RedisRestarted => {
                self.redis.stop();
                self.redis.start_again();
            }
            Kind::RedisKilled => {
                self.redis.kill();
                self.redis.start_again();
            }
            Kind::RedisCut => self.to_redis.cut(),
            Kind::RedisSilent => silent(&self.to_redis, dice).await,
            _ => {
                // Zoho's token is gone, too, and Zoho grants only so many.
                self.fleet.catalogue.shop.store().advance_clock(TOKEN_WINDOW);
                self.redis.flush();
            }
        }
    }

    fn befall_remote(&mut self, kind: Kind, dice: &mut Dice) {
        let method = ["load", "write", "read"][usize::try_from(dice.roll(3)).unwrap()];
        let times = 1 + dice.roll(3);
        let fault = match kind {
            Kind::ZohoThrottled | Kind::ZohoBadGateway | Kind::ZohoCut => {
                let fault = match kind {
                    Kind::ZohoThrottled => ZohoFault::Throttled { code: 1070, retry_after: Some(2) },
                    Kind::ZohoBadGateway => ZohoFault::BadGateway,
                    _ => ZohoFault::Cut,
                };
                return self.fleet.catalogue.shop.store().fault(ZohoFaultRule::once(fault).times(times));
            }
            Kind::ErpCut => {
                return self
                    .fleet
                    .catalogue
                    .erp
                    .control()
                    .fault(FaultRule::once(Fault::CutAnswer).times(times));
            }
            Kind::OdooBadGateway => Fault::BadGateway,
            Kind::OdooReplyLost => Fault::LoseReply,
            Kind::OdooLate => Fault::WorkLate { millis: 500 + dice.roll(5_000) },
            Kind::OdooConflict => Fault::SerializationFailure,
            _ => Fault::TooManyRequests { retry_after: 2 },
        };
        self.fleet.catalogue.shop.control().fault(FaultRule::once(fault).method(method).times(times));
    }

    /// A user's change: how long until both sinks show it. `None`: it does not come.
    pub(crate) async fn recovers(&mut self, mark: &str) -> Option<Duration> {
        let users = self.fleet.catalogue.users();
        users.edit_item(0, mark);
        users.edit_customer(0, mark);
        let began = Instant::now();
        while began.elapsed() < STUCK {
            if has_arrived(&self.fleet.catalogue, mark) {
                return Some(began.elapsed());
            }
            self.start_what_ended();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let status = self.fleet.run(&["status"]).await;
        eprintln!("{mark}:\n{}{}", status.stdout, status.stderr);
        None
    }

    fn start_what_ended(&mut self) {
        for at in 0..WORKERS {
            if self.workers[at].has_ended() {
                self.workers[at] = self.fleet.worker();
                self.restarted += 1;
            }
        }
        for at in 0..PRODUCERS {
            if self.producers[at].has_ended() {
                self.producers[at] = self.fleet.producer();
                self.restarted += 1;
            }
        }
    }

    /// No more faults: waits until both sinks hold exactly their sources. A record that was in work at each of several
    /// kills is given up with a reason, since it may be what kills; a new version of it must bring it.
    pub(crate) async fn end(&mut self, tally: &mut Tally) {
        let shop = &self.fleet.catalogue.shop;
        shop.store().clear_faults();
        shop.control().clear_faults();
        self.fleet.catalogue.erp.control().clear_faults();
        shop.late_calls_done().await;
        tally.records = SIZE.items + self.fleet.catalogue.erp.control().ids("res.partner").unwrap().len();
        let (began, mut looked) = (Instant::now(), Instant::now());
        loop {
            tally.found = Found::at(&self.fleet.catalogue).await;
            tally.end = began.elapsed();
            if tally.found.is_nothing() {
                return;
            }
            if began.elapsed() > END {
                let status = self.fleet.run(&["status"]).await;
                eprintln!("{:#?}\n{}{}", tally.found.words, status.stdout, status.stderr);
                return;
            }
            if looked.elapsed() > LOOK_FOR_LETTERS {
                looked = Instant::now();
                tally.given_up += self.renew_given_up().await;
            }
            self.start_what_ended();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// A new version of each record whose dead letter is shown: how many.
    async fn renew_given_up(&self) -> usize {
        let mut renewed = 0;
        for pipeline in ["items", "customers"] {
            let status = self.fleet.status(pipeline).await;
            for letter in status["dead_letters"].as_array().map_or(&[][..], Vec::as_slice) {
                println!("given up: {pipeline} {}: {}", letter["key"], letter["failure"]["message"]);
                self.renew(pipeline, &letter["key"], &format!("renewed {renewed}"));
                renewed += 1;
            }
        }
        renewed
    }

    fn renew(&self, pipeline: &str, key: &Value, mark: &str) {
        let (users, catalogue) = (self.fleet.catalogue.users(), &self.fleet.catalogue);
        let key = key.as_str().unwrap();
        if pipeline == "items" {
            let store = catalogue.shop.store();
            let items = u32::try_from(SIZE.items).unwrap();
            let number = (0..items).find(|number| store.item_id(*number) == key).unwrap();
            users.edit_item(number, mark);
            users.replace_image(number);
        } else {
            let ids = catalogue.erp.control().ids("res.partner").unwrap();
            let number = ids.iter().position(|id| id.to_string() == key).unwrap();
            users.edit_customer(u32::try_from(number).unwrap(), mark);
        }
    }
}

async fn silent(proxy: &Proxy, dice: &mut Dice) {
    proxy.freeze();
    tokio::time::sleep(Duration::from_millis(1_000 + dice.roll(11_000))).await;
    proxy.thaw();
}
