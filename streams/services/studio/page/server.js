// Ask the studio. Each request carries the token of the address, which no other page knows.

const KEY = "icam-studio-token";

/** The studio refused, with a reason for the reader; `why` names it if the page has words for it. */
export class Refused extends Error {
  constructor(status, reason, why) {
    super(reason);
    this.status = status;
    this.why = why;
  }
}

/** Take the token out of the address, so that nobody reads it there, and keep it for this tab. */
export function takeToken() {
  const given = location.hash.slice(1);
  if (given && given !== "content") {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(KEY) !== null;
}

/** Return what the studio holds under a path; null if there is nothing new. */
export async function get(path) {
  const answer = await ask(path);
  return answer.status === 204 ? null : answer.json();
}

/** Return a file. */
export const getFile = async (path) => (await ask(path)).blob();

/** Ask for something to be done. */
export const post = (path, content = {}) =>
  ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(content),
  });

async function ask(path, { headers = {}, ...options } = {}) {
  const token = sessionStorage.getItem(KEY);
  const answer = await fetch(path, {
    ...options,
    cache: "no-store",
    headers: { ...headers, Authorization: `Bearer ${token}` },
  });
  if (!answer.ok) {
    throw new Refused(answer.status, (await answer.text()).trim(), answer.headers.get("X-Refusal"));
  }
  return answer;
}
