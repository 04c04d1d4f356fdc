//! The program as an admin meets it: what the commands write, and what they say about every likely mistake.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use homeserver_sim::{Appservice, Homeserver, Options};
use tempfile::TempDir;
use xtask::servers::free_port;

/// How a run of the program ended.
struct Ended {
    code: Option<i32>,
    said: String,
    complained: String,
}

impl Ended {
    /// Demands an error with a statement, and a cure that stands in a hint or in the same sentence.
    fn expect_error(&self, statement: &str, cure: &str) {
        let Self { code, complained, .. } = self;
        assert_eq!(*code, Some(1), "{complained}");
        let error = complained.lines().find(|line| line.starts_with("error: "));
        assert!(error.is_some_and(|line| line.contains(statement)), "`{statement}` is not in: {complained}");
        assert!(complained.contains(cure), "`{cure}` is not in: {complained}");
        assert!(!complained.contains("panicked"), "{complained}");
    }

    fn expect_success(&self) -> &str {
        assert_eq!(self.code, Some(0), "{}", self.complained);
        &self.said
    }
}

fn puppetgram(directory: &Path, arguments: &[&str]) -> Ended {
    puppetgram_answered(directory, arguments, "")
}

/// Runs the program with lines to read.
fn puppetgram_answered(directory: &Path, arguments: &[&str], input: &str) -> Ended {
    let mut child = Command::new(env!("CARGO_BIN_EXE_puppetgram"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code(),
        said: String::from_utf8(output.stdout).unwrap(),
        complained: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A directory with the two files of `init`.
fn initialised(more: &[&str]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut arguments = vec!["init", "--yes", "--domain", "sim.test", "--database", "sqlite:bridge.db"];
    arguments.extend(more);
    puppetgram(directory.path(), &arguments).expect_success();
    directory
}

fn read(directory: &TempDir, name: &str) -> String {
    fs::read_to_string(directory.path().join(name)).unwrap()
}

/// Changes the configuration, and demands that the change found something to change.
fn change(directory: &TempDir, from: &str, to: &str) {
    let text = read(directory, "config.yaml");
    let changed = text.replacen(from, to, 1);
    assert_ne!(text, changed, "{from}");
    fs::write(directory.path().join("config.yaml"), changed).unwrap();
}

fn value<'a>(yaml: &'a str, key: &str) -> &'a str {
    yaml.lines().find_map(|line| line.trim().strip_prefix(&format!("{key}: "))).unwrap()
}

#[test]
fn version_says_which() {
    let directory = tempfile::tempdir().unwrap();
    let expected = format!("puppetgram {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(puppetgram(directory.path(), &["version"]).expect_success(), expected);
    assert_eq!(puppetgram(directory.path(), &["--version"]).expect_success(), expected);
}

#[test]
fn an_unknown_command_is_refused_with_the_usage() {
    let directory = tempfile::tempdir().unwrap();
    let ended = puppetgram(directory.path(), &["runn"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.complained.starts_with("error: ") && ended.complained.contains("'run'"), "{}", ended.complained);
}

#[test]
fn init_writes_two_files_that_fit_and_only_their_owner_may_read() {
    let directory = initialised(&["--admin", "@anna:sim.test"]);
    for name in ["config.yaml", "registration.yaml"] {
        let mode = fs::metadata(directory.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let said = puppetgram(directory.path(), &["config", "check"]);
    assert!(said.expect_success().contains("@instagrambot:sim.test"), "{}", said.said);
    let (config, registration) = (read(&directory, "config.yaml"), read(&directory, "registration.yaml"));
    for token in ["as_token", "hs_token"] {
        assert_eq!(value(&config, token), value(&registration, token));
        assert!(value(&config, token).len() >= 64);
    }
    assert_ne!(value(&config, "as_token"), value(&config, "hs_token"));
    assert!(config.contains("\"@anna:sim.test\": admin"), "{config}");
    assert!(registration.contains(r"@instagram_.*:sim\\.test"), "{registration}");
    assert!(registration.contains(r"#instagram_.*:sim\\.test"), "{registration}");
    let other = initialised(&[]);
    assert_ne!(value(&config, "secret_key"), value(&read(&other, "config.yaml"), "secret_key"));
}

#[test]
fn init_says_what_to_do_next_and_shows_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let ended = puppetgram(directory.path(), &["init", "--yes", "--domain", "sim.test"]);
    let said = ended.expect_success();
    let registration = directory.path().canonicalize().unwrap().join("registration.yaml");
    assert!(said.contains("app_service_config_files:") && said.contains(registration.to_str().unwrap()), "{said}");
    assert!(said.contains("puppetgram run --config") && said.contains("@instagrambot:sim.test"), "{said}");
    let config = read(&directory, "config.yaml");
    for key in ["as_token", "hs_token", "secret_key"] {
        assert!(!said.contains(value(&config, key)), "{key} is shown");
    }
}

#[test]
fn init_asks_what_it_was_not_told() {
    let directory = tempfile::tempdir().unwrap();
    let address = format!("http://127.0.0.1:{}", free_port().unwrap());
    let answers = format!("{address}\nsim.test\n@anna:sim.test\n\n\n");
    puppetgram_answered(directory.path(), &["init"], &answers).expect_success();
    let config = read(&directory, "config.yaml");
    assert!(config.contains(&format!("address: {address}\n")) && config.contains("domain: sim.test\n"), "{config}");
    assert!(config.contains("\"@anna:sim.test\": admin"), "{config}");
    assert!(config.contains("uri: sqlite:puppetgram.db"), "{config}");
}

#[test]
fn init_that_nobody_answers_ends() {
    let directory = tempfile::tempdir().unwrap();
    puppetgram(directory.path(), &["init"]).expect_error("nobody answers", "hint: give the answer with --homeserver");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn init_learns_the_server_name_from_the_homeserver() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let length = stream.read(&mut request).unwrap();
        let body = r#"{"server_name": "learnt.test", "verify_keys": {}}"#;
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let directory = tempfile::tempdir().unwrap();
    puppetgram(directory.path(), &["init", "--yes", "--homeserver", &address]).expect_success();
    assert!(server.join().unwrap().starts_with("GET /_matrix/key/v2/server "));
    assert!(read(&directory, "config.yaml").contains("domain: learnt.test\n"));
}

#[test]
fn init_does_not_guess_a_server_name() {
    let directory = tempfile::tempdir().unwrap();
    let address = format!("http://127.0.0.1:{}", free_port().unwrap());
    let ended = puppetgram(directory.path(), &["init", "--yes", "--homeserver", &address]);
    ended.expect_error("cannot be reached, or does not tell its server name", "--domain");
}

#[test]
fn init_replaces_nothing_unless_told_to() {
    let directory = initialised(&[]);
    let before = read(&directory, "config.yaml");
    let again = ["init", "--yes", "--domain", "sim.test"];
    puppetgram(directory.path(), &again).expect_error("config.yaml exists already", "--force");
    assert_eq!(read(&directory, "config.yaml"), before);
    fs::remove_file(directory.path().join("config.yaml")).unwrap();
    puppetgram(directory.path(), &again).expect_error("registration.yaml exists already", "--force");
    assert!(!directory.path().join("config.yaml").exists(), "half of the files were written");
    puppetgram(directory.path(), &["init", "--yes", "--domain", "sim.test", "--force"]).expect_success();
    assert_ne!(read(&directory, "config.yaml"), before);
}

#[test]
fn init_refuses_answers_that_cannot_be() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    for (option, answer, statement, cure) in [
        ("--homeserver", "matrix.example.org", "is not a web address", "https://matrix.example.org"),
        ("--homeserver", "ftp://matrix.example.org", "is not a web address", "http://127.0.0.1:8008"),
        ("--domain", "https://example.org", "is not a server name", "it looks like example.org"),
        ("--admin", "anna", "is not a user id", "@anna:sim.test"),
        ("--address", "127.0.0.1:29330", "is not a web address", "--address http"),
        ("--listen", "29330", "no address to listen on", "127.0.0.1:29330"),
        ("--database", "mysql://anna:planted@host/name", "names no database", "postgres://"),
        ("--directory", "file/below", "cannot make the directory", "may write"),
    ] {
        let mut arguments = vec!["init", "--yes", option, answer];
        if option != "--domain" {
            arguments.extend(["--domain", "sim.test"]);
        }
        let ended = puppetgram(directory.path(), &arguments);
        ended.expect_error(statement, cure);
        assert!(!ended.complained.contains("planted"), "{}", ended.complained);
        assert!(!directory.path().join("config.yaml").exists(), "{option}");
    }
}

#[test]
fn init_listens_everywhere_when_the_homeserver_is_elsewhere() {
    for (more, hostname, port) in [
        (&["--address", "http://127.0.0.1:4000"][..], "127.0.0.1", "4000"),
        (&["--address", "http://bridge.lan:4000"], "0.0.0.0", "4000"),
        (&["--address", "https://bridge.example.org"], "0.0.0.0", "29330"),
        (&["--address", "https://bridge.example.org", "--listen", "127.0.0.1:5000"], "127.0.0.1", "5000"),
    ] {
        let directory = initialised(more);
        let config = read(&directory, "config.yaml");
        assert_eq!((value(&config, "hostname"), value(&config, "port")), (hostname, port), "{more:?}");
    }
}

#[test]
fn register_writes_what_fits_the_configuration() {
    let directory = initialised(&[]);
    let before = read(&directory, "registration.yaml");
    puppetgram(directory.path(), &["register"]).expect_error("registration.yaml exists already", "--force");
    let again = ["register", "--config", "config.yaml", "--output", "again.yaml"];
    puppetgram(directory.path(), &again).expect_success();
    assert_eq!(read(&directory, "again.yaml"), before, "the same configuration makes the same registration");
    change(&directory, "#ghost_prefix: instagram_", "ghost_prefix: ig_");
    puppetgram(directory.path(), &["register", "--force"]).expect_success();
    assert!(read(&directory, "registration.yaml").contains("@ig_.*:"));
    let nowhere = ["register", "--output", "nowhere/registration.yaml"];
    puppetgram(directory.path(), &nowhere).expect_error("cannot write nowhere/registration.yaml", "may write");
}

#[test]
fn the_second_registration_is_for_acting_as_users_and_is_never_called() {
    let directory = initialised(&[]);
    let register = ["register", "--double-puppet"];
    puppetgram(directory.path(), &register).expect_error("no `double_puppet.as_token`", "openssl rand");
    let config = read(&directory, "config.yaml");
    let with = |token: &str| {
        fs::write(directory.path().join("config.yaml"), format!("{config}\ndouble_puppet:\n  as_token: {token}\n"))
            .unwrap();
    };
    with("short");
    puppetgram(directory.path(), &register).expect_error("too short for a secret", "openssl rand");
    with("a-token-that-is-long-enough");
    puppetgram(directory.path(), &register).expect_success();
    let registration = read(&directory, "double-puppet.yaml");
    for line in
        ["url: null", "as_token: a-token-that-is-long-enough", "exclusive: false", "id: instagram-double-puppet"]
    {
        assert!(registration.contains(line), "{line}: {registration}");
    }
    assert!(!registration.contains("hs_token: a-token"));
}

#[test]
fn config_example_is_the_file_of_the_repository() {
    let directory = tempfile::tempdir().unwrap();
    let ended = puppetgram(directory.path(), &["config", "example"]);
    assert_eq!(ended.expect_success(), include_str!("../config.example.yaml"));
}

#[test]
fn a_file_that_is_no_configuration_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::create_dir(path.join("directory")).unwrap();
    fs::write(path.join("binary"), [0xff, 0xfe, 0]).unwrap();
    fs::write(path.join("broken"), "homeserver: [\n").unwrap();
    fs::write(path.join("empty"), "").unwrap();
    for command in [&["config", "check", "--config"][..], &["run", "--config"], &["register", "--config"]] {
        let with = |file: &str| puppetgram(path, &[command, &[file]].concat());
        with("missing").expect_error("cannot read the configuration missing", "puppetgram init");
        with("directory").expect_error("cannot read the configuration directory", "hint: ");
        with("binary").expect_error("cannot read the configuration binary", "UTF-8");
        with("broken").expect_error("", "broken:1:");
        with("empty").expect_error("", "hint: ");
    }
}

#[test]
fn every_mistake_in_the_configuration_ends_in_a_statement_a_place_and_a_cure() {
    for (from, to, statement, cure) in [
        ("  domain:", "  domian:", "unknown key `domian`", "did you mean `domain`?"),
        ("  port: 29330", "  port: 70000", "`port` must be a whole number from 0 to 65535", "config.yaml:20:9"),
        ("  as_token: ", "  #as_token: ", "`appservice.as_token` is missing", "puppetgram init"),
        ("  as_token: ", "  as_token_file: token\n  as_token: ", "given more than once", "keep one"),
        ("address: http://127", "address: 127", "`address` is not a web address", "https://"),
        ("  secret_key: ", "  secret_key: x", "is not 32 bytes in base64", "openssl rand -base64 32"),
        ("  #ca_file: /path/to/ca.pem", "  ca_file: nowhere.pem", "cannot read nowhere.pem", "check the path"),
        ("  #level: info", "  level: loud", "`logging.level`", "trace"),
    ] {
        let directory = initialised(&[]);
        let config = read(&directory, "config.yaml");
        change(&directory, from, to);
        for command in [&["config", "check"][..], &["run"]] {
            let ended = puppetgram(directory.path(), command);
            ended.expect_error(statement, cure);
            assert!(ended.complained.contains("\n  config.yaml:"), "{}", ended.complained);
            for secret in ["as_token", "hs_token", "secret_key"] {
                assert!(!ended.complained.contains(value(&config, secret)), "{}", ended.complained);
            }
        }
    }
}

#[test]
fn secrets_may_stand_in_files_and_in_the_environment() {
    let directory = initialised(&[]);
    change(&directory, "  as_token: ", "  as_token_file: token\n  #as_token: ");
    puppetgram(directory.path(), &["config", "check"]).expect_error("cannot read token", "check the path");
    fs::write(directory.path().join("token"), "from a file\n").unwrap();
    change(&directory, "  hs_token: ", "  hs_token_env: PUPPETGRAM_TEST_TOKEN\n  #hs_token: ");
    let ended = puppetgram(directory.path(), &["config", "check"]);
    ended.expect_error("the environment variable PUPPETGRAM_TEST_TOKEN is not set", "set it where");
    let status = Command::new(env!("CARGO_BIN_EXE_puppetgram"))
        .args(["register", "--output", "out.yaml"])
        .current_dir(directory.path())
        .env("PUPPETGRAM_TEST_TOKEN", "from the environment")
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let registration = read(&directory, "out.yaml");
    assert!(
        registration.contains("from a file\n") && registration.contains("from the environment\n"),
        "{registration}"
    );
}

#[test]
fn run_names_a_port_that_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", taken.local_addr().unwrap());
    let directory = initialised(&["--address", &address]);
    let ended = puppetgram(directory.path(), &["run"]);
    ended.expect_error("cannot listen on 127.0.0.1:", "`appservice.port`");
    assert!(ended.complained.contains("caused by: Address already in use"), "{}", ended.complained);
}

#[test]
fn run_names_a_database_that_cannot_be_opened() {
    let directory = initialised(&[]);
    change(&directory, "sqlite:bridge.db", "sqlite:nowhere/bridge.db");
    puppetgram(directory.path(), &["run"]).expect_error("cannot be opened", "the directory exists");
}

#[test]
fn run_names_a_homeserver_that_is_down() {
    let homeserver = format!("http://127.0.0.1:{}", free_port().unwrap());
    let bridge = format!("http://127.0.0.1:{}", free_port().unwrap());
    let directory = initialised(&["--homeserver", &homeserver, "--address", &bridge]);
    puppetgram(directory.path(), &["run"]).expect_error("cannot be reached", "`homeserver.address`");
}

/// The first start against a homeserver that differs from the configuration in one point.
async fn first_start(change_appservice: impl FnOnce(&mut Appservice), domain: &str) -> Ended {
    first_start_with(change_appservice, domain, "").await
}

async fn first_start_with(change_appservice: impl FnOnce(&mut Appservice), domain: &str, more: &str) -> Ended {
    let bridge = format!("http://127.0.0.1:{}", free_port().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let init = ["init", "--yes", "--domain", domain, "--address", &bridge, "--homeserver", "http://127.0.0.1:1"];
    puppetgram(directory.path(), &init).expect_success();
    let config = read(&directory, "config.yaml");
    let mut appservice = Appservice {
        url: Some(bridge),
        as_token: value(&config, "as_token").to_owned(),
        hs_token: value(&config, "hs_token").to_owned(),
        ..Appservice::default()
    };
    change_appservice(&mut appservice);
    let homeserver = Homeserver::start(Options { appservice: Some(appservice), ..Options::default() }).await.unwrap();
    change(&directory, "http://127.0.0.1:1\n", &format!("{}\n", homeserver.url()));
    let config = read(&directory, "config.yaml") + "\n" + more;
    fs::write(directory.path().join("config.yaml"), config).unwrap();
    tokio::task::spawn_blocking(move || puppetgram(directory.path(), &["run"])).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn run_names_a_wrong_as_token() {
    let ended = first_start(|appservice| appservice.as_token = "another".to_owned(), "sim.test").await;
    ended.expect_error("does not know our as_token", "install this bridge's registration.yaml");
}

#[tokio::test(flavor = "multi_thread")]
async fn run_names_a_wrong_hs_token() {
    let ended = first_start(|appservice| appservice.hs_token = "another".to_owned(), "sim.test").await;
    ended.expect_error("another hs_token", "install this bridge's registration.yaml");
}

#[tokio::test(flavor = "multi_thread")]
async fn run_names_a_wrong_domain() {
    let ended = first_start(|_| {}, "other.test").await;
    ended.expect_error("the homeserver calls itself sim.test", "`homeserver.domain: sim.test`");
}

#[tokio::test(flavor = "multi_thread")]
async fn run_names_a_token_of_double_puppets_that_the_homeserver_does_not_know() {
    let more = "double_puppet:\n  as_token: a-token-nobody-knows\n";
    let ended = first_start_with(|_| {}, "sim.test", more).await;
    ended.expect_error("does not know the token of `double_puppet`", "--double-puppet");
}
