//! Kills, power cuts, broken disks and databases, on the real binary.

mod clock_jumps;
mod damage;
mod delivery;
mod disk_trouble;
mod kills;
mod postgres;
mod power_loss;
mod submission;
