//! The inventory service as a program.

fn main() -> std::process::ExitCode {
    chassis::main(inventory::app)
}
