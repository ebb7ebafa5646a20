//! A Redis of one's own.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use services::{PASSWORD, RedisServer, USER};

/// Answers to commands, one a line, on a connection of their own.
fn asked(redis: &RedisServer, commands: &[&str]) -> String {
    let mut connection = TcpStream::connect(redis.addr()).unwrap();
    for command in commands.iter().chain([&"QUIT"]) {
        connection.write_all(format!("{command}\r\n").as_bytes()).unwrap();
    }
    let mut said = String::new();
    connection.read_to_string(&mut said).unwrap();
    said.replace("\r\n", " ")
}

fn with_password(redis: &RedisServer, commands: &[&str]) -> String {
    let let_in = format!("AUTH {USER} {PASSWORD}");
    let said = asked(redis, &[&[let_in.as_str()], commands].concat());
    said.strip_prefix("+OK ").and_then(|said| said.strip_suffix("+OK ")).unwrap().to_owned()
}

#[test]
fn only_our_user_is_let_in_and_only_with_the_password() {
    let redis = RedisServer::start();
    assert!(asked(&redis, &["GET key"]).starts_with("-NOAUTH"));
    assert!(asked(&redis, &[&format!("AUTH {USER} wrong")]).starts_with("-WRONGPASS"));
    assert_eq!(
        with_password(&redis, &["SET key value", "EVAL \"return redis.call('GET','key')\" 0"]),
        "+OK $5 value "
    );
}

#[test]
fn a_durable_one_has_its_data_after_a_stop_and_a_kill_and_a_plain_one_has_not() {
    let (durable, plain) = (RedisServer::start_durable(), RedisServer::start());
    for redis in [&durable, &plain] {
        assert_eq!(with_password(redis, &["SET key value"]), "+OK ");
        // What a script wrote is in the file as a transaction, which an older Redis takes from some users only.
        assert_eq!(
            with_password(redis, &[r#"EVAL "return redis.call('SET','scripted','value')" 0"#]),
            "+OK "
        );
    }
    for end in [RedisServer::stop, RedisServer::kill] {
        for redis in [&durable, &plain] {
            end(redis);
            assert!(TcpStream::connect(redis.addr()).is_err(), "it still listens");
            redis.start_again();
        }
        assert_eq!(with_password(&durable, &["GET key"]), "$5 value ");
        assert_eq!(with_password(&durable, &["GET scripted"]), "$5 value ");
        assert_eq!(with_password(&plain, &["GET key"]), "$-1 ");
    }
}

#[test]
fn the_shared_one_is_one_and_cannot_be_stopped() {
    assert_eq!(services::redis().addr(), services::redis().addr());
    assert_eq!(with_password(services::redis(), &["PING"]), "+PONG ");
    assert!(std::panic::catch_unwind(|| services::redis().stop()).is_err());
    assert_eq!(with_password(services::redis(), &["PING"]), "+PONG ");
}

#[test]
fn prefixes_differ() {
    let prefixes: std::collections::HashSet<String> = (0..1_000).map(|_| services::prefix()).collect();
    assert_eq!(prefixes.len(), 1_000);
    assert!(prefixes.iter().all(|prefix| prefix.len() == 17), "{prefixes:?}");
}
