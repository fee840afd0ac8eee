//! In which order the due mail of one account goes out. Pure.

use std::collections::VecDeque;

use super::Lane;

/// One bulk mail in so many, where both lanes have mail.
const BULK_SHARE: u64 = 8;

/// What is due, each kind in the order in which it was due.
pub struct Due<T> {
    /// By lane; first what was never tried, then what is tried again.
    queues: [[VecDeque<T>; 2]; 2],
}

impl<T> Default for Due<T> {
    fn default() -> Self {
        Self { queues: Default::default() }
    }
}

impl<T> Due<T> {
    pub fn push(&mut self, lane: Lane, is_retry: bool, mail: T) {
        self.queues[usize::from(lane == Lane::Bulk)][usize::from(is_retry)].push_back(mail);
    }

    /// Takes the mail whose turn it is after so many that went before: one in eight is bulk, and in each lane new mail and
    /// retries alternate. Where the one has nothing, it is the other's turn.
    pub fn next(&mut self, taken: u64) -> Option<T> {
        let is_bulks_turn = taken % BULK_SHARE == BULK_SHARE - 1;
        // How many of the lane went before.
        let in_lane = if is_bulks_turn { taken / BULK_SHARE } else { taken - taken / BULK_SHARE };
        let is_retrys_turn = in_lane % 2 == 1;
        [is_bulks_turn, !is_bulks_turn].into_iter().find_map(|is_bulk| {
            let lane = &mut self.queues[usize::from(is_bulk)];
            lane[usize::from(is_retrys_turn)]
                .pop_front()
                .or_else(|| lane[usize::from(!is_retrys_turn)].pop_front())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `T` and `t` are new and repeated transactional mail, `B` and `b` bulk mail.
    fn order(due: &str) -> String {
        let mut queues = Due::default();
        for mail in due.chars() {
            let lane = if mail.eq_ignore_ascii_case(&'b') { Lane::Bulk } else { Lane::Transactional };
            queues.push(lane, mail.is_ascii_lowercase(), mail);
        }
        (0..).map_while(|taken| queues.next(taken)).collect()
    }

    #[test]
    fn one_in_eight_is_bulk_and_new_mail_alternates_with_retries() {
        let cases = [
            ("TTTT", "TTTT"),
            ("tttt", "tttt"),
            ("ttttTT", "TtTttt"),
            ("TTTTTTTTTTTTTTTTBBB", "TTTTTTTBTTTTTTTBTTB"),
            ("ttttttttttTTTTTTTTTTBBbb", "TtTtTtTBtTtTtTtbTtTtTtBb"),
            ("BBbb", "BbBb"),
            ("", ""),
        ];
        for (due, expected) in cases {
            assert_eq!(order(due), expected, "{due}");
        }
    }

    #[test]
    fn each_kind_goes_in_the_order_in_which_it_was_due() {
        let mut due = Due::default();
        for number in 0..6 {
            due.push(Lane::Transactional, number % 2 == 1, number);
        }
        let order: Vec<_> = (0..).map_while(|taken| due.next(taken)).collect();
        assert_eq!(order, [0, 1, 2, 3, 4, 5]);
    }
}
