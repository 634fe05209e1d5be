//! The table of all states and inputs.
