/** Requests of checks. */

/** Longest time of one request, in milliseconds. */
export const requestMs = 10_000;

/** Gets an address. */
export function request(url: URL, signal: AbortSignal): Promise<Response> {
  return fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(requestMs)]) });
}

/**
 * Status that an address answers with. Others than the operator have set it: redirects are not followed, and
 * nothing of the content is read.
 */
export async function statusOf(url: URL, method: 'GET' | 'HEAD', signal: AbortSignal): Promise<number> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(requestMs)]);
  const answer = await fetch(url, { method, redirect: 'manual', signal: limit });
  await answer.body?.cancel();
  return answer.status;
}

/** Reason of a failed request: its cause is one level down. */
export function reasonOf(error: unknown): string {
  const { cause, message } = error as Error & { readonly cause?: Error };
  return cause?.message ?? message;
}
