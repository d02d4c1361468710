//! The parser's findings in our words.
//!
//! It decides neither where a finding points nor what is read after it.

use alloc::format;
use alloc::string::String;

use granit_parser::ErrorKind;

use crate::diagnostic::{Code, code};

/// The code and message of a parser's error that is found before `rest`.
pub(super) fn describe(kind: &ErrorKind, rest: &str) -> (Code, String) {
    let message = match kind {
        ErrorKind::RecursionLimitExceeded => return (code::TOO_DEEP, too_deep()),
        kind if is_tab(kind) => return (code::TAB, tab()),
        ErrorKind::DuplicateVersionDirective
        | ErrorKind::UnsupportedYamlMajorVersion
        | ErrorKind::DuplicateTagDirective
        | ErrorKind::MissingDocumentEndBeforeDirective
        | ErrorKind::InvalidDirectiveTerminator
        | ErrorKind::DirectiveDisallowed
        | ErrorKind::MissingYamlVersionSeparator
        | ErrorKind::MissingDirectiveName
        | ErrorKind::InvalidDirectiveName
        | ErrorKind::DirectiveByteLimitExceeded { .. }
        | ErrorKind::TooManyReservedDirectiveParams { .. }
        | ErrorKind::YamlVersionTooLong
        | ErrorKind::MissingYamlVersion
        | ErrorKind::InvalidTagDirectiveTerminator
        | ErrorKind::ExpectedTagDirectiveBang => return (code::DIRECTIVE, directive()),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            format!("`{open}` is closed by `{close}`; expected `{}`", closing(*open))
        }
        ErrorKind::UnclosedFlowCollection { open } => {
            format!("`{open}` is never closed; expected `{}` before the end", closing(*open))
        }
        ErrorKind::UnexpectedCharacter { character } => {
            format!("`{}` cannot begin a value; put the text in quotes", character.escape_default())
        }
        ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::UnexpectedEofBlockSequence
        | ErrorKind::UnexpectedEofBlockMapping
        | ErrorKind::UnexpectedEof
            if rest.trim().is_empty() =>
        {
            String::from("the text ends in the middle of a value")
        }
        kind => String::from(fixed(kind)),
    };
    (code::SYNTAX, message)
}

/// Where an error really is: the parser marks the quote before an escape, and what stands beside a tab.
pub(super) fn culprit(kind: &ErrorKind, text: &str, marked: usize) -> usize {
    let (before, after) = text.split_at_checked(marked).unwrap_or((text, ""));
    match kind {
        ErrorKind::UnknownQuotedScalarEscape => {
            let mut escapes = after.char_indices();
            while let Some((at, c)) = escapes.next() {
                let known = "0abt\tnvfre \"/\\N_LPxuU\n\r";
                if c == '\\' && !escapes.next().is_some_and(|(_, name)| known.contains(name)) {
                    return marked + at;
                }
            }
            marked
        }
        // The entry of a list is marked, not its dash.
        ErrorKind::ExpectedBlockMappingKey => {
            let dash = before.trim_end_matches(' ');
            if dash.len() < before.len() && dash.ends_with('-') { dash.len() - 1 } else { marked }
        }
        kind if is_tab(kind) && !after.starts_with('\t') => {
            if before.ends_with('\t') {
                marked - 1
            } else {
                marked + after.find('\t').unwrap_or(0)
            }
        }
        _ => marked,
    }
}

fn is_tab(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar
            | ErrorKind::InvalidBlockEntryWhitespace
            | ErrorKind::InvalidMappingValueWhitespace
    )
}

/// What is said of a tab among the spaces that indent a line.
pub(super) fn tab() -> String {
    String::from("a tab stands where YAML allows only spaces; expected spaces")
}

/// What is said of nesting beyond the limit.
pub(super) fn too_deep() -> String {
    format!("values are nested deeper than {} levels", crate::config::limits::NESTING)
}

/// What is said of a directive that yaml.v3 does not take.
pub(super) fn directive() -> String {
    String::from("this directive is not understood; expected `%YAML 1.1`, `%TAG` or, best, none")
}

fn closing(open: char) -> char {
    if open == '{' { '}' } else { ']' }
}

fn fixed(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::UnclosedQuotedScalar | ErrorKind::DocumentIndicatorInQuotedScalar => {
            "this quote is never closed; expected the same quote before the end"
        }
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => {
            "`:` stands where no value may begin; quote text that holds `: `, or begin a new line"
        }
        ErrorKind::MappingKeyNotAllowed => "a key stands where none may begin; begin a new line",
        ErrorKind::BlockSequenceEntryNotAllowed | ErrorKind::BlockEntryInFlowCollection => {
            "`-` stands where no list entry may begin; begin a new line, or put the text in quotes"
        }
        ErrorKind::ExpectedBlockMappingKey => "expected a key here, indented as the keys before it",
        ErrorKind::ExpectedBlockSequenceEntry => "expected `- ` here, indented as the entries before it",
        ErrorKind::ExpectedNodeContent
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::UnexpectedEofBlockSequence
        | ErrorKind::UnexpectedEofBlockMapping
        | ErrorKind::UnexpectedEof => "expected a value here",
        ErrorKind::ExpectedFlowMappingSeparator => "expected `,` or `}` here",
        ErrorKind::ExpectedFlowSequenceSeparator => "expected `,` or `]` here",
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            "this line is neither a key with `:` nor part of the value before it; expected `key: value`"
        }
        ErrorKind::InvalidIndentation
        | ErrorKind::InvalidBlockScalarIndent
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::InvalidFlowScalarIndent => "this line is indented less than what it continues",
        ErrorKind::MisplacedFlowCollectionEnd => "this bracket closes nothing",
        ErrorKind::CommentNotSeparated => "`#` follows a value directly; expected a space before a comment",
        ErrorKind::CommentInterceptedScalar => {
            "a comment interrupts a text of several lines; expected quotes around it"
        }
        ErrorKind::ExpectedWhitespace | ErrorKind::FlowMappingValueAdjacentCollection => "expected a space here",
        ErrorKind::ZeroBlockScalarIndent => "the indentation of a block of text is 0; expected 1 to 9",
        ErrorKind::InvalidBlockScalarHeader => {
            "text follows `|` or `>` on its line; expected only `1` to `9`, `+`, `-` or a comment"
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            "text follows a closing quote; expected the end of the value"
        }
        ErrorKind::UnknownQuotedScalarEscape => {
            r#"no escape of this name exists; write `\\` for a backslash, or use single quotes"#
        }
        ErrorKind::InvalidQuotedScalarHexEscape | ErrorKind::InvalidLowSurrogateHexEscape => {
            r"expected hexadecimal digits after `\x`, `\u` or `\U`"
        }
        ErrorKind::InvalidLowSurrogate
        | ErrorKind::MissingLowSurrogate
        | ErrorKind::UnpairedLowSurrogate
        | ErrorKind::InvalidUnicodeEscape => "this escape names no Unicode character",
        ErrorKind::PlainScalarStartsWithDashFlowIndicator => "`-` is followed by a bracket or comma; put it in quotes",
        ErrorKind::UnexpectedEndOfPlainScalar => "expected text here",
        ErrorKind::MissingAnchorOrAliasName => {
            "expected a name after `&` or `*`; put text that begins with it in quotes"
        }
        ErrorKind::InvalidDocumentEnd => "text follows `...`; expected the end of the line",
        ErrorKind::ExpectedDocumentStart => "expected `---` here",
        ErrorKind::UndeclaredTagHandle
        | ErrorKind::ExpectedTagBang
        | ErrorKind::InvalidGlobalTagCharacter
        | ErrorKind::InvalidTagTerminator
        | ErrorKind::MissingTagUri
        | ErrorKind::UnclosedVerbatimTag
        | ErrorKind::InvalidTagEscape
        | ErrorKind::InvalidTagUtf8LeadingByte
        | ErrorKind::InvalidTagUtf8TrailingByte
        | ErrorKind::InvalidTagUtf8 => "this is not a tag; put text that begins with `!` in quotes",
        _ => "this is not YAML",
    }
}
