/** What a client calls itself, for statistics: nothing is granted by it. */
import type { IncomingHttpHeaders } from 'node:http';

/** A client program. */
export interface ClientIdentity {
  readonly name: string;
  readonly version: string;
}

/** A client that does not say. */
export const unknownClient: ClientIdentity = { name: 'unknown', version: 'unknown' };

const wellFormed = /^[\w.@/+ -]{1,64}$/;

/**
 * Reads `graphql-client-name` and `graphql-client-version`, or Apollo's names for the same, from headers or from the payload by which a
 * WebSocket was opened. What is not well formed counts as not said.
 */
export function clientIdentity(
  headers: IncomingHttpHeaders,
  payload: Readonly<Record<string, unknown>> = {},
): ClientIdentity {
  const read = (what: 'name' | 'version'): string => {
    const said =
      payload[`graphql-client-${what}`] ??
      headers[`graphql-client-${what}`] ??
      headers[`apollographql-client-${what}`];
    return typeof said === 'string' && wellFormed.test(said) ? said : 'unknown';
  };
  const [name, version] = [read('name'), read('version')];
  return name === 'unknown' && version === 'unknown' ? unknownClient : { name, version };
}
