//! What must not be, and is: faults that are planted in tables and topics, and databases that are set back to an
//! older copy of themselves. The audit finds them, and the runbook's steps mend them. Beside `chaos`, after which
//! nothing is wrong, and apart from it, so that the two run side by side on fleets of their own.

#![allow(clippy::unwrap_used, reason = "a run that cannot go on should say where")]

mod audit;
mod set_back;
