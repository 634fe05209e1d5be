//! Sprout as a program.

#[global_allocator]
static ALLOCATOR: chassis::Allocator = chassis::Allocator;

fn main() -> std::process::ExitCode {
    chassis::main(sprout::app)
}
