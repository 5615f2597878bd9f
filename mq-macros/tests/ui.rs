//! What the compiler says to mistakes, and that what is right compiles.
//!
//! `TRYBUILD=overwrite cargo test -p mq-macros --test ui` writes the answers anew; read the difference before you keep it.

#[test]
fn mistakes_are_answered_on_the_word_that_is_wrong() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/listener/*.rs");
    cases.compile_fail("tests/ui/source/*.rs");
    cases.compile_fail("tests/ui/failure/*.rs");
}
