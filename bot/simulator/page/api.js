/**
 * The simulator's page API: JSON over HTTP, and a WebSocket of changes. The one rule: whatever goes wrong becomes an
 * ApiError whose message is a sentence for the person.
 */

const FIRST_RETRY_MS = 300;
const LAST_RETRY_MS = 4000;

export class ApiError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

async function request(path, init) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...init });
  } catch {
    throw new ApiError("unreachable", "The simulator cannot be reached. Is it still running?");
  }
  let answer;
  try {
    answer = await response.json();
  } catch {
    throw new ApiError("bad_answer", `The simulator answered with status ${response.status} and no JSON.`);
  }
  if (!answer.ok) throw new ApiError(answer.error ?? "unknown", answer.message ?? "The simulator refused that.");
  return answer;
}

/** POST to `/_sim/<name>`; returns the answer, or throws ApiError. */
export function post(name, body) {
  return request(`/_sim/${name}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

/** All that one person sees; without `user`, the first active person. */
export function loadState(user) {
  return request(user ? `/_sim/state?user=${encodeURIComponent(user)}` : "/_sim/state");
}

/**
 * Follow what one person sees. On each connection: `onState(state)` first, then `onChange(frame)` for every later change;
 * `known` is the `rev` of a state that is shown already, and spares the first `onState` if nothing has changed since.
 * `onStatus(connected)` tells of loss and return. Returns a function that ends it.
 */
export function follow(user, { known = null, onState, onChange, onStatus }) {
  let socket = null;
  let retry = FIRST_RETRY_MS;
  let timer = 0;
  let ended = false;

  const connect = () => {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const early = [];
    let rev = null;
    const mine = new WebSocket(`${scheme}://${location.host}/_sim/events?user=${encodeURIComponent(user)}`);
    socket = mine;

    const begin = async (now) => {
      if (now === known) rev = known;
      else {
        const state = await loadState(user);
        if (ended || socket !== mine) return;
        rev = state.rev;
        onState(state);
      }
      known = null;
      retry = FIRST_RETRY_MS;
      onStatus(true);
      for (const frame of early.splice(0)) if (frame.rev > rev) onChange(frame);
    };
    mine.onmessage = (event) => {
      if (ended || socket !== mine) return;
      const frame = JSON.parse(event.data);
      if (frame.type === "hello") begin(frame.rev).catch(() => mine.close());
      else if (rev === null) early.push(frame);
      else if (frame.rev > rev) onChange(frame);
    };
    mine.onclose = () => {
      if (ended || socket !== mine) return;
      onStatus(false);
      timer = setTimeout(connect, retry);
      retry = Math.min(retry * 2, LAST_RETRY_MS);
    };
  };

  connect();
  return () => {
    ended = true;
    clearTimeout(timer);
    socket?.close();
  };
}
