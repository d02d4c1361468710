//! Rendering as a whole, on small inputs. Larger ones are cases under `tests/cases/render`.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::diagnostic::Severity;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const AUTH: &str = "\
apiVersion: toolhive.stacklok.dev/v1beta1
kind: MCPExternalAuthConfig
metadata: {name: key}
spec: {type: headerInjection, headerInjection: {headerName: X-Key, valueSecretRef: {name: s, key: k}}}
";
const ENTRY: &str = "\
apiVersion: toolhive.stacklok.dev/v1beta1
kind: MCPServerEntry
metadata: {name: partner}
spec:
  remoteUrl: https://partner.example/mcp
  transport: streamable-http
  groupRef: {name: g}
  externalAuthConfigRef: {name: key}
";
const OTHER: &str = "\
apiVersion: toolhive.stacklok.dev/v1beta1
kind: MCPServerEntry
metadata: {name: other}
spec: {remoteUrl: 'https://other.example/mcp', transport: sse, groupRef: {name: g}}
";
const SERVER: &str = "\
apiVersion: toolhive.stacklok.dev/v1beta1
kind: VirtualMCPServer
metadata: {name: tools}
spec:
  groupRef: {name: g}
  incomingAuth: {type: anonymous}
  outgoingAuth: {source: inline, default: {type: externalAuthConfigRef, externalAuthConfigRef: {name: key}}}
";

fn rendered(inputs: &[&str]) -> Rendered {
    render(inputs.iter().map(|input| input.as_bytes()), &Options::default())
}

/// The texts that errors point at.
fn errors(rendered: &Rendered) -> Vec<String> {
    let errors = rendered.diagnostics.iter().filter(|finding| finding.severity() == Severity::Error);
    let at = |finding: &Diagnostic| finding.place.as_ref().and_then(|place| rendered.text.get(place.span.range()));
    errors.map(|finding| format!("{} «{}»", finding.code, at(finding).unwrap_or("-"))).collect()
}

#[test]
fn places_are_those_of_each_input_wherever_it_stands() {
    let broken = ENTRY.replace("name: key}", "name: kye}");
    for inputs in [[AUTH, SERVER, &broken, OTHER], [OTHER, &broken, SERVER, AUTH]] {
        let rendered = rendered(&inputs);
        assert_eq!(errors(&rendered), ["render/dangling-reference «kye»"]);
        let place = rendered.diagnostics.iter().find_map(|finding| finding.place.clone()).unwrap();
        assert!(rendered.inputs.iter().any(|input| input.start <= place.span.start && place.span.end <= input.end));
    }
}

#[test]
fn the_order_of_inputs_does_not_matter() {
    let one = rendered(&[AUTH, ENTRY, OTHER, SERVER]);
    assert_eq!((errors(&one), one.objects.len()), (Vec::new(), 2));
    assert_eq!(one.objects, rendered(&[SERVER, OTHER, ENTRY, AUTH]).objects);
    assert_eq!(one.objects, rendered(&[&[SERVER, OTHER, ENTRY, AUTH].join("---\n")]).objects);
}

/// Whatever line of an entry is lost or mistyped: it is served with its own credentials, or not at all.
#[test]
fn an_edit_that_adds_an_error_never_gives_an_entry_other_credentials() {
    let server = SERVER.replace(", default: {type: externalAuthConfigRef, externalAuthConfigRef: {name: key}}", "");
    let lines: Vec<&str> = ENTRY.lines().collect();
    for index in 0..lines.len() {
        for edit in ["", "\t", "  externalAuthConfigRe: {name: key}", "  : [", "  externalAuthConfigRef: {name: gone}"]
        {
            // The line that names the credentials may be taken out on purpose: then there is no error.
            let mut edited = lines.clone();
            edited[index] = edit;
            let edited = format!("{}\n", edited.join("\n"));
            let rendered = rendered(&[AUTH, &server, &edited, OTHER]);
            let yaml = rendered.yaml();
            let served = yaml.contains("name: partner");
            let own = yaml.contains("TOOLHIVE_HEADER_INJECTION_VALUE_KEY");
            let lost = !edited.contains("externalAuthConfigRef: {name: key}");
            assert!(!served || own || lost && errors(&rendered).is_empty(), "{edited}\n{:?}", errors(&rendered));
        }
    }
}

#[test]
fn what_secrets_hold_is_neither_written_nor_told() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: s3cr3t}\n";
    let rendered = rendered(&[AUTH, ENTRY, SERVER, secret]);
    assert_eq!(errors(&rendered), [""; 0]);
    assert!(!rendered.yaml().contains("s3cr3t"));
    let hidden = |span: &Span| rendered.text.get(span.range()).is_some_and(|text| text.contains("s3cr3t"));
    assert!(rendered.secrets.iter().any(hidden));
}

#[test]
fn names_of_volumes_are_labels() {
    let name = |name: &str| pod::volume_name("ca-bundle-", name);
    assert_eq!(name("partner"), "ca-bundle-partner");
    assert_eq!(name("a.b"), "ca-bundle-a-b-2e7336dc");
    // As the operator shortens them.
    let long = "a".repeat(60);
    assert_eq!(name(&long), format!("ca-bundle-{}-11ee3912", "a".repeat(44)));
    assert!(name(&"é".repeat(100)).len() <= 63);
}

#[test]
fn an_input_that_is_too_large_is_told_and_the_others_are_read() {
    let large = alloc::vec![b' '; limits::INPUT_BYTES + 1];
    let rendered = render([large.as_slice(), SERVER.as_bytes()], &Options::default());
    let codes: Vec<_> = rendered.diagnostics.iter().map(|finding| finding.code.id()).collect();
    assert!(codes.contains(&"input/too-large"), "{codes:?}");
    assert_eq!(rendered.inputs.len(), 2);
    assert_eq!(render([], &Options::default()).diagnostics[0].code.to_string(), "render/no-server");
}

#[test]
fn more_servers_and_objects_than_can_be_looked_at_are_told_at_once() {
    let many: String =
        (0..2001).map(|n| format!("---\n{}", SERVER.replace("name: tools", &format!("name: t{n}")))).collect();
    let rendered = rendered(&[&many]);
    let finding = rendered.diagnostics.first().unwrap();
    assert_eq!(
        finding.message,
        "2001 VirtualMCPServers among 2001 objects are too many to render at once; expected fewer of them at a time"
    );
    assert!(rendered.objects.is_empty() && rendered.diagnostics.len() == 1);
}
