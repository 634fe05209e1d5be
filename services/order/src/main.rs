//! The order service as a program.

fn main() -> std::process::ExitCode {
    chassis::main(order::app)
}
