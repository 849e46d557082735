/** Requests to the gateway's endpoints of tokens, which are next to GraphQL. */
import { CliError, exitCodes } from './exit-codes.js';

/** An answer of an endpoint. */
export interface EndpointAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** Sends a form. @throws CliError if there is no answer in JSON */
export async function postForm(
  url: string,
  path: string,
  form: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<EndpointAnswer> {
  const address = new URL(path, url).href;
  try {
    const response = await fetch(address, {
      method: 'POST',
      body: new URLSearchParams(form),
      signal,
      redirect: 'error',
    });
    const text = await response.text();
    return { status: response.status, body: JSON.parse(text) as unknown };
  } catch (error) {
    if (signal.aborted) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(exitCodes.unavailable, `${address} cannot be reached: ${why}`);
  }
}
