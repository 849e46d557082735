/** GraphQL over keep-alive connections, as thin as it goes: the generator must not be what is measured. */
import { Pool } from 'undici';

/** Posts operations with one token over a bounded number of connections. */
export interface Api {
  /** Answers `data`; throws when the answer has errors. */
  post<T>(query: string, variables?: Readonly<Record<string, unknown>>): Promise<T>;
  close(): Promise<void>;
}

/**
 * Connects to a GraphQL endpoint.
 * @param identity a bearer token, or the headers of each call
 */
export function connectApi(
  url: string,
  identity: string | (() => Readonly<Record<string, string>>),
  connections: number,
): Api {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, {
    connections,
    pipelining: 1,
    headersTimeout: 120_000,
    bodyTimeout: 120_000,
  });
  const common = { 'content-type': 'application/json', accept: 'application/json' };
  const bearer = { ...common, authorization: `Bearer ${typeof identity === 'string' ? identity : ''}` };
  return {
    async post<T>(query: string, variables?: Readonly<Record<string, unknown>>): Promise<T> {
      const { statusCode, body } = await pool.request({
        path: pathname,
        method: 'POST',
        headers: typeof identity === 'string' ? bearer : { ...common, ...identity() },
        body: JSON.stringify({ query, variables }),
      });
      const text = await body.text();
      if (statusCode !== 200) throw new Error(`HTTP ${statusCode}: ${text.slice(0, 400)}`);
      const { data, errors } = JSON.parse(text) as { data?: T; errors?: readonly unknown[] };
      if (errors || !data) throw new Error(`GraphQL errors: ${JSON.stringify(errors).slice(0, 600)}`);
      return data;
    },
    close: () => pool.close(),
  };
}
