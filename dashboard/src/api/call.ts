import { ApiError, asSentence, isErrorBody, isRecord, openAiError, parseRetryAfter } from "./error";

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

interface Options {
  /** Sent as JSON, or as it is when it is a file. */
  body?: unknown;
  query?: Record<string, string | number | boolean | undefined>;
  signal?: AbortSignal;
  /** Who asks, where that is not whoever is signed in. */
  bearer?: string;
}

/** A path below `/api`, or one below `/v1`, where other programs look for models. */
export function apiUrl(path: string, query: Options["query"] = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") search.set(key, String(value));
  }
  const text = search.toString();
  return `${path.startsWith("/v1/") ? "" : "/api"}${path}${text ? `?${text}` : ""}`;
}

async function send(method: Method, path: string, { body, query, signal, bearer }: Options): Promise<Response> {
  const raw = body instanceof Blob;
  const headers: Record<string, string> = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = raw ? "application/octet-stream" : "application/json";
  if (bearer !== undefined) headers.authorization = `Bearer ${bearer}`;
  let response: Response;
  try {
    response = await fetch(apiUrl(path, query), {
      method,
      headers,
      body: body === undefined ? undefined : raw ? body : JSON.stringify(body),
      signal,
      credentials: "same-origin",
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "UNREACHABLE", "The server does not answer. Check that NanoScale is running and that you are online.");
  }
  if (!response.ok) throw await toError(response);
  return response;
}

async function toError(response: Response): Promise<ApiError> {
  const retryAfter = parseRetryAfter(response.headers.get("retry-after"));
  const requestId = response.headers.get("x-request-id") ?? undefined;
  const body: unknown = await response.json().catch(() => undefined);
  if (isErrorBody(body)) {
    const details = isRecord(body.details) ? body.details : {};
    return new ApiError(response.status, body.error, asSentence(body.message), details, retryAfter, requestId);
  }
  const said = openAiError(body);
  if (said) return new ApiError(response.status, said.code, said.message, {}, retryAfter, requestId);
  const message =
    response.status >= 500
      ? `The server failed with status ${response.status}. Its log says why.`
      : `The server refused this with status ${response.status}.`;
  return new ApiError(response.status, "UNKNOWN", message, {}, retryAfter, requestId);
}

/** The one way to the API: `T` is what the schema says about this route's answer. */
export async function call<T = void>(method: Method, path: string, options: Options = {}): Promise<T> {
  const response = await send(method, path, options);
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

/** For the routes that answer with JSON lines. */
export async function callText(path: string, query?: Options["query"]): Promise<string> {
  return (await send("GET", path, { query })).text();
}

/** For the routes that answer with bytes. */
export async function callBytes(path: string, query?: Options["query"]): Promise<{ bytes: Uint8Array; headers: Headers }> {
  const response = await send("GET", path, { query });
  return { bytes: new Uint8Array(await response.arrayBuffer()), headers: response.headers };
}

/** For the route that answers bit by bit. */
export async function callStream(path: string, body: unknown, signal: AbortSignal): Promise<{ stream: ReadableStream<Uint8Array>; headers: Headers }> {
  const response = await send("POST", path, { body, signal });
  return { stream: response.body ?? new Blob().stream(), headers: response.headers };
}
