// Calls of the API. The key travels in a header: no other site can send it.

class Refused extends Error {
  constructor(status, error, advice) {
    super(error);
    this.status = status;
    this.advice = advice;
  }
}

const stored = { get: () => sessionStorage.getItem("tailrace-key"), set: (key) => sessionStorage.setItem("tailrace-key", key) };

function takeKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!given) return;
  stored.set(given);
  history.replaceState(null, "", location.pathname);
}

async function call(path, body) {
  const headers = { "x-tailrace": "page" };
  if (stored.get()) headers["x-functions-key"] = stored.get();
  if (body) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(`/api/${path}`, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(120000) });
  } catch (error) {
    throw new Refused(0, "the server does not answer", "start it again; this page goes on by itself");
  }
  const document = await answer.json().catch(() => ({ error: `the server answered ${answer.status} without JSON` }));
  if (!answer.ok && document.error) throw new Refused(answer.status, document.error, document.advice);
  if (answer.status === 401) throw new Refused(401, "the key is missing or wrong", null);
  return document;
}
