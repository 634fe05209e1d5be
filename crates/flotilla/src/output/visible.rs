//! Text from outside on a terminal: names, notes and keys are written by strangers, and a terminal obeys
//! control sequences. Whatever is not shown as a character is spelled out.

/// The text with everything spelled out that would act on a terminal, end the line or reverse the text,
/// except the sequences in `ours`.
pub(crate) fn visible(text: &str, ours: &[&str]) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some(sequence) = ours.iter().find(|sequence| rest.starts_with(**sequence)) {
            shown.push_str(sequence);
            rest = &rest[sequence.len()..];
            continue;
        }
        if acts(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
        rest = &rest[character.len_utf8()..];
    }
    shown
}

fn acts(character: char) -> bool {
    let ends_a_line = matches!(character, '\u{2028}' | '\u{2029}');
    let turns_text = matches!(character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || ends_a_line || turns_text
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_acts_on_a_terminal_is_spelled_out_and_all_else_is_as_it_was() {
        for (text, shown) in [
            ("Tee, grün 茶 \u{1f375}", "Tee, grün 茶 \u{1f375}"),
            ("two\nlines\r", "two\\nlines\\r"),
            ("\u{1b}[2J\u{9b}2J\u{7}", "\\u{1b}[2J\\u{9b}2J\\u{7}"),
            ("\u{202e}gnp.exe\u{2028}", "\\u{202e}gnp.exe\\u{2028}"),
        ] {
            assert_eq!(visible(text, &[]), shown);
        }
    }

    #[test]
    fn of_sequences_only_ours_are_left() {
        assert_eq!(visible("\u{1b}[1mA\u{1b}[5m", &["\u{1b}[1m"]), "\u{1b}[1mA\\u{1b}[5m");
    }
}
