//! Questions that have different brokers to answer them, several at a time.

use std::{
    sync::{Mutex, PoisonError},
    thread::scope,
};

/// Questions that are asked at the same time.
const AT_ONCE: usize = 16;

/// Does the same with each item, in the order of the items; blocks.
pub(super) fn together<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let workers = items.len().min(AT_ONCE);
    let open = Mutex::new(items.into_iter().enumerate());
    let done = Mutex::new(Vec::new());
    let run = || loop {
        let next = open.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some((index, item)) = next else { return };
        let result = work(item);
        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
        done.push((index, result));
    };
    scope(|threads| {
        for _ in 0..workers {
            threads.spawn(run);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::together;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let doubled = together((0..100).collect(), |number| number * 2);
        assert_eq!(
            doubled,
            (0..100).map(|number| number * 2).collect::<Vec<_>>()
        );
        assert!(together(Vec::<u8>::new(), |item| item).is_empty());
    }
}
