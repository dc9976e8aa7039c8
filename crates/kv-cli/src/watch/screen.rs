//! The terminal, taken over and given back.

use std::io;

use ratatui::DefaultTerminal;

use super::draw::draw;
use super::page::Page;

/// A terminal in raw mode on its second screen. A drop gives it back, also while a panic unwinds;
/// before the panic's message is printed, ratatui's hook does the same.
pub(super) struct Screen(DefaultTerminal);

impl Screen {
    pub(super) fn open() -> io::Result<Self> {
        // Whatever was done before an error is undone.
        ratatui::try_init().map(Self).inspect_err(|_| drop(ratatui::try_restore()))
    }

    pub(super) fn draw(&mut self, page: &mut Page) -> io::Result<()> {
        self.0.draw(|frame| draw(frame, page)).map(|_| ())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing is left to do where the terminal is gone.
        let _ = self.0.show_cursor();
        let _ = ratatui::try_restore();
    }
}
