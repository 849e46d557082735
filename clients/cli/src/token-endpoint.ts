/** Requests to the gateway's endpoints of tokens, which are next to GraphQL. */
import { CliError, exitCodes } from './exit-codes.js';

/** An answer of an endpoint. */
export interface EndpointAnswer {
  readonly status: number;
  /** Null for an empty body, and for one that is no JSON. */
  readonly body: unknown;
}

/** Time for one request, in milliseconds. */
const timeoutMs = 20_000;

/** Sends a form. @throws CliError if there is no answer */
export function postForm(
  url: string,
  path: string,
  form: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<EndpointAnswer> {
  return send(new URL(path, url).href, { method: 'POST', body: new URLSearchParams(form) }, signal);
}

/** Reads a document. @throws CliError if there is no answer */
export function getJson(url: string, path: string, signal: AbortSignal): Promise<EndpointAnswer> {
  return send(new URL(path, url).href, {}, signal);
}

async function send(address: string, request: RequestInit, signal: AbortSignal): Promise<EndpointAnswer> {
  try {
    const response = await fetch(address, {
      ...request,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      redirect: 'error',
    });
    return { status: response.status, body: parsed(await response.text()) };
  } catch (error) {
    if (signal.aborted) throw error;
    const why = error instanceof Error ? reasonOf(error) : String(error);
    throw new CliError(exitCodes.unavailable, `${address} cannot be reached: ${why}`);
  }
}

/** The reason of a failed fetch is in its cause. */
function reasonOf({ message, cause }: Error): string {
  return cause instanceof Error && cause.message !== '' ? cause.message : message;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
