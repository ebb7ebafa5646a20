//! What becomes of instances when the process that started them ends.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use services::{BROKER_VARIABLE, REDIS_VARIABLE};

/// The program with both services, and where they listen.
fn started(temporary: &Path) -> (Child, [SocketAddr; 2]) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_services"));
    program.env("TMPDIR", temporary).env_remove("CATALOG_SYNC_TEST_LOGS");
    let mut program = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let addresses = [BROKER_VARIABLE, REDIS_VARIABLE].map(|variable| {
        let line = lines.next().unwrap().unwrap();
        let (name, address) = line.split_once('=').unwrap();
        assert_eq!(name, variable);
        address.parse().unwrap()
    });
    (program, addresses)
}

fn gone_within_seconds(temporary: &Path, addresses: [SocketAddr; 2]) {
    let end = Instant::now() + Duration::from_secs(30);
    let is_there = || {
        let folders = std::fs::read_dir(temporary).unwrap().count();
        folders > 0 || addresses.iter().any(|address| TcpStream::connect(address).is_ok())
    };
    while is_there() {
        assert!(Instant::now() < end, "something is left in {} or at {addresses:?}", temporary.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_killed_process_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let (mut program, addresses) = started(temporary.path());
    assert!(addresses.iter().all(|address| TcpStream::connect(address).is_ok()));
    program.kill().unwrap();
    program.wait().unwrap();
    gone_within_seconds(temporary.path(), addresses);
}

#[test]
fn the_program_ends_with_its_input_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let (mut program, addresses) = started(temporary.path());
    drop(program.stdin.take());
    assert!(program.wait().unwrap().success());
    assert!(addresses.iter().all(|address| TcpStream::connect(address).is_err()));
    gone_within_seconds(temporary.path(), addresses);
}
