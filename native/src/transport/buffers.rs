//! The buffers of a connection: 16 KiB each way while a request is under way, nothing while it is idle.
//!
//! Stock buffers are two of 128 KiB for as long as the connection lives, and fixed, so that a head larger than them is
//! never read to its end.

use ureq::unversioned::transport::Buffers as UreqBuffers;

/// Bytes of each buffer.
const SIZE: usize = 16 * 1024;
/// Room that is left for one more line of a head, which ureq writes whole.
const LINE: usize = 9 * 1024;
/// Room that one read is worth.
const READ: usize = 4 * 1024;

#[derive(Debug, Default)]
pub(super) struct Buffers {
    input: Vec<u8>,
    /// What of `input` is unread.
    unread: std::ops::Range<usize>,
    /// Whether the last look at `input` took something from it.
    progress: bool,
    output: Vec<u8>,
    /// Bytes of `output` that wait to be written.
    waiting: usize,
}

impl Buffers {
    /// `amount` more bytes of the output wait; whether that is as many as should.
    pub(super) fn push_output(&mut self, amount: usize) -> Waits {
        self.waiting += amount;
        if self.output.len() - self.waiting < LINE { Waits::Full } else { Waits::ForMore }
    }

    /// What waits to be written.
    pub(super) fn waiting(&self) -> &[u8] {
        &self.output[..self.waiting]
    }

    pub(super) fn nothing_waits(&mut self) {
        self.waiting = 0;
    }

    /// Gives the memory back.
    pub(super) fn release(&mut self) {
        *self = Self::default();
    }
}

/// Whether output should wait for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// The head and the body leave together.
    ForMore,
    /// There is no room for more.
    Full,
}

impl UreqBuffers for Buffers {
    fn output(&mut self) -> &mut [u8] {
        self.tmp_and_output().1
    }

    fn input(&self) -> &[u8] {
        &self.input[self.unread.clone()]
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        if self.unread.is_empty() {
            self.unread = 0..0;
        }
        if self.input.len() < SIZE {
            self.input.resize(SIZE, 0);
        }
        if self.input.len() - self.unread.end < READ {
            self.input.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
        // Only a head grows it, and ureq bounds that.
        if self.input.len() - self.unread.end < READ {
            self.input.resize(self.input.len() * 2, 0);
        }
        &mut self.input[self.unread.end..]
    }

    fn input_appended(&mut self, amount: usize) {
        self.unread.end += amount;
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.unread.start += amount;
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        if self.output.len() < SIZE {
            self.output.resize(SIZE, 0);
        }
        if self.unread.is_empty() {
            self.unread = 0..0;
        }
        if self.input.len() < SIZE {
            self.input.resize(SIZE, 0);
        }
        (&mut self.input[self.unread.end..], &mut self.output[self.waiting..])
    }

    fn can_use_input(&self) -> bool {
        !self.unread.is_empty() && self.progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_larger_than_the_buffer_is_kept_whole() {
        let mut buffers = Buffers::default();
        let mut sent = Vec::new();
        while sent.len() < 70_000 {
            let room = buffers.input_append_buf();
            assert!(room.len() >= READ);
            room[..1000].fill(sent.len() as u8);
            sent.extend_from_slice(&room[..1000]);
            buffers.input_appended(1000);
            // Not complete yet: nothing is taken.
            buffers.input_consume(0);
            assert!(!buffers.can_use_input());
        }
        assert!(buffers.input() == sent);
        buffers.input_consume(69_990);
        assert!(buffers.can_use_input());
        assert!(buffers.input() == &sent[69_990..]);
        buffers.input_append_buf()[0] = 7;
        buffers.input_appended(1);
        assert_eq!(buffers.input().len(), 11);
        assert_eq!(buffers.input()[10], 7);
    }

    #[test]
    fn output_waits_until_there_is_no_room_for_a_line() {
        let mut buffers = Buffers::default();
        buffers.output()[..5].copy_from_slice(b"head ");
        assert_eq!(buffers.push_output(5), Waits::ForMore);
        buffers.output()[..4].copy_from_slice(b"body");
        assert_eq!(buffers.push_output(4), Waits::ForMore);
        assert_eq!(buffers.waiting(), b"head body");
        let room = buffers.output().len();
        assert_eq!(buffers.push_output(room), Waits::Full);
        buffers.nothing_waits();
        assert_eq!(buffers.waiting(), b"");
        buffers.release();
        assert_eq!((buffers.input.capacity(), buffers.output.capacity()), (0, 0));
    }
}
