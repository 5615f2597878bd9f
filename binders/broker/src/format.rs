//! The version of everything that is in a folder.
//!
//! This version reads the one before it, and refuses a later one by name: what it cannot read is not damaged.

/// The format that is written.
pub(crate) const FORMAT: u8 = 3;

/// What the first bytes of a file say of its format: the last byte of its magic number.
///
/// `None` is no file of this kind; 0 never was a format.
pub(crate) fn format_of(bytes: &[u8], magic: &[u8; 7]) -> Option<u8> {
    let (found, rest) = bytes.split_at_checked(magic.len())?;
    let format = *rest.first()?;
    (found == magic && format > 0).then_some(format)
}

/// The magic number of a file in the format that is written.
pub(crate) const fn magic(kind: &[u8; 7]) -> [u8; 8] {
    let [a, b, c, d, e, f, g] = *kind;
    [a, b, c, d, e, f, g, FORMAT]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_read_behind_its_kind_only() {
        assert_eq!(format_of(&magic(b"MQSNAP\0"), b"MQSNAP\0"), Some(FORMAT));
        assert_eq!(format_of(b"MQSNAP\0\x07rest", b"MQSNAP\0"), Some(7));
        for other in [&b"MQSNAP\0\0"[..], b"MQSNAP\0", b"", b"MQSEG\0\0\x02"] {
            assert_eq!(format_of(other, b"MQSNAP\0"), None);
        }
    }
}
