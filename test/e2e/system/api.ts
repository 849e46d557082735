/**
 * GraphQL by hand: what a test sends and what comes back, errors included. Answers about jobs are recorded
 * for the check of the history.
 */
import { recordOperation } from '@rhizome/testkit';

/** One GraphQL error as it came. */
export interface ApiError {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions: { readonly code: string; readonly retry?: string; readonly [name: string]: unknown };
}

/** An answer as it came. */
export interface Answer<T> {
  readonly status: number;
  readonly data?: T | null;
  readonly errors?: readonly ApiError[];
}

/** Data of an answer: the query next to the call says what a test reads of it. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyData = any;

/** Address and identity for requests. */
export interface Api {
  readonly url: string;
  readonly token: string | undefined;
  /** The whole answer. */
  post<T>(query: string, variables?: object): Promise<Answer<T>>;
  /** The data alone; errors of any kind fail the test. */
  data<T>(query: string, variables?: object): Promise<T>;
  /** The result of a mutation with one input; errors of any kind fail the test. */
  change<T>(field: string, input: object, selection?: string): Promise<T>;
}

/** Text of a mutation with one input, `$input`, and its errors by default. */
export function mutationText(field: string, selection = 'userErrors { code }'): string {
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
  return `mutation ($input: ${type}!) { ${field}(input: $input) { ${selection} } }`;
}

type Headers = Readonly<Record<string, string>>;

/** Calls one endpoint with one token (`undefined`: none) and further headers, or those for each call. */
export function apiOf(
  url: string,
  token: string | undefined,
  headers: Headers | (() => Promise<Headers>) = {},
): Api {
  const post = async <T>(query: string, variables: object = {}): Promise<Answer<T>> => {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(typeof headers === 'function' ? await headers() : headers),
      },
      body: JSON.stringify({ query, variables }),
    });
    const answer = (await response.json()) as Omit<Answer<T>, 'status'>;
    if (answer.data)
      recordOperation(
        { url },
        { document: query, variables, caller: token?.slice(-12) ?? 'anybody', data: answer.data },
      );
    return { status: response.status, ...answer };
  };
  const dataOf = async <T>(query: string, variables?: object): Promise<T> => {
    const { data, errors, status } = await post<T>(query, variables);
    if (errors || !data) throw new Error(`HTTP ${status}: ${JSON.stringify(errors ?? data)}`);
    return data;
  };
  return {
    url,
    token,
    post,
    data: dataOf,
    async change<T>(field: string, input: object, selection = ''): Promise<T> {
      const text = mutationText(field, `${selection} userErrors { code message }`);
      const data = await dataOf<Record<string, T & { userErrors: readonly object[] }>>(text, { input });
      const result = data[field];
      if (!result || result.userErrors.length > 0) throw new Error(JSON.stringify(data));
      return result;
    },
  };
}
