//! The connections to Redis: a few, each with a bound on every request, replaced as soon as one behaves oddly.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use deadpool::Runtime;
use deadpool::managed::{
    Hook, HookError, Manager, Metrics, Object, Pool, PoolConfig, QueueMode, RecycleError, RecycleResult,
    Timeouts,
};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, FromRedisValue, IntoConnectionInfo, Pipeline, RedisConnectionInfo,
    RedisError, RedisResult, ScriptInvocation,
};
use secrecy::ExposeSecret;

use super::answers::Answers;
use super::failure::{Greeting, Trouble};
use super::settings::{Address, RedisSettings};
use crate::failure::{Class, DEFECT, Failure};

/// Connections of one process: calls beyond that wait for one.
const CONNECTIONS: usize = 8;

/// How long [`Link::open`] goes on trying.
const PATIENCE_AT_START: Duration = Duration::from_secs(3);

/// How long a call goes on trying while the server is away: a restart or a failover costs no work.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that has been idle for longer is asked for a sign of life first. One that worked a moment ago is not: that
/// would double the exchanges of a busy worker, and a request that fails is repeated on another connection anyway.
const WARM: Duration = Duration::from_secs(1);

/// Makes connections.
#[derive(Debug)]
struct Opener {
    client: Client,
    config: AsyncConnectionConfig,
}

impl Manager for Opener {
    type Type = MultiplexedConnection;
    type Error = RedisError;

    async fn create(&self) -> Result<MultiplexedConnection, RedisError> {
        self.client.get_multiplexed_async_connection_with_config(&self.config).await
    }

    async fn recycle(
        &self,
        connection: &mut MultiplexedConnection,
        metrics: &Metrics,
    ) -> RecycleResult<RedisError> {
        if metrics.last_used() > WARM {
            redis::cmd("PING").exec_async(connection).await.map_err(RecycleError::Backend)?;
        }
        Ok(())
    }
}

/// The pool of connections.
#[derive(Debug)]
pub(super) struct Link {
    pool: Pool<Opener>,
    /// `host:port`, for people.
    address: Arc<str>,
    patience: Duration,
}

/// One exchange with the server.
enum Request<'a> {
    Commands(&'a Pipeline),
    Script(&'a ScriptInvocation<'a>),
}

impl Link {
    /// Checks the settings and that the server answers. `patience` is that of later calls.
    pub(super) async fn open(settings: &RedisSettings, patience: Duration) -> Result<Self, Failure> {
        let mut link = Self::new(settings, PATIENCE_AT_START)?;
        link.ask(redis::pipe().cmd("PING")).await.map_err(|mut failure| {
            // At the start a person is there to look at the address.
            if failure.class == Class::Transient {
                failure.class = Class::Systemic;
            }
            failure
        })?;
        link.patience = patience;
        Ok(link)
    }

    fn new(settings: &RedisSettings, patience: Duration) -> Result<Self, Failure> {
        let Address { host, database } = settings.address()?;
        let address: Arc<str> = host.to_string().into();
        let cannot = |_| {
            Failure::configuration(format!("no client for Redis at {address} can be made"))
                .advise("write `redis` in [fleet] as redis://host:port/database, or rediss:// for TLS")
        };
        // Neither credentials nor database are the client's: it would tell every refusal as a wrong password.
        let info = host
            .into_connection_info()
            .map_err(cannot)?
            .set_redis_settings(RedisConnectionInfo::default().set_skip_set_lib_name());
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(settings.timeout))
            .set_response_timeout(Some(settings.timeout));
        let opener = Opener { client: Client::open(info).map_err(cannot)?, config };
        let timeouts = Timeouts {
            wait: Some(settings.timeout),
            // Connecting and greeting have a bound of their own each.
            create: Some(settings.timeout.saturating_mul(3)),
            recycle: Some(settings.timeout),
        };
        let pool = Pool::builder(opener)
            // The newest first: a quiet worker keeps one connection warm and not all of them.
            .config(PoolConfig { max_size: CONNECTIONS, timeouts, queue_mode: QueueMode::Lifo })
            .runtime(Runtime::Tokio1)
            .post_create(greeting(settings, database))
            .build()
            .map_err(|_| Failure::configuration("the connections to Redis need a runtime").advise(DEFECT))?;
        Ok(Self { pool, address, patience })
    }

    /// Sends commands in one go. They may be repeated.
    pub(super) async fn ask(&self, commands: &Pipeline) -> Result<Answers, Failure> {
        let values = self.patiently(&Request::Commands(commands)).await?;
        Ok(Answers::new(values, Arc::clone(&self.address)))
    }

    /// Runs a script. It may be repeated.
    pub(super) async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, Failure> {
        self.patiently(&Request::Script(script)).await
    }

    async fn patiently<T: FromRedisValue>(&self, request: &Request<'_>) -> Result<T, Failure> {
        let start = Instant::now();
        let mut waits = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(50))
            .with_max_delay(Duration::from_secs(1))
            .without_max_times()
            .with_jitter()
            .build();
        loop {
            let Trouble { failure, passes } = match self.once(request).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            match waits.next() {
                Some(wait) if passes && start.elapsed() + wait < self.patience => {
                    tracing::debug!(%failure, ?wait, "a request to Redis is repeated");
                    tokio::time::sleep(wait).await;
                }
                _ => return Err(failure),
            }
        }
    }

    async fn once<T: FromRedisValue>(&self, request: &Request<'_>) -> Result<T, Trouble> {
        let mut connection = self.pool.get().await.map_err(|error| Trouble::of_pool(error, &self.address))?;
        let answer = match request {
            Request::Commands(commands) => commands.query_async(&mut *connection).await,
            Request::Script(script) => script.invoke_async(&mut *connection).await,
        };
        answer.map_err(|error| {
            let trouble = Trouble::of(error, &self.address);
            if trouble.passes {
                // What is true of one connection is likely so of the others, and each would cost a time limit to find
                // that out: a server that became a replica, or that went away without a word.
                drop(Object::take(connection));
                self.pool.retain(|_, _| false);
            }
            trouble
        })
    }
}

/// Says who we are on a new connection and which database we mean.
fn greeting(settings: &RedisSettings, database: i64) -> Hook<Opener> {
    let (user, password) = (settings.user.clone(), settings.password.clone());
    Hook::async_fn(move |connection, _| {
        let (user, password) = (user.clone(), password.clone());
        Box::pin(async move {
            let mut auth = redis::cmd("AUTH");
            if let Some(password) = password {
                if let Some(user) = user {
                    auth.arg(user);
                }
                auth.arg(password.expose_secret());
                greet(connection, &auth, Greeting::Auth).await?;
            }
            if database != 0 {
                greet(connection, redis::cmd("SELECT").arg(database), Greeting::Select).await?;
            }
            Ok(())
        })
    })
}

async fn greet(
    connection: &mut MultiplexedConnection,
    command: &redis::Cmd,
    greeting: Greeting,
) -> Result<(), HookError<RedisError>> {
    let answer: RedisResult<()> = command.query_async(connection).await;
    answer.map_err(|error| HookError::Backend(Trouble::of_greeting(&error, greeting)))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::stand;
    use super::*;
    use crate::failure::Reason;

    async fn refused(settings: &RedisSettings) -> Failure {
        Link::open(settings, PATIENCE).await.unwrap_err()
    }

    /// Answers every request of its first connection with the same bytes.
    async fn answering(answer: &'static str) -> RedisSettings {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut asked = [0; 4096];
                while client.read(&mut asked).await.is_ok_and(|read| read > 0) {
                    client.write_all(answer.as_bytes()).await.ok();
                }
            }
        });
        RedisSettings { url, ..stand::settings() }
    }

    #[tokio::test]
    async fn a_wrong_password_is_told_at_once_and_not_shown() {
        let start = Instant::now();
        let wrong = RedisSettings { password: Some("s3cret".to_owned().into()), ..stand::settings() };
        let failure = refused(&wrong).await;
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Credentials), "{failure:#}");
        assert!(failure.what().contains("rejects the user name or password"), "{failure}");
        assert!(!format!("{failure:#} {failure:?} {wrong:?}").contains("s3cret"));
        assert!(start.elapsed() < PATIENCE_AT_START, "a rejected password is not sent again");
        let missing = RedisSettings { password: None, ..stand::settings() };
        assert_eq!(refused(&missing).await.reason, Reason::Credentials);
    }

    #[tokio::test]
    async fn a_server_that_repeats_what_it_was_sent_gives_no_secret_away() {
        let settings =
            answering("-ERR unknown command 'AUTH', with args beginning with: 'test' 'test-password'\r\n")
                .await;
        let failure = refused(&settings).await;
        assert_eq!(failure.reason, Reason::Credentials);
        assert!(!format!("{failure:#} {failure:?}").contains("test-password"), "{failure:?}");
        let settings = RedisSettings {
            password: None,
            ..answering("-ERR unknown command 'PING', with args beginning with: 's3cret'\r\n").await
        };
        let failure = refused(&settings).await;
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::ServerError));
        assert!(!format!("{failure:#} {failure:?}").contains("s3cret"), "{failure:?}");
    }

    #[tokio::test]
    async fn nobody_there_is_systemic_after_a_few_tries() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        drop(listener);
        let failure = refused(&RedisSettings { url, ..stand::settings() }).await;
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Unreachable), "{failure:#}");
        assert!(failure.what().contains("127.0.0.1:"), "{failure}");
    }

    #[tokio::test]
    async fn a_server_of_another_kind_is_told_so() {
        let settings = answering("HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let failure = refused(&settings).await;
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Protocol), "{failure:#}");
    }

    #[tokio::test]
    async fn too_many_clients_is_no_wrong_password() {
        let settings = answering("-ERR max number of clients reached\r\n").await;
        let failure = refused(&settings).await;
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Unreachable), "{failure:#}");
    }

    #[tokio::test]
    async fn a_database_that_is_not_there_is_a_wrong_setting() {
        let url = format!("redis://{}/9999", services::redis().addr());
        let failure = refused(&RedisSettings { url, ..stand::settings() }).await;
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Configuration), "{failure:#}");
        assert!(format!("{failure:#}").contains("no such database"), "{failure:#}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_without_an_answer_costs_its_bound_and_later_calls_find_it_again() {
        let proxy = services::Proxy::to(services::redis().addr());
        let settings = RedisSettings {
            url: format!("redis://{}", proxy.addr()),
            timeout: Duration::from_millis(300),
            ..stand::settings()
        };
        let link = Link::open(&settings, Duration::from_secs(1)).await.unwrap();
        let ping = || async { link.ask(redis::pipe().cmd("PING")).await.map(drop) };
        // Several connections, so that all of them have to be given up.
        let (one, other, third) = tokio::join!(ping(), ping(), ping());
        assert!(one.is_ok() && other.is_ok() && third.is_ok());
        proxy.freeze();
        let start = Instant::now();
        let failure = ping().await.unwrap_err();
        assert_eq!((failure.class, failure.reason), (Class::Transient, Reason::Unreachable), "{failure:#}");
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        proxy.thaw();
        ping().await.unwrap();
        proxy.cut();
        ping().await.unwrap();
        proxy.refuse();
        proxy.cut();
        let (answer, ()) = tokio::join!(ping(), async { proxy.accept() });
        answer.unwrap();
    }
}
