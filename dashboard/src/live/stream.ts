export type StreamState = "connecting" | "open" | "lost" | "ended";

interface StreamOptions {
  /** Asked again for each new connection, so that it can say where to go on. */
  url: () => string;
  /** `id` is where to go on after it. */
  onData: (data: unknown, id: string) => void;
  /** The same, of events that have a name. */
  onNamed?: Record<string, (data: unknown, id: string) => void>;
  onState: (state: StreamState) => void;
  /** The server said that nothing more comes. */
  endEvent?: string;
}

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 15_000;
/** Browsers allow six connections to a plain HTTP server, over all tabs: tabs nobody looks at give theirs back. */
const HIDDEN_CLOSE_MS = 20_000;

/** An EventSource that also comes back after the answers on which browsers give up. Returns how to close it. */
export function openStream({ url, onData, onNamed, onState, endEvent }: StreamOptions): () => void {
  let source: EventSource | undefined;
  let retry = FIRST_RETRY_MS;
  let timer: number | undefined;
  let hiddenTimer: number | undefined;
  let ended = false;

  function disconnect() {
    window.clearTimeout(timer);
    source?.close();
    source = undefined;
  }

  function connect() {
    disconnect();
    onState("connecting");
    const opened = new EventSource(url());
    source = opened;
    opened.onopen = () => {
      retry = FIRST_RETRY_MS;
      onState("open");
    };
    opened.onmessage = (event: MessageEvent<string>) => {
      const data = parse(event.data);
      if (data !== undefined) onData(data, event.lastEventId);
    };
    for (const [name, onEvent] of Object.entries(onNamed ?? {})) {
      opened.addEventListener(name, (event: MessageEvent<string>) => {
        const data = parse(event.data);
        if (data !== undefined) onEvent(data, event.lastEventId);
      });
    }
    opened.onerror = () => {
      onState("lost");
      if (opened.readyState !== EventSource.CLOSED) return;
      timer = window.setTimeout(connect, retry);
      retry = Math.min(retry * 2, LAST_RETRY_MS);
    };
    if (endEvent) {
      opened.addEventListener(endEvent, () => {
        ended = true;
        disconnect();
        onState("ended");
      });
    }
  }

  function onVisibility() {
    window.clearTimeout(hiddenTimer);
    if (ended) return;
    if (document.hidden) hiddenTimer = window.setTimeout(disconnect, HIDDEN_CLOSE_MS);
    else if (!source) connect();
  }

  // A page that was left may be kept to be gone back to, and its connections with it.
  function onShow() {
    if (!ended && !source) connect();
  }

  document.addEventListener("visibilitychange", onVisibility);
  window.addEventListener("pagehide", disconnect);
  window.addEventListener("pageshow", onShow);
  connect();

  return () => {
    document.removeEventListener("visibilitychange", onVisibility);
    window.removeEventListener("pagehide", disconnect);
    window.removeEventListener("pageshow", onShow);
    window.clearTimeout(hiddenTimer);
    disconnect();
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
