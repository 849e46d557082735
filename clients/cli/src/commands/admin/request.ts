/** Requests of checks. */

/** Longest time of one request, in milliseconds. */
export const requestMs = 10_000;

/** Gets an address. */
export function request(url: URL, signal: AbortSignal): Promise<Response> {
  return fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(requestMs)]) });
}

/** Reason of a failed request: its cause is one level down. */
export function reasonOf(error: unknown): string {
  const { cause, message } = error as Error & { readonly cause?: Error };
  return cause?.message ?? message;
}
