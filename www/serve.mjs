// Serves a folder on loopback: node serve.mjs FOLDER [PORT]. For looking at the page; not for the world.
import { readFileSync, readdirSync } from "node:fs";
import http from "node:http";
import path from "node:path";

const TYPES = { ".css": "text/css", ".html": "text/html", ".js": "text/javascript" };
const [folder, port = "0"] = process.argv.slice(2);

// Read once: what is asked for is a name in this table, never a path.
const files = new Map(
  readdirSync(folder).map((name) => [
    `/${name}`,
    { type: `${TYPES[path.extname(name)]}; charset=utf-8`, body: readFileSync(path.join(folder, name)) },
  ]),
);
files.set("/", files.get("/index.html"));

const server = http.createServer((request, response) => {
  const file = files.get(request.url.split("?")[0]);
  const ours = request.headers.host === `127.0.0.1:${server.address().port}`;
  if (!file || !ours || request.method !== "GET") {
    response.writeHead(ours ? 404 : 421).end();
    return;
  }
  response.writeHead(200, { "content-type": file.type, "cache-control": "no-store", "x-content-type-options": "nosniff" });
  response.end(file.body);
});
server.listen(Number(port), "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));
