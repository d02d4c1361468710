// How the client of the TypeScript SDK 1 comes in with nothing but client credentials: it is turned away, learns from that where
// tokens are to be had, gets one there and comes in.
import { ClientCredentialsProvider } from "@modelcontextprotocol/sdk/client/auth-extensions.js";

// Where to connect to and with what options, given what the gateway at `url` calls itself: its requests go to the host of
// `url`, as through a reverse proxy.
export function withCredentials(url, { resource, clientId, clientSecret }) {
  const inside = (outside) => {
    const target = new URL(outside);
    if (target.origin === new URL(resource).origin) {
      target.protocol = new URL(url).protocol;
      target.host = new URL(url).host;
    }
    return target;
  };
  const authProvider = new ClientCredentialsProvider({ clientId, clientSecret, scope: "read" });
  return [new URL(resource), { authProvider, fetch: (outside, init) => fetch(inside(outside), init) }];
}
