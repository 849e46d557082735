import type { GraphQLFormattedError } from 'graphql';
import type { Client, SubscribePayload } from 'graphql-ws';
import { RhizomeApiError } from './api-error.js';
import type { HttpAnswer, HttpCall } from './http-transport.js';

/** Ports of {@link callOverSocket}. */
export interface SocketCallOptions {
  /** Address for messages. */
  readonly url: string;
  /** Message for what the protocol's library throws when the socket fails. */
  readonly explain: (thrown: unknown) => string;
  /** Called when the time limit has passed. */
  readonly onTimeout: () => void;
}

/**
 * Sends a request over an open socket and waits for its one answer.
 * @throws RhizomeApiError for everything but an answer; what aborted the signal as it is
 */
export function callOverSocket(
  client: Client,
  { query, operationName, variables, requestId, timeoutMs, signal }: HttpCall,
  { url, explain, onTimeout }: SocketCallOptions,
): Promise<HttpAnswer> {
  const failure = (code: string, message: string): RhizomeApiError =>
    new RhizomeApiError({ code, message, requestId, noAnswer: true });
  const payload = { query, operationName: operationName ?? null, variables, extensions: { requestId } };
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    let answer: HttpAnswer | undefined;
    const settle = (settled: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      settled();
    };
    const dispose = client.subscribe(payload as SubscribePayload, {
      next: (result) => (answer = result as HttpAnswer),
      error: (thrown) =>
        settle(() => {
          if (Array.isArray(thrown)) resolve({ errors: thrown as GraphQLFormattedError[] });
          else reject(failure('SERVICE_UNAVAILABLE', explain(thrown)));
        }),
      complete: () =>
        settle(() => {
          if (answer) resolve(answer);
          else reject(failure('SERVICE_UNAVAILABLE', `${url} ended a call without an answer`));
        }),
    });
    const stop = (error: Error): void =>
      settle(() => {
        reject(error);
        dispose();
      });
    const onAbort = (): void => stop(signal?.reason as Error);
    const timer = setTimeout(() => {
      stop(failure('REQUEST_TIMEOUT', `${url} gave no answer within ${timeoutMs} ms`));
      onTimeout();
    }, timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
