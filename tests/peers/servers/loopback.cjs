// Preloaded into a server that listens in the clear on every interface: makes it listen with TLS, on a free port of
// loopback, and prints {"port": N}.
//
//   CERTIFICATE=… KEY=… node --require ./loopback.cjs SERVER
"use strict";
const { readFileSync } = require("node:fs");
const http = require("node:http");
const https = require("node:https");

const options = { cert: readFileSync(process.env.CERTIFICATE), key: readFileSync(process.env.KEY) };
http.createServer = (application) => {
  const server = https.createServer(options, application);
  const listen = server.listen.bind(server);
  server.listen = (_port, ready) =>
    listen(0, "127.0.0.1", () => {
      console.log(JSON.stringify({ port: server.address().port }));
      ready?.();
    });
  return server;
};
