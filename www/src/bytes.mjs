// The WebAssembly module as text that a script can hold: a character a byte, so that it packs nearly as well as the bytes do.

/**
 * What no script can hold as it is, and with it a byte that is rare in modules: it takes that one's character, and the rare
 * one's is 256 higher than its own.
 */
const EXCHANGED = [[0, 87], [13, 90], [34, 91], [10, 61], [92, 122], [60, 62]];

/** @param {Uint8Array} bytes */
export function toText(bytes) {
  const codes = Array.from({ length: 256 }, (_, byte) => byte);
  for (const [byte, rare] of EXCHANGED) [codes[byte], codes[rare]] = [rare, byte + 256];
  return Array.from(bytes, (byte) => String.fromCharCode(codes[byte])).join("");
}

/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
export function toBytes(text) {
  const bytes = Array.from({ length: 512 }, (_, code) => code);
  for (const [byte, rare] of EXCHANGED) [bytes[rare], bytes[byte + 256]] = [byte, rare];
  return Uint8Array.from(text, (character) => bytes[character.charCodeAt(0)]);
}
