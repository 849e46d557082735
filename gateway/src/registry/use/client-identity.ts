/** Name and version that a client reports, for statistics only: they grant nothing. */
import type { IncomingHttpHeaders } from 'node:http';

/** A client program. */
export interface ClientIdentity {
  readonly name: string;
  readonly version: string;
}

/** A client that reports no name. */
export const unknownClient: ClientIdentity = { name: 'unknown', version: 'unknown' };

const wellFormed = /^[\w.@/+ -]{1,64}$/;

/**
 * Reads `graphql-client-name` and `graphql-client-version`, or Apollo's equivalents, from headers or from the
 * payload of `connection_init`. Malformed values count as missing.
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
