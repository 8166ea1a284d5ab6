//! A real terminal: the shell on a pseudo-terminal, its screen read as a person sees it.

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::data::{Fixture, file, traces};

/// Longer than anything takes, on any machine.
const PATIENCE: Duration = Duration::from_secs(120);
const PROMPT: &str = "spanfile>";

struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    /// All that was ever written.
    raw: Arc<Mutex<Vec<u8>>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
}

/// Folders of one user: home, state, and where the shell is started.
struct User {
    dir: tempfile::TempDir,
}

impl User {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["home", "state", "work"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        User { dir }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn open(&self, file: &Path, args: &[&str], env: &[(&str, &str)]) -> Terminal {
        let pty = native_pty_system().openpty(size(24, 100)).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_spanfile"));
        command.env_clear();
        command.env("HOME", self.path("home"));
        command.env("XDG_STATE_HOME", self.path("state"));
        command.env("TERM", "xterm-256color");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("PAGER", "cat");
        env.iter().for_each(|(name, value)| command.env(name, value));
        command.cwd(self.path("work"));
        command.arg(file);
        args.iter().for_each(|a| command.arg(a));
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let mut reader = pty.master.try_clone_reader().unwrap();
        let keys = pty.master.take_writer().unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(24), cells(100), 0)));
        let raw = Arc::new(Mutex::new(Vec::new()));
        let (shown, all) = (Arc::clone(&screen), Arc::clone(&raw));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n) = reader.read(&mut bytes) {
                if n == 0 {
                    break;
                }
                shown.lock().unwrap().process(&bytes[..n]);
                all.lock().unwrap().extend_from_slice(&bytes[..n]);
            }
        });
        let mut t = Terminal { screen, raw, keys, child, master: pty.master };
        t.wait("the prompt", |s| s.trim_end().ends_with(PROMPT));
        t
    }
}

fn cells(n: u16) -> NonZero<u16> {
    NonZero::new(n).unwrap()
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

impl Terminal {
    fn text(&self) -> String {
        let text = self.screen.lock().unwrap().screen().contents();
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    /// Waits until the screen shows something, and gives it.
    fn wait(&mut self, what: &str, shows: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let text = self.text();
            if shows(&text) {
                return text;
            }
            assert!(begun.elapsed() < PATIENCE, "waited for {what}; the screen shows:\n{text}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Types a line and waits for the prompt after its answer; gives the lines between.
    fn line(&mut self, line: &str) -> String {
        self.clear();
        self.keys(&format!("{line}\r"));
        let text = self.wait(line, |s| s.matches(PROMPT).count() >= 2 && s.trim_end().ends_with(PROMPT));
        let (_, answer) = text.split_once('\n').unwrap_or_default();
        answer.trim_end().trim_end_matches(PROMPT).trim_end().to_owned()
    }

    /// Ctrl-C at the prompt. What is typed with it would be lost with the line.
    fn drop_line(&mut self) {
        let before = self.text().matches(PROMPT).count();
        self.keys("\u{3}");
        self.wait("a new prompt", |s| s.matches(PROMPT).count() > before);
    }

    fn clear(&mut self) {
        self.keys("\u{c}");
        self.wait("a clear screen", |s| s.trim() == PROMPT);
    }

    fn end(mut self) -> u32 {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end; the screen shows:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw.lock().unwrap()).into_owned()
    }
}

#[test]
fn a_session() {
    let (f, user) = (Fixture::new(), User::new());
    let mut t = user.open(&f.path, &[], &[]);
    assert!(t.text().contains("330 spans in 42 runs"), "{}", t.text());
    // The lexer says where a statement ends: not in a text, and over as many lines as it takes.
    t.clear();
    t.keys("select ';' as a,\r");
    t.wait("a hint", |s| s.contains("; ends the statement"));
    t.keys("(1\r");
    t.wait("a hint about the bracket", |s| s.contains("a bracket is open"));
    t.keys("+ 1) as b;\r");
    let text = t.wait("the result", |s| s.contains("│ ;"));
    assert!(text.contains("│ a │ b │") && text.contains("│ ; │ 2 │"), "{text}");
    // Errors point at the place and say what was meant.
    let text = t.line("select nme from spans;");
    assert_eq!(text, "spanfile: 1:8: there is no column nme; did you mean name?\n  select nme from spans\n         ^");
    assert!(t.line(".tabels").contains("unknown command .tabels; did you mean .tables?"));
    assert!(t.line("select cuont(*) from spans;").contains("did you mean count"));
    assert!(t.line("select 1 from spns;").contains("did you mean spans"));
    assert!(t.line(".help run").contains("example: .run slowest --io"));
    t.keys("help\r");
    t.wait("help", |s| s.contains(".help COMMAND has examples"));
    assert!(t.line(".mode jsno").contains("did you mean json?"));
    assert!(t.line("\\d links").contains("trace_id"));
    assert!(t.line(".timer on").is_empty());
    assert!(t.line("select 42 as answer;").contains("run time (s): real "));
    t.keys(".quit\r");
    assert_eq!(t.end(), 0);
    // Nothing is left where it was started, and the history is where it belongs.
    assert_eq!(std::fs::read_dir(user.path("work")).unwrap().count(), 0);
    let history = std::fs::read_to_string(user.path("state").join("spanfile/history")).unwrap();
    assert!(history.contains("select 42 as answer;"), "{history}");
}

#[test]
fn history_survives_and_is_searched() {
    let (f, user) = (Fixture::new(), User::new());
    let mut t = user.open(&f.path, &[], &[]);
    t.line("select 'first' as x;");
    t.line("select 'second'\nas y;");
    t.keys("\u{4}");
    assert_eq!(t.end(), 0);
    let mut t = user.open(&f.path, &[], &[]);
    t.clear();
    t.keys("\u{1b}[A");
    t.wait("the last statement, both lines of it", |s| s.contains("'second'") && s.contains("as y;"));
    t.drop_line();
    t.clear();
    t.keys("\u{12}fir");
    t.wait("the statement that was searched", |s| s.contains("select 'first' as x;"));
    t.keys("\r");
    t.wait("its result", |s| s.contains("│ first │"));
    // What was typed before is offered behind the cursor.
    t.clear();
    t.keys("select 'fi");
    t.wait("the hint", |s| s.contains("select 'first' as x;"));
    t.keys("\u{1b}[C\r");
    t.wait("its result", |s| s.contains("│ first │"));
    assert!(t.line(".history fir").contains("select 'first' as x;"));
    t.keys(".exit 7\r");
    assert_eq!(t.end(), 7);
}

#[test]
fn completion_knows_the_place() {
    let (f, user) = (Fixture::new(), User::new());
    let mut t = user.open(&f.path, &[], &[]);
    // Names are read in the background.
    let until = |t: &mut Terminal, typed: &str, wanted: &str| {
        let begun = Instant::now();
        loop {
            t.drop_line();
            t.clear();
            t.keys(typed);
            t.keys("\t");
            std::thread::sleep(Duration::from_millis(150));
            let text = t.text();
            if text.contains(wanted) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{typed:?} and Tab did not give {wanted:?} but:\n{text}");
        }
    };
    until(&mut t, ".tab", ".tables");
    until(&mut t, "select * from llm_c", "select * from llm_calls");
    until(
        &mut t,
        "select duration_ from spans\u{1b}[D\u{1b}[D\u{1b}[D\u{1b}[D\u{1b}[D\u{1b}[D\u{1b}[D\u{1b}[D\u{1b}[D\u{1b}[D\u{1b}[D",
        "select duration_ns from spans",
    );
    until(&mut t, "select s.trace_st from spans s where s.otel_", "s.otel_kind");
    until(&mut t, "select * from runs where service_name = 'al", "service_name = 'alpha'");
    until(&mut t, "select * from descenda", "descendants(");
    until(&mut t, "select approx_dist", "approx_distinct(");
    until(&mut t, ".mode js", "jsonl");
    until(&mut t, ".help timer", "timer");
    let id = crate::data::Span::trace_hex(7);
    until(&mut t, &format!(".run {}", &id[..10]), &id);
    until(&mut t, &format!("select * from spans where trace_id = '{}", &id[..10]), &id);
    std::fs::write(user.path("work").join("report one.sql"), "select 1;").unwrap();
    until(&mut t, ".read rep", "one.sql");
    t.drop_line();
    t.keys("\u{4}");
    assert_eq!(t.end(), 0);
}

#[test]
fn a_long_query_is_interrupted_and_the_session_goes_on() {
    let (dir, user) = (tempfile::tempdir().unwrap(), User::new());
    let path = file(dir.path(), "fan.spans", &[traces(0..4000, 8)], false);
    let mut t = user.open(&path, &[], &[]);
    t.clear();
    t.keys("select count(a.span_id || b.span_id || c.span_id) from spans a join spans b on a.status = b.status join spans c on b.status = c.status;\r");
    t.wait("progress", |s| s.contains("Ctrl-C stops"));
    t.keys("\u{3}");
    let text = t.wait("the prompt", |s| s.trim_end().ends_with(PROMPT) && s.contains("interrupted"));
    assert!(!text.contains("Ctrl-C stops"), "{text}");
    assert!(t.line("select 6 * 7 as answer;").contains("│     42 │"));
    // A line is cleared; a second time on an empty line says how to leave.
    t.clear();
    t.keys("select nonsense");
    t.drop_line();
    t.keys("\u{3}");
    t.wait("how to leave", |s| s.contains(".quit or Ctrl-D leaves."));
    t.keys("\u{4}");
    assert_eq!(t.end(), 0);
}

#[test]
fn the_width_is_that_of_the_window_at_the_time() {
    let (f, user) = (Fixture::new(), User::new());
    let mut t = user.open(&f.path, &[], &[]);
    let sql = "select trace_id, span_id, name, kind, status from spans order by 1, 2 limit 2;";
    let widest = |text: &str| text.lines().map(|l| l.chars().count()).max().unwrap_or(0);
    let wide = t.line(sql);
    assert!(widest(&wide) > 60 && widest(&wide) <= 100, "{wide}");
    for cols in [60, 40] {
        t.master.resize(size(24, cols)).unwrap();
        t.screen.lock().unwrap().screen_mut().set_size(cells(24), cells(cols));
        let narrow = t.line(sql);
        let table: Vec<&str> = narrow.lines().filter(|l| l.starts_with(['│', '┌', '├', '└'])).collect();
        assert!(table.len() > 4 && widest(&table.join("\n")) <= usize::from(cols), "{cols}:\n{narrow}");
        // The prompt is where it was, and the rules are whole.
        assert!(narrow.lines().any(|l| l.starts_with('└') && l.ends_with('┘')), "{cols}:\n{narrow}");
    }
    let text = t.line("select * from spans limit 1;");
    assert!(text.contains("columns not shown; line mode shows all"), "{text}");
    t.keys("\u{4}");
    assert_eq!(t.end(), 0);
}

#[test]
fn long_results_are_capped_and_paged() {
    let (f, user) = (Fixture::new(), User::new());
    let mut t = user.open(&f.path, &[], &[("SPANFILE_PAGER", "sed 's/^/paged /' | tail -n 4")]);
    let text = t.line("select span_id from spans;");
    assert!(text.contains("paged │") && text.contains("130 more rows; .maxrows 0 shows all"), "{text}");
    let text = t.line("select span_id from spans limit 3;");
    assert!(!text.contains("paged") && text.contains("│"), "{text}");
    t.line(".pager off");
    t.line(".maxrows 5");
    let text = t.line("select span_id from spans;");
    assert!(!text.contains("paged") && text.contains("325 more rows"), "{text}");
    // Who leaves the pager has seen enough; that is no error.
    t.line(".pager head -n 1");
    t.line(".maxrows 0");
    let text = t.line("select span_id from spans a cross join (select 1 from spans) b;");
    assert!(!text.contains("error") && !text.contains("pipe"), "{text}");
    t.keys("\u{4}");
    assert_eq!(t.end(), 0);
}

#[test]
fn habits_and_colours() {
    let (f, user) = (Fixture::new(), User::new());
    std::fs::write(user.path("home").join(".spanfilerc"), ".mode csv\n.nonsense\n").unwrap();
    let mut t = user.open(&f.path, &[], &[]);
    assert!(t.text().contains(".spanfilerc:2: unknown command .nonsense"), "{}", t.text());
    assert_eq!(t.line("select 1 as a;"), "a\n1");
    assert!(t.raw().contains("\u{1b}[1;34mselect\u{1b}[0m"), "keywords have a colour");
    t.keys("\u{4}");
    t.end();
    let mut t = user.open(&f.path, &["-no-init"], &[("NO_COLOR", "1")]);
    assert!(t.line("select 1 as a;").contains("│ 1 │"));
    t.line(".run last");
    let colours = |raw: &str| {
        raw.split("\u{1b}[")
            .skip(1)
            .any(|s| s.split_once('m').is_some_and(|(c, _)| c.chars().all(|c| c.is_ascii_digit() || c == ';')))
    };
    assert!(!colours(&t.raw()), "{:?}", t.raw());
    t.keys("\u{4}");
    t.end();
}

#[test]
fn what_traces_hold_is_seen_and_not_obeyed() {
    let (f, user) = (Fixture::new(), User::new());
    let mut t = user.open(&f.path, &[], &[]);
    let text = t.line("select 'a' || chr(27) || '[2Jb' as x;");
    assert!(text.contains("a\\u{1b}[2Jb"), "{text}");
    let text = t.line("select '日本語' as wide, 'é' as narrow;");
    assert!(text.contains("│ 日本語 │ é      │"), "{text}");
    t.keys("\u{4}");
    t.end();
}

#[test]
fn what_is_pasted_runs_as_a_script_does() {
    let (f, user) = (Fixture::new(), User::new());
    let mut t = user.open(&f.path, &["-no-init"], &[]);
    t.clear();
    t.keys("\u{1b}[200~select 1 as a;\n.mode csv\nselect 2\n  as b;\n\u{1b}[201~\r");
    t.wait("both results", |s| s.contains("│ 1 │") && s.contains("b\n2\n"));
    t.keys("\u{4}");
    assert_eq!(t.end(), 0);
}

#[test]
fn what_is_typed_ahead_is_not_lost() {
    let (f, user) = (Fixture::new(), User::new());
    let mut t = user.open(&f.path, &["-no-init", "-csv"], &[]);
    t.clear();
    t.keys("select 'R1' as x;\rselect 'R2' as x;\rselect 'R3' as x;\r");
    t.wait("all results", |s| ["\nR1\n", "\nR2\n", "\nR3\n"].iter().all(|r| s.contains(r)));
    t.keys("\u{4}");
    assert_eq!(t.end(), 0);
}

#[test]
fn files_come_and_go() {
    let (f, user) = (Fixture::new(), User::new());
    let b = file(f.dir.path(), "b.spans", &[traces(100..110, 3)], false);
    let mut t = user.open(&f.path, &["-no-init"], &[]);
    t.line(".mode csv");
    t.line(&format!(".open {} AS b", b.display()));
    assert_eq!(t.line("select count(*) as n from b.spans;"), "n\n30");
    assert!(t.line(".databases").contains("b.spans"));
    t.line(".close b");
    assert!(t.line("select count(*) as n from b.spans;").contains("there is no table b.spans"));
    t.line(&format!(".open {}", b.display()));
    assert_eq!(t.line("select count(*) as n from spans;"), "n\n30");
    assert!(t.line(".open no/such.spans").contains("no/such.spans"));
    assert_eq!(t.line("select count(*) as n from spans;"), "n\n30", "what was open stays open");
    let out = user.path("work").join("out.parquet");
    t.line(&format!(".once {}", out.display()));
    assert!(t.line("select 1 as a;").contains("1 rows"));
    assert!(std::fs::read(&out).unwrap().starts_with(b"PAR1"));
    t.line(".once rows.jsonl");
    assert_eq!(t.line("select 7 as a;"), "");
    assert_eq!(std::fs::read_to_string(user.path("work").join("rows.jsonl")).unwrap(), "{\"a\":7}\n");
    let (other, before) = (f.path.display(), std::fs::read(&f.path).unwrap());
    assert!(t.line(&format!(".once {other}")).contains("a file of spans is not written over"));
    assert!(t.line(&format!(".run last --html {other}")).contains("a file of spans is not written over"));
    assert!(std::fs::read(&f.path).unwrap() == before);
    t.line(".output kept.csv");
    assert_eq!(t.line("select 2 as a;"), "");
    t.line(".output");
    assert_eq!(std::fs::read_to_string(user.path("work").join("kept.csv")).unwrap(), "a\n2\n");
    assert!(t.line(&format!(".output {}", b.display())).contains("the file is being read"));
    t.keys("\u{4}");
    assert_eq!(t.end(), 0);
}
