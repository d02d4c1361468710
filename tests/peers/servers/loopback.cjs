// Preloaded into a server that listens in the clear on every interface: makes it listen on a free port of loopback, with
// TLS where it is given a certificate, and prints {"port": N}.
//
//   [CERTIFICATE=… KEY=…] node --require ./loopback.cjs SERVER
"use strict";
const { readFileSync } = require("node:fs");
const http = require("node:http");
const https = require("node:https");

const { CERTIFICATE, KEY } = process.env;
const inTheClear = http.createServer;
const create = CERTIFICATE
  ? (application) => https.createServer({ cert: readFileSync(CERTIFICATE), key: readFileSync(KEY) }, application)
  : inTheClear;
http.createServer = (application) => {
  const server = create(application);
  const listen = server.listen.bind(server);
  server.listen = (_port, ready) =>
    listen(0, "127.0.0.1", () => {
      console.log(JSON.stringify({ port: server.address().port }));
      ready?.();
    });
  return server;
};
