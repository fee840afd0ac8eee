//! The load by which the released binary is compiled. It checks every answer.

use std::process::Command;

#[test]
#[ignore = "needs scripts/test"]
fn the_load_of_the_profile_is_taken_on_both_engines() {
    #[expect(clippy::disallowed_methods, reason = "a setting of the tests")]
    let postgres =
        std::env::var("TEST_POSTGRES_URL").expect("TEST_POSTGRES_URL: run these tests by scripts/test");
    let output = Command::new("scripts/profile-load")
        .arg(env!("CARGO_BIN_EXE_transports"))
        .args(["--rounds", "1", "--postgres", &postgres])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
