//! The payment service as a program.

fn main() -> std::process::ExitCode {
    chassis::main(payment::app)
}
