//! Manual pages and completions, as shells and `man` read them.

use std::process::{Command, Stdio};

use crate::command::{feed, run};

/// Whether a program is there; a test that needs it says so when it is not.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("skipped: no {program}");
    }
    found
}

#[test]
fn bash_completes_verbs_and_options() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("spanfile.bash");
    let r = run(&["completions", "bash"]);
    assert_eq!((r.err.as_str(), r.code), ("", 0));
    std::fs::write(&script, r.out).unwrap();
    if !has("bash") {
        return;
    }
    let ask = |words: &str, at: usize| {
        let ask = "set -eu; source \"$1\"; complete -p spanfile >/dev/null; COMP_WORDS=($2); COMP_CWORD=$3; set +eu; \
                   _spanfile spanfile \"${COMP_WORDS[$3]}\" \"${COMP_WORDS[$3 - 1]}\"; echo \"${COMPREPLY[@]}\"";
        let o = Command::new("bash")
            .args(["--norc", "-c", ask, "-", script.to_str().unwrap(), words, &at.to_string()])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(o.stderr).unwrap(), "", "{words}");
        String::from_utf8(o.stdout).unwrap()
    };
    assert_eq!(ask("spanfile pri", 1), "prices\n");
    assert_eq!(ask("spanfile prices al", 2), "alias\n");
    assert_eq!(ask("spanfile cost --fail", 2), "--fail-over\n");
    assert!(ask("spanfile cost --by m", 3).contains("model"));
}

#[test]
fn zsh_and_fish_read_their_completions() {
    for shell in ["zsh", "fish"] {
        let r = run(&["completions", shell]);
        assert!(r.code == 0 && r.out.contains("prices"), "{shell}");
        if has(shell) {
            let dir = tempfile::tempdir().unwrap();
            let script = dir.path().join("script");
            std::fs::write(&script, r.out).unwrap();
            let o = Command::new(shell).arg("-n").arg(&script).output().unwrap();
            assert!(o.status.success() && o.stderr.is_empty(), "{shell}: {}", String::from_utf8_lossy(&o.stderr));
        }
    }
    assert_eq!(run(&["completions", "tcsh"]).code, 2);
}

#[test]
fn a_page_for_the_command_and_for_each_verb() {
    let r = run(&["man"]);
    assert_eq!((r.err.as_str(), r.code), ("", 0));
    for part in [".TH spanfile 1", ".SH NAME", ".SH SYNOPSIS", ".SH EXAMPLES", "one dash or two", ".SH \"EXIT STATUS\""]
    {
        assert!(r.out.contains(part), "{part}");
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    assert_eq!(run(&["man", "--dir", path]).code, 0);
    let pages: Vec<String> =
        dir.path().read_dir().unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    let verbs = ["", "-cost", "-drift", "-ingest", "-loops", "-man", "-prices", "-prices-alias", "-budget-set"];
    for page in verbs.map(|v| format!("spanfile{v}.1")) {
        assert!(pages.contains(&page), "{page} is not among {pages:?}");
    }
    assert!(!pages.iter().any(|p| p.contains("help") || p.contains("partial")), "{pages:?}");
    let alias = std::fs::read_to_string(dir.path().join("spanfile-prices-alias.1")).unwrap();
    assert!(alias.contains("spanfile prices alias runs.spans my") && alias.contains("one dash or two"), "{alias}");
    assert_eq!(std::fs::read_to_string(dir.path().join("spanfile.1")).unwrap(), r.out);
    if has("groff") {
        for page in pages {
            let text = std::fs::read_to_string(dir.path().join(&page)).unwrap();
            let o = Command::new("groff").args(["-man", "-ww", "-z", "-Tutf8"]).arg(dir.path().join(&page)).output();
            assert_eq!(String::from_utf8_lossy(&o.unwrap().stderr), "", "{page}: {text}");
        }
    }
    let nowhere = dir.path().join("nowhere");
    let r = run(&["man", "--dir", nowhere.to_str().unwrap()]);
    assert!(r.code == 1 && r.err.contains("nowhere"), "{}", r.err);
    assert!(feed(&["--help"], "").out.contains("Example:\n  spanfile"));
}
