//! The shipping service as a program.

fn main() -> std::process::ExitCode {
    chassis::main(shipping::app)
}
