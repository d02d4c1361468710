#!/bin/sh
# Makes the certificates of this directory anew with OpenSSL 3; README.md says what each is for.
# Tests never run this: the files are committed, because OpenSSL may be absent.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

key() { # name, algorithm and options
    name=$1; shift
    openssl genpkey -out "$work/$name.key" "$@" 2>/dev/null
}
p256() { key "$1" -algorithm EC -pkeyopt ec_paramgen_curve:P-256; }

# `openssl ca` and not `openssl x509`, because only it takes dates.
cat >"$work/ca.cnf" <<'END'
[ca]
default_ca = this
[this]
database = $ENV::work/index
serial = $ENV::work/serial
new_certs_dir = $ENV::work
default_md = default
policy = any
unique_subject = no
[any]
countryName = optional
organizationName = optional
commonName = optional
END
export work
: >"$work/index"
echo 1000 >"$work/serial"
sign() { # name, subject, options of `openssl ca`; extensions come from standard input
    name=$1; subject=$2; shift 2
    cat >"$work/$name.ext"
    openssl req -new -key "$work/$name.key" -subj "$subject" -out "$work/$name.csr"
    openssl ca -batch -notext -config "$work/ca.cnf" -preserveDN -startdate 20200101000000Z -enddate 21200101000000Z \
        -extfile "$work/$name.ext" -in "$work/$name.csr" -out "$name.pem" "$@" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
}
root() { # name, subject, extensions: self-signed
    name=$1; subject=$2; shift 2
    printf '%s\n' "$@" | sign "$name" "$subject" -selfsign -keyfile "$work/$name.key"
}
issue() { # name, subject, issuer, extensions
    name=$1; subject=$2; issuer=$3; shift 3
    printf '%s\n' "$@" | sign "$name" "$subject" -cert "$issuer.pem" -keyfile "$work/$issuer.key" ${digest:-}
}
ca='basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash'
server='basicConstraints=CA:FALSE
subjectAltName=DNS:mcp.example'

# An ordinary private CA, an intermediate, and servers.
p256 ca; root ca '/O=Acme/CN=Acme Test CA' "$ca"
p256 server; issue server '/CN=mcp.example' ca "$server" 'extendedKeyUsage=serverAuth'
p256 intermediate; issue intermediate '/O=Acme/CN=Acme Intermediate' ca "$ca"
p256 server-below-intermediate; issue server-below-intermediate '/CN=mcp.example' intermediate "$server"
p256 intermediate-no-sign
issue intermediate-no-sign '/O=Acme/CN=Acme Unsigning' ca 'basicConstraints=critical,CA:TRUE' 'keyUsage=critical,digitalSignature'
p256 server-below-no-sign; issue server-below-no-sign '/CN=mcp.example' intermediate-no-sign "$server"
p256 intermediate-any; issue intermediate-any '/O=Acme/CN=Acme Any' ca "$ca" 'extendedKeyUsage=anyExtendedKeyUsage'
p256 server-below-any; issue server-below-any '/CN=mcp.example' intermediate-any "$server"

# The same name, another key.
p256 ca-renewed; root ca-renewed '/O=Acme/CN=Acme Test CA' "$ca"

# Keys.
key ca-p521 -algorithm EC -pkeyopt ec_paramgen_curve:P-521; root ca-p521 '/CN=Test CA P-521' "$ca"
key ca-ed25519 -algorithm ED25519; root ca-ed25519 '/CN=Test CA Ed25519' "$ca"
key ca-rsa2048 -algorithm RSA -pkeyopt rsa_keygen_bits:2048; root ca-rsa2048 '/CN=Test CA RSA' "$ca"
key ca-rsa1024 -algorithm RSA -pkeyopt rsa_keygen_bits:1024; root ca-rsa1024 '/CN=Test CA RSA 1024' "$ca"
p256 server-below-rsa1024; issue server-below-rsa1024 '/CN=mcp.example' ca-rsa1024 "$server"
key server-rsa1024 -algorithm RSA -pkeyopt rsa_keygen_bits:1024; issue server-rsa1024 '/CN=mcp.example' ca "$server"
p256 server-sha1; digest='-md sha1'; issue server-sha1 '/CN=mcp.example' ca-rsa2048 "$server"; digest=

# Certificates that say less or other than a CA should.
p256 ca-v1
root ca-v1 '/CN=Test CA v1' ''
p256 server-below-v1; issue server-below-v1 '/CN=mcp.example' ca-v1 "$server"
p256 ca-no-bc; root ca-no-bc '/CN=Test CA without BC' 'subjectKeyIdentifier=hash'
p256 server-below-no-bc; issue server-below-no-bc '/CN=mcp.example' ca-no-bc "$server"
p256 ca-false; root ca-false '/CN=Test CA FALSE' 'basicConstraints=CA:FALSE'
p256 server-below-false; issue server-below-false '/CN=mcp.example' ca-false "$server"
p256 ca-no-sign; root ca-no-sign '/CN=Test CA without keyCertSign' 'basicConstraints=critical,CA:TRUE' 'keyUsage=digitalSignature' 'subjectAltName=DNS:mcp.example'
p256 server-below-ca-no-sign; issue server-below-ca-no-sign '/CN=mcp.example' ca-no-sign "$server"
p256 ca-client-only; root ca-client-only '/CN=Test CA for clients' "$ca" 'extendedKeyUsage=clientAuth'
p256 server-below-client-only; issue server-below-client-only '/CN=mcp.example' ca-client-only "$server"
p256 ca-critical; root ca-critical '/CN=Test CA critical' "$ca" '1.2.3.4.5=critical,DER:0500'
p256 server-below-critical; issue server-below-critical '/CN=mcp.example' ca-critical "$server"
p256 ca-path0; root ca-path0 '/CN=Test CA path 0' 'basicConstraints=critical,CA:TRUE,pathlen:0' 'keyUsage=critical,keyCertSign'
p256 intermediate-path0; issue intermediate-path0 '/CN=Test intermediate path 0' ca-path0 "$ca"
p256 server-below-path0; issue server-below-path0 '/CN=mcp.example' intermediate-path0 "$server"
p256 server-direct-path0; issue server-direct-path0 '/CN=mcp.example' ca-path0 "$server"
p256 ca-names; root ca-names '/CN=Test CA names' "$ca" 'nameConstraints=critical,permitted;DNS:other.example'
p256 server-below-names; issue server-below-names '/CN=mcp.example' ca-names "$server"

# Servers' own certificates.
p256 self; root self '/CN=mcp.example' 'subjectAltName=DNS:mcp.example,IP:127.0.0.1'
p256 self-false; root self-false '/CN=mcp.example' 'basicConstraints=CA:FALSE' 'subjectAltName=DNS:mcp.example'
p256 self-ca; root self-ca '/CN=mcp.example' 'basicConstraints=critical,CA:TRUE' 'subjectAltName=DNS:mcp.example'
p256 server-ca; issue server-ca '/CN=mcp.example' ca 'basicConstraints=critical,CA:TRUE' 'subjectAltName=DNS:mcp.example'
p256 server-client-only; issue server-client-only '/CN=mcp.example' ca "$server" 'extendedKeyUsage=clientAuth'
p256 server-critical; issue server-critical '/CN=mcp.example' ca "$server" '1.2.3.4.5=critical,DER:0500'
p256 server-cn-only; issue server-cn-only '/CN=mcp.example' ca 'basicConstraints=CA:FALSE'
p256 self-v1
root self-v1 '/CN=mcp.example' ''

# Real handshakes need the keys of the servers that cannot be made at run time. They guard nothing.
for name in server-below-v1 server-sha1 self-v1 server-rsa1024 server-below-rsa1024; do
    cp "$work/$name.key" "$name.key"
done

openssl x509 -in ca.pem -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr 'A-F' 'a-f' >ca.sha256
