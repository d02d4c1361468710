// Keeps the page for when there is no network. It fetches the files of one build, once, and nothing else.
const NAME = "vmcp-preview-%VERSION%";
const FILES = ["./", "main.js", "rest.js", "style.css"];

addEventListener("install", (event) => {
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(FILES)).then(() => skipWaiting()));
});

addEventListener("activate", (event) => {
  const ours = (name) => name.startsWith("vmcp-preview-") && name !== NAME;
  event.waitUntil(caches.keys().then((names) => Promise.all(names.filter(ours).map((name) => caches.delete(name)))).then(() => clients.claim()));
});

addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  event.respondWith(caches.open(NAME).then((cache) => cache.match(event.request, { ignoreSearch: true })).then((kept) => kept ?? fetch(event.request)));
});
